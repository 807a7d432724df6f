"""What the client says: its log, its exit code, and that answers which grow do not stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...vocabulary import CauseClass
from ..story import TERMINAL, End, Step
from .idempotency import identity
from .judge import Finding, Judge, Watch, documented_breaches
from .steps import EVERYWHERE, LOOKS

IMPLIED = (
    "client.scope.confirmed",
    "client.requests.operations",
    "client.requests.page_size",
    "client.retries.lost_answer",
    "client.retries.unavailable",
    "client.polls.growing",
)
"""Duties that a sensible client may see otherwise: they explain no exit code."""

ENDS_A_WRITE = frozenset(
    {
        (409, "PARTNER_ID_CONFLICT"),
        (409, "IDEMPOTENCY_KEY_CONFLICT"),
        (404, "REVIEW_NOT_FOUND"),
        (400, "MERGE_REJECTED"),
        (400, "REVIEW_SOURCE_MISMATCH"),
    }
)
"""Refusals that say that there is nothing more to do, or that another duty judges."""


class CorrelationLogged(Judge):
    duty = "client.correlation.logged"
    shown_in = EVERYWHERE

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._answers: list[Step] = []

    def answered(self, step: Step) -> None:
        if step.delivered and step.correlation_id and step.operation is not None:
            self._answers.append(step)

    def ended(self, end: End) -> None:
        answers = [step for step in self._answers if step.round == end.round]
        if end.output is None or not answers:
            return
        missing = [step for step in answers if str(step.correlation_id).encode() not in end.output]
        if not missing:
            self.keeps(*answers[:3])
        elif not end.complete:
            self.cannot_tell("the client wrote more than is kept", CauseClass.LIMIT)
        elif end.killed:
            self.cannot_tell("the client was stopped, and what it had still to write is lost", CauseClass.DEADLINE)
        else:
            self.breaks(
                f"{len(missing)} of {len(answers)} correlation IDs are not in what the client wrote; the first belongs "
                f"to {missing[0].operation}",
                *missing[:3],
            )


@dataclass(frozen=True)
class State:
    """How things were when a round ended, each told by the step that shows it.

    `refused` is a write that has not got through, `failed` an import that ended as failed, `denied` what said that the
    key may not write, `trouble` what may stop any client, `excuse` what may stop a careful one, `running` a run without
    an end.
    """

    refused: Step | None
    failed: Step | None
    denied: Step | None
    trouble: Step | None
    excuse: Step | None
    running: Step | None


class _Ends(Judge):
    """Keeps what decides whether a client got through."""

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.refused: dict[str, Step] = {}
        self.failed: dict[str | None, Step] = {}
        self.running: dict[str, Step] = {}
        self.trouble: Step | None = None
        self.written: set[int] = set()
        self.denied: Step | None = None
        self.last: dict[int, Step] = {}
        self.excuse: Step | None = None
        self.states: dict[int, State] = {}

    def answered(self, step: Step) -> None:
        self.last[step.round] = step
        if step.is_write and step.operation is not None:
            self._write(step, step.operation)
        looked = step.status == 404 and step.operation in (*LOOKS, "getRun", "getSession", "getMatch")
        unsettled = step.delivered and step.status >= 400 and not looked
        if unsettled or not step.delivered:
            self.trouble = self.trouble or step
        if step.is_success and step.scopes is not None and "partner:write" not in step.scopes:
            self.denied = step
        for run in step.shows():
            if not step.delivered:
                continue
            if run.status in TERMINAL:
                self.running.pop(run.id, None)
                if run.kind == "import" and run.status == "failed" and run.event is not None:
                    self.failed.setdefault(run.event, step)
                elif (
                    run.kind == "import" and run.event in self.failed and step.arrived > self.failed[run.event].arrived
                ):
                    self.failed.pop(run.event, None)
                if run.kind == "enrichment" and run.status == "partial":
                    self.excuse = self.excuse or step  # rows without a source record are an everyday thing
                elif run.status != "succeeded":
                    self.trouble = self.trouble or step
            elif step.starts_run:
                self.running[run.id] = step
        if step.operation in ("listReviews", "listEventReviews") and step.rows:
            self.excuse = self.excuse or step  # a client may well stop where a person has to decide

    def _write(self, step: Step, operation: str) -> None:
        name = identity(step) if step.starts_run else step.facts.content
        if operation == "createEvent":
            name = f"event {next(iter(step.facts.names.get('event', ())), '')}"
        if step.is_success or (step.status, step.code) in ENDS_A_WRITE or (step.effect and not step.delivered):
            self.refused.pop(name, None)
            if step.is_success:
                self.written.add(step.round)
        else:
            self.refused[name] = step

    def ended(self, end: End) -> None:
        self.states[end.round] = State(
            next(iter(self.refused.values()), None),
            next(iter(self.failed.values()), None),
            self.denied,
            self.trouble,
            self.excuse,
            next(iter(self.running.values()), None),
        )
        self.refused, self.failed, self.running = {}, {}, {}
        self.denied = self.trouble = self.excuse = None


class UndocumentedMembers(_Ends):
    duty = "client.answers.undocumented_members"
    shown_in = ("grown",)

    def conclude(self, found: Mapping[str, Finding], watched: Watch) -> None:
        if self.scenario != "grown" or watched.listening or not watched.steps:
            return
        end = watched.ends[-1]
        trouble = self.states[end.round].trouble
        if end.killed:
            self.cannot_tell("the client was stopped before its end", CauseClass.DEADLINE)
        elif end.code == 0:
            self.keeps(*watched.steps[:1], self.last.get(end.round))
        elif not documented_breaches(found, IMPLIED) and trouble is None:
            self.breaks(
                f"The client ended with exit code {end.code} where answers have members and headers that the pages do "
                "not name",
                self.last.get(end.round),
            )


class ExitCode(_Ends):
    duty = "client.exit_code"
    shown_in = EVERYWHERE

    def conclude(self, found: Mapping[str, Finding], watched: Watch) -> None:
        if watched.listening or not watched.steps or documented_breaches(found, IMPLIED):
            return  # what was told of a breach is not told again of the exit code
        for end in watched.ends:
            self._judge(end)

    def _judge(self, end: End) -> None:
        state = self.states[end.round]
        last = self.last.get(end.round)
        explains = state.trouble or state.denied or state.excuse or state.running
        if end.killed:
            self.cannot_tell(f"the client did not end by itself: {end.killed}", CauseClass.DEADLINE)
        elif end.code == 0:
            if state.refused is not None:
                self.breaks(
                    f"The client ended with exit code 0 although its write had not got through: {state.refused.line}",
                    state.refused,
                )
            elif state.failed is not None:
                self.breaks("The client ended with exit code 0 although its import had failed", state.failed)
            elif state.denied is not None and end.round not in self.written:
                self.breaks("The client ended with exit code 0 although its key may not write", state.denied)
            else:
                self.keeps(last)
        elif explains is None:
            self.breaks(f"The client ended with exit code {end.code} although everything had got through", last)
        else:
            self.keeps(explains)

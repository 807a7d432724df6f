"""Runs: polled to their end before anything builds on them (canonical-flow, step 5; overview, Asynchronous runs)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..story import RUN_KINDS, TERMINAL, End, Run, Step
from .idempotency import identity
from .judge import Judge
from .steps import EVERYWHERE

BUILDS_ON = {
    "createEnrichmentRun": ("import",),
    "createMatchRun": ("import", "enrichment"),
    "listEventMatches": ("match",),
    "listAttendeeMatches": ("match",),
    "getMatch": ("match",),
}
"""The kinds of runs of an event that must have ended before an operation on it."""

NAMED = frozenset({"queued", "running"}) | TERMINAL
"""The statuses that the pages name, and the one that every client expects."""

MORE_POLLS = 5
"""Polls after the end that do not make a loop: a run may be read again for its progress."""


@dataclass
class Followed:
    """A run as the client has seen it. `known` is false while the answer that started it is lost."""

    id: str
    kind: str
    event: str | None
    started: Step
    round: int
    known: bool = True
    status: str = "queued"
    last: Step | None = None
    unnamed: Step | None = None
    asked_after_unnamed: bool = False
    ended: Step | None = None
    polls_after_end: list[Step] = field(default_factory=list)


class _Runs(Judge):
    """Follows every run that the client has started."""

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.runs: dict[str, Followed] = {}
        self.of_event: dict[tuple[str | None, str], list[Followed]] = {}

    def answered(self, step: Step) -> None:
        if step.starts_run and step.run is not None and (step.is_success or step.effect):
            self._start(step, step.run)
        if step.delivered:
            for run in step.shows():
                self._show(step, run)
            if step.operation == "listAttendees" and step.is_success:
                # Rows that are there tell of a lost import as much as its run does.
                for one in self.of_event.get((step.event, "import"), []):
                    if not one.known and one.ended is None:
                        one.ended = step
                        self.run_ended(one, step)

    def _start(self, step: Step, run: Run) -> None:
        kind = RUN_KINDS[str(step.operation)]
        found = self.runs.get(run.id)
        if found is None:
            found = self.runs[run.id] = Followed(run.id, kind, step.event, step, step.round, step.delivered)
            others = self.of_event.setdefault((step.event, kind), [])
            # A lost run that the client has started anew is reported as a second run, not as one that is never polled.
            others[:] = [one for one in others if one.known or identity(one.started) != identity(step)]
            others.append(found)
        found.round = step.round

    def _show(self, step: Step, run: Run) -> None:
        found = self.runs.get(run.id)
        if found is None:
            return
        found.known = True
        found.status, found.last = run.status, step
        if run.status in TERMINAL:
            if found.ended is None:
                found.ended = step
                self.run_ended(found, step)
        elif run.status not in NAMED and found.unnamed is None:
            found.unnamed = step
            self.status_unnamed(found, step)

    def run_ended(self, run: Followed, step: Step) -> None:
        """Take the answer that shows the client the end of a run."""

    def status_unnamed(self, run: Followed, step: Step) -> None:
        """Take the answer that shows the client a status that the pages do not name."""

    def needed(self, step: Step) -> list[Followed]:
        """Return the runs that a request builds on."""
        if step.operation not in BUILDS_ON or step.event is None:
            return []
        found = [
            run
            for kind in BUILDS_ON[step.operation]
            for run in self.of_event.get((step.event, kind), [])
            if run.round == step.round
        ]
        named = step.query.get("run_id")
        return [run for run in found if run.id == named] if named in self.runs else found


def taken_for_the_end(run: Followed) -> bool:
    """Return whether the client stopped polling at a status that the pages do not name, and at no other."""
    return run.unnamed is not None and run.last is not None and run.status not in NAMED and not run.asked_after_unnamed


class _Polls(_Runs):
    def asked(self, step: Step) -> None:
        if step.operation == "getRun":
            run = self.runs.get(step.parameters.get("run_id", ""))
            if run is not None:
                self.polled(run, step)
        for run in self.needed(step):
            if run.started.arrived < step.arrived:
                self.built_on(run, step)

    def polled(self, run: Followed, step: Step) -> None:
        if run.unnamed is not None and run.ended is None and step.arrived >= run.unnamed.answered:
            run.asked_after_unnamed = True

    def built_on(self, run: Followed, step: Step) -> None:
        """Take a request that builds on a run."""


class Polled(_Polls):
    duty = "client.runs.polled"
    shown_in = EVERYWHERE

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._charged: set[str] = set()

    def built_on(self, run: Followed, step: Step) -> None:
        if run.ended is not None:
            self.keeps(run.started, run.ended, step)
        elif run.id not in self._charged and not taken_for_the_end(run):
            self._charged.add(run.id)
            seen = f"last seen as {run.status}" if run.known else "whose answer was lost"
            self.breaks(
                f"{step.operation} was sent before the client had seen the end of the {run.kind} run ({seen})",
                run.started,
                run.last,
                step,
            )

    def ended(self, end: End) -> None:
        for run in self.runs.values():
            if run.round != end.round or run.event is None or not run.known:
                continue
            if run.ended is not None:
                self.keeps(run.started, run.ended)
            elif run.id not in self._charged and end.code == 0 and not end.killed and not taken_for_the_end(run):
                self._charged.add(run.id)
                self.breaks(
                    f"The client ended without having seen the end of its {run.kind} run (last seen as {run.status})",
                    run.started,
                    run.last,
                )


class UnknownStatus(_Polls):
    duty = "client.runs.unknown_status"
    shown_in = ("slow_runs",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._charged: set[str] = set()

    def polled(self, run: Followed, step: Step) -> None:
        super().polled(run, step)
        if run.unnamed is not None and run.asked_after_unnamed:
            self.keeps(run.unnamed, step)

    def built_on(self, run: Followed, step: Step) -> None:
        if run.ended is None and taken_for_the_end(run) and run.id not in self._charged:
            self._charged.add(run.id)
            self.breaks(
                f"{step.operation} was sent after the {run.kind} run had shown the status {run.status[:40]!r}, which "
                "is not the end",
                run.started,
                run.last,
                step,
            )

    def ended(self, end: End) -> None:
        for run in self.runs.values():
            if run.round == end.round and run.ended is None and taken_for_the_end(run) and run.id not in self._charged:
                if end.killed or (end.code is None):
                    continue
                self._charged.add(run.id)
                self.breaks(
                    f"The client stopped polling at the status {run.status[:40]!r} of its {run.kind} run, which is "
                    "not the end",
                    run.started,
                    run.last,
                )


class EndRecognised(_Polls):
    duty = "client.runs.ends_recognised"
    shown_in = ("plain", "partial_import", "failed_import")

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._last: Step | None = None

    def run_ended(self, run: Followed, step: Step) -> None:
        self.keeps(run.started, step)

    def polled(self, run: Followed, step: Step) -> None:
        if run.ended is None or step.round != run.round or step.arrived < run.ended.answered:
            return
        run.polls_after_end.append(step)
        if len(run.polls_after_end) == MORE_POLLS + 1:
            self._charge(run)
        del run.polls_after_end[MORE_POLLS + 1 :]

    def asked(self, step: Step) -> None:
        super().asked(step)
        self._last = step

    def _charge(self, run: Followed) -> None:
        self.breaks(
            f"The {run.kind} run had ended as {run.status}, and the client went on polling it",
            run.ended,
            *run.polls_after_end,
        )

    def ended(self, end: End) -> None:
        # A client that polls with growing pauses until it gives up has polled less often.
        if end.killed or (end.code not in (None, 0)):
            for run in self.runs.values():
                polls = run.polls_after_end
                if 2 <= len(polls) <= MORE_POLLS and polls[-1] is self._last:
                    self._charge(run)
        self._last = None


class FailedImport(_Polls):
    duty = "client.runs.failed_import"
    shown_in = ("failed_import",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._failed: dict[str | None, tuple[Followed, Step]] = {}

    def run_ended(self, run: Followed, step: Step) -> None:
        if run.kind != "import":
            return
        if run.status == "failed":
            self._failed[run.event] = (run, step)
        elif run.event in self._failed and run.started.arrived > self._failed[run.event][1].answered:
            failed, seen = self._failed.pop(run.event)
            self.keeps(failed.started, seen, run.started, step)

    def built_on(self, run: Followed, step: Step) -> None:
        if step.operation != "createMatchRun" or step.event not in self._failed:
            return
        failed, seen = self._failed[step.event]
        if failed is run and self.surely_after(seen, step):
            self.breaks(
                "The event's import had failed, and the client started matching on it", failed.started, seen, step
            )

    def ended(self, end: End) -> None:
        for failed, seen in self._failed.values():
            self.keeps(failed.started, seen)
        self._failed.clear()

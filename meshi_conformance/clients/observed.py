"""The duties of clients in traffic that was observed: each key is a client, and nothing is made up for it.

The judges are those of a scenario. A recording may lack requests, so of the duties that a missing request could
excuse only those are judged whose breach shows by itself; with `complete` the others are judged as well. What a
client writes, and how it ends, traffic does not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from ..contract.contract import Contract
from ..exchanges.checks import retry_after_seconds
from ..exchanges.exchange import Exchange
from ..verdicts.verdicts import Judgement, RequirementVerdict, judge
from ..watching.expectations.expectation import Reader, Unknown
from ..watching.state.observation import UNREADABLE, Coverage, Observation, Router
from .bounds import faults_of
from .duties import idempotency, pages, pauses, requests, retries, runs, watch
from .duties.judge import Finding, Judge, Watch
from .duties.runs import Followed
from .story import End, Facts, Step, facts_of, query_of, read_answer

MOST_STEPS = 10_000
"""Requests that are judged at most: each is kept until the end."""

MOST_BODY = 4_096
"""Bytes of an exchange's bodies up to which it is kept as evidence."""

COARSE = 0.05
"""Seconds of a recorder's clock from which on pauses are not judged."""

SURELY_A_BURST = 12
"""Short pauses from which on a run was polled in a burst, whatever polls are missing between them."""

ONE_LOOP = 60.0
"""Seconds after which another poll of a run belongs to no loop: a person, or a page, looks again."""


class KeyOutsideHeader(requests.KeyNowhereElse):
    """Sees URLs and bodies alone, which shows a breach and never that the duty is kept: headers are not recorded."""

    def asked(self, step: Step) -> None:
        if step.key_in:
            super().asked(step)


class RetryAfter(retries.RetryAfter):
    """Concludes nothing from a recording that ends before the wait does."""

    def ended(self, end: End) -> None:
        self._refused = None


class NoBurst(pauses.NoBurst):
    """Judges the polls of a run that never overlap: two processes that poll make no burst."""

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._under_way: set[str] = set()
        self._shared: set[str] = set()

    def asked(self, step: Step) -> None:
        run = step.parameters.get("run_id", "")
        if step.operation == "getRun":
            if run in self._under_way:
                self._shared.add(run)
            self._under_way.add(run)
        super().asked(step)

    def answered(self, step: Step) -> None:
        if step.operation == "getRun":
            self._under_way.discard(step.parameters.get("run_id", ""))
        super().answered(step)

    def ended(self, end: object) -> None:
        self.pauses = {run: kept for run, kept in self.pauses.items() if run not in self._shared and self.enough(kept)}
        super().ended(end)

    def enough(self, kept: list[float]) -> bool:
        """Return whether so many pauses are short that missing polls cannot have made them look alike."""
        return sum(one < pauses.SECOND for one in kept) >= SURELY_A_BURST


class NoBurstOfComplete(NoBurst):
    """Judges every run that was polled."""

    def enough(self, kept: list[float]) -> bool:
        return True


class EndRecognised(runs.EndRecognised):
    """Counts polls after the end that follow each other within a minute."""

    def polled(self, run: Followed, step: Step) -> None:
        before = run.polls_after_end[-1] if run.polls_after_end else run.ended
        if before is not None and step.arrived - before.arrived > ONE_LOOP:
            run.polls_after_end.clear()
        super().polled(run, step)


class Verbatim(pages.Verbatim):
    """Judges a cursor that only differs by its encoding from one that the same list gave."""

    def asked(self, step: Step) -> None:
        cursor = step.query.get("cursor")
        if not cursor or step.operation is None:
            return
        page = self.issued.get(cursor)
        if page is not None:
            if pages.place(page) == pages.place(step):
                self.keeps(page, step)
            return  # two lists may give equal cursors, and a page of this one may be missing
        plain = _plain(cursor)
        own = next(
            (
                one
                for name, one in reversed(self.issued.items())
                if _plain(name) == plain and pages.place(one) == pages.place(step)
            ),
            None,
        )
        if own is not None:
            self.breaks(
                f"{step.operation} was sent the cursor {cursor[:60]!r}; {str(own.next_cursor)[:60]!r} had been given",
                own,
                step,
            )


def _plain(cursor: str) -> str:
    """Return a cursor without what encoding it once too often, or cutting it, changes."""
    return unquote(unquote(cursor)).replace(" ", "+").strip("\"'").rstrip("=")


class VerbatimOfComplete(Verbatim):
    """Judges every cursor: each that was given has been seen."""

    def asked(self, step: Step) -> None:
        cursor = step.query.get("cursor")
        if cursor and step.operation is not None and cursor not in self.issued and self.issued:
            last = next((one for one in reversed(self.issued.values()) if pages.place(one) == pages.place(step)), None)
            if last is not None:
                self.breaks(
                    f"{step.operation} was sent the cursor {cursor[:60]!r}, which no answer had given", last, step
                )
            return
        super().asked(step)


SHOWN_BY_THEMSELVES: tuple[type[Judge], ...] = (
    requests.WithinBounds,
    requests.DocumentedValues,
    requests.DocumentedOperations,
    requests.CurrentBase,
    requests.PageSize,
    requests.KeyInHeader,
    KeyOutsideHeader,
    idempotency.OwnKey,
    idempotency.EqualBody,
    RetryAfter,
    EndRecognised,
    NoBurst,
    Verbatim,
)
"""Judges whose findings no missing request could change."""

OF_COMPLETE: tuple[type[Judge], ...] = (
    *(one for one in SHOWN_BY_THEMSELVES if one not in (NoBurst, Verbatim)),
    NoBurstOfComplete,
    VerbatimOfComplete,
    idempotency.KeyKept,
    runs.Polled,
    runs.UnknownStatus,
    runs.FailedImport,
    pauses.Growing,
    pages.SameFilters,
)
"""Judges of a recording that lacks nothing."""

ABOUT_KEYS = (requests.KeyInHeader, KeyOutsideHeader)
ABOUT_PAUSES = (NoBurst, NoBurstOfComplete, pauses.Growing, RetryAfter)


class Clients:
    """Takes exchanges as a watcher does, and judges who sent them.

    `complete` and `one_org` mean what they mean for a watcher: without `one_org` requests whose key is unknown belong
    to no known client, and are not judged.
    """

    def __init__(self, contract: Contract, *, complete: bool = False, one_org: bool = False) -> None:
        self.contract = contract
        self.evidence: dict[str, Exchange] = {}
        self.count = 0
        self.left_out = 0
        self.complete = complete
        self._one_org = one_org
        self._reader = Reader(contract, Unknown({}))
        self._router = Router(contract)
        self._steps: dict[tuple[str, int], list[Step]] = {}
        self._coarse: set[tuple[str, int]] = set()
        self._keyless: set[tuple[str, int]] = set()

    def see(self, exchange: Exchange, coverage: Coverage, key: str | None = None) -> None:
        """Take an exchange; `key` is the value of the key that was sent, where it is known."""
        if exchange.method == "OPTIONS":
            return
        if not coverage.party_known and not self._one_org:
            self.left_out += 1
            return
        if self.count >= MOST_STEPS:
            self.left_out += 1
            return
        name = ("the client", coverage.source) if not coverage.party_known else self._name(exchange, coverage)
        self.count += 1
        self._steps.setdefault(name, []).append(self._step(exchange, coverage, key))
        if not coverage.party_known:
            self._keyless.add(name)
        if coverage.tick > COARSE:
            self._coarse.add(name)
        if len(exchange.body) + len(exchange.request_body or b"") <= MOST_BODY:
            self.evidence[exchange.id] = exchange

    def verdicts(self) -> list[RequirementVerdict]:
        """Return the verdict of every duty, whichever client kept or broke it."""
        return judge(self.contract.duties.values(), list(self._judgements()), [])

    def _judgements(self) -> Iterator[Judgement]:
        sources = {source for _, source in self._steps}
        for name, steps in self._steps.items():
            lacks_nothing = self.complete and len(sources) == 1 and not self.left_out
            judges = OF_COMPLETE if lacks_nothing else SHOWN_BY_THEMSELVES
            judges = tuple(
                one
                for one in judges
                if not (name in self._keyless and one in ABOUT_KEYS)
                and not (name in self._coarse and one in ABOUT_PAUSES)
            )
            steps = sorted(steps, key=lambda one: one.arrived)
            _mark_overlaps(steps)
            end = End(1, max(one.answered for one in steps), None)
            for duty, finding in watch(Watch("observed", steps, [end], listening=True), judges).items():
                if finding.verdict is not None:
                    yield _judgement(duty, name[0], finding)

    @staticmethod
    def _name(exchange: Exchange, coverage: Coverage) -> tuple[str, int]:
        party = coverage.party if coverage.party is not None else exchange.key
        return party or "a client without a key", coverage.source

    def _step(self, exchange: Exchange, coverage: Coverage, key: str | None) -> Step:
        method = "GET" if exchange.method == "HEAD" else exchange.method
        operation, parameters, _ = self._router.find(method, exchange.path)
        seen = Observation(exchange, coverage, operation, parameters)
        whole = coverage.request_body and operation is not None and operation.body is not None
        body = seen.request if whole and seen.request is not UNREADABLE else None
        step = Step(
            exchange=exchange.id,
            round=1,
            method=exchange.method,
            path=exchange.path[:300],
            operation=operation.id if operation else None,
            base="alias" if exchange.other_base else "current",
            connection=self.count,
            arrived=exchange.started + coverage.tick,
            answered=exchange.started + exchange.elapsed,
            delivered=True,
            parameters=parameters,
            query=query_of(exchange.path),
            facts=facts_of(operation, parameters, body) if operation is not None and whole else Facts(),
            key_in=tuple(_key_places(exchange, key)),
            authorized=not coverage.party_known or coverage.party is not None or exchange.key is not None,
            status=exchange.status,
            correlation_id=exchange.correlation_id,
        )
        if operation is not None and (operation.body is None or whole):
            content = exchange.request_body if whole else None
            found = faults_of(self._reader, operation.id, parameters, step.query, content, body)
            step.faults = tuple(found or ())
        read_answer(step, seen.answer, operation)
        if exchange.status == 429:
            said, date = exchange.header("retry-after"), exchange.header("date")
            step.retry_after_is_date = bool(said) and not str(said).strip().isdigit()
            if not step.retry_after_is_date or date is not None:
                step.retry_after = retry_after_seconds(said, date)
        return step


def _key_places(exchange: Exchange, key: str | None) -> Iterator[str]:
    if key and len(key) >= 8 and not key.startswith("$"):
        if key in unquote(exchange.path):
            yield "the URL"
        if key.encode() in (exchange.request_body or b""):
            yield "the body"


def _mark_overlaps(steps: list[Step]) -> None:
    """Note which requests were sent while another one of the same client had no answer."""
    busy = 0.0
    for step in steps:
        step.overlaps = step.arrived < busy
        busy = max(busy, step.answered)


def _judgement(duty: str, name: str, finding: Finding) -> Judgement:
    assert finding.verdict is not None
    reason = f"{name}: {finding.reason}" if finding.reason else ""
    return Judgement(duty, name, finding.verdict, reason, "", finding.cause_class, finding.exchanges)

"""What follows a lost answer, a 503 or a 429 (errors-and-limits; canonical-flow, Production Checklist)."""

from __future__ import annotations

from ..disturbances import LOST, UNAVAILABLE
from ..story import End, Step
from .idempotency import identity
from .judge import IN_FLIGHT, Judge

EARLY = 0.1
"""Seconds by which a request may come before the wait is over: clocks and timers are not exact."""

EARLY_OF_DATE = 1.0
"""The same for an HTTP date, which has whole seconds."""


def logical(step: Step) -> str | None:
    """Return what a write is about, whatever its key or its attempt; None for anything but a write to be done once."""
    if step.operation == "createEvent":
        return f"event {step.facts.members.get('title')!r} {step.facts.members.get('start_date')!r}"
    if step.starts_run:
        return identity(step)
    return None


LOOKS = {
    "createEvent": frozenset({"getEvent", "getIdMapping", "listEvents"}),
    "importAttendees": frozenset({"listRuns", "listAttendees"}),
}
"""The reads that show whether a write took effect; of a run-creating write that is not named, the list of runs."""


class OneEffect(Judge):
    duty = "client.retries.one_effect"
    shown_in = ("lost_answer", "unavailable")

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._lost: dict[str, Step] = {}
        self._open: dict[str, Step] = {}

    def answered(self, step: Step) -> None:
        name = logical(step) or (step.facts.content if step.is_write else None)
        if name is None:
            self._looked(step)
            return
        lost = self._lost.get(name)
        if step.disturbance == LOST or (step.effect and not step.delivered):
            self._lost.setdefault(name, step)
        elif lost is not None and step.delivered:
            if step.effect and logical(step) is not None:
                what = "created a second event" if step.operation == "createEvent" else "started a second run"
                self.breaks(f"The answer to {lost.operation} was lost, and repeating it {what}", lost, step)
            else:
                self.keeps(lost, step)
            del self._lost[name]
        if step.disturbance == UNAVAILABLE:
            self._open[name] = step
        elif name in self._open and step.is_success:
            self.keeps(self._open.pop(name), step)

    def _looked(self, step: Step) -> None:
        """Allow another write after a look: the client knows what became of the lost one."""
        for name, lost in list(self._lost.items()):
            if step.is_success and step.operation in LOOKS.get(str(lost.operation), frozenset({"listRuns"})):
                self.keeps(lost, step)
                del self._lost[name]

    def ended(self, end: End) -> None:
        self._lost.clear()
        self._open.clear()


class _GoesOn(Judge):
    """The client goes on after a disturbance, in place of ending."""

    disturbance: str
    what: str

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._open: list[Step] = []

    def answered(self, step: Step) -> None:
        if step.disturbance == self.disturbance:
            self._open.append(step)

    def asked(self, step: Step) -> None:
        for one in self._open:
            if step.arrived >= one.answered:
                self.keeps(one, step)
        self._open = [one for one in self._open if step.arrived < one.answered]

    def ended(self, end: End) -> None:
        if self._open and not end.killed:
            self.breaks(f"The client ended after {self.what}: {self._open[0].line}", self._open[0])
        self._open = []


class AfterLostAnswer(_GoesOn):
    duty = "client.retries.lost_answer"
    shown_in = ("lost_answer",)
    disturbance = LOST
    what = "the first lost answer"


class AfterUnavailable(_GoesOn):
    duty = "client.retries.unavailable"
    shown_in = ("unavailable",)
    disturbance = UNAVAILABLE
    what = "the first 503"


class RetryAfter(Judge):
    duty = "client.rate_limit.waits"
    shown_in = ("rate_limited",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._refused: Step | None = None
        self._until = 0.0
        self._slack = EARLY
        self._graced = 0

    def answered(self, step: Step) -> None:
        if step.status != 429 or not step.delivered or step.retry_after is None:
            return
        until = step.answered + step.retry_after
        if self._refused is None or until > self._until:
            self._slack = EARLY_OF_DATE if step.retry_after_is_date else EARLY
            self._refused, self._until = step, until
            self._graced = 0

    def asked(self, step: Step) -> None:
        refused = self._refused
        if refused is None or step.method == "OPTIONS":
            return
        if step.arrived >= self._until - self._slack:
            self.keeps(refused, step)
            self._refused = None
        elif self._knew(refused, step):
            waited = max(step.arrived - refused.answered, 0.0)
            asked = max(self._until - refused.answered, 0.0)
            self.breaks(
                f"After a 429 a request was sent {waited:.2f} s later, though Retry-After asked for {asked:.0f} s"
                + (" (given as a date)" if refused.retry_after_is_date else ""),
                refused,
                step,
            )

    def _knew(self, refused: Step, step: Step) -> bool:
        """Return whether a request was sent after the client had read the 429."""
        if step.arrived < refused.answered:
            return False
        if step.connection == refused.connection or step.arrived > refused.answered + IN_FLIGHT:
            return True
        again = (step.method, step.path, step.facts.content) == (refused.method, refused.path, refused.facts.content)
        if again and not self.has_overlapped:
            return True
        # On other connections a request or two can have been on their way; a row of them, each after the answer to the
        # one before, cannot.
        self._graced += 0 if self.has_overlapped else 1
        return self._graced > 2

    def ended(self, end: End) -> None:
        if self._refused is not None:
            self.keeps(self._refused)
        self._refused = None

"""Idempotency keys: one for each logical write, kept for its retries (canonical-flow, Production Checklist).

A retry is matched by what it sends, never by its place: two imports may be under way at once.
"""

from __future__ import annotations

from collections import defaultdict

from ..story import Step
from .judge import Judge

RETRIED = ("lost_answer", "unavailable", "rate_limited")


def identity(step: Step) -> str:
    """Return what makes two run-creating writes the same logical write: the rows of an import, else the body."""
    return step.facts.rows or step.facts.content


class _Keys(Judge):
    """Follows the uses of each key."""

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.uses: dict[str, list[Step]] = defaultdict(list)

    def asked(self, step: Step) -> None:
        key = step.facts.key
        if not step.starts_run or key is None:
            return
        earlier = [one for one in self.uses[key] if under_way(one, step) or not one.is_refused]
        self.uses[key].append(step)
        if len(self.uses[key]) > 50:
            del self.uses[key][1:-20]
        self.used(step, earlier)

    def used(self, step: Step, earlier: list[Step]) -> None:
        """Take a use of a key with those before it that the server did not refuse for good."""


def under_way(first: Step, second: Step) -> bool:
    """Return whether a request was sent before the one before it had its answer."""
    return first.answered == 0.0 or first.answered > second.arrived


def same_write(first: Step, second: Step) -> bool:
    """Return whether two writes differ in their key alone, if at all."""
    return first.operation == second.operation and first.facts.content == second.facts.content


def may_be_retry(first: Step, second: Step) -> bool:
    """Return whether a write with another body can be a repetition of one before.

    An import of the same rows can; another write can where the first one has no answer yet.
    """
    if (first.operation, first.event) != (second.operation, second.event):
        return False
    if first.operation == "importAttendees":
        return identity(first) == identity(second)
    return under_way(first, second) or first.is_unanswered


class OwnKey(_Keys):
    duty = "client.idempotency.own_key"
    shown_in = ("plain", "rerun")

    def used(self, step: Step, earlier: list[Step]) -> None:
        other = next((one for one in earlier if not same_write(one, step) and not may_be_retry(one, step)), None)
        if other is not None:
            rows = step.operation == other.operation == "importAttendees"
            what = "another import of other rows" if rows else f"another {step.operation}"
            self.breaks(
                f"The idempotency key of one {other.operation} was used again for {what}",
                other,
                step,
            )
        else:
            self.keeps(step)


class EqualBody(_Keys):
    duty = "client.idempotency.equal_body"
    shown_in = RETRIED

    def used(self, step: Step, earlier: list[Step]) -> None:
        if not earlier:
            return
        other = next((one for one in earlier if may_be_retry(one, step) and not same_write(one, step)), None)
        if other is not None:
            self.breaks(f"{step.operation} was repeated with its key and another body", other, step)
        elif any(same_write(one, step) for one in earlier):
            self.keeps(earlier[-1], step)


class KeyKept(Judge):
    duty = "client.idempotency.key_kept"
    shown_in = RETRIED

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._open: dict[str, Step] = {}

    def asked(self, step: Step) -> None:
        if not step.starts_run or step.facts.key is None:
            return
        first = self._open.get(identity(step))
        if first is None or first.facts.key is None or not self.surely_after(first, step):
            return
        if first.facts.key == step.facts.key:
            self.keeps(first, step)
        else:
            how = "its answer was lost" if not first.delivered else f"the answer {first.status}"
            self.breaks(f"{step.operation} was repeated with a new idempotency key after {how}", first, step)

    def answered(self, step: Step) -> None:
        if step.starts_run:
            if step.is_unanswered:
                self._open.setdefault(identity(step), step)
            else:
                self._open.pop(identity(step), None)
        elif step.is_success and step.operation in ("listRuns", "listAttendees"):
            # A client that has looked knows whether the write took effect, and may begin a new one.
            self._open.clear()

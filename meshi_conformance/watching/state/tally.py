"""What was seen to hold, and what was seen broken, requirement by requirement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...contract.contract import Contract
from .observation import Trace

KEPT = 10
"""Violations of a requirement that are kept; the others are counted."""


@dataclass(frozen=True)
class Violation:
    """How an exchange breaks a requirement; `earlier` are the exchanges that show that it does."""

    exchange: str
    message: str
    earlier: tuple[Trace, ...] = ()

    def __str__(self) -> str:
        seen = "".join(f"; exchange {one.id}: {one.summary}" for one in self.earlier)
        return f"{self.message}{seen}"


class Tally:
    """Counts how often each requirement was at stake, and keeps the first violations of it.

    While it is `muted` it takes nothing in: what is seen is remembered and not judged.
    """

    def __init__(self, contract: Contract) -> None:
        self._known = contract.requirements
        self.held: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.violations: dict[str, list[Violation]] = {}
        self.unjudged: Counter[str] = Counter()
        self.new: list[tuple[str, Violation]] = []
        self.muted = False

    def hold(self, requirement: str) -> None:
        """Count that the requirement was at stake once and held."""
        if not self.muted:
            self.held[self._checked(requirement)] += 1

    def fail(self, requirement: str, exchange: str, message: str, *earlier: Trace) -> None:
        """Count that the requirement was broken."""
        if self.muted:
            return
        self.broken[self._checked(requirement)] += 1
        kept = self.violations.setdefault(requirement, [])
        violation = Violation(exchange, message[:2000], earlier)
        if len(kept) < KEPT:
            kept.append(violation)
            self.new.append((requirement, violation))

    def judge(self, holds: bool, requirement: str, exchange: str, message: str, *earlier: Trace) -> None:
        """Count that the requirement held, or fail it."""
        if holds:
            self.hold(requirement)
        else:
            self.fail(requirement, exchange, message, *earlier)

    def leave(self, reason: str) -> None:
        """Note what could not be judged for lack of what the recording does not show."""
        self.unjudged[reason] += 1

    def _checked(self, requirement: str) -> str:
        if requirement not in self._known:
            raise KeyError(f"the contract has no requirement {requirement}")
        return requirement

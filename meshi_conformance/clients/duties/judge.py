"""What all judges have in common: they take moments of a story and come to a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...vocabulary import CauseClass, Verdict
from ..story import End, Step, in_order

EVIDENCE = 6
"""Exchanges that a finding names."""

IN_FLIGHT = 0.1
"""Seconds for which a request can have been under way towards an answer that it did not know."""


@dataclass(frozen=True)
class Finding:
    """What a scenario shows of a duty.

    `verdict` is pass, fail or inconclusive, None where the client never did what the duty is about. `cause_class` says
    what kept an inconclusive one from being judged. `exchanges` are the story: those that show it, in order.
    """

    verdict: Verdict | None = None
    reason: str = ""
    cause_class: CauseClass | None = None
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """One scenario that is over: what passed and how the command ended. `listening` where no command was run."""

    scenario: str
    steps: list[Step]
    ends: list[End]
    listening: bool = False

    def moments(self) -> Iterator[tuple[str, Step | End]]:
        return in_order(self.steps, self.ends)


@dataclass
class Broken:
    """A breach: what is wrong, and the exchanges that show it."""

    reason: str
    exchanges: tuple[str, ...]


class Judge:
    """Judges one duty in one scenario.

    `shown_in` names the scenarios that give a client the occasion; a client can break the duty in any of them.
    """

    duty: ClassVar[str]
    shown_in: ClassVar[tuple[str, ...]]

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.broken: list[Broken] = []
        self.kept: list[str] = []
        self.kept_count = 0
        self.unclear: tuple[str, CauseClass] | None = None
        self.has_overlapped = False

    # Moments

    def take(self, what: str, moment: Step | End) -> None:
        """Hand a moment on."""
        if isinstance(moment, End):
            self.ended(moment)
        elif what == "asked":
            self.has_overlapped = self.has_overlapped or moment.overlaps
            self.asked(moment)
        else:
            self.answered(moment)

    def asked(self, step: Step) -> None:
        """Take a request; its answer is not to be looked at yet."""

    def answered(self, step: Step) -> None:
        """Take an answer, or the end of a connection in its place."""

    def ended(self, end: End) -> None:
        """Take the end of a round."""

    def conclude(self, found: Mapping[str, Finding], watched: Watch) -> None:
        """Judge what takes the findings of the judges before."""

    # Findings

    def breaks(self, reason: str, *steps: Step | None) -> None:
        """Note a breach with the exchanges that show it."""
        names = dict.fromkeys(one.exchange for one in steps if one is not None)
        self.broken.append(Broken(reason, tuple(names)))

    def keeps(self, *steps: Step | None) -> None:
        """Note that the duty came up and was kept."""
        self.kept_count += 1
        if len(self.kept) < EVIDENCE:
            self.kept += [one.exchange for one in steps if one is not None]

    def cannot_tell(self, reason: str, cause_class: CauseClass) -> None:
        """Note that the duty came up and what came of it cannot be known."""
        self.unclear = self.unclear or (reason, cause_class)

    def finding(self) -> Finding:
        """Return the verdict of this scenario."""
        if self.broken:
            first = self.broken[0]
            more = f" ({len(self.broken) - 1} more times)" if len(self.broken) > 1 else ""
            return Finding(Verdict.FAIL, first.reason + more, None, tuple(dict.fromkeys(first.exchanges))[:EVIDENCE])
        if self.unclear is not None:
            return Finding(Verdict.INCONCLUSIVE, *self.unclear)
        if self.kept_count:
            return Finding(Verdict.PASS, exchanges=tuple(dict.fromkeys(self.kept))[:EVIDENCE])
        return Finding()

    def surely_after(self, answer: Step, step: Step) -> bool:
        """Return whether a request was sent with knowledge of an answer.

        A client that has never had two requests under way sends one after the other. In others, a request on another
        connection may have been sent before the answer arrived.
        """
        if step.connection == answer.connection or not self.has_overlapped:
            return step.arrived >= answer.answered
        return step.arrived > answer.answered + IN_FLIGHT


def documented_breaches(found: Mapping[str, Finding], implied: Sequence[str]) -> list[str]:
    """Return the duties that a scenario shows broken, without those that are only implied."""
    return [name for name, finding in found.items() if finding.verdict == Verdict.FAIL and name not in implied]

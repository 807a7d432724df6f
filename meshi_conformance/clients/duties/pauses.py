"""Pauses between the polls of a run (canonical-flow, step 5): they grow, or are at least a second."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from ..story import TERMINAL, Step
from .judge import Judge

SECOND = 0.9
"""What counts as a second: timers are not exact."""

FEWEST = 6
"""Short pauses of one run from which on they can be judged: a busy machine lengthens one or another."""

MOST = 2_000
"""Pauses of one run that are kept."""


def is_burst(pauses: Sequence[float]) -> bool:
    """Return whether short pauses do not grow, by any of several measures: jitter and a busy machine hide growth."""
    short = [one for one in pauses if one < SECOND]
    if len(short) < FEWEST:
        return False
    half = len(short) // 2
    first, second = mean(short[:half]), mean(short[half:])
    wanted = 1.15 if len(short) < 10 else 1.3
    by_halves = second >= wanted * max(first, 0.001)
    by_shortest = min(short[half:]) >= 1.3 * max(min(short[:half]), 0.001)
    by_ends = median(short[-3:]) >= 1.4 * max(mean(short[:2]), 0.001)
    reaches_a_second = len(short) < len(pauses) and pauses[-1] >= SECOND and len(short) < 40
    return not (by_halves or by_shortest or by_ends or reaches_a_second)


def grows(pauses: Sequence[float]) -> bool:
    """Return whether pauses become longer, however slowly."""
    half = len(pauses) // 2
    if len(pauses) < FEWEST and min(pauses) < SECOND:
        return True  # too few to tell
    return max(pauses[1:]) >= 1.2 * pauses[0] or mean(pauses[half:]) >= 1.15 * mean(pauses[:half])


class _Pauses(Judge):
    """Keeps the pauses between the polls of each run: from an answer that is not the end to the next poll."""

    shown_in = ("slow_runs",)

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.pauses: dict[str, list[float]] = {}
        self.polls: dict[str, list[Step]] = {}
        self._last: dict[str, Step] = {}

    def asked(self, step: Step) -> None:
        if step.operation != "getRun" or step.method != "GET":
            return
        run = step.parameters["run_id"]
        last = self._last.pop(run, None)
        if last is not None and step.arrived >= last.answered:
            kept = self.pauses.setdefault(run, [])
            if len(kept) < MOST:
                kept.append(step.arrived - last.answered)
                self.polls.setdefault(run, [last])
                if len(self.polls[run]) < 8:
                    self.polls[run].append(step)

    def answered(self, step: Step) -> None:
        if step.operation == "getRun" and step.is_success and step.run is not None and step.run.status not in TERMINAL:
            self._last[step.run.id] = step


class NoBurst(_Pauses):
    duty = "client.polls.no_burst"

    def ended(self, end: object) -> None:
        for run, pauses in self.pauses.items():
            if is_burst(pauses):
                short = [one for one in pauses if one < SECOND]
                self.breaks(
                    f"A run was polled {len(pauses) + 1} times with pauses of {min(short):.2f} to {max(short):.2f} s "
                    "that do not grow",
                    *self.polls[run],
                )
            elif len(pauses) >= 2 or pauses[0] >= SECOND:
                self.keeps(*self.polls[run])
        self.pauses, self.polls = {}, {}


class Growing(_Pauses):
    duty = "client.polls.growing"

    def ended(self, end: object) -> None:
        for run, pauses in self.pauses.items():
            if len(pauses) < 2:
                continue
            if len(pauses) < 3 or grows(pauses):
                if grows(pauses):
                    self.keeps(*self.polls[run])
            else:
                self.breaks(
                    f"A run was polled {len(pauses) + 1} times with pauses of about {mean(pauses):.1f} s, "
                    "which do not grow",
                    *self.polls[run],
                )
        self.pauses, self.polls = {}, {}

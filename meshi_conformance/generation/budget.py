"""How much the generated tests may send: profiles, a cap on requests and the seed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Profile:
    """What one run may spend.

    The first four are requests: of the generated calls to each operation, of the walks along links, of the
    model and of the concurrent histories. `examples` is how many calls Hypothesis makes up for an operation
    and a kind (good, bad); `seconds` bounds each test, so that a slow target shortens it instead of the wait.
    """

    calls: int
    walks: int
    model: int
    histories: int
    examples: int
    seconds: float

    @property
    def requests(self) -> int:
        """The most requests in all, with 25 operations."""
        return 25 * self.calls + self.walks + self.model + self.histories


PROFILES = {
    "quick": Profile(calls=32, walks=180, model=500, histories=150, examples=5, seconds=10.0),
    "nightly": Profile(calls=600, walks=1500, model=9000, histories=3000, examples=150, seconds=240.0),
    "none": Profile(0, 0, 0, 0, 0, 0.0),
    "smoke": Profile(0, 0, 0, 0, 0, 0.0),
}
"""Profile by name; `quick` is the default."""


@dataclass(frozen=True)
class Plan:
    """The profile of this run, its seed and how to repeat it."""

    name: str
    profile: Profile
    seed: int
    budget: int | None = None

    @classmethod
    def of(cls, option: Any) -> Plan:
        """Return the plan that the command line asks for; a budget scales all parts of the profile alike."""
        profile = PROFILES[option.profile]
        if option.budget is not None and profile.requests:
            share = option.budget / profile.requests
            profile = replace(
                profile,
                **{
                    part: max(2, int(getattr(profile, part) * share))
                    for part in ("calls", "walks", "model", "histories")
                },
                examples=max(2, int(profile.examples * share)),
                seconds=max(profile.seconds, profile.seconds * share),
            )
        return cls(option.profile, profile, option.seed, option.budget)

    @property
    def repeat(self) -> str:
        """The options that make the same requests again."""
        budget = "" if self.budget is None else f" --budget {self.budget}"
        return f"--profile {self.name}{budget} --seed {self.seed}"


class Meter:
    """Counts requests and seconds of one test against what it may spend."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.left = requests
        self.sent = 0
        self._ends = time.monotonic() + seconds

    @property
    def spent(self) -> bool:
        """Whether nothing more may be sent."""
        return self.left <= 0 or time.monotonic() > self._ends

    def count(self, requests: int = 1) -> None:
        """Take requests off what is left."""
        self.left -= requests
        self.sent += requests

"""The scenarios by name, as `--scenario` takes them: each gives a client the occasion to do right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from .disturbances import (
    Disturbance,
    EndsAs,
    ExistingEvents,
    Grown,
    LookAlikes,
    LostAnswers,
    RateLimited,
    SmallPages,
    Statuses,
    Unavailable,
)

QUICK_RUNS = ("--run-seconds", "0.2")
SLOW_RUNS = ("--run-seconds", "4")
OWN_REVIEWS = ("--variation", "reviews.earlier")
"""Reviews are about the client's attendee, not about its look-alike."""


@dataclass(frozen=True)
class Scenario:
    """One way in which a sandbox behaves.

    `arguments` start the reference server. `key` is the role of the key that replaces the client's key. COMMAND runs
    `rounds` times against the same data. With `rehearsal` it runs once more before, against a sandbox of its own that
    is not judged, to learn which events it creates; they exist when the scenario begins.
    """

    name: str
    sentence: str
    disturbances: tuple[Callable[[], Disturbance], ...] = ()
    arguments: tuple[str, ...] = QUICK_RUNS
    key: str = "main"
    rounds: int = 1
    rehearsal: bool = False


SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario("plain", "Every request is answered at once, and every run succeeds."),
        Scenario(
            "rate_limited",
            "Twice every request is refused with 429 for some seconds: Retry-After holds seconds, then an HTTP date.",
            (RateLimited,),
        ),
        Scenario(
            "lost_answer",
            "The first event, context, import and decision take effect, and the connection closes before the answer.",
            (LookAlikes, LostAnswers),
            (*QUICK_RUNS, *OWN_REVIEWS),
        ),
        Scenario(
            "unavailable",
            "The first poll, context, import, enrichment and match run are answered 503 and have no effect.",
            (Unavailable,),
        ),
        Scenario(
            "slow_runs",
            "Runs take four seconds and pass through statuses that the pages do not name.",
            (Statuses,),
            SLOW_RUNS,
        ),
        Scenario("partial_import", "The first import ends as partial.", (lambda: EndsAs("partial"),)),
        Scenario("failed_import", "The first import ends as failed.", (lambda: EndsAs("failed"),)),
        Scenario(
            "small_pages",
            "Lists begin with a page of one row, and cursors hold characters that URLs reserve.",
            (SmallPages,),
        ),
        Scenario(
            "event_exists",
            "The events that the client is about to create exist, with the client's own content.",
            (ExistingEvents,),
            rehearsal=True,
        ),
        Scenario("read_only_key", "The key has the scope partner:read alone.", key="read"),
        Scenario("grown", "Answers have members and headers that the pages do not name.", (Grown,)),
        Scenario(
            "reviews",
            "Look-alikes of the client's attendees leave open identity reviews.",
            (LookAlikes,),
            (*QUICK_RUNS, *OWN_REVIEWS),
        ),
        Scenario("rerun", "The command runs twice against the same data.", rounds=2),
    )
}


def chosen(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of some names, or all without a name. Raise UsageError for an unknown name."""
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise UsageError(f"No scenario is called {unknown[0]!r}. The scenarios are {', '.join(SCENARIOS)}.")
    return [SCENARIOS[name] for name in dict.fromkeys(names or SCENARIOS)]

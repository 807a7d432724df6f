"""From the document of a run to the exit code of the process, with the reasons (docs/exit-codes.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..vocabulary import UNDECIDED_CLASSES, Level, Outcome, Verdict
from .waivers import PROBLEM

EXIT_CONFORMANT = 0
EXIT_NONCONFORMANT = 1
EXIT_INTERRUPTED = 2
EXIT_INTERNAL = 3
EXIT_USAGE = 4
EXIT_NOTHING_JUDGED = 5
EXIT_GATE = 6
EXIT_UNDECIDED = 7

DEVIATIONS, UNJUDGED, BEHAVIOURS, FLAKY = "deviations", "unjudged", "behaviours", "flaky"
FAIL_ON = (DEVIATIONS, UNJUDGED, BEHAVIOURS, FLAKY)
"""What `--fail-on` can name beside failed documented requirements, which always fail a run."""

SHOWN_BEHAVIOURS, SHOWN_TROUBLE = 5, 3


@dataclass(frozen=True)
class Decision:
    """The exit code and every reason for it, the deciding one first; no reasons where it is 0."""

    exit_code: int
    reasons: tuple[str, ...] = ()


def decide(
    document: Mapping[str, Any], fail_on: Sequence[str] = (), stopped: int = 0, allow_undecided: int = 0
) -> Decision:
    """Return how the process is to end.

    `stopped` is the code (2, 3 or 4) with which the run was cut short; 0 where it came to its end. A run that
    is invalid, nonconformant or undecided says so whatever the gate finds; the gate's reasons are reported too.
    `allow_undecided` is how many requirements may stay undecided beside those that a waiver covers.
    """
    gate = [*waiver_problems(document["gate"]["waivers"]), *_crossed(document, fail_on)]
    outcome, why = document["outcome"], document["outcome_reason"]
    if outcome == Outcome.INVALID:
        if stopped in (EXIT_INTERRUPTED, EXIT_INTERNAL, EXIT_USAGE):
            code = stopped
        else:
            code = EXIT_INTERNAL if document["problems"] else EXIT_NOTHING_JUDGED
    elif outcome == Outcome.NONCONFORMANT:
        code = EXIT_NONCONFORMANT
    elif len(undecided(document)) > allow_undecided:
        code = EXIT_UNDECIDED
    elif gate:
        return Decision(EXIT_GATE, tuple(gate))
    else:
        return Decision(EXIT_CONFORMANT)
    return Decision(code, (why, *gate))


def undecided(document: Mapping[str, Any]) -> list[str]:
    """Return the documented requirements that the target kept from being judged and that no waiver covers."""
    covered = {name for one in document["gate"]["waivers"] for name in one["covers"]}
    return [
        row["id"]
        for row in document["requirements"]
        if row["level"] == Level.DOCUMENTED and row["cause_class"] in UNDECIDED_CLASSES and row["id"] not in covered
    ]


def waiver_problems(waivers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in sentences what is wrong with the waivers of a run."""
    return [
        f"The waiver for {subject(one)} (owner {one['owner']}, {one['issue']}) does not hold: {one['note']}."
        for one in waivers
        if one["state"] == PROBLEM
    ]


def subject(waiver: Mapping[str, Any]) -> str:
    """Return what a waiver is for: a requirement, or the cause of what could not be judged."""
    return str(waiver["requirement"] or " ".join(filter(None, (waiver["cause_class"], waiver["cause"]))))


def _crossed(document: Mapping[str, Any], fail_on: Sequence[str]) -> list[str]:
    counts = document["counts"]
    found = []
    deviations = counts["implied"][Verdict.FAIL]
    if DEVIATIONS in fail_on and deviations:
        found.append(f"--fail-on deviations: {deviations} implied requirements fail.")
    unjudged = counts["documented"]
    if UNJUDGED in fail_on and unjudged[Verdict.INCONCLUSIVE] + unjudged[Verdict.NOT_RUN]:
        found.append(
            f"--fail-on unjudged: of the documented requirements {unjudged[Verdict.INCONCLUSIVE]} are inconclusive and "
            f"{unjudged[Verdict.NOT_RUN]} were not run."
        )
    changed = (document.get("compared") or {}).get("behaviours", [])
    if BEHAVIOURS in fail_on and changed:
        shown = [f"{one['question']} ({', '.join(one['before'])}, now {', '.join(one['after'])})" for one in changed]
        found.append(
            f"--fail-on behaviours: {len(changed)} differ from the run of {document['compared']['started_at']}: "
            f"{'; '.join(shown[:SHOWN_BEHAVIOURS])}{'; and more' if len(shown) > SHOWN_BEHAVIOURS else ''}."
        )
    if FLAKY in fail_on and document["trouble"]:
        reasons = Counter(one.partition(": ")[2] or one for one in document["trouble"]).most_common(SHOWN_TROUBLE)
        told = "; ".join(f"{number} \u00d7 {reason}" for reason, number in reasons)
        found.append(f"--fail-on flaky: {len(document['trouble'])} requests had no usable answer at first: {told}.")
    return found


def section(
    waivers: Sequence[Mapping[str, Any]] = (),
    fail_on: Sequence[str] = (),
    decision: Decision | None = None,
    allow_undecided: int = 0,
) -> dict[str, Any]:
    """Build the `gate` member of results.json: what was asked, what became of each waiver, and the decision."""
    decision = decision or Decision(EXIT_CONFORMANT)
    return {
        "fail_on": list(fail_on),
        "allow_undecided": allow_undecided,
        "waivers": list(waivers),
        "exit_code": decision.exit_code,
        "reasons": list(decision.reasons),
    }

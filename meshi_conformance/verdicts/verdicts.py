"""Test outcomes and exchange violations in, requirement verdicts and the outcome of the run out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contract.requirements import Requirement

PASS, FAIL, INCONCLUSIVE, NOT_RUN, WAIVED = "pass", "fail", "inconclusive", "not_run", "waived"
VERDICTS = (PASS, FAIL, INCONCLUSIVE, NOT_RUN, WAIVED)

DESELECTED = "deselected by --requirements"
"""The reason of a requirement that the selection left out."""

UNTESTED = "no test of it ran"
"""The reason of a requirement that was selected and that no test spoke of."""

CONFORMANT, PARTIAL, NONCONFORMANT, INVALID = "conformant", "partial", "nonconformant", "invalid"
OUTCOMES = (CONFORMANT, PARTIAL, NONCONFORMANT, INVALID)


@dataclass(frozen=True)
class Judgement:
    """What one test says about one requirement.

    `verdict` is pass, fail, inconclusive or not_run; `cause` groups equal reasons; `exchanges` are the IDs
    of the exchanges that the test made.
    """

    requirement: str
    test: str
    verdict: str
    reason: str = ""
    cause: str = ""
    exchanges: tuple[str, ...] = ()


@dataclass
class Verdict:
    """The verdict on one requirement, with its reason, the judgements behind it and the violations seen."""

    requirement: Requirement
    verdict: str
    reason: str = ""
    cause: str = ""
    judgements: list[Judgement] = field(default_factory=list)
    violations: list[tuple[str, str]] = field(default_factory=list)


def judge(
    requirements: Iterable[Requirement],
    judgements: Sequence[Judgement],
    violations: Iterable[tuple[str, str, str]],
    selected: Mapping[str, str] | None = None,
) -> list[Verdict]:
    """The verdict on every requirement of the catalogue, whether a test asked for it or not.

    `violations` are (requirement, exchange, message) triples of the checks that run on every exchange;
    `selected` gives the reason why a requirement has no judgement (deselected, missing key), by ID.

    One failure fails. Short of that, one inconclusive judgement leaves the requirement inconclusive, and one
    that did not run leaves it not run: a verdict is `pass` only when everything that was to be asked was.
    """
    by_requirement: dict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_requirement[one.requirement].append(one)
    broken: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, exchange, message in violations:
        broken[name].append((exchange, message))
    return [
        _verdict(one, by_requirement[one.id], broken[one.id], (selected or {}).get(one.id, "")) for one in requirements
    ]


def _verdict(
    requirement: Requirement,
    judgements: list[Judgement],
    violations: list[tuple[str, str]],
    unselected: str,
) -> Verdict:
    found = Verdict(requirement, NOT_RUN, unselected or UNTESTED, "", judgements, violations)
    if violations:
        found.verdict, found.reason = FAIL, violation_reason(*violations[0], len(violations))
        return found
    for verdict in (FAIL, INCONCLUSIVE, NOT_RUN):
        first = next((one for one in judgements if one.verdict == verdict), None)
        if first is not None:
            found.verdict, found.reason, found.cause = verdict, first.reason, first.cause
            return found
    if judgements:
        found.verdict, found.reason = PASS, ""
    return found


def violation_reason(exchange: str, message: str, number: int) -> str:
    """The reason of a verdict that exchanges decide: the first violation, and how many exchanges show one."""
    return f"{message}, in exchange {exchange}" + (f" (and {number - 1} more exchanges)" if number > 1 else "")


def outcome(verdicts: Sequence[Verdict], problems: Sequence[str]) -> tuple[str, str]:
    """The outcome of a run with a sentence that explains it.

    `problems` are what makes a run invalid whatever its verdicts say: the suite erred, a worker died, the
    run was cut short.
    """
    counts = Counter(one.verdict for one in verdicts if one.requirement.level == "documented")
    judged = sum(1 for one in verdicts if one.verdict in (PASS, FAIL, WAIVED))
    if problems:
        return INVALID, problems[0]
    if not judged:
        return INVALID, "Nothing was judged."
    if counts[FAIL]:
        return NONCONFORMANT, f"{_count(counts[FAIL], 'documented requirement')} failed."
    open_ones = counts[INCONCLUSIVE] + counts[NOT_RUN]
    if open_ones:
        return (
            PARTIAL,
            f"No documented requirement failed; {open_ones} could not be judged "
            f"({counts[INCONCLUSIVE]} inconclusive, {counts[NOT_RUN]} not run).",
        )
    waived = f", {counts[WAIVED]} of them waived" if counts[WAIVED] else ""
    return CONFORMANT, f"All {_count(sum(counts.values()), 'documented requirement')} hold{waived}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def causes(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Why requirements stayed inconclusive: each cause once, with the requirements it holds up."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in verdicts:
        if one.verdict == INCONCLUSIVE:
            found[one.cause or one.reason].append(one.requirement.id)
    ranked = sorted(found.items(), key=lambda entry: -len(entry[1]))
    return [{"cause": cause, "requirements": names} for cause, names in ranked]

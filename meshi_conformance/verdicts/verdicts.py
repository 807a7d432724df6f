"""Test outcomes and exchange violations in, requirement verdicts and the outcome of the run out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contract.requirements import Requirement
from ..vocabulary import UNDECIDED_CLASSES, CauseClass, Level, Outcome, Verdict, worst

DESELECTED = "deselected by --requirements"
"""The reason of a requirement that the selection left out."""


def is_deselected(reason: str) -> bool:
    """Tell whether a reason says that an option of the run left the requirement out."""
    return reason.startswith("deselected by ") or is_left_out(reason)


def is_left_out(reason: str) -> bool:
    """Tell whether a reason says that the run's budget did not reach the requirement."""
    return reason.startswith(LEFT_OUT)


LEFT_OUT = "left out for "
"""Begins the reason of a requirement that the run's budget did not reach."""


UNTESTED = "no test of it ran"
"""The reason of a requirement that was selected and that no test spoke of."""


@dataclass(frozen=True)
class Judgement:
    """What one test says about one requirement.

    `verdict` is every verdict but `waived`. Where it is `inconclusive`, `cause` groups equal reasons and `cause_class`
    says what kept the test from judging. `exchanges` are the IDs of the exchanges that the test made,
    `exchange` that of the one that a failed assertion is about.
    """

    requirement: str
    test: str
    verdict: Verdict
    reason: str = ""
    cause: str = ""
    cause_class: CauseClass | None = None
    exchanges: tuple[str, ...] = ()
    exchange: str = ""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Judgement:
        """Return the judgement whose attributes came as JSON."""
        found = data.get("cause_class")
        return cls(
            **{
                **data,
                "verdict": Verdict(data["verdict"]),
                "cause_class": CauseClass(found) if found else None,
                "exchanges": tuple(data["exchanges"]),
            }
        )


@dataclass
class RequirementVerdict:
    """The verdict on one requirement, with its reason, the judgements behind it and the violations seen."""

    requirement: Requirement
    verdict: Verdict
    reason: str = ""
    cause: str = ""
    cause_class: CauseClass | None = None
    judgements: list[Judgement] = field(default_factory=list)
    violations: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_undecided(self) -> bool:
        """Whether the requirement is documented and the target kept it from being judged."""
        return self.requirement.level == Level.DOCUMENTED and self.cause_class in UNDECIDED_CLASSES


def judge(
    requirements: Iterable[Requirement],
    judgements: Sequence[Judgement],
    violations: Iterable[tuple[str, str, str]],
    selected: Mapping[str, str] | None = None,
    unseen: Mapping[str, tuple[str, CauseClass]] | None = None,
) -> list[RequirementVerdict]:
    """Return the verdict on every requirement of the catalogue, whether a test asked for it or not.

    `violations` are (requirement, exchange, message) triples of the checks that run on every exchange;
    `selected` gives the reason why a requirement has no judgement (deselected, missing key), by ID. `unseen` gives
    those that nothing which came could show: what no test objected to is then no pass, but open for that reason.

    The most serious judgement decides, and among inconclusive ones the most serious cause class: a verdict is
    `pass` only when everything that was to be asked was.
    """
    by_requirement: dict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_requirement[one.requirement].append(one)
    broken: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, exchange, message in violations:
        broken[name].append((exchange, message))
    found = [
        _verdict(one, by_requirement[one.id], broken[one.id], (selected or {}).get(one.id, "")) for one in requirements
    ]
    for verdict in found:
        if verdict.verdict == Verdict.PASS and unseen and verdict.requirement.id in unseen:
            verdict.verdict = Verdict.INCONCLUSIVE
            verdict.reason, verdict.cause_class = unseen[verdict.requirement.id]
            verdict.cause = verdict.reason
    return found


def _verdict(
    requirement: Requirement,
    judgements: list[Judgement],
    violations: list[tuple[str, str]],
    unselected: str,
) -> RequirementVerdict:
    found = RequirementVerdict(requirement, Verdict.NOT_RUN, unselected or UNTESTED)
    found.judgements, found.violations = judgements, violations
    if is_left_out(unselected):
        found.cause_class = CauseClass.LIMIT
    if violations:
        found.verdict, found.reason = Verdict.FAIL, violation_reason(*violations[0], len(violations))
    elif judgements:
        first = _deciding(judgements)
        found.verdict = first.verdict
        if found.verdict == Verdict.PASS:
            found.reason = ""
        else:
            found.reason, found.cause, found.cause_class = first.reason, first.cause, first.cause_class
    return found


def _deciding(judgements: Sequence[Judgement]) -> Judgement:
    """Return the first of the judgements that are the most serious."""
    verdict = worst(one.verdict for one in judgements)
    those = [one for one in judgements if one.verdict == verdict]
    if verdict == Verdict.INCONCLUSIVE:
        classes = [one.cause_class for one in those if one.cause_class]
        those = [one for one in those if not classes or one.cause_class == worst(classes)]
    return those[0]


def violation_reason(exchange: str, message: str, number: int) -> str:
    """Return the reason of a verdict that exchanges decide: the first violation, and how many exchanges show one."""
    return f"{message}, in exchange {exchange}" + (f" (and {number - 1} more exchanges)" if number > 1 else "")


def outcome(verdicts: Sequence[RequirementVerdict], problems: Sequence[str]) -> tuple[Outcome, str]:
    """Return the outcome of a run with a sentence that explains it.

    `problems` are what makes a run invalid whatever its verdicts say: the suite erred, a worker died, the
    run was cut short.
    """
    documented = [one for one in verdicts if one.requirement.level == Level.DOCUMENTED]
    counts = Counter(one.verdict for one in documented)
    found = outcome_of([(one.verdict, one.cause_class) for one in documented])
    if problems:
        return Outcome.INVALID, problems[0]
    if not any(one.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.WAIVED) for one in verdicts):
        return Outcome.INVALID, "Nothing was judged."
    erred = next((one for one in verdicts if one.cause_class == CauseClass.SUITE), None)
    if erred is not None:
        return Outcome.INVALID, f"The suite erred in judging {erred.requirement.id}: {erred.reason}"
    if found == Outcome.NONCONFORMANT:
        return found, f"{_count(counts[Verdict.FAIL], 'documented requirement')} failed."
    if found == Outcome.UNDECIDED:
        undecided = Counter(one.cause_class for one in documented if one.is_undecided)
        shown = ", ".join(f"{undecided[one]} {one}" for one in CauseClass if undecided[one])
        return (
            found,
            f"No documented requirement failed, but the target kept {undecided.total()} from being judged ({shown}).",
        )
    if found == Outcome.PARTIAL:
        inconclusive, not_run = counts[Verdict.INCONCLUSIVE], counts[Verdict.NOT_RUN]
        return (
            found,
            f"No documented requirement failed; {inconclusive + not_run} could not be judged "
            f"({inconclusive} inconclusive, {not_run} not run).",
        )
    waived = f", {counts[Verdict.WAIVED]} of them waived" if counts[Verdict.WAIVED] else ""
    return found, f"All {_count(len(documented), 'documented requirement')} hold{waived}."


def outcome_of(documented: Collection[tuple[Verdict, CauseClass | None]]) -> Outcome:
    """Return what the verdicts on the documented requirements, each with its cause class, make of a run."""
    verdicts = {verdict for verdict, _ in documented}
    if Verdict.FAIL in verdicts:
        return Outcome.NONCONFORMANT
    if any(verdict == Verdict.INCONCLUSIVE and cause in UNDECIDED_CLASSES for verdict, cause in documented):
        return Outcome.UNDECIDED
    return Outcome.PARTIAL if verdicts & {Verdict.INCONCLUSIVE, Verdict.NOT_RUN} else Outcome.CONFORMANT


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def causes(verdicts: Iterable[RequirementVerdict]) -> list[dict[str, Any]]:
    """Return why requirements stayed inconclusive: each cause once, with its class and what it holds up.

    The most serious class comes first, and within it the cause that holds up most.
    """
    found: dict[tuple[CauseClass | None, str], list[str]] = defaultdict(list)
    for one in verdicts:
        if one.verdict == Verdict.INCONCLUSIVE:
            found[one.cause_class, one.cause or one.reason].append(one.requirement.id)
    order: list[CauseClass | None] = [*CauseClass, None]
    ranked = sorted(found.items(), key=lambda entry: (order.index(entry[0][0]), -len(entry[1])))
    return [{"cause_class": kind, "cause": cause, "requirements": names} for (kind, cause), names in ranked]

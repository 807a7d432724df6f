"""What a team has accepted for a time: `--waivers FILE` (docs/ci.md shows the form).

A waiver covers one requirement, for as long as it fails in the expected way, or one cause that keeps requirements
from being judged, until its date has passed. A waiver that covers nothing is a problem of its own, so that the list
cannot outlive its reasons.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..vocabulary import UNDECIDED_CLASSES, CauseClass, Verdict
from .verdicts import RequirementVerdict, is_deselected

APPLIED, PROBLEM, ASIDE = "applied", "problem", "aside"
"""What became of a waiver: it covers a failure, it is a problem, or it does not concern this run."""


@dataclass(frozen=True)
class Waiver:
    """One accepted failure, or one accepted cause.

    A failure names its `requirement`, and either `failure`, a part of the expected failure's text, or
    `failure_pattern`, a regular expression that is searched in it. A cause names `cause`, a part of its text,
    `cause_class`, or both: the requirements that it keeps undecided stay inconclusive and do not fail the run.
    `expires` is the last day (UTC) on which the waiver holds. `target` is a target's name or base URL; without it
    the waiver holds on every target.
    """

    owner: str
    issue: str
    reason: str
    expires: date
    requirement: str | None = None
    cause: str | None = None
    cause_class: CauseClass | None = None
    failure: str | None = None
    failure_pattern: str | None = None
    target: str | None = None

    def expects(self, message: str) -> bool:
        """Tell whether a failure is the one that was accepted."""
        if self.failure is not None:
            return self.failure in message
        return re.search(self.failure_pattern or "", message) is not None

    def holds_up(self, verdict: RequirementVerdict) -> bool:
        """Tell whether the cause is what keeps a requirement undecided."""
        return (
            verdict.is_undecided
            and self.cause_class in (None, verdict.cause_class)
            and (self.cause or "") in (verdict.cause or verdict.reason)
        )

    @property
    def expectation(self) -> str:
        """The expected failure as written in the file."""
        return repr(self.failure) if self.failure is not None else f"/{self.failure_pattern}/"

    def concerns(self, name: str, base: str) -> bool:
        """Tell whether it holds on a target."""
        return self.target is None or self.target.rstrip("/") in (name.rstrip("/"), base.rstrip("/"))

    def as_data(self) -> dict[str, Any]:
        """Return a JSON-able form, as results.json keeps it."""
        return {**asdict(self), "expires": self.expires.isoformat()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Waiver:
        """Return the waiver that results.json keeps; what became of it there is left out."""
        known = {one.name for one in fields(cls)}
        found = {name: value for name, value in data.items() if name in known}
        kind = CauseClass(data["cause_class"]) if data["cause_class"] else None
        return cls(**{**found, "cause_class": kind, "expires": date.fromisoformat(data["expires"])})


TEXTS = ("owner", "issue", "reason")
OPTIONAL = ("requirement", "cause", "cause_class", "failure", "failure_pattern", "target")


def load(file: Path) -> list[Waiver]:
    """Load the waivers of a file. Raise UsageError, with the place and the remedy, where one cannot be read."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise UsageError(f"The waivers file {file} cannot be read: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"The waivers file {file} is not valid TOML: {problem}.") from None
    rows = document.get("waiver", [])
    if set(document) - {"waiver"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"The waivers file {file} holds something else than [[waiver]] tables. docs/ci.md shows one.")
    return [_waiver(row, f"{file}, waiver {number}") for number, row in enumerate(rows, 1)]


def _waiver(row: dict[str, Any], place: str) -> Waiver:
    known = {*TEXTS, *OPTIONAL, "expires"}
    problems = [f"{name} is missing" for name in (*TEXTS, "expires") if name not in row]
    problems += [f"{name} is not a member of a waiver" for name in row if name not in known]
    problems += [
        f"{name} is not a text"
        for name in (*TEXTS, *OPTIONAL)
        if name in row and not (isinstance(row[name], str) and row[name].strip())
    ]
    problems += _subject(row)
    expires = row.get("expires", date.min)
    if isinstance(expires, str):
        try:
            expires = date.fromisoformat(expires)
        except ValueError:
            problems.append("expires is not a date such as 2027-01-31")
    elif isinstance(expires, datetime) or not isinstance(expires, date):
        problems.append("expires is not a date such as 2027-01-31")
    if isinstance(row.get("failure_pattern"), str):
        try:
            re.compile(row["failure_pattern"])
        except re.error as problem:
            problems.append(f"failure_pattern is not a regular expression ({problem})")
    if problems:
        raise UsageError(f"{place}: {'; '.join(problems)}. docs/ci.md shows a waiver.")
    kind = CauseClass(row["cause_class"]) if "cause_class" in row else None
    return Waiver(**{**row, "cause_class": kind, "expires": expires})


def _subject(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what a waiver is for."""
    by_cause = {"cause", "cause_class"} & set(row)
    if ("requirement" in row) == bool(by_cause):
        yield "either a requirement or a cause (cause, cause_class) must say what it covers"
    if "requirement" in row and ("failure" in row) == ("failure_pattern" in row):
        yield "exactly one of failure and failure_pattern must say which failure is expected"
    if by_cause and {"failure", "failure_pattern"} & set(row):
        yield "failure and failure_pattern belong to a requirement, not to a cause"
    if row.get("cause_class", CauseClass.SETUP) not in UNDECIDED_CLASSES:
        yield f"cause_class is not one of {', '.join(sorted(UNDECIDED_CLASSES))}"


def apply(
    verdicts: Iterable[RequirementVerdict], waivers: Sequence[Waiver], target_name: str, target_base: str, today: date
) -> list[dict[str, Any]]:
    """Turn accepted failures into the verdict `waived`; return what became of each waiver.

    A requirement is waived only where a waiver expects every one of its failures: whatever else went wrong
    stays visible. A waiver of a cause changes no verdict: it lists what it `covers`, for the gate.
    """
    by_id = {one.requirement.id: one for one in verdicts}
    open_ones: dict[str, list[Waiver]] = defaultdict(list)
    said: list[tuple[Waiver, str, str]] = []
    for waiver in waivers:
        found = by_id.get(waiver.requirement or "")
        if waiver.requirement is not None and found is None:
            said.append((waiver, PROBLEM, "no requirement has this ID"))
        elif not waiver.concerns(target_name, target_base):
            said.append((waiver, ASIDE, f"it is for the target {waiver.target}"))
        elif found is None:
            said.append(_of_cause(waiver, by_id.values(), today))
        elif found.verdict == Verdict.NOT_RUN and is_deselected(found.reason):
            said.append((waiver, ASIDE, found.reason))
        elif waiver.expires < today:
            said.append((waiver, PROBLEM, f"it expired on {waiver.expires.isoformat()}"))
        elif found.verdict == Verdict.PASS:
            said.append((waiver, PROBLEM, "its requirement passes: remove the waiver"))
        elif found.verdict == Verdict.INCONCLUSIVE:
            said.append((waiver, PROBLEM, f"its requirement is inconclusive, which no waiver covers: {found.reason}"))
        elif found.verdict == Verdict.NOT_RUN:
            said.append((waiver, PROBLEM, f"its requirement was not run, which no waiver covers: {found.reason}"))
        else:
            open_ones[found.requirement.id].append(waiver)
    for name, chosen in open_ones.items():
        said += _cover(by_id[name], chosen)
    order = {id(waiver): number for number, waiver in enumerate(waivers)}
    said.sort(key=lambda entry: order[id(entry[0])])
    return [
        {**waiver.as_data(), "state": state, "note": note, "covers": _covers(waiver, state, by_id)}
        for waiver, state, note in said
    ]


def _of_cause(waiver: Waiver, verdicts: Iterable[RequirementVerdict], today: date) -> tuple[Waiver, str, str]:
    """Return what became of a waiver of a cause."""
    verdicts = list(verdicts)
    if waiver.expires < today:
        return waiver, PROBLEM, f"it expired on {waiver.expires.isoformat()}"
    if any(waiver.holds_up(one) for one in verdicts):
        return waiver, APPLIED, ""
    left_out = next((one.reason for one in verdicts if is_deselected(one.reason)), None)
    if left_out is not None:
        return waiver, ASIDE, left_out
    return waiver, PROBLEM, "its cause keeps no requirement from being judged: remove the waiver"


def _covers(waiver: Waiver, state: str, verdicts: Mapping[str, RequirementVerdict]) -> list[str]:
    """Return the requirements that an applied waiver covers."""
    if state != APPLIED:
        return []
    if waiver.requirement is not None:
        return [waiver.requirement]
    return [name for name, one in verdicts.items() if waiver.holds_up(one)]


def _cover(verdict: RequirementVerdict, waivers: Sequence[Waiver]) -> list[tuple[Waiver, str, str]]:
    messages = failures(verdict)
    uncovered = [message for message in messages if not any(one.expects(message) for one in waivers)]
    said: list[tuple[Waiver, str, str]] = []
    for waiver in waivers:
        if not any(waiver.expects(message) for message in messages):
            said.append((waiver, PROBLEM, f"its requirement fails differently: {_first_line(messages[0])}"))
        elif uncovered:
            said.append((waiver, PROBLEM, f"its requirement also fails differently: {_first_line(uncovered[0])}"))
        else:
            said.append((waiver, APPLIED, ""))
    if not uncovered:
        first = waivers[0]
        verdict.verdict = Verdict.WAIVED
        verdict.reason = (
            f"waived until {first.expires.isoformat()} by {first.owner} ({first.issue}): {first.reason}. "
            f"Still failing: {verdict.reason}"
        )
    return said


def failures(verdict: RequirementVerdict) -> list[str]:
    """Return the text of every failure behind a verdict: failed judgements and violations."""
    return [
        *(one.reason for one in verdict.judgements if one.verdict == Verdict.FAIL),
        *(message for _, message in verdict.violations),
    ]


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0][:200]

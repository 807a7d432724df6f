"""Joins the results of one run that was split over several jobs into one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from ...contract.requirements import Requirement
from ...errors import UsageError
from ...verdicts import gate, waivers
from ...verdicts.verdicts import (
    UNTESTED,
    Judgement,
    RequirementVerdict,
    causes,
    is_deselected,
    judge,
    outcome,
    violation_reason,
)
from ...vocabulary import CauseClass, Level, Verdict, worst
from ..document.results import EVIDENCE, counts
from .comparison import Document, compared, target_of

Row = dict[str, Any]

JOINED = ("generated", "created", "waits", "trouble", "unanswered")
"""Lists of the document whose rows simply follow each other."""


def merged(
    parts: Sequence[tuple[str, Document]],
    fail_on: Sequence[str] = (),
    older: Document | None = None,
    allow_undecided: int = 0,
) -> Document:
    """Merge named parts of a run into one document, judged by the rule of a single run.

    A requirement that one part left out has the verdict of the parts that did not. The waivers of the parts
    are applied anew, to all failures together. Raise UsageError where the parts are not of one run: another
    suite version, another target, another catalogue.
    """
    _refuse_mismatch(parts)
    documents = [_renamed(document, f"{number}.") for number, (_, document) in enumerate(parts, 1)]
    first = documents[0]
    requirements = [_requirement(row) for row in first["requirements"]]
    by_id: list[dict[str, Row]] = [{row["id"]: row for row in one["requirements"]} for one in documents]
    verdicts = judge(
        requirements, list(_judgements(documents)), (), {one.id: _left_out(one.id, by_id) for one in requirements}
    )
    for verdict in verdicts:
        if verdict.verdict == Verdict.FAIL:
            verdict.reason = next(_failure(rows[verdict.requirement.id]) for rows in by_id if _fails(rows, verdict))
    started = min(one["started_at"] for one in documents)
    applied = waivers.apply(
        verdicts, _waivers(documents), first["target"]["name"], first["target"]["base"], _day(started)
    )
    problems = [
        f"{name}: {problem}" for (name, _), one in zip(parts, documents, strict=True) for problem in one["problems"]
    ]
    result, reason = outcome(verdicts, problems)
    selections = [one["selection"] for one in documents]
    document: Document = {
        **first,
        "outcome": result,
        "outcome_reason": reason,
        "problems": problems,
        "target": {
            **first["target"],
            "keys": sorted({key for one in documents for key in one["target"]["keys"]}),
            "capabilities": sorted({name for one in documents for name in one["target"]["capabilities"]}),
        },
        "started_at": started,
        "finished_at": max(one["finished_at"] for one in documents),
        "duration_seconds": round(sum(one["duration_seconds"] for one in documents), 3),
        "selection": list(dict.fromkeys(name for one in selections for name in one)) if all(selections) else [],
        "gates": sorted(set(fail_on)),
        "counts": counts(verdicts),
        "exchanges": _exchanges([one["exchanges"] for one in documents]),
        "requirements": [_row(one, [rows[one.requirement.id] for rows in by_id]) for one in verdicts],
        "causes": causes(verdicts),
        "evidence": {name: record for one in documents for name, record in one["evidence"].items()},
        "tests": _tests(test for one in documents for test in one["tests"]),
        "drift": _drift(row for one in documents for row in one["drift"]),
        "behaviours": _behaviours(documents),
        "compared": None,
        **{name: [row for one in documents for row in one.get(name, ())] for name in JOINED},
        "not_the_api": _not_the_api(row for one in documents for row in one.get("not_the_api", ())),
        "gate": gate.section(applied, fail_on),
    }
    if older is not None:
        document["compared"] = compared(older, document)
    decision = gate.decide(document, fail_on, allow_undecided=allow_undecided)
    document["gate"] = gate.section(applied, fail_on, decision, allow_undecided)
    return document


def _not_the_api(rows: Iterable[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        known = found.setdefault(row["answer"], {**row, "exchanges": 0, "operations": []})
        known["exchanges"] += row["exchanges"]
        known["operations"] += [name for name in row["operations"] if name not in known["operations"]]
    return sorted(found.values(), key=lambda row: -row["exchanges"])


def _refuse_mismatch(parts: Sequence[tuple[str, Document]]) -> None:
    if len(parts) < 2:
        raise UsageError("merge joins at least two reports; one was given.")
    (name, first), *others = parts
    for other, document in others:
        for what, mine, theirs in (
            ("suite version", first["suite"]["version"], document["suite"]["version"]),
            ("target", target_of(first), target_of(document)),
            ("catalogue", _catalogue(first), _catalogue(document)),
        ):
            if mine != theirs:
                shown = "" if what == "catalogue" else f": {mine} and {theirs}"
                raise UsageError(f"{name} and {other} are not parts of one run. The {what} differs{shown}.")


def _catalogue(document: Document) -> list[tuple[str, str]]:
    return [(row["id"], row["level"]) for row in document["requirements"]]


def _renamed(document: Document, prefix: str) -> Document:
    """Return the document with exchange IDs that no other part has."""
    return {
        **document,
        "evidence": {prefix + name: {**one, "id": prefix + name} for name, one in document["evidence"].items()},
        "not_the_api": [{**one, "first": prefix + one["first"]} for one in document.get("not_the_api", ())],
        "drift": [{**one, "exchange": prefix + one["exchange"]} for one in document["drift"]],
        "behaviours": [
            {**row, "seen": [{**one, "exchange": prefix + one["exchange"]} for one in row["seen"]]}
            for row in document.get("behaviours", [])
        ],
        "requirements": [
            {
                **row,
                "evidence": [prefix + name for name in row["evidence"]],
                "violations": [{**one, "exchange": prefix + one["exchange"]} for one in row["violations"]],
                "failures": [
                    {
                        **one,
                        "exchange": prefix + one["exchange"] if one.get("exchange") else "",
                        "exchanges": [prefix + name for name in one["exchanges"]],
                    }
                    for one in row["failures"]
                ],
            }
            for row in document["requirements"]
        ],
    }


def _requirement(row: Row) -> Requirement:
    return Requirement(
        id=row["id"],
        level=Level(row["level"]),
        statement=row["statement"],
        page=row["source"]["page"],
        section=row["source"]["section"],
        operations=tuple(row["operations"]),
        needs=tuple(row["needs"]),
        derived=row["derived"],
    )


def _judgements(documents: Iterable[Document]) -> Iterator[Judgement]:
    """Return what each part says of each requirement; a failed one says so once for every failure."""
    for document in documents:
        for row in document["requirements"]:
            if row["verdict"] in (Verdict.FAIL, Verdict.WAIVED):
                for message in (one["message"] for one in [*row["failures"], *row["violations"]]):
                    yield Judgement(row["id"], "", Verdict.FAIL, message)
            elif row["verdict"] in (Verdict.PASS, Verdict.INCONCLUSIVE) or not (
                is_deselected(row["reason"]) or row["reason"] == UNTESTED
            ):
                yield Judgement(
                    row["id"],
                    "",
                    Verdict(row["verdict"]),
                    row["reason"],
                    row["cause"],
                    CauseClass(row["cause_class"]) if row["cause_class"] else None,
                )


def _left_out(name: str, by_id: Sequence[dict[str, Row]]) -> str:
    """Say why no part judged a requirement; empty where it was asked for and no test spoke of it."""
    reasons = [rows[name]["reason"] for rows in by_id]
    return str(reasons[0]) if all(map(is_deselected, reasons)) else ""


def _fails(rows: dict[str, Row], verdict: RequirementVerdict) -> bool:
    return rows[verdict.requirement.id]["verdict"] in (Verdict.FAIL, Verdict.WAIVED)


def _failure(row: Row) -> str:
    """Say why a row fails, in the words of a run without waivers."""
    if row["violations"]:
        one = row["violations"][0]
        return violation_reason(one["exchange"], one["message"], row["violation_count"])
    return str(row["failures"][0]["message"])


def _waivers(documents: Iterable[Document]) -> list[waivers.Waiver]:
    found = [waivers.Waiver.from_data(one) for document in documents for one in document["gate"]["waivers"]]
    return list(dict.fromkeys(found))


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).date()


def _row(verdict: RequirementVerdict, rows: Sequence[Row]) -> Row:
    violations = [one for row in rows for one in row["violations"]]
    return {
        **rows[0],
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "cause": verdict.cause,
        "cause_class": verdict.cause_class,
        "tests": list(dict.fromkeys(name for row in rows for name in row["tests"])),
        "failures": [one for row in rows for one in row["failures"]],
        "violations": violations,
        "violation_count": sum(row["violation_count"] for row in rows),
        "evidence": [
            name for row in rows if row["verdict"] not in (Verdict.PASS, Verdict.NOT_RUN) for name in row["evidence"]
        ][: 2 * EVIDENCE * len(rows)],
    }


def _exchanges(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    by_operation = {
        name: _operation([one["by_operation"][name] for one in summaries if name in one["by_operation"]])
        for name in dict.fromkeys(name for one in summaries for name in one["by_operation"])
    }
    return {
        "count": sum(one["count"] for one in summaries),
        "rate_limited": sum(one["statuses"].get("429", 0) for one in by_operation.values()),
        "operations_called": sum(1 for one in by_operation.values() if one["count"]),
        "operations": max(one["operations"] for one in summaries),
        "by_operation": by_operation,
    }


def _operation(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    statuses: Counter[str] = Counter()
    for one in parts:
        statuses.update(one["statuses"])
    return {
        "count": sum(one["count"] for one in parts),
        "statuses": dict(sorted(statuses.items())),
        "milliseconds": _latency([(one["count"], one["milliseconds"]) for one in parts if one["milliseconds"]]),
    }


def _latency(parts: Sequence[tuple[int, dict[str, float]]]) -> dict[str, float] | None:
    """Take means weighted by the number of exchanges: percentiles of parts cannot be joined exactly."""
    if not parts:
        return None
    number = sum(count for count, _ in parts)
    mean = {name: round(sum(count * one[name] for count, one in parts) / number, 2) for name in ("p50", "p95")}
    return {**mean, "max": max(one["max"] for _, one in parts)}


def _tests(tests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep each test once: one that several parts ran keeps its worst verdict."""
    found: dict[str, dict[str, Any]] = {}
    for test in tests:
        before = found.get(test["nodeid"])
        if before is None or worst(map(Verdict, (test["verdict"], before["verdict"]))) != before["verdict"]:
            found[test["nodeid"]] = test
    return list(found.values())


def _drift(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        before = found.get((row["operation"], row["member"]))
        count = row["count"] + (before["count"] if before else 0)
        found[row["operation"], row["member"]] = {**(before or row), "count": count}
    return [found[key] for key in sorted(found)]


def _behaviours(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Keep each question once: the choices that any part saw, each with the exchange of the first part."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in (row for document in documents for row in document["behaviours"]):
        seen = found.setdefault(row["question"], {})
        for one in row["seen"]:
            first = seen.setdefault(one["choice"], {**one, "count": 0, "operations": []})
            first["count"] += one["count"]
            first["operations"] = sorted({*first["operations"], *one["operations"]})
    return [
        {"question": name, "seen": sorted(seen.values(), key=lambda one: (-one["count"], one["choice"]))}
        for name, seen in found.items()
    ]

"""Reads the results of earlier runs and says what changed between two of them.

Nothing is believed of a file that does not hold together: a truncated, foreign or edited one is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs

from ...errors import UsageError
from ...verdicts.verdicts import outcome_of
from ...vocabulary import UNDECIDED_CLASSES, CauseClass, Level, Outcome, Verdict
from ..document.earlier_versions import FIRST, upgraded
from ..document.results import SCHEMA_VERSION

Document = dict[str, Any]
SCHEMA = Path(__file__).parents[1] / "document" / "results.schema.json"
SUITE = "meshi-conformance"
REFERENCE = "reference"
"""The name of the embedded target."""
JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.WAIVED)

SLOWER_RATIO = 2.0
SLOWER_MILLISECONDS = 50.0
SLOWER_SAMPLE = 20
"""An operation is slower when its p95 has at least doubled, by at least 50 ms and by more than the older run's
own spread (p95 less p50), with at least 20 exchanges in either run. Less than that is noise."""


def load(path: Path) -> Document:
    """Load the results document of a report folder or a results.json.

    Raise UsageError with the reason where there is none, or where the file cannot be one that a run of this
    suite has written: cut short, another tool's, another schema version's, or changed by hand.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{file} does not exist. Give a report folder or its results.json.") from None
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is refused: it is not UTF-8 text, so it is not a results.json.") from None
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{file} is refused: it is cut short or is not JSON ({problem}).") from None
    document = upgraded(document)
    reason = refusal(document)
    if reason:
        raise UsageError(f"{file} is refused: {reason}.")
    found: Document = document
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def refusal(document: Document | Any) -> str | None:
    """Say why something is not a results document of this suite and schema version; None where it is one."""
    if not isinstance(document, dict):
        return "it is not a JSON object"
    suite = document.get("suite")
    if not isinstance(suite, dict) or suite.get("name") != SUITE:
        return "it is not a result of this suite"
    version = document.get("schema_version")
    major = SCHEMA_VERSION.partition(".")[0]
    if not isinstance(version, str) or version.partition(".")[0] != major:
        return (
            f"it has the schema version {version!r} and this suite reads {FIRST}.x and {major}.x; "
            "compare it with the suite version that wrote it"
        )
    error = next(_validator().iter_errors(document), None)
    if error is not None:
        place = "/".join(map(str, error.instance_path)) or "the document"
        return f"{place} does not fit the published schema: {error.message[:200]}"
    return _contradiction(document)


def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _contradiction(document: Document) -> str | None:
    """Say what a run never writes: verdicts, counts and outcome that say different things."""
    rows = document["requirements"]
    twice = [name for name, number in Counter(row["id"] for row in rows).items() if number > 1]
    if twice:
        return f"it lists the requirement {twice[0]} twice"
    for row in rows:
        if (row["verdict"] in (Verdict.FAIL, Verdict.WAIVED)) != bool(row["failures"] or row["violations"]):
            return f"its verdict on {row['id']} is {row['verdict']}, against the failures beside it"
        unclassed = row["cause_class"] is None and "upgraded_from" not in document
        if (row["verdict"] == Verdict.INCONCLUSIVE) == unclassed:
            return f"its verdict on {row['id']} is {row['verdict']}, against the cause class beside it"
    found = Counter((row["level"], row["verdict"]) for row in rows)
    counts = {level: {verdict: found[level, verdict] for verdict in Verdict} for level in Level}
    if document["counts"] != counts:
        return "its counts are not those of its requirements"
    expected = outcome_of([_decided(row) for row in rows if row["level"] == Level.DOCUMENTED])
    if document["outcome"] not in (Outcome.INVALID, expected):
        return f"its outcome is {document['outcome']} where its verdicts make it {expected}"
    if document["problems"] and document["outcome"] != Outcome.INVALID:
        return f"it names problems of the run, which make it invalid, and calls itself {document['outcome']}"
    return None


def _decided(row: Mapping[str, Any]) -> tuple[Verdict, CauseClass | None]:
    return Verdict(row["verdict"]), CauseClass(row["cause_class"]) if row["cause_class"] else None


def target_of(document: Document) -> str:
    """Tell one target from another: by its base URL; the embedded reference listens on another port each time."""
    name, base = document["target"]["name"], document["target"]["base"]
    return str(name if name == REFERENCE else base)


def compare(before: Document, after: Document) -> dict[str, Any]:
    """Tell what changed from one run to the next, as JSON-able data.

    `worse` holds a sentence for each kind of change for the worse, and is empty without one.

    Raise UsageError where one run judges a server and the other a client.
    """
    if before["subject"] != after["subject"]:
        raise UsageError(
            f"The first report judges a {before['subject']} and the second a {after['subject']}: they share no "
            "requirement. Compare two reports of one kind."
        )
    old = {row["id"]: row for row in before["requirements"]}
    new = {row["id"]: row for row in after["requirements"]}
    both = [name for name in new if name in old]
    failing = [
        _change(name, old, new)
        for name in new
        if new[name]["verdict"] == Verdict.FAIL and _was(old, name) != Verdict.FAIL
    ]
    found: dict[str, Any] = {
        "before": _side(before),
        "after": _side(after),
        "notes": _notes(before, after),
        "new_failures": [one for one in failing if one["level"] == "documented"],
        "new_deviations": [one for one in failing if one["level"] != "documented"],
        "fixed": [
            _change(name, old, new)
            for name in both
            if _was(old, name) == Verdict.FAIL and new[name]["verdict"] == Verdict.PASS
        ],
        "newly_waived": [
            _change(name, old, new)
            for name in both
            if new[name]["verdict"] == Verdict.WAIVED and old[name]["verdict"] != Verdict.WAIVED
        ],
        "newly_unjudged": [
            _change(name, old, new)
            for name in both
            if old[name]["verdict"] in JUDGED and new[name]["verdict"] not in JUDGED
        ],
        "newly_undecided": [
            _change(name, old, new)
            for name in both
            if old[name]["verdict"] not in JUDGED and _is_undecided(new[name]) and _is_excused(old[name])
        ],
        "newly_judged": [
            _change(name, old, new)
            for name in both
            if old[name]["verdict"] not in JUDGED and new[name]["verdict"] in JUDGED
        ],
        "vanished": [_change(name, old, new) for name in old if name not in new],
        "new": [_change(name, old, new) for name in new if name not in old],
        "levels": [
            {"id": name, "before": old[name]["level"], "after": new[name]["level"]}
            for name in both
            if old[name]["level"] != new[name]["level"]
        ],
        "drift": _drift(before, after),
        "behaviours": changed_behaviours(before, after),
        "latency": _latency(before, after),
    }
    found["worse"] = _worse(found)
    return found


def _is_undecided(row: Mapping[str, Any]) -> bool:
    return row["cause_class"] in UNDECIDED_CLASSES


def _is_excused(row: Mapping[str, Any]) -> bool:
    """Return whether a requirement stayed unjudged for no doing of the target's, as far as its report can say."""
    return row["verdict"] == Verdict.NOT_RUN or row["cause_class"] in (CauseClass.ABSENT, CauseClass.LIMIT)


def _was(rows: Mapping[str, Any], name: str) -> str | None:
    return rows[name]["verdict"] if name in rows else None


def _change(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    row = new.get(name) or old[name]
    return {
        "id": name,
        "level": row["level"],
        "statement": row["statement"],
        "before": _was(old, name),
        "after": _was(new, name),
        "reason": row["reason"] if name in new else "",
        "cause_class": row["cause_class"] if name in new else None,
    }


def _side(document: Document) -> dict[str, Any]:
    return {
        "outcome": document["outcome"],
        "outcome_reason": document["outcome_reason"],
        "started_at": document["started_at"],
        "suite": document["suite"]["version"],
        "target": {"name": document["target"]["name"], "base": document["target"]["base"]},
        "counts": document["counts"],
    }


def _notes(before: Document, after: Document) -> list[str]:
    """Say what makes the two runs less comparable."""
    pairs = [
        ("the target", target_of(before), target_of(after)),
        ("the suite's version", before["suite"]["version"], after["suite"]["version"]),
        ("the keys", ", ".join(before["target"]["keys"]), ", ".join(after["target"]["keys"])),
        ("the opt-ins", ", ".join(before["target"]["capabilities"]), ", ".join(after["target"]["capabilities"])),
    ]
    notes = [f"{what} differs: {old or 'none'} before, {new or 'none'} now" for what, old, new in pairs if old != new]
    notes += [
        f"the {which} run is invalid: {one['outcome_reason']}"
        for which, one in (("older", before), ("newer", after))
        if one["outcome"] == Outcome.INVALID
    ]
    if before["started_at"] > after["started_at"]:
        notes.append("the run that was given first is the newer one")
    return notes


def _drift(before: Document, after: Document) -> dict[str, list[dict[str, str]]]:
    old = {(row["operation"], row["member"]) for row in before["drift"]}
    new = {(row["operation"], row["member"]) for row in after["drift"]}

    def rows(found: set[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"operation": operation, "member": member} for operation, member in sorted(found)]

    return {"appeared": rows(new - old), "disappeared": rows(old - new)}


def changed_behaviours(before: Document, after: Document) -> list[dict[str, Any]]:
    """Return the open questions of which both runs saw a choice, and not the same ones."""
    old, new = _choices(before), _choices(after)
    return [
        {"question": name, "before": old[name], "after": choices}
        for name, choices in new.items()
        if choices and old.get(name, choices) not in ([], choices)
    ]


def compared(before: Document, after: Document) -> dict[str, Any]:
    """Return the `compared` member of a document: the older run, and the behaviours that changed since."""
    return {
        "base": before["target"]["base"],
        "started_at": before["started_at"],
        "behaviours": changed_behaviours(before, after),
    }


def _choices(document: Document) -> dict[str, list[str]]:
    """Return the choices that a run saw, by question; none of a run of a suite that did not look."""
    return {row["question"]: sorted(one["choice"] for one in row["seen"]) for row in document.get("behaviours", [])}


def _latency(before: Document, after: Document) -> list[dict[str, Any]]:
    old, new = before["exchanges"]["by_operation"], after["exchanges"]["by_operation"]
    found = []
    for name in sorted(old.keys() & new.keys()):
        was, now = old[name]["milliseconds"], new[name]["milliseconds"]
        if was is None or now is None:
            continue
        sample = min(old[name]["count"], new[name]["count"])
        more = now["p95"] - was["p95"]
        found.append(
            {
                "operation": name,
                "before": was["p95"],
                "after": now["p95"],
                "ratio": round(now["p95"] / was["p95"], 2) if was["p95"] else None,
                "slower": sample >= SLOWER_SAMPLE
                and now["p95"] >= SLOWER_RATIO * was["p95"]
                and more >= max(SLOWER_MILLISECONDS, was["p95"] - was["p50"]),
            }
        )
    return found


def _worse(found: Mapping[str, Any]) -> list[str]:
    kinds = (
        ("new_failures", "documented requirements fail that did not"),
        ("new_deviations", "implied requirements fail that did not"),
        ("vanished", "requirements are no longer in the report"),
        ("newly_unjudged", "requirements are no longer judged"),
        ("newly_undecided", "requirements are now kept from being judged by the target"),
    )
    said = [f"{len(found[name])} {what}" for name, what in kinds if found[name]]
    if found["after"]["outcome"] == Outcome.INVALID and found["before"]["outcome"] != Outcome.INVALID:
        said.append("the newer run is invalid")
    return said

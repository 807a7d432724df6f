"""results.json: the whole result of a run as one schema-versioned document (docs/results.md)."""

from __future__ import annotations

import json
import math
import platform
import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import __version__
from ...behaviours.behaviours import observe
from ...contract.contract import Contract
from ...contract.open_questions import load_questions
from ...contract.requirements import CLIENT, SERVER
from ...exchanges import created_rows as ledger
from ...exchanges.checks import JUDGED_BY_EXCHANGES
from ...exchanges.redaction import Redaction
from ...target.keys import KEY_VARIABLES
from ...target.target import Preflight, Target
from ...verdicts import gate, waivers
from ...verdicts.verdicts import DESELECTED, Judgement, RequirementVerdict, causes, is_left_out, judge, outcome
from ...vocabulary import CauseClass, Level, Outcome, Verdict
from .. import write_parts
from .advice import lacking
from .origins import not_the_api, origin

SCHEMA_VERSION = "2.0"
EVIDENCE = 3
"""How many exchanges are kept as evidence with a requirement that does not pass."""


def build(
    contract: Contract,
    target: Target,
    preflight: Preflight,
    judgements: Sequence[Judgement],
    tests: list[dict[str, Any]],
    events: Iterable[dict[str, Any]],
    problems: Sequence[str],
    *,
    started: float,
    selection: Sequence[str] = (),
    waived: Sequence[waivers.Waiver] = (),
    options: Mapping[str, Any] | None = None,
    subject: str = SERVER,
    command: Sequence[str] = ("pytest",),
    targets_file: str | None = None,
    left_out: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Build the document of a run from what its tests and exchanges said of the requirements that bind a subject.

    `left_out` says of requirements that options of pytest left out which ones did.

    `events` is gone through several times, so that of 20,000 exchanges only those that are evidence are held whole.
    Texts that tests took from answers may carry a key that the server echoed: it is taken out here.
    """
    redaction = Redaction(target.secrets, target.access.headers)
    judgements = [
        replace(one, reason=redaction.text(one.reason), cause=redaction.text(one.cause)) for one in judgements
    ]
    problems = [redaction.text(one) for one in problems]
    by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["type"] == "exchange":
            by_type["exchange"].append({name: event.get(name) for name in _SUMMARIZED})
        else:
            by_type[event["type"]].append(redaction.apply(event))
    exchanges = sorted(by_type["exchange"], key=lambda one: one["started"])
    violations = [(name, one["id"], message) for one in exchanges for name, message in one["violations"]]
    violations += [(one["requirement"], one["exchange"], one["message"]) for one in by_type["violation"]]
    catalogue = contract.of(subject)
    chosen = {one.id for pattern in selection for one in contract.matching(pattern, subject)}
    unselected = {
        **(left_out or {}),
        **{name: DESELECTED for name in catalogue if selection and name not in chosen},
    }
    verdicts = judge(
        catalogue.values(),
        [one for one in judgements if _counts(one, unselected.get(one.requirement))],
        violations,
        unselected,
        _unseen(contract, {one["requirement"] for one in by_type["shown"]}, {name for name, _, _ in violations}),
    )
    applied = waivers.apply(verdicts, waived, target.name, target.base, datetime.fromtimestamp(started, UTC).date())
    result, reason = outcome(verdicts, problems)
    for why, number in Counter((left_out or {}).values()).items():
        reason += f" {number} requirements were {why}."
    known = {one["id"] for one in exchanges}
    pages = {one["id"]: one["not_the_api"] for one in exchanges if one["not_the_api"]}
    rows = [requirement_row(one, known, pages) for one in verdicts]
    shown = {name for row in rows for name in row["evidence"]}
    evidence = {one["id"]: one for one in events if one["type"] == "exchange" and one["id"] in shown}
    finished = time.time()
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": {"name": "meshi-conformance", "version": __version__, "python": platform.python_version()},
        "subject": subject,
        "outcome": result,
        "outcome_reason": reason,
        "problems": list(problems),
        "target": {
            "name": target.name,
            "base": target.base,
            "org_id": redaction.apply(preflight.org_id),
            "scopes": redaction.apply(preflight.scopes),
            "keys": sorted(target.keys),
            "capabilities": sorted(target.capabilities),
        },
        "started_at": moment(started),
        "finished_at": moment(finished),
        "duration_seconds": round(finished - started, 3),
        "selection": list(selection),
        "options": dict(options or {}),
        "rerun": _rerun(target, command, targets_file),
        "shell": _shell(target, command),
        "lacking": lacking(target),
        "counts": counts(verdicts),
        "gate": gate.section(applied),
        "exchanges": _summary(exchanges, contract),
        "requirements": rows,
        "causes": causes(verdicts),
        "not_the_api": not_the_api(exchanges),
        "evidence": {name: evidence[name] for name in sorted(evidence)},
        "tests": tests,
        "drift": _drift(exchanges),
        # What a sandbox chooses says nothing of the client.
        "behaviours": observe(_scripted(events, tests), contract, load_questions()) if subject == SERVER else [],
        "compared": None,
        "created": ledger.listed(events, redaction),
        "generated": [{name: value for name, value in one.items() if name != "type"} for one in by_type["generated"]],
        "waits": by_type["wait"],
        "trouble": [one["what"] for one in by_type["trouble"]],
        "unanswered": _unanswered(by_type["unanswered"]),
    }


def _scripted(events: Iterable[dict[str, Any]], tests: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the exchanges that no generated test made: what chance sends differs from run to run."""
    made_up = {
        test["nodeid"]
        for test in tests
        if test["requirements"] and all(name.startswith("generated.") for name in test["requirements"])
    }
    return (one for one in events if one["type"] == "exchange" and one["test"] not in made_up)


def _counts(judgement: Judgement, unselected: str | None) -> bool:
    """Tell whether a judgement counts: of what a budget leaves out a part may run, which can show a failure alone."""
    return unselected is None or (is_left_out(unselected) and judgement.verdict == Verdict.FAIL)


def _unseen(contract: Contract, shown: set[str], broken: set[str]) -> dict[str, tuple[str, CauseClass]]:
    """Return why exchanges of this run say nothing about a requirement that they are to show, by its ID."""
    found: dict[str, tuple[str, CauseClass]] = {}
    for name in contract.requirements:
        family, _, rest = name.partition(".")
        operation = contract.operations.get(rest.partition(".")[0])
        if family not in JUDGED_BY_EXCHANGES or operation is None or name in shown:
            continue
        if f"json.{operation.id}" in broken:
            found[name] = f"no answer of {operation.id} that shows it could be read", CauseClass.SETUP
        elif operation.lists and f"status.{operation.id}.200" in shown and family in ("schema", "shape", "boundary"):
            found[name] = f"no page of {operation.id} held a row", CauseClass.ABSENT
        else:
            found[name] = f"no answer of {operation.id} showed it", CauseClass.SETUP
    return found


_SUMMARIZED = ("id", "operation", "status", "started", "elapsed", "violations", "drift", "not_the_api")
"""What is kept of an exchange that is not evidence."""


def _rerun(target: Target, command: Sequence[str], targets_file: str | None) -> str:
    """Return the command that judges one requirement again on the same target; its ID is to be appended.

    `command` is what the run was started with: where only the wheel is installed, pytest finds no tests.
    """
    words = [*command, *(["--targets-file", targets_file] if targets_file else []), "--target", target.name]
    if target.name != "reference":
        words += [option for name, option in _OPT_INS if name in target.capabilities]
    return shlex.join([*words, "--requirements"])


def _shell(target: Target, command: Sequence[str]) -> list[str]:
    """Return the lines that define what the curl lines of a report use; keys come from where the run read them."""
    if target.name == REFERENCE:
        serve = "python -m meshi_reference" if command[0] == "pytest" else f"{command[0]} serve"
        return [f"{serve}  # in another terminal: it prints MESHI_BASE and the keys to export"]
    lines = [f"export MESHI_BASE={shlex.quote(target.base)}"]
    for role in target.keys:
        if target.variable(role) != KEY_VARIABLES[role]:
            lines.append(f'export {KEY_VARIABLES[role]}="${target.variable(role)}"')
    return lines


def _unanswered(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return requests that had no answer after all attempts: each kind once, with the tests that made it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in events:
        key = (one["operation"] or f"{one['method']} {one['path']}", one["cause"])
        kept = {name: value for name, value in one.items() if name not in ("type", "at", "test")}
        row = found.setdefault(key, {**kept, "requests": 0, "tests": []})
        row["requests"] += 1
        if one["test"] not in row["tests"] and len(row["tests"]) < EVIDENCE:
            row["tests"].append(one["test"])
    return list(found.values())[:UNANSWERED]


REFERENCE = "reference"

UNANSWERED = 50
"""How many kinds of unanswered requests a document holds."""

_OPT_INS = (("large", "--large"), ("rate_limit", "--rate-limit-probe"))


def requirement_row(
    verdict: RequirementVerdict, known: set[str], pages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    requirement = verdict.requirement
    evidence: list[str] = []
    if verdict.verdict in (Verdict.FAIL, Verdict.WAIVED):
        evidence += [exchange for exchange, _ in verdict.violations[:EVIDENCE]]
        for one in verdict.judgements:
            if one.verdict == Verdict.FAIL:
                # The story of a duty is told from its beginning. Else what the assertion is about comes first: a loop
                # goes on after it, and set-up comes before it.
                is_story = requirement.subject == CLIENT
                evidence += one.exchanges if is_story else [one.exchange, *one.exchanges[-EVIDENCE:]]
    else:
        for one in verdict.judgements:
            evidence += one.exchanges[-1:] if verdict.verdict != Verdict.PASS else ()
    return {
        "id": requirement.id,
        "family": requirement.family,
        "level": requirement.level,
        "statement": requirement.statement,
        "source": {"page": requirement.page, "section": requirement.section},
        "operations": list(requirement.operations),
        "needs": list(requirement.needs),
        "derived": requirement.derived,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "cause": origin(verdict, pages or {}) if verdict.verdict == Verdict.FAIL else verdict.cause,
        "cause_class": verdict.cause_class,
        "tests": [one.test for one in verdict.judgements],
        "failures": [
            {
                "test": one.test,
                "message": one.reason,
                "exchange": one.exchange,
                "exchanges": list(one.exchanges[-EVIDENCE:]),
            }
            for one in verdict.judgements
            if one.verdict == Verdict.FAIL
        ],
        "violations": [{"exchange": exchange, "message": message} for exchange, message in verdict.violations[:10]],
        "violation_count": len(verdict.violations),
        "evidence": list(dict.fromkeys(name for name in evidence if name in known))[: 2 * EVIDENCE],
    }


def counts(verdicts: Sequence[RequirementVerdict]) -> dict[str, dict[str, int]]:
    """Count the requirements of each level by verdict."""
    found = Counter((one.requirement.level, one.verdict) for one in verdicts)
    return {level: {verdict: found[level, verdict] for verdict in Verdict} for level in Level}


def _summary(exchanges: list[dict[str, Any]], contract: Contract) -> dict[str, Any]:
    by_operation: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in exchanges:
        if one["operation"]:
            by_operation[one["operation"]].append(one)
    return {
        "count": len(exchanges),
        "rate_limited": sum(1 for one in exchanges if one["status"] == 429),
        "operations_called": sum(1 for name in contract.operations if by_operation[name]),
        "operations": len(contract.operations),
        "by_operation": {
            name: {
                "count": len(by_operation[name]),
                "statuses": {
                    str(status): number
                    for status, number in sorted(Counter(one["status"] for one in by_operation[name]).items())
                },
                "milliseconds": latency([one["elapsed"] * 1000 for one in by_operation[name]]),
            }
            for name in contract.operations
        },
    }


def latency(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)

    return {"p50": at(0.5), "p95": at(0.95), "max": round(ordered[-1], 2)}


def _drift(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return members that no schema names, per operation, with the first exchange that showed each."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in exchanges:
        for member in one["drift"]:
            row = found.setdefault(
                (one["operation"], member),
                {"operation": one["operation"], "member": member, "exchange": one["id"], "count": 0},
            )
            row["count"] += 1
    return sorted(found.values(), key=lambda row: (row["operation"], row["member"]))


def moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def write(folder: Path, document: dict[str, Any]) -> None:
    """Write results.json as a whole or not at all, so that a cut report cannot be taken for a result."""
    folder.mkdir(parents=True, exist_ok=True)
    write_parts(folder / "results.json", [_in_lines(document)])


def least_size(contract: Contract) -> int:
    """Return about how many bytes a document has at least: every requirement with a reason, and no evidence."""
    return len(_in_lines(invalid(contract, "", time.time()))) + 120 * len(contract.requirements)


def without_evidence(document: dict[str, Any], why: str) -> dict[str, Any]:
    """Return the document of a run whose report found no room: invalid, with its verdicts and little else."""
    rows = [
        {
            **row,
            "evidence": [],
            "violations": [{**one, "message": one["message"][:200]} for one in row["violations"][:1]],
            "failures": [{**one, "message": one["message"][:200], "exchanges": []} for one in row["failures"][:1]],
        }
        for row in document["requirements"]
    ]
    return {
        **document,
        "outcome": Outcome.INVALID,
        "outcome_reason": why,
        "problems": [why, *document["problems"]],
        "requirements": rows,
        "evidence": {},
        "tests": [],
        "waits": [],
        "trouble": [],
        "drift": [],
    }


def _in_lines(document: dict[str, Any]) -> str:
    """Write a line for each member and each row of a list: quick to write, and fit for grep."""
    members = []
    for name, value in document.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"
        members.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def invalid(contract: Contract, reason: str, started: float) -> dict[str, Any]:
    """Build the document of a run that could not start: nothing judged, and why."""
    unknown = Target("unknown", "", {})
    document = build(contract, unknown, Preflight(None, ()), [], [], [], [reason], started=started)
    document["gate"] = gate.section(decision=gate.Decision(gate.EXIT_USAGE, (reason,)))
    return document

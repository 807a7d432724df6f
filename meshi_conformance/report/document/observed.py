"""results.json of traffic that was observed: the same document as a run's, made of verdicts and numbers alone."""

from __future__ import annotations

import platform
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ... import __version__
from ...behaviours.behaviours import observe
from ...contract.contract import Contract
from ...contract.open_questions import load_questions
from ...contract.requirements import SERVER
from ...verdicts import gate, waivers
from ...verdicts.verdicts import RequirementVerdict, causes, outcome
from ...vocabulary import Outcome
from .results import SCHEMA_VERSION, counts, latency, moment, requirement_row

AGAIN = "meshi-conformance explain"
"""The words in place of the command that judges a requirement again: traffic cannot be repeated."""


@dataclass
class Observed:
    """What was observed.

    `sources` says where it came from, `began` and `ended` are seconds of POSIX time, `evidence` holds the records of
    exchanges by ID, `drift` the undocumented members by operation and path with the first exchange and a count.
    `held` counts how often each requirement was seen to hold, `unjudged` why something could not be judged.
    """

    name: str
    base: str
    sources: Sequence[str]
    complete: bool
    began: float
    ended: float
    count: int
    rate_limited: int
    statuses: Mapping[str, Counter[int]]
    milliseconds: Mapping[str, array[float]]
    drift: Mapping[tuple[str, str], tuple[str, int]]
    evidence: Mapping[str, dict[str, Any]]
    held: Mapping[str, int]
    unjudged: Mapping[str, int]
    keys: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)


def build(
    contract: Contract,
    observed: Observed,
    verdicts: Sequence[RequirementVerdict],
    waived: Sequence[waivers.Waiver] = (),
    subject: str = SERVER,
) -> dict[str, Any]:
    """Build the document of what was observed of servers or of clients.

    Its outcome is at best `partial`: traffic shows what happens to pass.
    """
    day = datetime.fromtimestamp(observed.ended, UTC).date()
    applied = waivers.apply(verdicts, waived, observed.name, observed.base, day)
    result, reason = outcome(verdicts, [])
    if result == Outcome.CONFORMANT:
        result = Outcome.PARTIAL
    rows = [requirement_row(one, set(observed.evidence)) for one in verdicts]
    shown = {name for row in rows for name in row["evidence"]}
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": {"name": "meshi-conformance", "version": __version__, "python": platform.python_version()},
        "subject": subject,
        "outcome": result,
        "outcome_reason": f"Observed in {observed.count:,} exchanges: {reason[:1].lower()}{reason[1:]}",
        "problems": [],
        "target": {
            "name": observed.name,
            "base": observed.base,
            "org_id": None,
            "scopes": [],
            "keys": list(observed.keys),
            "capabilities": [],
        },
        "observed": {
            "sources": list(observed.sources),
            "complete": observed.complete,
            "held": dict(observed.held),
            "unjudged": dict(observed.unjudged),
            "notes": list(observed.notes),
        },
        "started_at": moment(observed.began),
        "finished_at": moment(observed.ended),
        "duration_seconds": round(max(0.0, observed.ended - observed.began), 3),
        "selection": [],
        "options": {},
        "rerun": AGAIN,
        "counts": counts(verdicts),
        "gate": gate.section(applied),
        "exchanges": _summary(contract, observed),
        "requirements": rows,
        "causes": causes(verdicts),
        "evidence": {name: observed.evidence[name] for name in sorted(shown)},
        "tests": [],
        "drift": [
            {"operation": operation, "member": member, "exchange": first, "count": count}
            for (operation, member), (first, count) in sorted(observed.drift.items())
        ],
        "behaviours": observe((), contract, load_questions()),
        "compared": None,
        "created": [],
        "generated": [],
        "waits": [],
        "trouble": [],
    }


def _summary(contract: Contract, observed: Observed) -> dict[str, Any]:
    by_operation = {
        name: {
            "count": sum(observed.statuses.get(name, Counter()).values()),
            "statuses": {str(one): count for one, count in sorted(observed.statuses.get(name, Counter()).items())},
            "milliseconds": latency(observed.milliseconds.get(name, ())),
        }
        for name in contract.operations
    }
    return {
        "count": observed.count,
        "rate_limited": observed.rate_limited,
        "operations_called": sum(1 for one in by_operation.values() if one["count"]),
        "operations": len(contract.operations),
        "by_operation": by_operation,
    }

"""Results documents made by hand, from the real catalogue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.contract import contract as contracts
from meshi_conformance.report.document import results
from meshi_conformance.target.target import Preflight, Target
from meshi_conformance.verdicts.verdicts import Judgement
from meshi_conformance.verdicts.waivers import Waiver
from meshi_conformance.vocabulary import CauseClass, Verdict

Document = dict[str, Any]
Make = Callable[..., Document]
BASE = "https://partner.example/api/v0/partner"


@pytest.fixture
def make() -> Make:
    """Make the document of a run in which everything passes but what is named.

    `verdicts` maps a requirement to (verdict, reason) or (inconclusive, reason, cause class), `absent` where that is
    left out; None leaves it without a judgement.
    `latency` maps an operation to the seconds of its exchanges; `drift` lists undocumented members of them.
    """

    def build(
        verdicts: dict[str, tuple[str, ...] | None] | None = None,
        *,
        selection: Sequence[str] = (),
        waived: Sequence[Waiver] = (),
        problems: Sequence[str] = (),
        latency: dict[str, list[float]] | None = None,
        drift: Sequence[str] = (),
        violations: Sequence[tuple[str, str]] = (),
        base: str = BASE,
    ) -> Document:
        contract = contracts.load()
        said = {name: ("pass", "") for name in contract.requirements} | (verdicts or {})
        judgements = [judgement(name, *found) for name, found in said.items() if found is not None]
        times = latency or {"getAuth": [0.01]}
        events = [
            exchange(f"main-{number}", operation, seconds, drift, violations if number == 1 else ())
            for number, (operation, seconds) in enumerate(
                ((operation, one) for operation, some in times.items() for one in some), 1
            )
        ]
        events += [{"type": "shown", "requirement": name, "exchange": "main-1"} for name in contract.requirements]
        document = results.build(
            contract,
            Target("staging", base, {"main": "key"}),
            Preflight("org_1", ("partner:read", "partner:write")),
            judgements,
            [],
            events,
            list(problems),
            started=time.time(),
            selection=selection,
            waived=waived,
        )
        copied: Document = json.loads(json.dumps(document))
        return copied

    return build


def judgement(name: str, verdict: str, reason: str, cause_class: str = "absent") -> Judgement:
    """What a test says of a requirement."""
    kind = CauseClass(cause_class) if verdict == "inconclusive" else None
    return Judgement(
        name, f"tests/test_it.py::test_it[{name}]", Verdict(verdict), reason, reason, kind, exchanges=("main-1",)
    )


def exchange(
    id: str, operation: str, seconds: float, drift: Sequence[str], violations: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """A recorded exchange."""
    return {
        "type": "exchange",
        "id": id,
        "operation": operation,
        "test": "tests/test_it.py::test_it",
        "method": "GET",
        "path": "/auth",
        "other_base": None,
        "key": "main",
        "scheme": "Bearer ",
        "request_headers": {},
        "request_body": None,
        "request_bytes": 0,
        "status": 200,
        "headers": [],
        "body": "{}",
        "body_bytes": 2,
        "started": 1_780_000_000.0,
        "elapsed": seconds,
        "correlation_id": "corr-1",
        "curl": "curl",
        "violations": [list(one) for one in violations],
        "drift": list(drift),
    }


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, Document], Path]:
    """Write a document as a report folder of a name."""

    def write(name: str, document: Document) -> Path:
        if isinstance(document, dict):
            results.write(tmp_path / name, document)
        else:  # what no run writes
            (tmp_path / name).mkdir()
            (tmp_path / name / "results.json").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path / name

    return write

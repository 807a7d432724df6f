"""One answer, however hostile, costs little, and is the server's fault and not ours."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.contract.schemas import MOST_FINDINGS
from meshi_conformance.exchanges.checks import MOST_DRIFT, check
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.exchanges.strict_json import NotJson, parse_json
from meshi_conformance.plugin.hooks import pytest_assertrepr_compare
from meshi_reference.server import running
from meshi_reference.settings import Settings
from selftests.network.hostile import KEY, Proxy, Request, answer, serving
from selftests.network.whole_runs.suite import run

COUNT = 130_000
END = '],"next_cursor":null,"correlation_id":"cor-0123456789"}'
UUID = '{"a":"123e4567-e89b-12d3-a456-426614174000"}'
ANSWERS = {
    "rows that lack everything": '{"items":[' + ",".join(["{}"] * COUNT) + END,
    "rows of a wrong type": '{"items":[' + ",".join(["1"] * COUNT) + END,
    "rows with an undocumented member": '{"items":[' + ",".join(['{"a":1}'] * COUNT) + END,
    "rows with internal IDs": '{"items":[' + ",".join([UUID] * COUNT) + END,
    "undocumented members": "{" + ",".join(f'"a{number}":1' for number in range(COUNT)) + "}",
    "one member twice": "{" + ",".join(f'"a{number}":1' for number in range(COUNT)) + ',"a0":1}',
    "a number of a megabyte": '{"a":0.' + "1" * 1_000_000 + "}",
    "a text of a megabyte": '{"a":"' + "\\u0041" * 170_000 + '"}',
}


@pytest.mark.parametrize("name", ANSWERS)
def test_judging_and_keeping_an_answer_is_linear_and_bounded(name: str) -> None:
    """A quadratic step over so many members takes minutes; unbounded findings took gigabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one = Exchange(
        id="unit-1",
        operation="listEvents",
        test="unit",
        method="GET",
        path="/events",
        key="main",
        request_headers={},
        request_body=None,
        status=200,
        headers=[("content-type", "application/json"), ("x-correlation-id", "cor-0123456789")],
        body=ANSWERS[name].encode(),
        started=0.0,
        elapsed=0.1,
    )
    started = time.process_time()
    found = check(one, load())
    assert found
    assert len(found) <= 2 * MOST_FINDINGS + MOST_DRIFT + 10
    assert len(one.drift) <= MOST_DRIFT
    one.violations = [(violation.requirement, violation.message[:2000]) for violation in found]
    assert len(json.dumps(one.record(Redaction({"main": KEY})))) < 200_000
    assert time.process_time() - started < 30
    if sys.platform.startswith("linux"):
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@pytest.mark.parametrize("text", ["\\ud83d", "\\udc00", "a\\ud83db", "\\udc00\\ud83d", "\\ud83d\\ud83d\\ude00"])
def test_half_a_surrogate_pair_is_no_json_that_two_readers_read_alike(text: str) -> None:
    with pytest.raises(NotJson, match="half a surrogate pair"):
        parse_json(f'{{"a": ["{text}"]}}'.encode())
    with pytest.raises(NotJson, match="half a surrogate pair"):
        parse_json(f'{{"{text}": 1}}'.encode())


@pytest.mark.parametrize("text", ["\\ud83d\\ude00", "\\\\ud83d", "\U0001f600"])
def test_a_whole_pair_is_a_text(text: str) -> None:
    assert parse_json(f'{{"a": "{text}"}}'.encode())


def test_half_a_pair_is_the_servers_violation_before_and_during_a_run(tmp_path: Path) -> None:
    def halves(request: Request, connection: object) -> bool | None:
        if request.operation == "GET /auth":
            connection.sendall(answer(b'{"correlation_id": "cor-0123456789", "org_id": "\\ud83d"}'))  # type: ignore[attr-defined]
            return True
        return None

    with running(Settings(run_seconds=0.02)) as reference, serving(Proxy(reference.base, halves)) as server:
        found = run(
            tmp_path / "report",
            *("--target", server.base, "--requirements", "json.getAuth", "--requirements", "auth.getAuth"),
            environment=reference.env,
        )
    assert found.exit_code == 1, found.output
    assert found.document is not None
    assert found.document["problems"] == []
    assert "json.getAuth" in found.verdicts("fail")


def test_a_comparison_of_large_answers_is_short() -> None:
    rows = [{"event_id": f"e-{number}", "title": "t" * 500} for number in range(50_000)]
    said = pytest_assertrepr_compare("==", rows, [*rows[:-1], {}])
    assert said is not None
    assert len("\n".join(said)) < 1000
    assert any(line.startswith("at 49999: ") for line in said)
    assert pytest_assertrepr_compare("==", {"a": 1, "b": 2}, {"a": 1, "c": 3}) == [
        "{'a': 1, 'b': 2} == {'a': 1, 'c': 3}",
        "`b`: 2, not nothing",
        "`c`: nothing, not 3",
    ]
    assert pytest_assertrepr_compare("in", 1, [1]) is None

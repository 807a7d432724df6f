"""Runs made by hand for tests of the report: a server that answers markup in every string and echoes the key."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from meshi_conformance.contract import contract as contracts
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.recorder import Recorder
from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.exchanges.spool import Spool
from meshi_conformance.report import write_all
from meshi_conformance.report.document import results
from meshi_conformance.target.target import Preflight, Target
from meshi_conformance.verdicts.verdicts import Judgement
from meshi_conformance.vocabulary import CauseClass, Verdict

SOME_CAUSES = tuple(one for one in CauseClass if one != CauseClass.SUITE)
KEY = "sk_planted/7f3a+Zq9=secret~value"
OUTSIDE = "http://outside.invalid"
HOSTILE = (
    f"</script></style></pre></title>\"'><script>window.hacked=1</script>"
    f'<img src="{OUTSIDE}/i.png" onerror=window.hacked=1>'
    f"<svg onload=window.hacked=1><link rel=stylesheet href={OUTSIDE}/s.css><meta http-equiv=refresh "
    f"content='0;url={OUTSIDE}'><iframe srcdoc='<script>parent.hacked=1</script>'></iframe>"
    "{{7*7}}{% raw %}${7*7} ]]> --> &amp; | `` ``` [a](javascript:alert`1`) @everyone #1 **b** "
    "\x1b[31m\x00\x07\r\x85\u202e\u2028\ud800\ufffe"
)
"""Every text a server can fill holds this: it leaves attributes, elements, scripts, templates and Markdown."""

BASE = "https://partner.example/api/v0/partner"


def forms(key: str) -> list[bytes]:
    """The key as it could be found in a file: plain, URL-encoded, JSON-escaped, within base64 of any alignment."""
    found = {key, quote(key, safe=""), json.dumps(key)[1:-1]}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + key.encode()).decode()
        core = text[4 if shift else 0 : -4]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return [form.encode() for form in found]


def exchange(number: int, operation: str, test: str, status: int = 200, **changes: Any) -> Exchange:
    """An exchange with a server that puts markup and the key wherever it can."""
    echo = f"{HOSTILE} Bearer {KEY} {quote(KEY, safe='')} {base64.b64encode(KEY.encode()).decode()}"
    body = {"items": [{HOSTILE: echo}], "code": echo, "message": echo, "correlation_id": echo, "org_id": echo}
    known = contracts.load().operations[operation]
    attributes: dict[str, Any] = {
        "id": f"main-{number}",
        "operation": operation,
        "test": test,
        "method": known.method,
        "path": "/" + quote(HOSTILE, safe="", errors="replace") + "/" + HOSTILE.replace("\ud800", ""),
        "key": "main",
        "request_headers": {"x-correlation-id": "conf-abc-1", "Content-Type": "application/json"},
        "request_body": json.dumps({"title": HOSTILE}).encode(),
        "status": status,
        "headers": [("content-type", f"text/html {HOSTILE}"), ("x-correlation-id", echo), (f"x-{KEY}", KEY)],
        "body": json.dumps(body).encode(),
        "started": 1_780_000_000.0 + number,
        "elapsed": 0.002 * (1 + number % 40),
    }
    return Exchange(**{**attributes, **changes})


def target(name: str = "staging") -> Target:
    """A target with the planted key."""
    return Target(name, BASE, {"main": KEY, "other": KEY[::-1]})


def hostile_run(folder: Path, problems: tuple[str, ...] = ()) -> dict[str, Any]:
    """Write the report of a run against that server to a folder; returns the document.

    Of the catalogue's requirements every fifth fails, every fifth is inconclusive, every fifth was not run.
    """
    contract = contracts.load()
    spool = folder / "spool"
    spool.mkdir(parents=True)
    recorder = Recorder(contract, Redaction(target().keys), spool / "main.jsonl", "main")
    judgements, tests = [], []
    operations = list(contract.operations)
    for number, name in enumerate(contract.requirements):
        test = f"tests/test_sample.py::test_it[{name}]"
        recorder.start_test(test)
        if number % 5 < 2:
            recorder.exchange(exchange(number, operations[number % len(operations)], test))
        verdict = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.PASS, Verdict.PASS)[number % 5]
        told = f"{HOSTILE} Bearer {KEY}\nassert {KEY!r} == {HOSTILE}" if verdict != "pass" else ""
        cause = f"set-up met {HOSTILE} {KEY}" if verdict == "inconclusive" else ""
        kind = SOME_CAUSES[number % len(SOME_CAUSES)] if verdict == Verdict.INCONCLUSIVE else None
        judgements.append(Judgement(name, test, verdict, told, cause, kind, (f"main-{number}",)))
        tests.append({"nodeid": test, "verdict": verdict, "seconds": 0.01, "requirements": [name]})
    recorder.waited(f"run {HOSTILE} {KEY} to end", 1.5, [f"{HOSTILE} {KEY} at 0.1 s"])
    recorder.transport_error(f"listEvents: ReadError {HOSTILE} {KEY}")
    recorder.close()
    document = results.build(
        contract,
        target(),
        Preflight(f"{HOSTILE} {KEY}", (f"{HOSTILE} {KEY}",)),
        judgements,
        tests,
        Spool(spool),
        [f"{problem} {HOSTILE} {KEY}" for problem in problems],
        started=time.time() - 12,
    )
    assert write_all(folder, document, Spool(spool)) == []
    return document


def plain_run(folder: Path, count: int) -> tuple[dict[str, Any], Spool]:
    """A run of a given number of ordinary exchanges, most requirements of which fail; nothing is written yet."""
    contract = contracts.load()
    spool = folder / "spool"
    spool.mkdir(parents=True)
    redaction = Redaction(target().keys)
    operations = list(contract.operations)
    rows = [{"event_id": f"summit-{n}", "title": "Annual Partner Summit", "visibility": "private"} for n in range(40)]
    bodies = [json.dumps({"items": rows[:size], "next_cursor": None}).encode() for size in (1, 3, 5, 9, 40)]
    with (spool / "main.jsonl").open("w") as stream:
        for number in range(count):
            one = exchange(
                number,
                operations[number % len(operations)],
                "tests/test_sample.py::test_it",
                path=f"/events/conf-20310310-main-event-{number}",
                headers=[("content-type", "application/json"), ("x-correlation-id", f"corr-{number:08}")],
                request_body=b'{"title": "Conformance Summit"}',
                body=bodies[number % len(bodies)],
            )
            one.violations = [(f"envelope.{one.operation}", "code is missing")] if number % 7 == 0 else []
            stream.write(json.dumps({"type": "exchange", **one.record(redaction)}) + "\n")
    judgements = [
        Judgement(
            name,
            f"tests/test_sample.py::test_it[{name}]",
            Verdict.FAIL if number % 3 else Verdict.PASS,
            "" if number % 3 == 0 else "answered (200, None)\nassert (200, None) == (400, 'INVALID_TITLE')",
            exchanges=tuple(f"main-{(number * 20 + step) % count}" for step in range(5)),
        )
        for number, name in enumerate(contract.requirements)
    ]
    tests = [
        {"nodeid": one.test, "verdict": one.verdict, "seconds": 0.01, "requirements": [one.requirement]}
        for one in judgements
    ]
    events = Spool(spool)
    document = results.build(
        contract,
        target(),
        Preflight("org_1", ("partner:read",)),
        judgements,
        tests,
        events,
        [],
        started=time.time() - 60,
    )
    return document, events

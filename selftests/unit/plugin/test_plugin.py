"""The wiring of the suite: how a test ends decides verdicts, outcome and exit code. Tiny suites, a tiny server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import meshi_conformance.plugin.hooks  # noqa: F401 - once, and not anew for each tiny suite
from meshi_conformance.contract.contract import root

from ..answers import example

pytest_plugins = ["pytester"]

BASE_PATH = "/api/v0/partner"
HEAD = """
import pytest
from meshi_conformance.errors import SetupFailed, PollTimeout
from meshi_conformance.testing.marks import requirement

"""


class Answers(BaseHTTPRequestHandler):
    """Knows who asks, and no event; `/events/rude` is refused without a correlation ID."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.removeprefix(BASE_PATH)
        if path == "/auth":
            self._say(200, example("getAuth", 200))
        else:
            self._say(404, {"code": "EVENT_NOT_FOUND", "message": "No."}, rude=path == "/events/rude")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say(400, {"code": "INVALID_PARTNER_ID", "message": "No."})

    def _say(self, status: int, body: dict[str, Any], *, rude: bool = False) -> None:
        correlation = self.headers.get("x-correlation-id") or "corr-00000001"
        content = json.dumps(body if rude else {**body, "correlation_id": correlation}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if not rude:
            self.send_header("x-correlation-id", correlation)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The base URL of the tiny server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{BASE_PATH}"
    server.shutdown()
    server.server_close()


@dataclass
class Ended:
    """How a run of a tiny suite ended; `document` is its results.json."""

    code: int
    output: str
    document: dict[str, Any]

    def __getitem__(self, requirement: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.document["requirements"] if one["id"] == requirement)
        return found

    def verdict(self, requirement: str) -> str:
        return str(self[requirement]["verdict"])


Run = Callable[..., Ended]


@pytest.fixture
def run(pytester: pytest.Pytester, base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a suite of some lines as pytest does, with the suite's own fixtures and options."""
    monkeypatch.setenv("MESHI_KEY", "unit-main-key-0123456789")
    pytester.makeconftest((root() / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\naddopts = -p no:schemathesis -p no:cacheprovider -p no:allure_pytest --strict-markers")

    def judge(lines: str, *arguments: str) -> Ended:
        pytester.makepyfile(test_tiny=HEAD + lines)
        report = tmp_path / "report"
        ended = pytester.runpytest_inprocess("test_tiny.py", "--target", base, "--report-dir", str(report), *arguments)
        file = report / "results.json"
        document = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return Ended(int(ended.ret), ended.stdout.str() + ended.stderr.str(), document)

    return judge


EVERY_END = """
@requirement("auth.getAuth")
def test_holds(api):
    assert api.get_auth().status == 200


@requirement("scope.getAuth", "status.getAuth.200")
def test_fails(api):
    assert api.get_auth().status == 418


@requirement("auth.getEvent")
def test_is_inconclusive():
    raise PollTimeout("no event came within 3 s", "no event in time")


@requirement("auth.getSession")
@pytest.mark.parametrize("number", [1, 2])
def test_is_inconclusive_at_times(number):
    if number == 2:
        raise SetupFailed("no session")


@requirement("isolation.getEvent")
def test_needs_a_key():
    raise RuntimeError("it never starts")


@requirement("auth.listEvents")
def test_is_skipped():
    pytest.skip("not on this target")


@requirement("auth.getRun", "auth.listRuns")
def test_judges_several(judge):
    with judge("auth.getRun"):
        assert 1 == 2, "one is not two"
    with judge("auth.listRuns"):
        pass


@requirement("auth.listReviews")
def test_reads_what_is_not_there(api):
    assert api.get_auth()["reviews"]


@pytest.fixture
def broken():
    raise SetupFailed("nothing to begin with")


@requirement("auth.getMatch")
def test_stands_on_what_cannot_be_arranged(broken):
    pass
"""
VERDICTS = {
    "auth.getAuth": ("pass", ""),
    "status.getAuth.200": ("fail", "assert 200 == 418"),
    "scope.getAuth": ("not_run", "MESHI_READ_KEY is not set"),
    "auth.getEvent": ("inconclusive", "no event came within 3 s"),
    "auth.getSession": ("inconclusive", "no session"),
    "isolation.getEvent": ("not_run", "MESHI_OTHER_KEY is not set"),
    "auth.listEvents": ("not_run", "not on this target"),
    "auth.getRun": ("fail", "one is not two"),
    "auth.listRuns": ("pass", ""),
    "auth.listReviews": ("fail", "the answer has no member 'reviews'"),
    "auth.getMatch": ("inconclusive", "nothing to begin with"),
    "auth.createEvent": ("not_run", "deselected by test_tiny.py"),
}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_how_a_test_ends_is_the_verdict(run: Run, workers: tuple[str, ...]) -> None:
    # A test that lacks a key for one of its requirements is not run at all.
    lines = EVERY_END.replace('"scope.getAuth", "status', '"status')
    lines += '\n\n@requirement("scope.getAuth")\ndef test_needs_another_key():\n    pass\n'
    ended = run(lines, *workers)
    assert ended.code == 1, ended.output
    assert ended.document["outcome"] == "nonconformant"
    assert ended.document["problems"] == []
    for name, (verdict, reason) in VERDICTS.items():
        found = ended[name]
        assert (found["verdict"], found["reason"][: len(reason)]) == (verdict, reason), name
    causes = {(one["cause_class"], one["cause"]) for one in ended.document["causes"]}
    assert causes == {
        ("deadline", "no event in time"),
        ("setup", "no session"),
        ("setup", "nothing to begin with"),
    }


def test_a_test_lacks_what_any_of_its_requirements_lacks(run: Run) -> None:
    ended = run(EVERY_END, "--requirements", "status.getAuth.*", "--requirements", "auth.getAuth")
    assert ended.verdict("status.getAuth.200") == ended.verdict("scope.getAuth") == "not_run"
    assert ended["auth.getEvent"]["reason"] == "deselected by --requirements"
    assert ended.verdict("auth.getAuth") == "pass"
    assert ended.code == 0


CUT_SHORT = """
from meshi_conformance.errors import TransportTrouble

@requirement("auth.getAuth", "auth.getRun", "auth.getEvent")
def test_judges_in_a_loop(judge):
    for number in range(3):
        with judge("auth.getAuth"):
            pass
        with judge("auth.getRun"):
            assert number == 0, "it holds the first time alone"
        with judge("auth.getEvent"):
            pass
        if number == 1:
            {}


@requirement("auth.listRuns")
def test_holds():
    pass
"""


@pytest.mark.parametrize(
    ("stop", "verdict", "kind"),
    [
        ("raise TransportTrouble('no answer')", "inconclusive", "transport"),
        ("assert False, 'outside'", "inconclusive", "setup"),
        ("pytest.skip('not here')", "not_run", None),
    ],
)
def test_what_a_loop_judged_before_it_was_cut_short_is_no_pass(
    run: Run, stop: str, verdict: str, kind: str | None
) -> None:
    ended = run(CUT_SHORT.format(stop))
    for name in ("auth.getAuth", "auth.getEvent"):
        assert (ended.verdict(name), ended[name]["cause_class"]) == (verdict, kind), name
    assert ended.verdict("auth.getRun") == "fail", "a failure was seen, whatever came after it"
    assert ended.verdict("auth.listRuns") == "pass"


def test_a_violation_fails_its_requirement_though_every_test_passes(run: Run) -> None:
    ended = run("""
@requirement("error.getEvent.EVENT_NOT_FOUND")
def test_holds(api):
    assert api.get_event("rude").status_and_code == (404, "EVENT_NOT_FOUND")
""")
    assert ended.code == 1
    assert ended.verdict("error.getEvent.EVENT_NOT_FOUND") == "pass"
    assert ended.verdict("correlation.getEvent") == "fail"
    assert "no x-correlation-id header" in ended["correlation.getEvent"]["reason"]
    assert "1 passed" in ended.output


def test_a_failure_of_what_is_implied_is_a_deviation_and_fails_no_run(run: Run) -> None:
    lines = """
@requirement("codes.getEvent")
def test_deviates():
    assert False, "an odd code"


@requirement("auth.getEvent")
def test_holds():
    pass
"""
    ended = run(lines)
    assert ended.code == 0, ended.output
    assert ended.verdict("codes.getEvent") == "fail"
    assert ended.document["outcome"] == "partial"
    assert "\nd." in ended.output
    assert "1 deviation" in ended.output
    assert run(lines, "--fail-on", "deviations").code == 6


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("@requirement('auth.getAuth')\ndef test_errs():\n    {}['x']\n", "KeyError: 'x'"),
        (
            "@requirement('auth.getAuth')\ndef test_errs(judge):\n    with judge('auth.getRun'):\n        pass\n",
            "it judges ['auth.getRun'], which it does not cite",
        ),
        (
            "@requirement('auth.getAuth')\ndef test_judges_nothing(judge):\n    pass\n",
            "it ended without judging ['auth.getAuth'], which it cites",
        ),
    ],
    ids=["an exception", "a requirement that is not cited", "a requirement that is not judged"],
)
def test_an_error_of_the_suite_makes_the_run_invalid(run: Run, lines: str, said: str) -> None:
    ended = run(f"{lines}\n\n@requirement('auth.getRun')\ndef test_holds():\n    pass\n")
    assert ended.code == 3, ended.output
    assert ended.document["outcome"] == "invalid"
    assert said in ended.document["problems"][0]
    assert ended.verdict("auth.getAuth") == "inconclusive"
    assert ended.verdict("auth.getRun") == "pass"


def test_an_answer_that_a_test_cannot_read_is_the_server_s_fault(run: Run) -> None:
    ended = run("""
@requirement("auth.getAuth")
def test_reads(api):
    api.get_event("rude")
    {}["x"]
""")
    assert ended.document["problems"] == []
    assert ended.verdict("auth.getAuth") == "inconclusive"
    assert "an answer has another shape than documented" in ended["auth.getAuth"]["reason"]
    assert ended.code == 1  # for the answer that the test stumbled over


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("def test_bare():\n    pass\n", "test_bare cites no requirement"),
        (
            "@requirement('auth.getEvent', 'a.b')\ndef test_it():\n    pass\n",
            "test_it cites the unknown requirement a.b",
        ),
    ],
    ids=["none", "an unknown one"],
)
def test_a_test_that_cites_no_requirement_of_the_catalogue_stops_the_run(run: Run, lines: str, said: str) -> None:
    ended = run(lines)
    assert ended.code == 4
    assert said in ended.output
    assert ended.document.get("outcome", "invalid") == "invalid"


def test_a_selection_that_fits_nothing_stops_the_run(run: Run) -> None:
    ended = run(EVERY_END, "--requirements", "auth.nothing")
    assert ended.code == 4
    assert "'auth.nothing' fits no requirement" in ended.output


def test_a_run_without_a_test_judges_nothing(run: Run) -> None:
    ended = run("")
    assert ended.code == 5
    assert ended.document["outcome"] == "invalid"

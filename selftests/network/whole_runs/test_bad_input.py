"""Bad input: one clear message, the documented exit code, and no traceback.

A run that was asked for wrongly leaves no file; one that met its target and could not go on leaves a report.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meshi_reference.server import Address

from ..hostile import Server, answer, refusal, says
from .suite import Run, run

TARGETS = """
[targets.typo]
base = "http://127.0.0.1:9/api"
rates = 3
"""

CASES = {
    "unknown target": "Unknown target 'nowhere'",
    "a port that is none": "Unknown target 'http://127.0.0.1:99999/api'",
    "an empty target": "--target is empty",
    "an empty MESHI_BASE": "MESHI_BASE is empty",
    "a proxy without a scheme": "it has no scheme. Write http://127.0.0.1:9",
    "certificates that are not there": "SSL_CERT_FILE names /nowhere/ca.pem",
    "no key": "MESHI_KEY is not set",
    "unreachable host": "could not be reached",
    "wrong key": "refuses the key in MESHI_KEY (401 UNAUTHORIZED)",
    "key without write scope": "may not write",
    "the same key twice": "MESHI_KEY and MESHI_OTHER_KEY hold the same key",
    "unknown option value": "--fail-on takes deviations, unjudged, behaviours, flaky, not 'weather'",
    "a number that is none": "--max-created takes a whole number above 0, not '-3'",
    "unknown requirement": "'nothing.*' fits no requirement",
    "a targets file with a typo": "unknown entry 'rates'",
    "no targets file": "cannot be read",
    "writes allowed for another target": "does not name the target",
    "a server that is something else": "serves no Partner API",
    "a redirecting server": "give the final URL",
}


MET = {
    "unreachable host",
    "wrong key",
    "key without write scope",
    "a server that is something else",
    "a redirecting server",
}
"""The cases in which the target was looked at."""


@pytest.fixture(scope="module")
def runs(reference: Address, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All runs, two at a time."""
    folder = tmp_path_factory.mktemp("bad")
    targets = folder / "targets.toml"
    targets.write_text(TARGETS)
    key = {"MESHI_KEY": "conf-any-key"}
    real = reference.base
    with (
        Server(says(answer(b"<h1>It works!</h1>", "404 Not Found", Content_Type="text/html"))) as other,
        Server(says(answer(refusal("X"), "301 Moved", Location="https://example.com/\x1b[2Jx"))) as moved,
    ):
        asked: dict[str, tuple[dict[str, str], list[str]]] = {
            "unknown target": ({}, ["--target", "nowhere"]),
            "a port that is none": (key, ["--target", "http://127.0.0.1:99999/api"]),
            "an empty target": (key, ["--target", ""]),
            "an empty MESHI_BASE": ({**key, "MESHI_BASE": ""}, []),
            "a proxy without a scheme": (
                {**key, "ALL_PROXY": "someone:hidden-word@127.0.0.1:9"},
                ["--target", "http://partner.example.com/api/v0/partner"],
            ),
            "certificates that are not there": (
                {**key, "SSL_CERT_FILE": "/nowhere/ca.pem"},
                ["--target", "https://127.0.0.1:9/api/v0/partner"],
            ),
            "no key": ({}, ["--target", real]),
            "unreachable host": (key, ["--target", "http://127.0.0.1:9/api/v0/partner"]),
            "wrong key": (key, ["--target", real]),
            "key without write scope": ({"MESHI_KEY": reference.env["MESHI_READ_KEY"]}, ["--target", real]),
            "the same key twice": ({**key, "MESHI_OTHER_KEY": key["MESHI_KEY"]}, ["--target", real]),
            "unknown option value": ({}, ["--fail-on", "weather"]),
            "a number that is none": ({}, ["--max-created", "-3"]),
            "unknown requirement": ({}, ["--requirements", "nothing.*", "-n", "2"]),
            "a targets file with a typo": (key, ["--targets-file", str(targets), "--target", "typo"]),
            "no targets file": ({}, ["--targets-file", str(folder / "none.toml")]),
            "writes allowed for another target": (key, ["--target", real, "--allow-writes", "production"]),
            "a server that is something else": (key, ["--target", other.base]),
            "a redirecting server": (key, ["--target", moved.base]),
        }
        with ThreadPoolExecutor(2) as pool:
            made = {
                name: pool.submit(run, folder / f"report-{number}", *arguments, environment=environment)
                for number, (name, (environment, arguments)) in enumerate(asked.items())
            }
            return {name: one.result() for name, one in made.items()}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_told_in_one_message(case: str, runs: dict[str, Run]) -> None:
    found = runs[case]
    assert found.exit_code == 4, found.output
    if case in MET:
        assert found.document is not None, found.output
        assert found.document["outcome"] == "invalid"
        assert CASES[case] in found.document["outcome_reason"]
    else:
        assert found.document is None
    assert found.output.count("ERROR: ") == 1
    assert CASES[case] in found.output
    assert "Traceback" not in found.output
    assert "\x1b" not in found.output
    assert "hidden-word" not in found.output
    assert len(found.output.strip().splitlines()) < 4, found.output


def test_a_report_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    found = run(tmp_path / "taken" / "report", "--requirements", "auth.getAuth")
    assert found.exit_code == 4
    assert "cannot be written" in found.output
    assert "Traceback" not in found.output

# ruff: noqa: F811 - fixtures of another module are parameters here
"""A run whose every failure is waived ends green: on the terminal as in the exit code."""

from __future__ import annotations

from pathlib import Path

from .test_plugin import Run, base, run  # noqa: F401 - the last two are fixtures

pytest_plugins = ["pytester"]

LINES = """
@requirement("auth.getAuth")
def test_fails():
    assert False, "an odd answer"


@requirement("auth.getEvent")
def test_holds():
    pass
"""
WAIVER = """
[[waiver]]
requirement = "auth.getAuth"
owner = "team"
issue = "T-1"
reason = "known"
failure = "{failure}"
expires = {expires}
"""


def test_a_fully_waived_run_shows_no_failure(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(WAIVER.format(failure="an odd answer", expires="2100-01-01"))
    ended = run(LINES, "--waivers", str(file))
    assert ended.code == 0, ended.output
    assert ended.verdict("auth.getAuth") == "waived"
    assert "1 waived" in ended.output
    assert "failed" not in ended.output.rsplit("\n", 2)[-2]
    assert "FAILURES" not in ended.output


def test_what_no_waiver_expects_stays_a_failure(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "waivers.toml"
    for failure, expires in (("another answer", "2100-01-01"), ("an odd answer", "2020-01-01")):
        file.write_text(WAIVER.format(failure=failure, expires=expires))
        ended = run(LINES, "--waivers", str(file))
        assert ended.code == 1
        assert "1 failed" in ended.output

"""Nothing but the command line decides what is judged, and nothing but a finished green run ends with 0."""

from __future__ import annotations

import ast
import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meshi_conformance.errors import UsageError
from meshi_conformance.plugin.console.output import Output, clean_logs, is_ci, without_commands
from meshi_conformance.plugin.start.surroundings import deciding, refusal, selecting, stopping
from meshi_conformance.target import targets_file
from selftests.network.whole_runs.suite import ROOT, run

ONE = ("--requirements", "auth.getAuth")
PACKAGE = ROOT / "meshi_conformance"


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_judgement_outside_a_test_module_is_an_assert(file: Path) -> None:
    """What is left only tells the type checker what it cannot know."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assert):
            text = ast.unparse(node.test)
            assert text.endswith("is not None") or text.startswith("isinstance("), f"{file}:{node.lineno}: {text}"


def test_a_run_without_assertions_is_refused(tmp_path: Path) -> None:
    found = run(tmp_path / "report", *ONE, environment={"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"})
    assert found.exit_code == 4, found.output
    assert "PYTHONOPTIMIZE" in found.output
    assert not (tmp_path / "report").exists()
    for words in (["run", *ONE], ["explain", "auth.getAuth"]):
        done = subprocess.run(
            [sys.executable, "-O", "-B", "-m", "meshi_conformance", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (4, "")
        assert "without -O" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "-k auth",
        "-kauth",
        "--deselect tests/test_lists.py",
        "--ignore=tests/test_lists.py",
        "-m nothing",
        "--maxfail=1",
        "-x",
        "--collect-only",
        "--co",
        "--setup-plan",
        "--fixtures",
        "--version",
        "--help",
        "-p xfailer",
        "-pxfailer",
        "-p no:meshi-suite",
        "-p no:meshi_conformance.plugin.hooks",
        "--noconftest",
        "--lf",
        "--runxfail",
        "-c /dev/null",
        "--rootdir=/tmp",
        "--pyargs json",
        "tests/test_keys.py",
        "--requirements auth.*",
        "--read-only",
        "-qq -k auth",
        "--color=yes -k auth",
    ],
)
def test_what_the_environment_adds_must_not_decide(words: str) -> None:
    config: Any = SimpleNamespace(inipath=None)
    said = refusal(config, {"PYTEST_ADDOPTS": words})
    assert said is not None
    assert said.startswith("The environment variable PYTEST_ADDOPTS holds ")
    assert words.split()[-1].lstrip("-p") in said


@pytest.mark.parametrize(
    "words",
    ["", "-q", "-vv", "--color=yes", "--color no", "--tb=short -p no:randomly", "-n 2", "-n2 --dist load", "-rA"],
)
def test_what_the_environment_adds_may_show_otherwise(words: str) -> None:
    config: Any = SimpleNamespace(inipath=None)
    assert refusal(config, {"PYTEST_ADDOPTS": words}) is None


def test_plugins_of_the_environment_are_refused() -> None:
    config: Any = SimpleNamespace(inipath=None)
    assert "PYTEST_PLUGINS" in str(refusal(config, {"PYTEST_PLUGINS": "xfailer"}))
    assert "cannot be read" in str(refusal(config, {"PYTEST_ADDOPTS": "'"}))


@pytest.mark.parametrize(
    ("settings", "is_refused"),
    [
        ({"addopts": ["-k", "auth"]}, True),
        ({"addopts": ["-q"], "python_functions": "no"}, True),
        ({"python_files": "test_auth.py"}, True),
        ({"addopts": ["-q", "--strict-markers"], "markers": "a", "log_level": "DEBUG"}, False),
    ],
)
def test_a_stray_configuration_must_not_decide(settings: dict[str, Any], is_refused: bool, tmp_path: Path) -> None:
    def config(*words: str) -> Any:
        return SimpleNamespace(
            inipath=tmp_path / "pytest.ini",
            _inicfg=settings,
            getini=lambda name: settings.get(name, []),
            invocation_params=SimpleNamespace(args=words),
        )

    said = refusal(config(), {})
    assert (said is not None) == is_refused
    assert not is_refused or str(tmp_path / "pytest.ini") in str(said)
    assert refusal(config("-c", "pytest.ini"), {}) is None, "somebody means it"


def test_an_environment_that_hollows_out_a_gate_ends_with_4(tmp_path: Path) -> None:
    found = run(tmp_path / "report", *ONE, environment={"PYTEST_ADDOPTS": "--collect-only"})
    assert found.exit_code == 4, found.output
    assert "PYTEST_ADDOPTS holds '--collect-only'" in found.output
    assert not (tmp_path / "report").exists()
    collected = run(tmp_path / "report", *ONE, "--collect-only")
    assert collected.exit_code == 4, collected.output
    assert "judges nothing" in collected.output


def test_what_the_command_line_leaves_out_is_named(tmp_path: Path) -> None:
    found = run(tmp_path / "report", *ONE, "--requirements", "auth.getRun", "-k", "getAuth")
    assert found.exit_code == 0, found.output
    assert found.document is not None
    assert "1 requirements were deselected by -k getAuth" in found.document["outcome_reason"]
    assert "deselected by -k getAuth" in found.reasons


def test_what_leaves_tests_out_is_read_from_the_command_line() -> None:
    words = ["-q", "-k", "auth", "--deselect=a", "--ignore", "b", "tests/test_keys.py", "--maxfail=2", "-x", "-ma or b"]
    found = selecting(words, ["tests/test_keys.py"])
    assert found == ["-k auth", "--deselect=a", "--ignore b", "tests/test_keys.py", "--maxfail=2", "-x", "-ma or b"]
    assert stopping(found) == ["--maxfail=2", "-x"]
    assert selecting(["--requirements", "auth.*", "--target", "staging", "--report-dir", "x"], []) == []
    assert deciding(["-q", "--junitxml", "x"]) is None


HOLLOW = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    del items[1:]
"""


def test_tests_that_vanish_without_a_reason_make_a_run_invalid(tmp_path: Path) -> None:
    (tmp_path / "hollow.py").write_text(HOLLOW)
    found = run(
        tmp_path / "report",
        *("-p", "hollow", "--requirements", "auth.getAuth", "--requirements", "error.getEvent.*"),
        environment={"PYTHONPATH": str(tmp_path)},
    )
    assert found.exit_code == 3, found.output
    assert found.document is not None
    assert "nothing on the command line asks for that" in found.document["outcome_reason"]


PYTEST, COMMAND = "pytest --report-dir {} {}", "meshi_conformance run --report-dir {} {}"


@pytest.mark.parametrize(
    ("command", "pipe"), [(PYTEST, "| head -c 1"), (PYTEST, "2>&1 | true"), (COMMAND, "| true"), (COMMAND, ">&- 2>&-")]
)
def test_a_reader_that_goes_away_does_not_change_how_a_run_ends(command: str, pipe: str, tmp_path: Path) -> None:
    """The run would end with 6; pytest alone needs an open output, and ends with an error without one."""
    selection = "--requirements auth.getAuth --waivers " + str(tmp_path / "waivers.toml")
    (tmp_path / "waivers.toml").write_text(
        '[[waiver]]\nrequirement = "auth.getAuth"\nfailure = "500"\nowner = "o"\nissue = "i"\nreason = "r"\n'
        "expires = 2999-01-01\n"
    )
    line = f"{sys.executable} -m {command.format(tmp_path / 'report', selection)} {pipe}; exit ${{PIPESTATUS[0]}}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))}
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 6, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "report" / "results.json").is_file()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("::stop-commands::x", ": :stop-commands::x"),
        ("a ::error::x", "a ::error::x"),
        ("a\n  ::error::x\n::x", "a\n  : :error::x\n: :x"),
        ("text ##[add-mask]x", "text # #[add-mask]x"),
        ("##vso[task.setvariable]", "# #vso[task.setvariable]"),
        ("##teamcity[buildStop]", "# #teamcity[buildStop]"),
        ("## heading, tests/test_a.py::test_b", "## heading, tests/test_a.py::test_b"),
    ],
)
def test_a_ci_system_takes_no_command_from_what_is_printed(sent: str, shown: str) -> None:
    assert without_commands(sent) == shown
    stream = io.StringIO()
    Output(stream, {"CI": "true"}).write(sent)
    assert stream.getvalue() == shown
    plain = io.StringIO()
    Output(plain, {}).write(sent)
    assert plain.getvalue() == sent


def test_the_start_of_a_line_is_known_over_several_writes() -> None:
    stream = io.StringIO()
    output = Output(stream, {"GITHUB_ACTIONS": "true"})
    for text in ("E   ", "::error::\n", "  ", "::warning::", "::x\n"):
        output.write(text)
    assert stream.getvalue() == "E   ::error::\n  : :warning::::x\n"
    assert not is_ci({"CI": "false"})


def test_log_records_hold_no_key(caplog: pytest.LogCaptureFixture) -> None:
    restore = clean_logs(lambda text: text.replace("mk_secret", "$MESHI_KEY"))
    try:
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("httpcore.http11").debug("headers %r", [(b"x-echo", b"mk_secret")])
            try:
                raise ValueError("mk_secret")
            except ValueError:
                logging.getLogger("x").exception("it broke")
    finally:
        restore()
    assert "mk_secret" not in caplog.text
    assert "$MESHI_KEY" in caplog.text
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_a_documented_name_for_another_server_is_told_before_a_key_is_sent(tmp_path: Path) -> None:
    (tmp_path / "targets.toml").write_text('[targets.staging]\nbase = "http://127.0.0.1:9/api/v0/partner"\n')
    found = run(
        tmp_path / "report",
        *("--targets-file", str(tmp_path / "targets.toml"), "--target", "staging", *ONE),
        environment={"MESHI_KEY": "mk_staging_0123456789"},
    )
    assert found.exit_code == 4
    said = "The targets file gives the name staging to http://127.0.0.1:9/api/v0/partner; the documented staging is"
    assert found.output.index(said) < found.output.index("could not be reached")


@pytest.mark.parametrize("text", ["\ufeff", "\ufeff\r\n"], ids=["a byte order mark", "and line ends of Windows"])
def test_files_of_windows_are_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    end = "\r\n" if "\r" in text else "\n"
    file.write_bytes(f"{text}[targets.a]{end}base = 'https://a.example/api/v0/partner'{end}".encode())
    assert targets_file.load(file)["a"].base == "https://a.example/api/v0/partner"
    file.write_bytes("[targets.a]".encode("utf-16"))
    with pytest.raises(UsageError, match="is not valid TOML"):
        targets_file.load(file)

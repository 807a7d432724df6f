"""The commands work from any folder, and every mistake of a user is one message and exit code 4."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from meshi_conformance.__main__ import main
from meshi_conformance.commands import NAMES

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))},
    "PYTHONPATH": str(ROOT),
}


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `meshi-conformance` in a folder that is not the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "meshi_conformance", *words],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["nope"], "invalid choice: 'nope'"),
        (["explain"], "required: ID|PATTERN"),
        (["explain", "status.getAut.200"], "fits no requirement. Did you mean status.getAuth.200"),
        (["explain", "zzz"], "`meshi-conformance explain '*'` lists them"),
        (["diff", "a"], "required: B"),
        (["diff", "a", "b"], "a does not exist"),
        (["diff", "a", "b", "--json", "--markdown"], "not allowed with"),
        (["merge", "out", "a", "b", "--fail-on", "everything"], "invalid choice: 'everything'"),
        (["trend", "nothing"], "is not a folder"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_4(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as end:  # argparse ends the process itself
        code = int(str(end.code))
    shown = capsys.readouterr()
    assert code == 4
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "unrecognized arguments: --nope"),
        (["--requirements", "no.such"], "'no.such' fits no requirement"),
        (["--target", "ftp://x"], "Unknown target 'ftp://x'"),
        (["--target", "https://partner.example"], "MESHI_KEY is not set"),
        (["--waivers", "none.toml"], "none.toml cannot be read: No such file"),
        (["--fail-on", "everything"], "--fail-on takes deviations, unjudged, behaviours, flaky, not 'everything'"),
        (["--report-dir", "file/report"], "cannot be written"),
        (["tests/test_no_such.py"], "file or directory not found: tests/test_no_such.py"),
    ],
)
def test_a_mistake_in_a_run_ends_with_4(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(tmp_path, "run", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_serve_refuses_what_the_server_refuses(tmp_path: Path) -> None:
    done = command(tmp_path, "serve", "--port", "x")
    assert (done.returncode, done.stdout) == (4, "")
    assert "--port" in done.stderr


def test_serve_starts_the_reference_until_it_is_told_to_end(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "meshi_conformance", "serve", "--port", "0"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            said = json.loads(server.stdout.readline())
            request = urllib.request.Request(
                f"{said['base']}/auth", headers={"Authorization": f"Bearer {said['env']['MESHI_KEY']}"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert "partner:write" in json.load(answer)["scopes"]
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0


def test_run_writes_its_report_below_the_current_folder(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "--requirements", "status.getAuth.*")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    judged = {row["id"]: row["verdict"] for row in document["requirements"] if row["verdict"] != "not_run"}
    assert judged == {"status.getAuth.200": "pass"}
    assert document["tests"][0]["nodeid"].startswith("tests/")


def test_run_takes_node_ids_as_a_report_names_them(tmp_path: Path) -> None:
    node = "tests/test_canonical_flow.py::test_auth_lists_the_scopes_of_the_key"
    done = command(tmp_path, "run", "-n", "2", node, "--report-dir", "elsewhere", "--report-files", "junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    written = {file.name for file in (tmp_path / "elsewhere").iterdir() if not file.name.startswith(".")}
    assert written == {"results.json", "junit.xml", "spool"}
    document = json.loads((tmp_path / "elsewhere" / "results.json").read_text())
    assert [test["nodeid"] for test in document["tests"]] == [node]
    assert not (tmp_path / "reports").exists()


def test_the_gate_decides_how_a_run_ends(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_text(
        '[[waiver]]\nrequirement = "status.getAuth.200"\nfailure = "500"\nowner = "someone"\n'
        'issue = "EVT-1"\nreason = "later"\nexpires = 2999-01-01\n'
    )
    words = ["--requirements", "status.getAuth.*", "--waivers", "waivers.toml", "--fail-on", "unjudged"]
    done = command(tmp_path, "run", *words)
    assert done.returncode == 6, done.stdout + done.stderr
    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    assert document["gate"]["exit_code"] == 6
    assert len(document["gate"]["reasons"]) == 2
    for reason in document["gate"]["reasons"]:
        assert f"exit 6    {reason}" in done.stdout


def test_a_run_in_which_no_test_fits_ends_with_5(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "--requirements", "status.getAuth.*", "-k", "no_such_test")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "Nothing was judged." in done.stdout


def checkout(folder: Path) -> dict[str, str]:
    """A copy of the suite to spoil; returns the environment in which it is found."""
    for name in ("meshi_conformance", "meshi_reference", "openapi", "schemas", "requirements", "tests"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "lint")
        )
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return {"PYTHONPATH": str(folder)}


def test_a_contract_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    spoiled = checkout(tmp_path)
    (tmp_path / "requirements" / "new.yaml").write_text("- id: new.thing\n")
    for words in (["run"], ["explain", "new.*"]):
        done = command(tmp_path, *words, **spoiled)
        assert done.returncode == 4, done.stdout + done.stderr
        assert "requirements/new.yaml holds a row that cannot be read" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_a_test_that_cannot_be_collected_is_an_error_of_the_suite(tmp_path: Path) -> None:
    spoiled = checkout(tmp_path)
    (tmp_path / "tests" / "test_new.py").write_text("import no_such_module\n")
    done = command(tmp_path, "run", **spoiled)
    assert done.returncode == 3, done.stdout + done.stderr
    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    assert document["outcome"] == "invalid"
    assert document["gate"]["exit_code"] == 3
    assert document["problems"] == ["These tests could not be collected: tests/test_new.py"]


def test_a_run_that_cannot_start_says_so_in_its_report(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "--target", "http://127.0.0.1:9", MESHI_KEY="key")
    assert done.returncode == 4, done.stdout + done.stderr
    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    assert (document["outcome"], document["gate"]["exit_code"]) == ("invalid", 4)
    assert "could not be reached" in document["gate"]["reasons"][0]


def test_explain_tells_all_that_is_known_of_a_requirement(tmp_path: Path) -> None:
    done = command(tmp_path, "explain", "scope.createEvent", "status.getAuth.*")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.split("\n\n")
    assert second.startswith("status.getAuth.200\n")
    for part in (
        "scope.createEvent\n",
        "403 INSUFFICIENT_SCOPE",
        "level       documented",
        "source      getting-started, Scopes",
        "operations  createEvent (POST /events)",
        "needs       read (not run where MESHI_READ_KEY is not set)",
        "tests       tests/test_keys.py::test_the_read_scope_is_not_enough_to_write[createEvent]",
        "meshi-conformance run --requirements 'scope.createEvent'",
    ):
        assert part in first
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    line = f"{shlex.quote(sys.executable)} -m meshi_conformance explain '*' | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert all(f"    {name}" in said for name in NAMES)

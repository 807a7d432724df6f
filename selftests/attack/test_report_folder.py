"""A report is written to its own folder and to nothing else: no other file is deleted, written over or followed to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshi_conformance.errors import UsageError
from meshi_conformance.report import write_parts
from meshi_conformance.report.folder import MARKER, OWN, NoRoom, new_folder, open_folder
from selftests.network.whole_runs.suite import ROOT, run

ONE = ("--requirements", "auth.getAuth")


def tree(folder: Path) -> dict[str, str]:
    """Return every file below a folder with its text."""
    files = (one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())
    return {str(one.relative_to(folder)): one.read_text() for one in files}


@pytest.mark.parametrize("arguments", [ONE, ("--target", "nowhere")], ids=["a run", "a run that is refused"])
def test_a_folder_that_is_no_report_stays_as_it_is(arguments: tuple[str, ...], tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "spool" / "mail").mkdir(parents=True)
    for name in ("spool/mail/inbox", "spool/jobs.txt", "summary.md", "results.json", "other.txt"):
        (project / name).write_text('{"precious": true}')
    before = tree(project)
    found = run(project, *arguments)
    assert found.exit_code == 4, found.output
    assert tree(project) == before
    assert "holds no report" in found.output or "Unknown target" in found.output


def test_a_refused_run_leaves_the_last_report(tmp_path: Path) -> None:
    with_report = open_folder(tmp_path / "report")
    (with_report.path / "results.json").write_text('{"the last": "result"}')
    with_report.close()
    before = tree(tmp_path)
    assert run(tmp_path / "report", "--requirements", "auth.gotAuth").exit_code == 4
    assert tree(tmp_path) == before
    assert run(tmp_path / "none", "--target", "nowhere").exit_code == 4
    assert not (tmp_path / "none").exists()


def test_a_report_is_replaced_and_what_stands_beside_it_is_not(tmp_path: Path) -> None:
    open_folder(tmp_path).close()
    (tmp_path / "spool").mkdir()
    for name in ("results.json", "report.html.part", "notes.txt", "spool/main.jsonl"):
        (tmp_path / name).write_text("old")
    again = open_folder(tmp_path)
    assert set(os.listdir(tmp_path)) == {MARKER, ".lock", "spool", "notes.txt"}
    assert not list(again.spool.iterdir())
    again.close()


@pytest.mark.parametrize("name", sorted(OWN))
def test_no_symbolic_link_is_followed(name: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("precious")
    report = tmp_path / "report"
    if name != MARKER:
        open_folder(report).close()
    else:
        report.mkdir()
    shutil.rmtree(report / name) if (report / name).is_dir() else (report / name).unlink(missing_ok=True)
    (report / name).symlink_to(victim if name == "spool" else victim / "precious")
    with pytest.raises(UsageError, match="symbolic link"):
        open_folder(report)
    assert tree(victim) == {"precious": "precious"}
    assert (report / name).is_symlink()


def test_a_draft_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "summary.md.part").symlink_to(tmp_path / "precious")
    (tmp_path / "summary.md").symlink_to(tmp_path / "precious")
    write_parts(tmp_path / "summary.md", ["new"])
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "summary.md").read_text() == "new"
    assert not (tmp_path / "summary.md").is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="symbolic link"):
        open_folder(tmp_path / "link")


@pytest.mark.parametrize("place", ["file", "file/below", "x" * 300, "new\nline/" + "y" * 300])
def test_a_place_that_cannot_be_a_folder_is_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError, match="cannot be written"):
        open_folder(tmp_path / place)
    assert (tmp_path / "file").read_text() == "precious"


def test_each_run_has_a_folder_of_its_own_and_latest_points_to_the_newest(tmp_path: Path) -> None:
    made = [new_folder(tmp_path, "https://api.example.com/api/v0/partner", 0.0) for _ in range(3)]
    names = [one.path.name for one in made]
    stem = "1970-01-01T00-00-00Z-api.example.com-api-v0-partner"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]
    assert (tmp_path / "latest").resolve() == made[-1].path.resolve()
    assert [one.note for one in made] == ["", "", ""]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_latest_that_is_not_ours_stays(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    reports = tmp_path / "reports"
    reports.mkdir()
    if kind == "folder":
        (reports / "latest").mkdir()
        (reports / "latest" / "precious").write_text("precious")
    else:
        (reports / "latest").symlink_to(tmp_path / "mine")
    made = new_folder(reports, "staging", time.time())
    assert "stays as it is" in made.note
    assert (reports / "latest").is_symlink() == (kind == "link")
    assert (reports / "latest").resolve() != made.path.resolve()


def test_a_folder_is_locked_while_a_run_writes_to_it(tmp_path: Path) -> None:
    held = open_folder(tmp_path / "report")
    (held.spool / "main.jsonl").write_text("of the first run")
    found = run(tmp_path / "report", *ONE)
    assert found.exit_code == 4, found.output
    assert "Another run is writing" in found.output
    assert (held.spool / "main.jsonl").read_text() == "of the first run"
    held.close()
    open_folder(tmp_path / "report").close()


def test_a_full_disk_is_told_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_folder(tmp_path / "report")
    made.keep_room(1000)
    assert (made.path / ".room").stat().st_size >= 1000
    made.give_room()
    nearly = type("Usage", (), {"free": 20_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly)
    with pytest.raises(NoRoom, match="Nothing was sent"):
        made.keep_room(700_000)
    assert not (made.path / ".room").exists()
    made.close()


def test_a_run_without_an_option_writes_below_reports(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from meshi_conformance.__main__ import main; raise SystemExit(main())", "run", *ONE],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_"))},
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "reports" / "latest" / "results.json").is_file()
    assert (tmp_path / "reports" / "latest").resolve().name.endswith("Z-reference")

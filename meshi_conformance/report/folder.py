"""The folder of a report: marked as ours, locked while a run writes to it, with room kept for its result.

Nothing is deleted or written over but what a run of this suite left in a marked folder, and no symbolic link is
followed.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import UsageError
from . import FILES

MARKER = ".meshi-conformance"
"""The file that says that a folder holds a report of this suite."""

MARKED = "This folder holds a report of meshi-conformance. The next run that is given it replaces the report's files.\n"
LOCK, ROOM, SPOOL, LATEST = ".lock", ".room", "spool", "latest"
REPORT = ("results.json", *FILES)
FOLDERS = frozenset({SPOOL, "output"})
OWN = frozenset({MARKER, LOCK, ROOM, "traffic.har", *FOLDERS, *REPORT, *(f"{name}.part" for name in REPORT)})
"""Everything that a run, `client` or `proxy` writes to its folder, and the folders among it."""

MOST_ROOM = 16 * 1024 * 1024
"""How many bytes are kept for results.json where the disk has plenty."""

SPARE = 64 * 1024
"""How many bytes a run needs besides: its spool's first lines, and the file of its limits."""


class NoRoom(Exception):
    """The disk cannot hold the result of a run. The message says how much is needed and how much there is."""


class ReportFolder:
    """A report's folder, held by one run. `note` says what a person should know of it, where there is something."""

    def __init__(self, path: Path, lock: FileLock, note: str = "") -> None:
        self.path = path
        self.note = note
        self._lock = lock

    @property
    def spool(self) -> Path:
        """Where the processes of a run write down what happens."""
        return self.path / SPOOL

    def keep_room(self, least: int) -> None:
        """Keep room for results.json, at least `least` bytes. Raise NoRoom where the disk has not got them."""
        file = self.path / ROOM
        try:
            free = shutil.disk_usage(self.path).free
            size = max(least, min(MOST_ROOM, free // 2))
            if free < size + SPARE:
                raise OSError("too little is free")
            with file.open("xb") as stream:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(stream.fileno(), 0, size)
                else:
                    stream.write(os.urandom(size))
        except OSError:
            with suppress(OSError):
                file.unlink()
            raise NoRoom(
                f"The disk under {self.path} is full: the result of a run needs {(least + SPARE) >> 10} KiB, "
                f"{shutil.disk_usage(self.path).free >> 10} are free. Make room, or give another folder with "
                "--report-dir. Nothing was sent."
            ) from None

    def give_room(self) -> None:
        """Free the room that was kept."""
        with suppress(OSError):
            (self.path / ROOM).unlink()

    def drop_spool(self) -> None:
        """Delete what the processes wrote down, so that the result finds room."""
        shutil.rmtree(self.spool, ignore_errors=True)

    def close(self) -> None:
        """Let another run have the folder."""
        self.give_room()
        with suppress(OSError):
            self.spool.rmdir()  # where no process wrote one
        self._lock.release()


def open_folder(path: Path) -> ReportFolder:
    """Take a folder for a report and remove the report in it.

    Raise UsageError, having changed nothing, where the folder is not empty and holds no report of this suite, where
    another run writes to it, or where one of its files is a symbolic link.
    """
    try:
        refuse_foreign(path)
        path.mkdir(parents=True, exist_ok=True)
        if not (path / MARKER).exists():
            _create(path / MARKER, MARKED)
        lock = FileLock(path / LOCK, timeout=0)
        lock.acquire()
        try:
            for name in OWN - FOLDERS - {MARKER, LOCK}:
                (path / name).unlink(missing_ok=True)
            for name in FOLDERS:
                if (path / name).exists():
                    shutil.rmtree(path / name)
            (path / SPOOL).mkdir()
        except BaseException:
            lock.release()
            raise
    except Timeout:
        raise UsageError(
            f"Another run is writing its report to {path}. Give each run a folder of its own with --report-dir."
        ) from None
    except OSError as problem:
        raise UsageError(
            f"The report directory {path} cannot be written: {problem.strerror or problem}. "
            "Give another one with --report-dir."
        ) from None
    return ReportFolder(path, lock)


def new_folder(reports: Path, target: str, started: float) -> ReportFolder:
    """Make a folder for one run, named after its time (UTC) and target; `latest` beside it points to it.

    Raise UsageError where that is impossible.
    """
    moment = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(started))
    name = re.sub(r"[^A-Za-z0-9.]+", "-", target.partition("://")[2] or target).strip("-.")[:60] or "target"
    try:
        reports.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = reports / (f"{moment}-{name}" + (f"-{number}" if number > 1 else ""))
            with suppress(FileExistsError):
                path.mkdir()
                break
    except OSError as problem:
        raise UsageError(
            f"The report directory {reports} cannot be written: {problem.strerror}. Give another one with --report-dir."
        ) from None
    folder = open_folder(path)
    folder.note = _point(reports / LATEST, path.name)
    return folder


def _point(link: Path, name: str) -> str:
    """Let a link of ours point to a folder beside it; return why it could not, or nothing."""
    draft = link.with_name(f".{LATEST}-{name}")
    try:
        if link.is_symlink() and os.path.dirname(os.readlink(link)):
            return f"{link} points to another place, so it stays as it is."
        if link.exists() and not link.is_symlink():
            return f"{link} is not a link, so it stays as it is: it does not hold this run."
        draft.symlink_to(name, target_is_directory=True)
        os.replace(draft, link)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink()
        return f"{link} could not be made to point to this run: {problem.strerror}."
    return ""


def refuse_foreign(path: Path) -> None:
    """Raise UsageError for a folder that a report must not be written to; change nothing."""
    if path.is_symlink():
        raise UsageError(f"The report directory {path} is a symbolic link. Name the folder itself with --report-dir.")
    names = set(os.listdir(path)) if path.is_dir() else set()
    links = sorted(name for name in names & OWN if (path / name).is_symlink())
    if links:
        raise UsageError(
            f"{path / links[0]} is a symbolic link, and a report is written through none. Remove it, or give another "
            "folder with --report-dir."
        )
    if names and not (MARKER in names and (path / MARKER).read_text(encoding="utf-8") == MARKED):
        raise UsageError(
            f"The folder {path} is not empty and holds no report of this suite, so nothing is written to it. "
            "Give a new or an empty folder with --report-dir."
        )


def _create(file: Path, text: str) -> None:
    """Write a new file. Raise OSError where something is in its place, be it a link."""
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)

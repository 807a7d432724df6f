"""What a run leaves behind for people and machines; everything here reads the results document alone.

`write_all` writes every file of a report. The formats are imported when they are written: a run that is not
at its end yet pays nothing for them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

FILES = {
    "report.html": "page.html",
    "summary.md": "files.summary",
    "junit.xml": "files.junit",
    "exchanges.har": "files.har",
    "badge.svg": "files.badge",
}
"""The files besides results.json, with the module that makes each: `parts(document, events)` yields its text."""


def write_all(
    folder: Path, document: dict[str, Any], events: Iterable[dict[str, Any]], names: Collection[str] = FILES.keys()
) -> list[str]:
    """Write results.json and then the other files of a report; return what could not be written and why.

    `events` are the spool's, and `names` the files that are wanted besides results.json. results.json is written
    first and its failure is raised: without it there is no result. No other file can take it away again.
    """
    from .document import results

    results.write(folder, document)
    problems = []
    for name in names:
        try:
            write_parts(folder / name, import_module(f"{__name__}.{FILES[name]}").parts(document, events))
        except Exception as problem:  # a report file must never cost the result of a run
            (folder / name).unlink(missing_ok=True)
            problems.append(f"{name}: {type(problem).__name__}: {str(problem)[:200]}")
    return problems


def write_parts(file: Path, parts: Iterable[str]) -> None:
    """Write a file part by part, as a whole or not at all, and through no symbolic link."""
    draft = file.with_name(file.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        with draft.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.writelines(parts)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)

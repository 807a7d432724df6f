"""The file in which each process keeps its exchanges until the report is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

OUTSIDE_TESTS = "set-up"


def read_spool(file: Path) -> Iterator[dict[str, Any]]:
    """The events of a spool file; a last line that was cut by a crash is left out."""
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            yield event


class Spool:
    """The events of all processes of a run, read from disk anew each time they are gone through.

    `unspooled` are those that the disk did not take.
    """

    def __init__(self, folder: Path, unspooled: Sequence[dict[str, Any]] = ()) -> None:
        self._folder = folder
        self._unspooled = unspooled

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._unspooled
        for file in sorted(self._folder.glob("*.jsonl")):
            yield from read_spool(file)

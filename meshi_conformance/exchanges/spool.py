"""The file in which each process keeps its exchanges until the report is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

OUTSIDE_TESTS = "set-up"


def read_spool(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a spool file; a problem in place of a line that cannot be read."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                event = json.loads(line)
                if not isinstance(event["type"], str):
                    raise ValueError("an event has a type")
            except (ValueError, TypeError, KeyError, RecursionError):
                what = f"Line {number} of the spool file {file.name} cannot be read: what it told is lost."
                event = {"type": "problem", "what": what}
            yield event


class Spool:
    """The events of all processes of a run, read from disk anew each time they are gone through.

    `unspooled` are those that the disk did not take.
    """

    def __init__(self, folder: Path, unspooled: Sequence[dict[str, Any]] = ()) -> None:
        self._folder = folder
        self._unspooled = unspooled
        self._read: dict[str, int] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._unspooled
        self._read = {}
        for file in sorted(self._folder.glob("*.jsonl")):
            self._read[file.name] = 0
            for event in read_spool(file):
                self._read[file.name] += 1
                yield event

    def problems(self, written: Mapping[str, int]) -> list[str]:
        """Return what makes the events unfit to judge by: problems that they tell, and events that are not there.

        `written` is how many lines each process has written, by the name of its file.
        """
        found = list(dict.fromkeys(event["what"] for event in self if event["type"] == "problem"))
        for name in sorted({*written, *self._read}):
            wrote, read = written.get(name), self._read.get(name, 0)
            if wrote is not None and wrote != read:
                found.append(
                    f"{wrote} events were written to the spool file {name} and {read} can be read: exchanges are lost, "
                    "and failures with them."
                )
        return found

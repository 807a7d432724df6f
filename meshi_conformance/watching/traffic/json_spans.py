"""Find the entries of a HAR file of any size without holding more than one of them.

The file is read as Latin-1, in which each byte is one character: positions in the text are positions in the file.
Python's own JSON scanner then measures each entry at C speed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

CHUNK = 1 << 20
"""Bytes that are read at a time."""

MOST_ENTRY = 32 << 20
"""Bytes of the longest entry that is read; a longer one is passed over and has no value."""

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_MARK = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class Span(NamedTuple):
    """The place of an entry in its file, in bytes, and its value, None for one that is too long to read.

    Texts in the value are Latin-1: fit for reading ASCII, and for nothing else.
    """

    offset: int
    length: int
    value: Any


class NoArchive(Exception):
    """The file is not an HTTP archive. The message says why."""


class Cut(Exception):
    """The file ends, or stops being JSON, in the middle. The message says where."""


def entries(stream: BinaryIO) -> Iterator[Span]:
    """Yield the elements of `log.entries` in the order of the file.

    Raise NoArchive where the file holds no such list, Cut where it breaks off inside it.
    """
    window = _Window(stream)
    if window.peek() != "{":
        raise NoArchive("it does not start with a JSON object")
    try:
        if not _enter(window, "log") or window.peek() != "{":
            raise NoArchive("it has no member `log`")
        if not _enter(window, "entries") or window.peek() != "[":
            raise NoArchive("its `log` has no list `entries`")
    except Cut as problem:
        raise NoArchive(f"it is not JSON or was cut before its first entry: {problem}") from None
    window.take()
    while window.peek() != "]":
        yield window.value()
        mark = window.peek()
        if mark == ",":
            window.take()
        elif mark != "]":
            raise Cut(f"the list of entries breaks off at byte {window.position}")


def _enter(window: _Window, name: str) -> bool:
    """Move to the value of a member of the object at the window; False where there is no such member."""
    window.take()
    while window.peek() == '"':
        member = window.value().value
        if window.peek() != ":":
            raise Cut(f"a member has no value at byte {window.position}")
        window.take()
        window.peek()
        if member == name:
            return True
        window.value()
        if window.peek() != ",":
            return False
        window.take()
        window.peek()
    return False


class _Window:
    """The part of the file that is being read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._before = 0
        self._ended = False
        self._more()
        if self._text.startswith("\u00ef\u00bb\u00bf"):  # a byte order mark
            self._at = 3

    @property
    def position(self) -> int:
        """The byte that is read next."""
        return self._before + self._at

    def peek(self) -> str:
        """Return the next character that is not a blank; raises Cut at the end of the file."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise Cut(f"the file ends at byte {self.position}")

    def take(self) -> None:
        """Pass over one character."""
        self._at += 1

    def value(self) -> Span:
        """Read the JSON value that starts here. Raise Cut for anything else, or a value that is too long."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as problem:
                far = getattr(problem, "pos", 0) < len(self._text) - 16 and "Unterminated" not in str(problem)
                said = str(problem).split(":")[0][:80]
                if not far and len(self._text) - self._at > MOST_ENTRY:
                    return self._passed_over()
                if far or not self._more(grow=True):
                    raise Cut(f"{said} in the value at byte {self.position}") from None
                continue
            if end == len(self._text) and self._more(grow=True):
                continue  # a number may go on
            span = Span(self.position, end - self._at, value)
            self._at = end
            return span

    def _passed_over(self) -> Span:
        """Move behind an object or array without reading it."""
        start, depth, quoted = self.position, 0, False
        while True:
            end = self._at
            for mark in _MARK.finditer(self._text, self._at):
                end = mark.end()
                if mark[0] == '"':
                    quoted = not quoted
                elif not quoted and mark[0] in "{[":
                    depth += 1
                elif not quoted and mark[0] in "}]":
                    depth -= 1
                    if not depth:
                        self._at = end
                        return Span(start, self.position - start, None)
            split = self._text.endswith("\\") and end < len(self._text)
            self._at = len(self._text) - split
            if not self._more():
                raise Cut(f"the file ends at byte {self.position}, within the value at byte {start}")

    def _more(self, grow: bool = False) -> bool:
        """Read on, dropping what lies behind; with `grow` as much again as is held. False at the end of the file."""
        if self._ended:
            return False
        held = self._text[self._at :]
        chunk = self._stream.read(max(CHUNK, len(held)) if grow else CHUNK).decode("latin-1")
        self._before += self._at
        self._at = 0
        self._text = held + chunk
        self._ended = not chunk
        return bool(chunk)

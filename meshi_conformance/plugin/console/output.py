"""The way out to a terminal or a log.

No key leaves on it, a CI system takes no command from it, and a reader that goes away does not end a run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "BUILDKITE", "JENKINS_URL")
"""Variables of which a CI system sets at least one."""

_AT_START = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_ANYWHERE = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))", re.IGNORECASE)


def is_ci(environment: Mapping[str, str]) -> bool:
    """Tell whether a CI system reads what is printed."""
    return any(environment.get(name, "").lower() not in ("", "0", "false") for name in CI_VARIABLES)


def without_commands(text: str, fresh: bool = True) -> str:
    """Return the text so that no CI system takes a part of it for a command.

    GitHub takes `::` at the start of a line and `##[` anywhere, Azure `##vso[`, TeamCity `##teamcity[`. `fresh` says
    whether the text starts a line.
    """
    head, newline, rest = ("", "", text) if fresh else text.partition("\n")
    return _ANYWHERE.sub("# ", head + newline + _AT_START.sub(r"\1: ", rest))


class Output:
    """A text stream around another one. `clean` takes keys out of what is written; a run sets it once it has keys."""

    def __init__(self, stream: Any, environment: Mapping[str, str] = os.environ) -> None:
        self.clean: Callable[[str], str] = str
        self.stream = stream
        self._is_ci = is_ci(environment)
        self._fresh = True
        self._hand_on: Callable[[str], None] | None = None
        self._begun = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text; drop it where its reader has gone."""
        shown = self.clean(text)
        if self._is_ci:
            shown = without_commands(shown, self._fresh)
            last = shown.rpartition("\n")[2]
            self._fresh = not last.strip() and ("\n" in shown or self._fresh)
        if self._hand_on is None:
            self._try(lambda: self.stream.write(shown))
        else:
            *whole, self._begun = (self._begun + shown).split("\n")
            for line in whole:
                self._hand_on(line)
        return len(text)

    def by_line(self, hand_on: Callable[[str], None] | None) -> None:
        """Hand on whole lines alone, to a function; with None write as before, what was begun first."""
        self._hand_on, begun, self._begun = hand_on, self._begun, ""
        self._try(lambda: self.stream.write(begun))

    def flush(self) -> None:
        """Hand on what was written."""
        self._try(lambda: self.stream.flush())

    def isatty(self) -> bool:
        """Tell whether a person watches."""
        return bool(self.stream is not None and not self.stream.closed and self.stream.isatty())

    def _try(self, do: Callable[[], object]) -> None:
        if self.stream is None:
            return
        try:
            do()
        except UnicodeEncodeError:
            raise
        except (OSError, ValueError):  # the reader of a pipe is gone, or the stream is closed
            with contextlib.suppress(OSError, ValueError, AttributeError):
                # What the interpreter still holds goes nowhere, instead of failing at exit.
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)


def open_streams() -> None:
    """Give a process that was started without some of its three descriptors others that lead nowhere.

    Without that the next file that is opened would be taken for the terminal.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(number), "w", encoding="utf-8", errors="replace"))


def clean_logs(clean: Callable[[str], str]) -> Callable[[], None]:
    """Take keys out of every log record from here on; return what undoes that.

    The HTTP client logs the headers of answers, and pytest shows and stores log records.
    """
    before = logging.getLogRecordFactory()
    traceback = logging.Formatter()

    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = before(*arguments, **named)
        try:
            record.msg, record.args = clean(record.getMessage()), ()
            if record.exc_info:
                record.exc_text = clean(traceback.formatException(record.exc_info))
        except Exception:
            record.msg, record.args = "a log record that could not be formatted", ()
        return record

    logging.setLogRecordFactory(make)
    return lambda: logging.setLogRecordFactory(before)

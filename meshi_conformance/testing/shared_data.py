"""The data that a run prepares once on the target and that its tests share.

The world has parts; the process that needs a part first builds it, and all the others read it.
A part that could not be built makes its readers inconclusive, with the one cause.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from filelock import FileLock

from ..errors import BY_CLASS, AnswerLost, Inconclusive, NotPermitted
from ..vocabulary import CauseClass
from .arrange import Given

Builder = Callable[[Given, "World"], dict[str, Any]]
"""Builds a part: returns its data, which must be JSON. It may read other parts; no two parts read each other."""


class World:
    """Builds parts on demand and shares them between worker processes through a folder."""

    def __init__(
        self, given: Given, folder: Path, parts: Mapping[str, Callable[[Given, World], dict[str, Any]]]
    ) -> None:
        self._given = given
        self._folder = folder
        self._builders = parts
        self._parts: dict[str, dict[str, Any]] = {}
        self._closed = False
        self._locks = {name: threading.Lock() for name in parts}

    def __getattr__(self, name: str) -> Any:
        if name not in self._builders:
            raise AttributeError(name)
        return self.get(name)

    def get(self, name: str) -> Any:
        """Return a part's data as attributes. Raise Inconclusive, or NotPermitted, where it could not be built."""
        part = self._part(name)
        if "problem" in part:
            if part["cause_class"] is None:
                raise NotPermitted(part["problem"], part["cause"])
            raise BY_CLASS[CauseClass(part["cause_class"])](part["problem"], part["cause"])
        self._given.api.transport.recorder.add_evidence(part.get("exchanges", ()))
        return SimpleNamespace(**part)

    def prefetch(self, names: Iterable[str]) -> None:
        """Start building parts, one thread each, so that their asynchronous runs overlap."""
        for name in names:
            threading.Thread(target=self._ahead, args=(name,), daemon=True, name=f"world-{name}").start()

    def close(self) -> None:
        """Stop: ignore errors of parts that are still being built."""
        self._closed = True

    def _ahead(self, name: str) -> None:
        try:
            self._part(name)
        except Exception:  # the client and the recorder are closed under a part that no test waits for
            if not self._closed:
                raise

    def _part(self, name: str) -> dict[str, Any]:
        with self._locks[name]:
            if name not in self._parts:
                self._parts[name] = self._shared(name)
            return self._parts[name]

    def _shared(self, name: str) -> dict[str, Any]:
        file = self._folder / f"world-{name}.json"
        recorder = self._given.api.transport.recorder
        with ExitStack() as stack:
            # A disk that takes no more costs the sharing, not the run: each worker then builds its own part.
            with suppress(OSError):
                stack.enter_context(FileLock(f"{file}.lock"))
            if file.exists():
                part: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                return part
            text = recorder.clean(json.dumps(self._build(name)))
            try:
                draft = file.with_suffix(".part")
                draft.write_text(text, encoding="utf-8")
                draft.replace(file)
            except OSError as problem:
                recorder.problem(f"The prepared data could not be shared between workers: {problem.strerror}")
            part = json.loads(text)
            return part

    def _build(self, name: str) -> dict[str, Any]:
        with self._given.api.transport.recorder.outside_test():
            try:
                # Whether a write without an answer was done is unknown: every name that is made up anew is free.
                with suppress(AnswerLost):
                    return self._builders[name](self._given, self)
                return self._builders[name](self._given, self)
            except Inconclusive as problem:
                return {"problem": str(problem), "cause": problem.cause, "cause_class": problem.cause_class}
            except (AssertionError, TypeError, ValueError, AttributeError) as problem:
                # A set-up answer of another shape than documented; the checks on that exchange say which.
                return {
                    "problem": f"the world's part {name!r} met an answer it cannot read: {problem!r}"[:400],
                    "cause": f"set-up of {name} met a malformed answer",
                    "cause_class": CauseClass.SETUP,
                }

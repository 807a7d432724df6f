"""Sends recorded exchanges again with bare httpx: the least time that the same conversation takes.

A fresh reference server gets the same requests in the same order. What a server makes up (run IDs, cursors, review
IDs) is read from the answer where the recording first saw it, and put into later requests. Requests that overlapped
in the recording overlap again, or all go one after the other: the faster way counts.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx

from meshi_conformance.client.call import Padded

MADE_BY_SERVER = frozenset({"run_id", "review_id", "match_id", "next_cursor"})
"""Members of answers whose values differ from server to server and may appear in later requests."""

TERMINAL = frozenset({"succeeded", "partial", "failed"})
WAIT_SECONDS = 10.0
"""How long a run may take to end that had ended at this moment of the recording."""

THREADS = 64

_WORD = re.compile(r"[^/?&=]+")
_STRING = re.compile(r'"([^"\\]+)"')


@dataclass
class Step:
    """One exchange to send: pieces of its URL and body, and what later ones need of its answer.

    A piece is a text or the number of a value that the server made up. `done_before` is how many exchanges, in the
    order in which they ended, had ended when this one began.
    """

    method: str
    url: list[str | int]
    body: list[str | int] | Padded | None
    headers: dict[str, str]
    key: str | None
    scheme: str
    status: int
    until_terminal: bool
    started: float
    ended: float
    reads: list[tuple[int, list[str | int]]] = field(default_factory=list)
    done_before: int = 0
    ends_as: int = 0


@dataclass
class Outcome:
    """How a replay went; seconds of wall time, and requests that were sent again to wait for a run."""

    seconds: float
    exchanges: int
    same_status: int
    polls_added: int


def load(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The times and the exchanges of a recording."""
    with file.open(encoding="utf-8") as stream:
        times = json.loads(stream.readline())
        return times, [json.loads(line) for line in stream]


def prepare(records: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The steps of a replay, with everything worked out that needs no answer."""
    values: dict[str, tuple[int, int, list[str | int]]] = {}
    steps: list[Step] = []
    needed: set[int] = set()

    def pieces(text: str, pattern: re.Pattern[str], in_url: bool) -> list[str | int]:
        found: list[str | int] = []
        last = 0
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            word = unquote(match.group(group)) if in_url else match.group(group)
            if word in values:
                found += [text[last : match.start(group)], values[word][0]]
                needed.add(values[word][0])
                last = match.end(group)
        return [*found, text[last:]]

    for place, one in enumerate(records):
        body: list[str | int] | Padded | None = None
        if one["padded"]:
            padded = one["padded"]
            body = Padded(padded["head"].encode("latin-1"), padded["tail"].encode("latin-1"), padded["size"])
        elif one["content"] is not None:
            # A large import names no run: looking for IDs in it would only take time.
            large = len(one["content"]) > 100_000
            body = [one["content"]] if large else pieces(one["content"], _STRING, False)
        headers = dict(one["headers"])
        if one["authorization"] is not None:
            headers["Authorization"] = one["authorization"]
        try:
            answer = json.loads(one["body"].encode("latin-1")) if one["status"] < 300 else None
        except ValueError:
            answer = None
        steps.append(
            Step(
                one["method"],
                pieces(one["url"], _WORD, True),
                body,
                headers,
                one["key"],
                one["scheme"],
                one["status"],
                one["operation"] == "getRun" and isinstance(answer, dict) and answer.get("status") in TERMINAL,
                one["started"],
                one["ended"],
            )
        )
        for value, path in _made_up(answer, []):
            if value not in values:
                values[value] = (len(values), place, path)
    for number, place, path in values.values():
        if number in needed:
            steps[place].reads.append((number, path))
    _order(steps)
    return steps


def _made_up(value: Any, path: list[str | int]) -> Iterator[tuple[str, list[str | int]]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name in MADE_BY_SERVER and isinstance(member, str):
                yield member, [*path, name]
            elif isinstance(member, dict | list):
                yield from _made_up(member, [*path, name])
    elif isinstance(value, list):
        for number, member in enumerate(value):
            if isinstance(member, dict | list):
                yield from _made_up(member, [*path, number])


def _order(steps: Sequence[Step]) -> None:
    """Notes which exchanges had ended when each began."""
    by_end = sorted(range(len(steps)), key=lambda place: steps[place].ended)
    for rank, place in enumerate(by_end):
        steps[place].ends_as = rank
    done = 0
    for step in steps:
        while done < len(by_end) and steps[by_end[done]].ended <= step.started:
            done += 1
        step.done_before = done


class Replay:
    """Sends steps to a server whose keys are given by role."""

    def __init__(self, base: str, keys: Mapping[str, str]) -> None:
        root = base.partition("/api/")[0]
        limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
        self._client = httpx.Client(base_url=root, limits=limits, timeout=60, trust_env=False)
        self._keys = dict(keys)
        self._values: dict[int, str] = {}
        self._same = 0
        self._added = 0

    def one_by_one(self, steps: Sequence[Step]) -> Outcome:
        """All on one connection, in the order of the recording."""
        started = time.perf_counter()
        for step in steps:
            self._send(step)
        return self._outcome(started, steps)

    def overlapping(self, steps: Sequence[Step]) -> Outcome:
        """What overlapped in the recording overlaps again; nothing begins before what had ended then."""
        condition = threading.Condition()
        finished = [False] * len(steps)
        reached = 0

        def work(step: Step) -> None:
            nonlocal reached
            try:
                self._send(step)
            finally:
                with condition:
                    finished[step.ends_as] = True
                    while reached < len(finished) and finished[reached]:
                        reached += 1
                    condition.notify_all()

        started = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            futures = []
            for place, step in enumerate(steps):
                with condition:
                    condition.wait_for(lambda step=step: reached >= step.done_before)  # type: ignore[misc]
                alone = place + 1 == len(steps) or steps[place + 1].done_before > step.ends_as
                if alone:
                    work(step)  # the next one waits for it anyway
                else:
                    futures.append(pool.submit(work, step))
            for future in futures:
                future.result()
        return self._outcome(started, steps)

    def _outcome(self, started: float, steps: Sequence[Step]) -> Outcome:
        seconds = time.perf_counter() - started
        self._client.close()
        return Outcome(seconds, len(steps), self._same, self._added)

    def _send(self, step: Step) -> None:
        url = self._filled(step.url, True)
        content = self._filled(step.body, False).encode("latin-1") if isinstance(step.body, list) else step.body
        headers = dict(step.headers)
        if step.key is not None:
            headers["Authorization"] = step.scheme + self._keys[step.key]
        if isinstance(content, Padded):
            headers = headers | {"Content-Length": str(content.size)}
        answer = self._client.request(step.method, url, content=content, headers=headers)
        if step.until_terminal:
            ends = time.monotonic() + WAIT_SECONDS
            while answer.status_code == 200 and answer.json().get("status") not in TERMINAL:
                if time.monotonic() > ends:
                    break
                self._added += 1
                time.sleep(0.002)
                answer = self._client.request(step.method, url, headers=headers)
        self._same += answer.status_code == step.status
        if step.reads and answer.status_code < 300:
            value = answer.json()
            for number, path in step.reads:
                found = value
                try:
                    for name in path:
                        found = found[name]
                except (KeyError, IndexError, TypeError):
                    continue
                if isinstance(found, str):
                    self._values[number] = found

    def _filled(self, pieces: Sequence[str | int], in_url: bool) -> str:
        if len(pieces) == 1:
            return str(pieces[0])
        words = (self._values.get(one, "unknown") if isinstance(one, int) else one for one in pieces)
        if not in_url:
            return "".join(words)
        return "".join(
            quote(word, safe="") if isinstance(piece, int) else word for piece, word in zip(pieces, words, strict=True)
        )

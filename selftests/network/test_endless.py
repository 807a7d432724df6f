"""Lists and runs without an end, and what is said while waiting for them."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.client import pagination as paging
from meshi_conformance.client.api import Api
from meshi_conformance.client.pagination import walk
from meshi_conformance.client.polling import poll_to_end
from meshi_conformance.errors import Inconclusive, PollTimeout
from meshi_conformance.plugin.console.progress import Progress

from .hostile import Connect, Events, Request, answer, serving


def pages(connect_to: str, connect: Connect, most: int) -> list[Any]:
    api: Api = connect(connect_to)
    return walk(lambda query: api.list_events(query=query), most_pages=most)


def test_a_list_without_end_is_inconclusive(connect: Connect) -> None:
    def script(request: Request, connection: socket.socket) -> bool:
        connection.sendall(answer({"items": [], "next_cursor": f"c{request.number}", "correlation_id": "c"}))
        return True

    with serving(script) as server:
        with pytest.raises(Inconclusive, match="goes on after 40 pages"):
            pages(server.base, connect, 40)
        assert len(server.requests) == 40


def test_a_list_of_huge_pages_without_end_stays_within_memory(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Request, connection: socket.socket) -> bool:
        rows = [{"title": "t" * 300_000}]
        connection.sendall(answer({"items": rows, "next_cursor": f"c{request.number}", "correlation_id": "c"}))
        return True

    monkeypatch.setattr(paging, "MOST_BYTES", 2_000_000)
    with serving(script) as server, pytest.raises(Inconclusive, match="goes on after 7 pages"):
        pages(server.base, connect, 600)


def test_a_list_that_runs_in_a_circle_is_a_failure(connect: Connect) -> None:
    def script(request: Request, connection: socket.socket) -> bool:
        number = request.number % 3
        connection.sendall(answer({"items": [{"n": number}], "next_cursor": f"c{number}", "correlation_id": "c"}))
        return True

    with serving(script) as server:
        with pytest.raises(AssertionError, match="runs in a circle"):
            pages(server.base, connect, 600)
        assert len(server.requests) == 3 + paging.REPEATED_PAGES


def never_ends(request: Request, connection: socket.socket) -> bool:
    status = "queued" if request.number < 3 else "running" if request.number < 5 else f"odd\x1b{request.number}"
    connection.sendall(answer({"run_id": "r", "kind": "match", "status": status, "correlation_id": "c"}))
    return True


def test_a_run_that_never_ends_is_given_up_with_what_was_seen(connect: Connect, events: Events) -> None:
    with serving(never_ends) as server:
        api = connect(server.base, deadlines={"match": 0.8})
        with pytest.raises(PollTimeout, match=r"within 1 s; seen: queued at 0\.\d s, running at 0\.\d s") as problem:
            poll_to_end(api, "r")
        assert problem.value.cause == "a match run did not end in time"
        assert "still at 0." in str(problem.value)
        waits = [one for one in events() if one["type"] == "wait"]
        assert waits[0]["seen"][0].startswith("queued at")
        for _ in range(2):
            with pytest.raises(PollTimeout):
                poll_to_end(api, "r")


def test_runs_that_never_end_cost_their_deadline_only_a_few_times(connect: Connect) -> None:
    with serving(never_ends) as server:
        api = connect(server.base, deadlines={"match": 40.0})
        api.transport.late_runs["match"] = 3
        started = time.monotonic()
        with pytest.raises(PollTimeout, match="within 2 s"):
            poll_to_end(api, "r")
        assert time.monotonic() - started < 4


def test_pauses_grow_as_the_pages_advise(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    with serving(never_ends) as server:
        api = connect(server.base, run_deadline=200.0, poll_first=2.0, poll_most=30.0)

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 7:
                raise PollTimeout("enough")

        monkeypatch.setattr(api.transport, "sleep", sleep)
        with pytest.raises(PollTimeout):
            poll_to_end(api, "r")
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_the_progress_line_says_what_is_waited_for(tmp_path: Path) -> None:
    progress = Progress(tmp_path, 25)
    lines = [
        {"type": "exchange", "at": 1, "id": "w-1", "operation": "getRun"},
        {"type": "exchange", "at": 1, "id": "w-2", "operation": "getAuth"},
        {"type": "exchange", "at": 1, "id": "w-3", "operation": None},
        {"type": "waiting", "at": time.time(), "what": "match run r to end", "seconds": 12.0, "state": "run\x1bning"},
    ]
    file = tmp_path / "w.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"type": "exch')
    said = progress.line()
    assert said.startswith("2 of 25 operations, 3 exchanges; waiting 12 s for the match run r to end (now run")
    assert "\x1b" not in said
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with file.open("a") as stream:
        stream.write(json.dumps({"type": "wait", "at": 2, "what": "match run r to end"}) + "\n")
    assert progress.line() == "2 of 25 operations, 3 exchanges"
    progress.stop()

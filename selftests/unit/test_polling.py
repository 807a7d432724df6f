"""Waiting for a run: it ends with the run, or at the deadline with what was seen."""

from __future__ import annotations

import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from answers import exchange, refusal

from meshi_conformance.errors import CouldNotArrange, DeadlinePassed, MissingMember
from meshi_conformance.exchange import Exchange
from meshi_conformance.polling import poll_to_end, states


class Runs:
    """An API whose run shows one state after the other, the last one for ever."""

    def __init__(self, *answers: Exchange, deadline: float = 5.0) -> None:
        self._answers = list(answers)
        self.polls = 0
        self.waited: list[tuple[str, float, list[str]]] = []
        self.transport: Any = SimpleNamespace(
            target=SimpleNamespace(poll_first=0.001, poll_most=0.002, deadline=lambda kind: deadline),
            recorder=SimpleNamespace(waited=lambda *said: self.waited.append(said), waiting=lambda *said: None),
            late_runs=Counter(),
            held=0.0,
            sleep=time.sleep,
        )

    def get_run(self, run_id: str) -> Exchange:
        answer = self._answers[min(self.polls, len(self._answers) - 1)]
        self.polls += 1
        return answer


def run(status: Any) -> Exchange:
    return exchange("getRun", 200, {"run_id": "r", "kind": "import", "status": status})


@pytest.mark.parametrize("last", ["succeeded", "partial", "failed"])
def test_every_terminal_status_ends_the_wait(last: str) -> None:
    api = Runs(run("queued"), run("queued"), run("warming"), run(last))
    polls = poll_to_end(api, "r")  # type: ignore[arg-type]
    assert len(polls) == 4
    assert states(polls) == ["queued", "warming", last]
    assert [entry.split(" ")[0] for entry in api.waited[0][2]] == ["queued", "warming", last]


def test_the_deadline_says_what_was_seen() -> None:
    api = Runs(run("queued"), run("running"), deadline=0.02)
    with pytest.raises(DeadlinePassed, match=r"did not end within .*queued at .*running at") as raised:
        poll_to_end(api, "r")  # type: ignore[arg-type]
    assert raised.value.cause == "a import run did not end in time"


def test_a_refused_poll_is_a_failed_arrangement() -> None:
    with pytest.raises(CouldNotArrange, match="RUN_NOT_FOUND"):
        poll_to_end(Runs(refusal("getRun", 404, "RUN_NOT_FOUND")), "r")  # type: ignore[arg-type]


def test_a_run_without_a_status_fails_the_check_that_reads_it() -> None:
    with pytest.raises(MissingMember):
        poll_to_end(Runs(exchange("getRun", 200, {})), "r")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [7, ["succeeded"], {"a": 1}, None])
def test_a_status_that_is_no_text_is_a_failed_arrangement(status: Any) -> None:
    with pytest.raises(CouldNotArrange, match="has status"):
        poll_to_end(Runs(run(status)), "r")  # type: ignore[arg-type]

"""Waiting for a run: it ends with the run, or at the deadline with what was seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from meshi_conformance.client import polling
from meshi_conformance.client.polling import (
    look_until,
    poll_to_end,
    states,
)
from meshi_conformance.errors import MissingMember, NotAJsonObject, PollTimeout, SetupFailed, UnknownTerminalStatus
from meshi_conformance.exchanges.exchange import Exchange

from ..answers import exchange, refusal

START = 5_000.0


class Runs:
    """An API whose run shows one state after the other, the last one for ever, on a clock that only sleeping moves.

    A poll takes `answer` seconds, `held` of them because the target's rate limit held it back.
    """

    def __init__(
        self, *answers: Exchange, deadline: float = 60.0, first: float = 1.0, most: float = 5.0, **how: float
    ) -> None:
        self._answers = list(answers)
        self._answer_seconds = how.get("answer", 0.0)
        self._held_seconds = how.get("held", 0.0)
        self.now = START
        self.polls = 0
        self.pauses: list[float] = []
        self.waited: list[tuple[str, float, list[str]]] = []
        self.waiting: list[tuple[str, float, str]] = []
        self.late: Counter[str] = Counter()
        self.ended: dict[str, list[float]] = defaultdict(list)
        self.asked_deadlines: list[object] = []
        self.transport: Any = SimpleNamespace(
            target=SimpleNamespace(poll_first=first, poll_most=most, deadline=self._deadline),
            recorder=SimpleNamespace(
                waited=lambda *said: self.waited.append(said), waiting=lambda *said: self.waiting.append(said)
            ),
            late_runs=self.late,
            ended_runs=self.ended,
            rate_limited_seconds=100.0,
            sleep=self._sleep,
        )
        self._whole = deadline

    def _deadline(self, kind: object) -> float:
        self.asked_deadlines.append(kind)
        return self._whole

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def get_run(self, run_id: str) -> Exchange:
        assert self.polls < 500, "the wait has no end"
        answer = self._answers[min(self.polls, len(self._answers) - 1)]
        self.polls += 1
        self.now += self._answer_seconds
        self.transport.rate_limited_seconds += self._held_seconds
        return answer


def run(status: Any, kind: Any = "import", **members: Any) -> Exchange:
    return exchange("getRun", 200, {"run_id": "r", "kind": kind, "status": status, **members})


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Poll the run of an API to its end, on that API's clock."""

    def poll(api: Runs, run_id: str = "r") -> list[Exchange]:
        monkeypatch.setattr(polling, "time", SimpleNamespace(monotonic=lambda: api.now))
        return poll_to_end(api, run_id)  # type: ignore[arg-type]

    return poll


@pytest.mark.parametrize("last", ["succeeded", "partial", "failed"])
def test_every_terminal_status_ends_the_wait(wait: Any, last: str) -> None:
    api = Runs(run("queued"), run("queued"), run("warming"), run(last))
    polls = wait(api)
    assert len(polls) == api.polls == 4
    assert states(polls) == ["queued", "warming", last]
    assert api.waited == [
        ("import run r to end", 7.0, ["queued at 0.0 s", "warming at 3.0 s", f"{last} at 7.0 s"]),
    ]
    assert api.waiting == [("import run r to end", 3.0, "warming")]
    assert api.late == {}


@pytest.mark.parametrize("status", ["Succeeded", "succeeded ", "done", "completed", "cancelled", "", "SUCCEEDED"])
def test_no_other_status_ends_the_wait(wait: Any, status: str) -> None:
    with pytest.raises(PollTimeout):
        wait(Runs(run(status), deadline=10.0))


def test_pauses_double_up_to_the_longest_one(wait: Any) -> None:
    api = Runs(*[run("running")] * 6, run("succeeded"), first=0.5, most=3.0)
    wait(api)
    assert api.pauses == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_the_deadline_says_what_was_seen(wait: Any) -> None:
    api = Runs(run("queued"), run("running"), deadline=10.0)
    with pytest.raises(PollTimeout) as raised:
        wait(api)
    assert str(raised.value) == (
        "run r did not end within 10 s; seen: queued at 0.0 s, running at 1.0 s, and running still at 7.0 s; "
        "no other import run of this process has ended so far"
    )
    assert raised.value.cause == "an import run did not end in time"
    assert api.waited == [("import run r to end", 7.0, ["queued at 0.0 s", "running at 1.0 s"])]
    assert api.late == {"import": 1}


@pytest.mark.parametrize(
    ("took", "said"),
    [
        ([0.5], "1 other match run of the org ended, after 0.5 s"),
        ([2.0, 0.25, 1.0], "3 other match runs of the org ended, after 0.2 to 2.0 s"),
    ],
)
def test_a_run_that_is_late_is_told_beside_those_that_were_not(wait: Any, took: list[float], said: str) -> None:
    api = Runs(run("running", "match"), deadline=10.0)
    api.ended["match"] += took
    api.ended["import"] += [9.0]
    with pytest.raises(PollTimeout, match=f"within 10 s; .* still at 7.0 s; {said}$"):
        wait(api)


def test_a_run_that_ends_is_remembered_with_its_time(wait: Any) -> None:
    api = Runs(run("running"), run("succeeded"))
    wait(api)
    assert api.ended == {"import": [1.0]}


@pytest.mark.parametrize(("deadline", "polls"), [(6.9, 3), (7.0, 4), (11.9, 4), (12.0, 5)])
def test_a_poll_that_is_due_at_the_deadline_is_still_made(wait: Any, deadline: float, polls: int) -> None:
    api = Runs(run("running"), deadline=deadline)
    with pytest.raises(PollTimeout):
        wait(api)
    assert api.polls == polls


def test_what_a_rate_limit_held_back_is_not_the_run_s_time(wait: Any) -> None:
    held = Runs(run("running"), deadline=20.0, answer=10.0, held=10.0)
    slow = Runs(run("running"), deadline=20.0, answer=10.0)
    for api in (held, slow):
        with pytest.raises(PollTimeout):
            wait(api)
    # The pauses alone are the run's time: 1 + 2 + 4 + 5 + 5 seconds, and another 5 would be too many.
    assert (held.polls, slow.polls) == (6, 2)


@pytest.mark.parametrize(
    ("late", "whole", "given"), [(0, 100, 100), (2, 100, 100), (3, 100, 5), (9, 100, 5), (3, 20, 2), (3, 1, 1)]
)
def test_a_kind_of_run_that_never_ends_in_time_is_given_up_sooner(
    wait: Any, late: int, whole: float, given: int
) -> None:
    api = Runs(run("running", "match"), deadline=float(whole), first=0.25, most=0.25)
    api.late.update({"match": late, "import": 9})
    with pytest.raises(PollTimeout, match=rf"did not end within {given} s;"):
        wait(api)
    assert api.now - START == given
    assert api.late["match"] == late + 1
    assert set(api.asked_deadlines) == {"match"}


def test_a_long_wait_is_noted_every_few_seconds(wait: Any) -> None:
    api = Runs(*[run("running " * 20)] * 9, run("succeeded"), most=1.0)
    wait(api)
    assert [said[1] for said in api.waiting] == [3.0, 6.0]
    assert api.waiting[0] == ("import run r to end", 3.0, ("running " * 20)[:40])


def test_a_refused_poll_is_a_failed_arrangement(wait: Any) -> None:
    with pytest.raises(SetupFailed, match=r"polling run r: getRun .* RUN_NOT_FOUND") as raised:
        wait(Runs(run("queued"), refusal("getRun", 404, "RUN_NOT_FOUND")))
    assert raised.value.cause == "getRun answered 404"


@pytest.mark.parametrize("body", [{}, {"run_id": "r", "kind": "import"}])
def test_a_run_without_a_status_fails_the_check_that_reads_it(wait: Any, body: Any) -> None:
    with pytest.raises(MissingMember if isinstance(body, dict) else NotAJsonObject):
        wait(Runs(exchange("getRun", 200, body)))


@pytest.mark.parametrize("status", [7, ["succeeded"], {"a": 1}, None, True])
def test_a_status_that_is_no_text_is_a_failed_arrangement(wait: Any, status: Any) -> None:
    with pytest.raises(SetupFailed) as raised:
        wait(Runs(run(status)))
    assert str(raised.value) == f"run r has status {status!r}"
    assert raised.value.cause == "runs have a status that is not a text"


ENDED = {"terminal_at": "2031-03-10T12:00:00Z"}


def test_a_run_that_has_ended_in_no_documented_status_is_not_waited_for(wait: Any) -> None:
    api = Runs(run("running"), run("complete", **ENDED))
    with pytest.raises(UnknownTerminalStatus) as raised:
        wait(api)
    assert str(raised.value) == "run r ended at 2031-03-10T12:00:00Z and its status is 'complete'"
    assert raised.value.cause == "runs end in a status that is not documented"
    assert api.polls == 1 + 6
    at_once = Runs(run("complete", **ENDED))
    with pytest.raises(UnknownTerminalStatus):
        wait(at_once)
    assert at_once.polls == 6


def test_quick_polls_leave_a_status_a_second_to_follow_the_end(wait: Any) -> None:
    api = Runs(run("running"), run("running", **ENDED), first=0.125, most=0.125)
    with pytest.raises(UnknownTerminalStatus):
        wait(api)
    # The end is seen first by the second poll, and last by the first poll a whole second later.
    assert api.polls == 1 + 9


def test_an_end_that_comes_and_goes_is_no_end(wait: Any) -> None:
    flickering = [*[run("running", **ENDED)] * 5, run("running", terminal_at=None)] * 2
    assert len(wait(Runs(*flickering, run("succeeded", **ENDED)))) == 13


def test_a_run_with_a_documented_status_has_just_ended_however_often_it_said_so(wait: Any) -> None:
    assert len(wait(Runs(*[run("running", **ENDED)] * 5, run("partial", **ENDED)))) == 6


def test_each_change_of_status_is_told_once_also_of_one_that_has_spaces(wait: Any) -> None:
    api = Runs(run("in line"), run("in line"), run("in line 2"), run("succeeded"))
    wait(api)
    assert api.waited[0][2] == ["in line at 0.0 s", "in line 2 at 3.0 s", "succeeded at 7.0 s"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (20, [*range(20)]),
        (21, [*range(10), "1 more", *range(11, 21)]),
        (25, [*range(10), "5 more", *range(15, 25)]),
    ],
)
def test_of_many_changes_the_first_and_the_last_are_told(wait: Any, changes: int, told: list[Any]) -> None:
    api = Runs(*[run(f"step-{number}") for number in range(changes)], deadline=changes - 1.0, most=1.0)
    with pytest.raises(PollTimeout):
        wait(api)
    expected = [one if isinstance(one, str) else f"step-{one} at {one}.0 s" for one in told]
    assert api.waited[0][2] == expected


@pytest.mark.parametrize(
    ("kind", "said"),
    [("import", "an import run"), ("match", "a match run"), ("", "a  run")],
    ids=["a vowel", "a consonant", "no kind"],
)
def test_a_late_run_is_named_with_its_article(wait: Any, kind: str, said: str) -> None:
    with pytest.raises(PollTimeout) as raised:
        wait(Runs(run("queued", kind=kind), deadline=3.0))
    assert raised.value.cause == f"{said} did not end in time"


def test_what_a_server_says_at_length_is_cut(wait: Any) -> None:
    long = "x" * 100_000
    api = Runs(run(long, kind=long), deadline=3.0)
    with pytest.raises(PollTimeout) as raised:
        wait(api, long)
    assert str(raised.value) == (
        f"run {'x' * 80} did not end within 3 s; seen: {'x' * 80} at 0.0 s, and {'x' * 80} still at 3.0 s; "
        f"no other {'x' * 40} run of this process has ended so far"
    )
    assert raised.value.cause == f"a {'x' * 40} run did not end in time"
    assert api.waited == [(f"{'x' * 40} run {'x' * 155}", 3.0, [f"{'x' * 80} at 0.0 s"])]
    with pytest.raises(UnknownTerminalStatus) as ended:
        wait(Runs(run(long, **ENDED)), long)
    assert str(ended.value) == f"run {'x' * 80} ended at 2031-03-10T12:00:00Z and its status is '{'x' * 300}"[:300]
    with pytest.raises(SetupFailed) as odd:
        wait(Runs(run([long])), long)
    assert str(odd.value) == f"run {'x' * 80} has status ['{'x' * 200}"[:200]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("enrich", "an enrich run"), ("import", "an import run"), ("match", "a match run"), ("Xenial", "a Xenial run")],
)
def test_a_cause_reads_as_english(wait: Any, kind: str, told: str) -> None:
    with pytest.raises(PollTimeout) as raised:
        wait(Runs(run("running", kind), deadline=1.0))
    assert raised.value.cause == f"{told} did not end in time"


def test_a_run_without_a_kind_can_be_waited_for(wait: Any) -> None:
    api = Runs(exchange("getRun", 200, {"status": "succeeded"}))
    wait(api)
    assert api.waited[0][0] == "None run r to end"


def test_the_states_of_a_run_are_told_once_each_in_order() -> None:
    polls = [run(one) for one in ("queued", "queued", "running", "queued", "succeeded", "succeeded")]
    assert states(polls) == ["queued", "running", "queued", "succeeded"]
    assert states([]) == []
    assert states([run(None), run(["x"]), run(["x"])]) == [None, ["x"]]


def looking() -> tuple[Any, list[float], Callable[[], int]]:
    """An API whose pauses are kept, and a list that shows what was written only after some looks."""
    slept: list[float] = []
    late: Counter[str] = Counter()
    looks = iter(range(1, 10_000))
    api: Any = SimpleNamespace(transport=SimpleNamespace(sleep=slept.append, late_lists=late))
    return api, slept, lambda: next(looks)


def test_a_list_is_read_again_until_it_shows_what_was_written() -> None:
    api, slept, look = looking()
    assert look_until(api, "listRuns", look, lambda number: number >= 3) == 3
    assert len(slept) == 2
    assert not api.transport.late_lists


def test_a_list_has_five_seconds_and_one_once_it_was_late() -> None:
    api, slept, look = looking()
    for what, seconds in (("listRuns", 5), ("listRuns", 1), ("listRuns", 1), ("listEvents", 5)):
        slept.clear()
        look_until(api, what, look, lambda number: False)
        # A list that lags within its time is never given up early, and no failure costs much more than that time.
        assert seconds <= sum(slept) < seconds + 0.5, what
    assert api.transport.late_lists == {"listRuns": 3, "listEvents": 1}


def test_a_list_is_looked_at_once_more_when_its_time_is_over_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "SHOWN_WITHIN", 0.05 + 0.1)
    api, slept, look = looking()
    assert look_until(api, "listRuns", look, lambda number: False) == 3
    assert slept == [0.05, 0.1]


def test_looks_are_close_together_at_first_and_never_more_than_half_a_second_apart() -> None:
    api, slept, look = looking()
    look_until(api, "listRuns", look, lambda number: number > 7)
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5]


def test_a_list_that_shows_it_at_once_is_read_once() -> None:
    api, slept, look = looking()
    assert look_until(api, "listRuns", look, bool) == 1
    assert slept == []

"""The world: the process that needs a part first builds it, shared through files, or fails once for all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import AnswerLost, Inconclusive, MissingMember, NotPermitted, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.shared_parts import GENERATED_PARTS, NEEDS, PARTS
from meshi_conformance.testing.valid_calls import BUILDERS, Calls

from ..answers import Scripted, exchange, refusal

Builder = Callable[[Given, World], dict[str, Any]]


def created(call: Call) -> Exchange:
    """A server that creates whatever it is asked to."""
    return exchange(call.operation, 201, dict(call.body))


def refused(call: Call) -> Exchange:
    return refusal(call.operation, 500, "INTERNAL")


def world(folder: Path, answer: Callable[[Call], Exchange] = created, worker: str = "w0") -> World:
    return World(Given(Scripted(answer), "run1", worker), folder, PARTS)


def api_of(one: World) -> Scripted:
    api = one._given.api
    assert isinstance(api, Scripted)
    return api


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Builder], None]:
    """Replace how a part of the world is built."""
    return lambda name, builder: monkeypatch.setitem(PARTS, name, builder)


def test_a_part_is_built_when_it_is_first_read_and_once(tmp_path: Path) -> None:
    one = world(tmp_path)
    assert api_of(one).calls == []
    assert one.event.id == one.event.request["event_id"] == one.get("event").id
    assert [call.operation for call in api_of(one).calls] == ["createEvent"]


def test_workers_share_a_part_through_its_file(tmp_path: Path) -> None:
    first, second = world(tmp_path), world(tmp_path, refused, "w1")
    assert first.event.id == second.event.id
    assert api_of(second).calls == []
    assert json.loads((tmp_path / "world-event.json").read_text(encoding="utf-8"))["id"] == first.event.id


def test_threads_that_need_a_part_at_once_build_it_once(tmp_path: Path) -> None:
    workers = [world(tmp_path, worker=f"w{number}") for number in range(3)]
    found: list[str] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.event.id)) for one in workers * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert len(set(found)) == 1
    assert sum(len(api_of(one).calls) for one in workers) == 1


def test_a_part_that_cannot_be_built_is_tried_once_and_is_one_cause_for_all(tmp_path: Path) -> None:
    first, second = world(tmp_path, refused), world(tmp_path, created, "w1")
    causes = []
    for one in (first, first, second):
        with pytest.raises(SetupFailed, match="could not arrange: createEvent") as raised:
            _ = one.event.id
        causes.append(raised.value.cause)
    assert causes == ["createEvent answered 500 INTERNAL"] * 3
    assert len(api_of(first).calls) == 1
    assert api_of(second).calls == []


def test_a_part_that_stands_on_a_broken_one_passes_its_cause_on(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed) as raised:
        _ = world(tmp_path, refused).rematched
    assert raised.value.cause == "createEvent answered 500 INTERNAL"


def test_what_was_not_permitted_stays_not_run(tmp_path: Path, part: Callable[[str, Builder], None]) -> None:
    def forbidden(given: Given, world: World) -> dict[str, Any]:
        raise NotPermitted("it needs writes", "read only")

    part("event", forbidden)
    for worker in ("w0", "w1"):
        with pytest.raises(NotPermitted, match="it needs writes") as raised:
            _ = world(tmp_path, worker=worker).event
        assert raised.value.cause == "read only"


@pytest.mark.parametrize(
    "problem",
    [MissingMember("the answer has no member 'run_id'"), AssertionError(), TypeError("x"), ValueError("x" * 9_000)],
)
def test_an_answer_of_an_odd_shape_is_a_failed_arrangement(
    tmp_path: Path, part: Callable[[str, Builder], None], problem: Exception
) -> None:
    def odd(given: Given, world: World) -> dict[str, Any]:
        raise problem

    part("event", odd)
    with pytest.raises(SetupFailed, match="the world's part 'event' met an answer it cannot read") as raised:
        _ = world(tmp_path).event
    assert raised.value.cause == "set-up of event met a malformed answer"
    assert len(str(raised.value)) <= 400


def test_a_folder_that_takes_no_file_costs_the_sharing_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    one = world(tmp_path / "file")
    assert one.event.id
    assert len(api_of(one).problems) == 1
    assert "could not be shared between workers" in api_of(one).problems[0]


def test_keys_never_reach_the_files(tmp_path: Path) -> None:
    one = world(tmp_path, lambda call: exchange(call.operation, 201, {"echo": "SECRET"}))
    one._given.api.transport.recorder.clean = lambda text: text.replace("SECRET", "$MESHI_KEY")  # type: ignore[method-assign]
    assert one.event.created == {"echo": "$MESHI_KEY"}
    assert "SECRET" not in (tmp_path / "world-event.json").read_text(encoding="utf-8")


def test_a_name_that_is_no_part_is_no_attribute(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        _ = world(tmp_path).evnet


def test_parts_are_built_ahead_and_a_failure_there_is_told_to_readers(tmp_path: Path) -> None:
    one = world(tmp_path, refused)
    one.prefetch(["event", "second"])
    for thread in threading.enumerate():
        if thread.name.startswith("world-"):
            thread.join(timeout=5)
    calls = len(api_of(one).calls)
    assert calls == 2
    with pytest.raises(SetupFailed):
        _ = one.event
    assert len(api_of(one).calls) == calls


def test_generated_parts_and_those_with_needs_are_parts() -> None:
    assert set(GENERATED_PARTS) | set(NEEDS) < set(PARTS)


def calls(folder: Path, answer: Callable[[Call], Exchange] = created, *, read_only: bool = False) -> Calls:
    one = world(folder, answer)
    api_of(one).transport.target.read_only = read_only  # type: ignore[misc]
    return Calls(one._given, one)


def test_there_is_a_valid_call_of_every_operation() -> None:
    assert set(BUILDERS) == set(load().operations)


@pytest.mark.parametrize("operation", ["getAuth", "createEvent", "createRun"])
def test_a_call_that_needs_nothing_is_made_whatever_is_broken(tmp_path: Path, operation: str) -> None:
    assert calls(tmp_path, refused).of(operation).operation == operation


@pytest.mark.parametrize("operation", ["createEvent", "createRun"])
def test_a_write_is_made_anew_each_time(tmp_path: Path, operation: str) -> None:
    made = calls(tmp_path)
    assert made.of(operation).body != made.of(operation).body


@pytest.mark.parametrize("operation", ["getEvent", "getEventContext", "getIdMapping", "updateEventContext"])
def test_a_call_whose_world_is_missing_is_inconclusive_with_the_one_cause(tmp_path: Path, operation: str) -> None:
    with pytest.raises(SetupFailed) as raised:
        calls(tmp_path, refused).of(operation)
    assert raised.value.cause == "createEvent answered 500 INTERNAL"


@pytest.mark.parametrize("operation", ["listEvents", "listRuns", "listReviews"])
def test_a_list_of_the_org_can_be_asked_for_without_a_row_of_ours(tmp_path: Path, operation: str) -> None:
    assert calls(tmp_path, refused).of(operation) == Call(operation)


def test_a_list_of_an_event_is_asked_of_any_event_where_its_rows_are_missing(tmp_path: Path) -> None:
    def no_sessions(call: Call) -> Exchange:
        return refused(call) if call.operation == "createSession" else created(call)

    made = calls(tmp_path, no_sessions)
    assert made.of("listSessions").path == made.of("getEvent").path


def test_a_run_that_may_only_read_makes_no_write(tmp_path: Path) -> None:
    made = calls(
        tmp_path, lambda call: exchange(call.operation, 200, {"items": [], "next_cursor": None}), read_only=True
    )
    for operation in ("createEvent", "importAttendees", "mergeReview"):
        with pytest.raises(NotPermitted):
            made.of(operation)


def test_a_part_whose_creation_lost_its_answer_is_built_once_more(
    tmp_path: Path, part: Callable[[str, Builder], None]
) -> None:
    tries: list[str] = []

    def build(given: Given, world: World) -> dict[str, Any]:
        tries.append(given.name("event"))
        if len(tries) == 1:
            raise AnswerLost("no answer", "transport: createEvent")
        return {"id": tries[-1]}

    part("scratch", build)
    assert world(tmp_path).scratch.id == tries[1]
    assert len(set(tries)) == 2

    def never(given: Given, world: World) -> dict[str, Any]:
        tries.append(given.name("event"))
        raise AnswerLost("no answer", "transport: createEvent")

    part("empty", never)
    with pytest.raises(Inconclusive) as problem:
        world(tmp_path).get("empty")
    assert problem.value.cause == "transport: createEvent"
    assert len(tries) == 4

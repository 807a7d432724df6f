"""Idempotency keys of the four writes that start a run.

A key names one logical write of an org: one operation on one event. Sent again it brings back the run that it
started; used for anything else it is refused. What a key of `POST /runs` means to an event operation, and the
reverse, is an open question that no test here depends on.
"""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.pagination import rows, walk
from meshi_conformance.client.polling import look_until
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls

EVENT_OPERATIONS = ("importAttendees", "createEnrichmentRun", "createMatchRun")
OPERATIONS = (*EVENT_OPERATIONS, "createRun")
AT_ONCE = 8
"""First calls with one key that are sent at the same moment."""
BEHIND = 16
"""Older runs that are looked at behind our own: runs started at the same moment are listed next to it."""
MOST_PAGES = 20

NOT_ACCEPTED: dict[str, dict[str, Any]] = {
    "importAttendees": {"attendees": []},
    "createEnrichmentRun": {"webhook_url": "not a url"},
    "createMatchRun": {"top_n": 0},
    "createRun": {"kind": "conference"},
}
"""Members that make a request be refused."""


def each(operations: tuple[str, ...], *aspects: str) -> pytest.MarkDecorator:
    """One test case for each operation, judging `idempotency.<aspect>.<operation>`."""
    return pytest.mark.parametrize(
        "operation",
        [
            pytest.param(name, marks=requirement(*(f"idempotency.{aspect}.{name}" for aspect in aspects)), id=name)
            for name in operations
        ],
    )


def with_another_body(call: Call, given: Given) -> Call:
    """The same write with everything changed that is neither the key nor the kind of the run."""
    changed: dict[str, dict[str, Any]] = {
        "importAttendees": {"attendees": [given.attendee(), given.attendee()]},
        "createEnrichmentRun": {"webhook_url": "https://example.com/another"},
        "createMatchRun": {"top_n": 7},
        "createRun": {"progress": {"total": 3}, "snapshot_metadata": {"source": "another"}},
    }
    return call.with_body(**changed[call.operation])


def is_first(exchange: Exchange) -> bool:
    """Whether an accepted answer is that of a first call: its flag says so, else its status."""
    flag = exchange.json.get("idempotent_replay")
    return not flag if isinstance(flag, bool) else exchange.status != 200


def runs_with_key(api: Api, given: Given, key: str, run_id: str) -> set[str]:
    """The runs among the newest of the org that were started with a key, ours included."""

    def enough(seen: list[Any]) -> bool:
        places = [place for place, row in enumerate(seen) if row.get("run_id") == run_id]
        return bool(places) and len(seen) - places[0] > BEHIND

    fetch = lambda query: given.require_success(api.list_runs(query=query))  # noqa: E731
    pages = look_until(
        api,
        "listRuns",
        lambda: walk(fetch, {"limit": 100}, until=enough, most_pages=MOST_PAGES),
        lambda pages: run_id in {row.get("run_id") for row in rows(pages)},
    )
    found = {str(row.get("run_id")) for row in rows(pages) if row.get("idempotency_key") == key}
    if run_id not in found:
        raise SetupFailed(f"run {run_id} is not listed under its key", "runs are not listed under their keys")
    return found


@each(
    OPERATIONS,
    *("replay.same_run", "replay.one_run", "replay.other_body"),
    *("flag.first", "flag.replay", "other_key.new_run", "other_key.case"),
)
def test_a_replay_brings_back_the_run_of_the_first_call(
    operation: str, api: Api, calls: Calls, given: Given, judge: Judge
) -> None:
    call = calls.of(operation)
    first = api.send(call)
    run_id = given.run_id(first)
    key = call.body["idempotency_key"]
    # A later run of the same kind, so that the latest one is not the key's; its key differs in the last letter alone.
    other = api.send(call.with_body(idempotency_key=key[:-1] + ("0" if key[-1] != "0" else "1")))
    replay, again = api.send(call), api.send(call)
    changed = api.send(with_another_body(call, given))
    capitals = api.send(call.with_body(idempotency_key=key.upper()))
    with judge(f"idempotency.replay.same_run.{operation}"):
        for one in (replay, again):
            assert one.is_success, f"{one.summary} to the same request again"
            assert one["run_id"] == run_id, f"{one.summary} with run {one['run_id']}, the first call had {run_id}"
        assert again.status == replay.status, f"{again.summary} to the second replay, and {replay.status} to the first"
    with judge(f"idempotency.replay.one_run.{operation}"):
        started = runs_with_key(api, given, key, run_id)
        assert started == {run_id}, f"one key started the runs {sorted(started)}"
    with judge(f"idempotency.replay.other_body.{operation}"):
        assert changed.status == 200, f"{changed.summary} to the same key with another body"
        assert changed["run_id"] == run_id, f"{changed.summary} with run {changed['run_id']}, the key has {run_id}"
    with judge(f"idempotency.flag.first.{operation}"):
        assert first["idempotent_replay"] is False, f"{first.summary} with {first['idempotent_replay']!r}"
    with judge(f"idempotency.flag.replay.{operation}"):
        for one in (replay, again):
            given.require_success(one)
            assert one["idempotent_replay"] is True, f"{one.summary} with {one['idempotent_replay']!r}"
    with judge(f"idempotency.other_key.new_run.{operation}"):
        assert other.is_success, f"{other.summary} to a key that was never used"
        assert other["run_id"] != run_id, f"two keys were answered with one run, {run_id}"
        assert is_first(other), f"{other.summary} as a replay; the key was never used"
    with judge(f"idempotency.other_key.case.{operation}"):
        assert capitals.is_success, f"{capitals.summary} to the key in capitals, which was never used"
        assert capitals["run_id"] != run_id, f"two keys that differ in case were answered with one run, {run_id}"


@each(EVENT_OPERATIONS, "replay.after_end", "replay.current")
def test_a_run_that_has_ended_can_be_replayed(
    operation: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    spent = world.spent
    run = spent.runs[operation]
    replay = api.send(Call(operation, path={"event_id": spent.event_id}, body=run["request"]))
    with judge(f"idempotency.replay.after_end.{operation}"):
        assert replay.status == 200, f"{replay.summary} after its run had ended"
        assert replay["run_id"] == run["run_id"], f"the key had run {run['run_id']}, now it has {replay['run_id']}"
    with judge(f"idempotency.replay.current.{operation}"):
        given.require_success(replay)
        ended = run["polls"][-1]["status"]
        assert replay["status"] == ended, f"{replay.summary} with status {replay['status']!r}; the run {ended}"


@requirement("idempotency.replay.later.createRun")
def test_a_run_outside_event_scope_is_replayed_later(api: Api, world: World) -> None:
    # Whether such a run ends is open. By now it has had as long as the runs of an event.
    run = world.plain_run
    _ = world.spent
    replay = api.create_run(run.request)
    assert replay.status == 200, f"{replay.summary}, some time after the first call"
    assert replay["run_id"] == run.run_id


def conflicting(cause: str) -> pytest.MarkDecorator:
    """One test case for each event operation, judging one cause of the conflict and its error row."""
    return pytest.mark.parametrize(
        "operation",
        [
            pytest.param(
                name,
                marks=requirement(f"idempotency.conflict.{cause}.{name}", f"error.{name}.IDEMPOTENCY_KEY_CONFLICT"),
                id=name,
            )
            for name in EVENT_OPERATIONS
        ],
    )


@conflicting("other_event")
def test_a_key_belongs_to_one_event(operation: str, api: Api, calls: Calls, given: Given, world: World) -> None:
    elsewhere = calls.of(operation)
    used = world.spent.runs[operation]["request"]["idempotency_key"]
    given.require_success(api.send(elsewhere))
    refused = api.send(calls.of(operation).with_body(idempotency_key=used))
    assert refused.status_and_code == (409, "IDEMPOTENCY_KEY_CONFLICT"), (
        f"{refused.summary} to a key that the same operation used for another event"
    )


def on_the_event_of(spent: Any, call: Call) -> Call:
    """The call on the shared event; an import brings along who is there, as it may replace them."""
    call = call.with_path(event_id=spent.event_id)
    rows = spent.runs["importAttendees"]["request"]["attendees"]
    return call.with_body(attendees=rows) if call.operation == "importAttendees" else call


@conflicting("other_operation")
def test_a_key_belongs_to_one_operation(operation: str, api: Api, calls: Calls, given: Given, world: World) -> None:
    spent = world.spent
    given.require_success(api.send(on_the_event_of(spent, calls.of(operation))))
    for other in EVENT_OPERATIONS:
        if other != operation:
            call = on_the_event_of(spent, calls.of(operation))
            refused = api.send(call.with_body(idempotency_key=spent.runs[other]["request"]["idempotency_key"]))
            assert refused.status_and_code == (409, "IDEMPOTENCY_KEY_CONFLICT"), (
                f"{refused.summary} to a key that {other} used for the event"
            )


@each(EVENT_OPERATIONS, "conflict.keeps_first")
def test_a_refused_reuse_leaves_the_key_with_its_first_run(
    operation: str, api: Api, calls: Calls, given: Given, world: World
) -> None:
    first = calls.of(operation)
    run_id = given.run_id(api.send(first))
    elsewhere = on_the_event_of(world.spent, calls.of(operation))
    reused = api.send(elsewhere.with_body(idempotency_key=first.body["idempotency_key"]))
    if reused.is_success:
        raise SetupFailed(f"{reused.summary} to a used key", f"{operation} accepts a key of another event")
    replay = api.send(first)
    assert replay.is_success, f"{replay.summary} after its key was refused elsewhere"
    assert replay["run_id"] == run_id, f"the key had run {run_id}, now it has {replay['run_id']}"


@requirement(*(f"idempotency.per_org.{operation}" for operation in OPERATIONS))
def test_a_key_belongs_to_one_org(api: Api, given: Given, world: World, judge: Judge) -> None:
    other = api.as_key("other")
    event = given.event_request(title="Another org's event")
    given.require_success(other.create_event(event))

    def send(operation: str, body: dict[str, Any]) -> Exchange:
        path = {} if operation == "createRun" else {"event_id": event["event_id"]}
        return other.send(Call(operation, path=path, body=body, key="other"))

    ours = {**world.spent.runs, "createRun": {"request": world.plain_run.request, "run_id": world.plain_run.run_id}}
    for operation, run in ours.items():
        with judge(f"idempotency.per_org.{operation}"):
            # Attendees of their own: whether two orgs can use one attendee ID is not the question.
            rows = {"attendees": [given.attendee()]} if operation == "importAttendees" else {}
            theirs = send(operation, {**run["request"], **rows})
            if not theirs.is_success:
                given.require_success(
                    send(operation, {**run["request"], **rows, "idempotency_key": given.idempotency_key()})
                )
            assert theirs.is_success, f"{theirs.summary} to a key that only our org has used"
            assert theirs["run_id"] != run["run_id"], "another org's key was answered with our run"
            assert is_first(theirs), f"{theirs.summary} as a replay; that org never used the key"


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        pytest.param(
            operation,
            reason,
            marks=requirement(f"idempotency.refused.keeps_key.{operation}"),
            id=f"{operation}-{reason}",
        )
        for operation in OPERATIONS
        for reason in ("body", "event")
        if (operation, reason) != ("createRun", "event")
    ],
)
def test_a_refused_request_does_not_use_up_its_key(
    operation: str, reason: str, api: Api, calls: Calls, given: Given
) -> None:
    call = calls.of(operation)
    wrong = (
        call.with_body(**NOT_ACCEPTED[operation])
        if reason == "body"
        else call.with_path(event_id=given.name("unknown"))
    )
    refused = api.send(wrong)
    if refused.is_success:
        raise SetupFailed(f"{refused.summary}; it should be refused", f"{operation} accepts a wrong {reason}")
    corrected = api.send(call)
    if not corrected.is_success:
        given.require_success(api.send(calls.of(operation)))
    assert corrected.is_success, f"{corrected.summary} to a key that only a refused request had carried"
    assert is_first(corrected), f"{corrected.summary} as a replay of a refused request"


@each(OPERATIONS, "simultaneous.one_run", "simultaneous.one_first")
def test_first_calls_at_the_same_moment_start_one_run(
    operation: str, api: Api, calls: Calls, given: Given, judge: Judge
) -> None:
    # A key may be refused while its first call is worked on, with a code of the server's own.
    call = calls.of(operation).replace(any_code=True)
    answers = api.send_concurrently([call] * AT_ONCE)
    accepted = [answer for answer in answers if answer.is_success]
    refused = [answer for answer in answers if not answer.is_success]
    if not accepted:
        given.require_success(api.send(calls.of(operation)))
    with judge(f"idempotency.simultaneous.one_run.{operation}"):
        assert accepted, f"{refused[0].summary} to each of {AT_ONCE} equal calls at the same moment"
        named = {given.run_id(answer) for answer in accepted}
        assert len(named) == 1, f"{AT_ONCE} equal calls were answered with the runs {sorted(named)}"
        started = runs_with_key(api, given, call.body["idempotency_key"], *named)
        assert started == named, f"{AT_ONCE} equal calls started the runs {sorted(started)}"
    with judge(f"idempotency.simultaneous.one_first.{operation}"):
        assert not refused, f"{refused[0].summary} to one of {AT_ONCE} equal calls at the same moment"
        firsts = [answer for answer in accepted if is_first(answer)]
        assert len(firsts) == 1, f"{len(firsts)} of {AT_ONCE} equal calls were answered as first calls"

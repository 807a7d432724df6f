"""Runs: how they go from the first answer to their end, what they carry, and where they are found.

Most checks read the polls of the runs that the world was prepared with, each from its first answer to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.pagination import rows, walk
from meshi_conformance.client.polling import TERMINAL, look_until, poll_to_end
from meshi_conformance.errors import NothingThere, SetupFailed, UnknownTerminalStatus
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.exchanges.timestamps import after, instant
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.shared_parts import WEBHOOK
from meshi_conformance.testing.valid_calls import Calls

KINDS = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}
"""Kind of run by the event operation that starts it."""

PARTS = {
    "importAttendees": ("people",),
    "createEnrichmentRun": ("enriched",),
    "createMatchRun": ("matched", "rematched"),
}
"""World parts that hold one run of an operation; `spent` holds one of each."""

COUNTERS = ("processed", "enrichment_requested", "review_required", "skipped", "error_count")
"""What the example's progress counts up (canonical-flow, 6). The total is not among them: it may be an estimate."""

MOST_PAGES = 20


@dataclass(frozen=True)
class Run:
    """A run as it was seen: what asked for it, the first answer and every poll, the last one being terminal."""

    event_id: str
    request: dict[str, Any]
    answer: JsonObject
    polls: list[JsonObject]

    @property
    def id(self) -> Any:
        return self.answer["run_id"]

    @property
    def seen(self) -> list[JsonObject]:
        return [self.answer, *self.polls]

    @property
    def end(self) -> JsonObject:
        return self.polls[-1]


def runs_of(operation: str, world: World) -> list[Run]:
    """The prepared runs that an event operation started."""
    found = [vars(world.get(name)) for name in PARTS[operation]]
    spent = world.spent
    found.append({**spent.runs[operation], "event_id": spent.event_id})
    return [
        Run(one["event_id"], one["request"], JsonObject(one["answer"]), [JsonObject(poll) for poll in one["polls"]])
        for one in found
    ]


def counter(run: JsonObject, name: str) -> int | float | None:
    """A number of a run's progress, or None."""
    progress = run.get("progress")
    value = progress.get(name) if isinstance(progress, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def same_moment(one: Any, other: Any) -> bool:
    """Whether two timestamps are the same, as far as the digits that both have can say."""
    return one == other or (instant(one) is not None and not after(one, other) and not after(other, one))


each_kind = pytest.mark.parametrize("operation", list(KINDS))


@requirement("runs.status.forward")
@each_kind
def test_a_run_does_not_go_back_into_the_queue(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        statuses = [seen.get("status") for seen in run.seen]
        for before, now in pairwise(statuses):
            assert now != "queued" or before == "queued", f"run {run.id} was {before!r}, then queued: {statuses}"


@requirement("runs.terminal.documented")
def test_a_run_ends_in_one_of_three_statuses(api: Api, given: Given) -> None:
    started = api.import_attendees(given.event(), given.import_request())
    try:
        end = poll_to_end(api, given.run_id(started))[-1]
    except UnknownTerminalStatus as problem:
        raise AssertionError(str(problem)) from None
    assert end["status"] in TERMINAL


@requirement("runs.terminal.final")
@each_kind
def test_a_terminal_status_never_changes(operation: str, api: Api, given: Given, world: World) -> None:
    for run in runs_of(operation, world):
        for _ in range(2):
            now = given.require_success(api.get_run(run.id))["status"]
            assert now == run.end["status"], f"run {run.id} ended {run.end['status']!r} and is {now!r} now"


@requirement("runs.terminal.frozen")
@each_kind
def test_nothing_of_an_ended_run_changes(operation: str, api: Api, given: Given, world: World) -> None:
    for run in runs_of(operation, world):
        now = given.require_success(api.get_run(run.id)).json
        for member in ("created_at", "started_at", "terminal_at", "progress", "error"):
            then = run.end.get(member)
            assert now.get(member) == then, f"`{member}` of run {run.id} was {then!r} at its end: {now.get(member)!r}"


@requirement("runs.poll.same_run")
@each_kind
def test_a_poll_answers_with_the_run_it_asks_for(operation: str, api: Api, given: Given, world: World) -> None:
    for run in runs_of(operation, world):
        # Once more, now that there are later runs of the same event.
        for poll in (*run.polls, given.require_success(api.get_run(run.id)).json):
            assert poll["run_id"] == run.id, f"a poll of run {run.id} answers with run {poll['run_id']}"


@requirement("runs.kind")
@each_kind
def test_a_run_has_the_kind_of_its_operation(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for seen in run.seen:
            assert seen["kind"] == KINDS[operation], f"{operation} started a run of kind {seen['kind']!r}"


@requirement("runs.event_id")
@each_kind
def test_a_run_carries_the_event_it_was_started_on(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for seen in run.seen:
            assert seen["event_id"] == run.event_id, f"a run of {run.event_id} has event_id {seen['event_id']!r}"


@requirement("runs.idempotency_key")
@each_kind
def test_a_run_carries_its_idempotency_key(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        sent = run.request["idempotency_key"]
        for seen in run.seen:
            assert seen["idempotency_key"] == sent, f"the run of key {sent} has key {seen['idempotency_key']!r}"


@requirement("runs.webhook_url")
@each_kind
def test_a_run_echoes_the_webhook_that_was_sent(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        sent = run.request.get("webhook_url")
        for seen in run.seen if sent else []:
            assert seen["webhook_url"] == sent, f"{sent!r} was sent and {seen['webhook_url']!r} is shown"


@requirement("runs.webhook_url.none")
@each_kind
def test_a_run_without_webhook_shows_null(operation: str, api: Api, given: Given, world: World) -> None:
    seen = [one for run in runs_of(operation, world) if "webhook_url" not in run.request for one in run.seen]
    if not seen:
        seen = [given.require_success(api.import_attendees(world.imports.event_id, given.import_request())).json]
    for one in seen:
        assert one["webhook_url"] is None, f"no webhook was sent and {one['webhook_url']!r} is shown"


@requirement("runs.first_answer.queued")
def test_an_enrichment_starts_in_the_queue(world: World) -> None:
    for run in runs_of("createEnrichmentRun", world):
        assert run.answer["status"] == "queued"


@requirement("runs.error.none")
@each_kind
def test_a_run_without_trouble_has_no_error(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for seen in run.seen:
            if seen.get("status") not in ("partial", "failed"):
                error = seen["error"]
                assert error is None, f"run {run.id} is {seen.get('status')!r} with error {str(error)[:200]}"


@requirement("runs.created_at.stable")
@each_kind
def test_a_run_keeps_its_creation_time(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for poll in run.polls:
            then, now = run.answer.get("created_at"), poll.get("created_at")
            assert same_moment(then, now), f"run {run.id} was created at {then}, a poll says at {now}"


@requirement("runs.times.ordered")
@each_kind
def test_the_times_of_a_run_are_in_order(operation: str, world: World) -> None:
    order = ("created_at", "started_at"), ("created_at", "terminal_at"), ("started_at", "terminal_at")
    for run in runs_of(operation, world):
        for seen in run.seen:
            for first, second in (*order, ("created_at", "updated_at")):
                assert not after(seen.get(first), seen.get(second)), (
                    f"run {run.id}: `{first}` {seen.get(first)} lies after `{second}` {seen.get(second)}"
                )


@requirement("runs.times.follow_status")
@each_kind
def test_the_times_of_a_run_fit_its_status(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for seen in run.seen:
            status, started, ended = (seen.get(name) for name in ("status", "started_at", "terminal_at"))
            if status == "queued":
                assert started is None, f"run {run.id} is queued and started at {started}"
            if status not in TERMINAL:
                assert ended is None, f"run {run.id} is {status!r} and ended at {ended}"
            else:
                assert ended is not None, f"run {run.id} is {status!r} without `terminal_at`"
                # Nothing but a failure can end a run that never started.
                assert started is not None or status == "failed", f"run {run.id} is {status!r} and never started"


@requirement("runs.times.updated")
@each_kind
def test_the_update_time_of_a_run_moves_on(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for before, now in pairwise(seen.get("updated_at") for seen in run.seen):
            assert not after(before, now), f"`updated_at` of run {run.id} went back from {before} to {now}"
        started, updated = run.end.get("started_at"), run.end.get("updated_at")
        assert not after(started, updated), f"run {run.id} started at {started}, ended, and was updated at {updated}"


@requirement("runs.progress.never_shrinks")
@each_kind
def test_what_a_run_has_done_never_shrinks(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for name in COUNTERS:
            counts = [count for seen in run.seen if (count := counter(seen, name)) is not None]
            assert counts == sorted(counts), f"`{name}` of run {run.id} went down: {counts}"


@requirement("runs.progress.within_total")
@each_kind
def test_no_run_processes_more_than_its_total(operation: str, world: World) -> None:
    for run in runs_of(operation, world):
        for seen in run.seen:
            total, processed = counter(seen, "total"), counter(seen, "processed")
            if total and processed is not None:  # a total of 0 may mean that it is not known yet
                assert processed <= total, f"run {run.id} has processed {processed} of {total}"


@requirement("runs.progress.as_sent")
@pytest.mark.parametrize("operation", ["importAttendees", "createEnrichmentRun"])
def test_progress_counts_the_attendees_of_a_run(operation: str, world: World) -> None:
    attendees = {world.people.event_id: len(world.people.ids), world.spent.event_id: len(world.spent.ids)}
    for run in runs_of(operation, world):
        expected, total, processed = attendees[run.event_id], counter(run.end, "total"), counter(run.end, "processed")
        assert total in (None, expected), f"the run was for {expected} attendees and counts a total of {total}"
        if run.end["status"] == "succeeded":
            assert processed in (None, expected), f"the run succeeded with {processed} of {expected} processed"


def numbers(value: Any) -> Iterator[float]:
    """Every number inside a JSON value."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from numbers(member)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@requirement("runs.progress.counters", "runs.progress.counts")
def test_the_progress_of_an_enrichment_counts_something(world: World, judge: Judge) -> None:
    for run in runs_of("createEnrichmentRun", world):
        counts = list(numbers(run.end["progress"]))
        with judge("runs.progress.counters"):
            assert counts, f"the progress of an ended enrichment holds no counter: {run.end['progress']}"
        with judge("runs.progress.counts"):
            assert any(counts), f"an enrichment of attendees has ended and counted nothing: {run.end['progress']}"


@requirement("runs.progress.enrichment")
def test_an_enrichment_counts_what_the_example_counts(world: World) -> None:
    for run in runs_of("createEnrichmentRun", world):
        for name in ("total", *COUNTERS):
            assert counter(run.end, name) is not None, f"the progress has no count `{name}`: {run.end['progress']}"
        assert isinstance(run.end["progress"].get("errors"), list), f"no list `errors`: {run.end['progress']}"


@pytest.mark.parametrize("kind", list(KINDS.values()))
@pytest.mark.parametrize(
    "member",
    [
        pytest.param("kind", marks=requirement("runs.kind")),
        pytest.param("event_id", marks=requirement("runs.event_id.none")),
        pytest.param("idempotency_key", marks=requirement("runs.idempotency_key")),
        pytest.param("webhook_url", marks=requirement("runs.webhook_url")),
        pytest.param("snapshot_metadata", marks=requirement("runs.metadata")),
        pytest.param("version_metadata", marks=requirement("runs.metadata")),
    ],
)
def test_a_run_outside_event_scope_carries_what_was_sent(
    kind: str, member: str, api: Api, given: Given, world: World
) -> None:
    generic = world.generic.runs[kind]
    expected = generic["request"].get(member)  # no event is sent: null
    created = JsonObject(generic["answer"])
    for seen in (created, given.require_success(api.get_run(created["run_id"])).json):
        assert seen[member] == expected, f"`{member}` is {seen[member]!r}; {expected!r} was sent"


@requirement("runs.progress.initial")
def test_a_run_outside_event_scope_begins_with_the_progress_sent(api: Api, given: Given) -> None:
    sent = {"total": 3, "processed": 1}
    created = given.require_success(api.create_run(given.generic_run_request(progress=sent)))
    for name, count in sent.items():
        assert counter(created.json, name) == count, f"{name} {count} was sent, the run has {created['progress']}"


@requirement("runs.webhook_url.none")
def test_a_run_outside_event_scope_without_webhook_shows_null(api: Api, calls: Calls, given: Given) -> None:
    created = given.require_success(api.send(calls.of("createRun")))
    assert created["webhook_url"] is None, f"no webhook was sent and {created['webhook_url']!r} is shown"


def fresh_runs(api: Api, calls: Calls, given: Given) -> Iterator[tuple[Call, str]]:
    """A run of each kind, on an event and outside events, all younger than those of the world."""
    wanted = [calls.of(operation) for operation in KINDS]
    wanted += [Call("createRun", body=given.generic_run_request(kind)) for kind in KINDS.values()]
    for call, answer in zip(wanted, api.send_concurrently(wanted), strict=True):
        yield call, given.run_id(answer)


def newest_runs(api: Api, wanted: set[str], query: dict[str, Any]) -> list[JsonObject]:
    """The newest runs of the org, down to the last of those wanted, or to the end of the list once it may not lag."""
    fetch = lambda asked: api.list_runs(query=asked)  # noqa: E731
    enough = lambda seen: wanted <= {row.get("run_id") for row in seen}  # noqa: E731
    look = lambda: rows(walk(fetch, {"limit": 100, **query}, until=enough, most_pages=MOST_PAGES))  # noqa: E731
    return look_until(api, "listRuns", look, enough)


@requirement("runs.list.holds", "runs.event_id")
def test_every_run_is_listed(api: Api, calls: Calls, given: Given, judge: Judge) -> None:
    started = {run_id: call.path.get("event_id") for call, run_id in fresh_runs(api, calls, given)}
    newest = newest_runs(api, set(started), {})
    listed = {row["run_id"]: row for row in newest if isinstance(row.get("run_id"), str)}
    with judge("runs.list.holds"):
        assert started.keys() <= listed.keys(), f"runs that are not listed: {sorted(started.keys() - listed.keys())}"
    with judge("runs.event_id"):
        for run_id, event_id in started.items():
            # Whether rows show an event at all is only implied.
            row = listed.get(run_id)
            shown = event_id if row is None else row.get("event_id", event_id)
            assert shown == event_id, f"the list shows run {run_id} of event {event_id} with event {shown!r}"


@requirement("runs.list.by_kind")
def test_the_list_of_one_kind_holds_the_runs_of_that_kind(api: Api, calls: Calls, given: Given) -> None:
    kinds: dict[str, set[str]] = {kind: set() for kind in KINDS.values()}
    for call, run_id in fresh_runs(api, calls, given):
        kinds[KINDS.get(call.operation) or call.body["kind"]].add(run_id)
    for kind, ours in kinds.items():
        found = newest_runs(api, ours, {"kind": kind})
        listed = {row.get("run_id") for row in found}
        assert ours <= listed, f"{kind} runs that are not listed as such: {sorted(ours - listed)}"
        strange = set().union(*(kinds[other] for other in kinds if other != kind)) & listed
        strange |= {str(row.get("run_id")) for row in found if row.get("kind", kind) != kind}
        assert not strange, f"runs of another kind among the {kind} runs: {sorted(strange)}"


@requirement("runs.list.same_run", "runs.event_id.none")
def test_a_listed_run_is_the_run_that_is_polled(api: Api, given: Given, judge: Judge) -> None:
    run_id = given.run_id(api.create_run(given.generic_run_request("match", webhook_url=WEBHOOK)))
    row = next((one for one in newest_runs(api, {run_id}, {}) if one.get("run_id") == run_id), None)
    if row is None:
        raise SetupFailed(f"run {run_id} is not listed", "runs are not listed")
    polled = given.require_success(api.get_run(run_id)).json
    with judge("runs.event_id.none"):
        # Whether rows show an event at all is only implied.
        event_id = row.get("event_id")
        assert event_id is None, f"the list shows event {event_id!r} for a run outside event scope"
    with judge("runs.list.same_run"):
        for member in ("kind", "event_id", "idempotency_key", "webhook_url", "created_at"):
            listed, shown = row.get(member), polled.get(member)
            same = same_moment(listed, shown) if member == "created_at" else listed == shown
            assert same, f"`{member}` is {listed!r} in the list and {shown!r} in the poll"


URLS = ("https://example.com", "https://Example.com:443/Hook/", "https://example.com/a%20b?x=1&y=#part")
"""URLs that a library may write its own way."""


@requirement("runs.webhook_url.verbatim")
def test_a_webhook_is_echoed_as_it_was_written(api: Api, given: Given) -> None:
    echoed = []
    for url in URLS:
        answer = api.create_run(given.generic_run_request(webhook_url=url))
        # Which URLs a server takes for good is open.
        if answer.is_success:
            echoed.append(url)
            for shown in (answer, given.require_success(api.get_run(given.run_id(answer)))):
                assert shown["webhook_url"] == url, f"{url!r} was sent, {shown['webhook_url']!r} is shown"
    if not echoed:
        raise NothingThere(f"none of {URLS} is accepted", "webhooks are refused for their form")

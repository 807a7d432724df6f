"""Sequences: what an exchange shows in the light of those before it; nothing is said without its beginning."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .hars import created, entry, event, refused, write
from .test_recordings import failed, held, judged

Entry = dict[str, Any]

RUN: Entry = {
    "run_id": "run_1",
    "kind": "import",
    "status": "queued",
    "event_id": "summit-2026",
    "idempotency_key": "key-1",
    "progress": {},
    "error": None,
    "snapshot_metadata": {},
    "version_metadata": {},
    "webhook_url": None,
    "created_at": "2026-09-10T10:00:01Z",
    "updated_at": "2026-09-10T10:00:01Z",
    "started_at": None,
    "terminal_at": None,
}
DONE: Entry = {
    **RUN,
    "status": "succeeded",
    "progress": {"total": 1, "processed": 1},
    "started_at": "2026-09-10T10:00:02Z",
    "updated_at": "2026-09-10T10:00:03Z",
    "terminal_at": "2026-09-10T10:00:03Z",
}
IMPORT: Entry = {"idempotency_key": "key-1", "attendees": [{"attendee_id": "att-1", "name": "Jordan Lee"}]}
PLACE = "/events/summit-2026"
CONTEXT = f"{PLACE}/context"
MAPPED: Entry = {"kind": "event", "partner_id": "summit-2026", "mapped": True}


def new_event(at: float, id: str = "summit-2026", **members: Any) -> Entry:
    request = event(id, **members)
    return entry("createEvent", 201, created(request), request=request, at=at)


def read(at: float, id: str = "summit-2026", **shown: Any) -> Entry:
    return entry("getEvent", 200, {**created(event(id)), **shown}, path=f"/events/{id}", at=at)


def start(at: float, answered: int = 202, request: Entry = IMPORT, place: str = PLACE, **shown: Any) -> Entry:
    run = {**RUN, **{"idempotent_replay": answered == 200, **shown}}
    return entry("importAttendees", answered, run, request=request, path=f"{place}/attendees:import", at=at)


def poll(at: float, run: Entry = RUN, **shown: Any) -> Entry:
    return entry("getRun", 200, {**run, **shown}, path=f"/runs/{run['run_id']}", at=at)


def page(operation: str, path: str, at: float, rows: Sequence[Entry], cursor: Any = None, **members: Any) -> Entry:
    return entry(operation, 200, {"items": list(rows), "next_cursor": cursor, **members}, path=path, at=at)


def events(*numbers: int) -> list[Entry]:
    return [
        created(event(f"e-{number}"), created_at=f"2026-09-10T10:00:{number:02d}Z", updated_at="2026-09-10T11:00:00Z")
        for number in numbers
    ]


def found(folder: Path, *entries: Entry, options: tuple[str, ...] = ()) -> list[str]:
    return failed(judged(folder, write(folder, *entries), options=options)[1])


GOOD = [
    new_event(0),
    read(1),
    start(2),
    poll(3),
    start(4, 200),
    poll(5, DONE),
    poll(6, DONE),
    start(7, 200, **DONE),
    page("listEvents", "/events?limit=2", 8, events(9, 8), "two"),
    page("listEvents", "/events?limit=2&cursor=two", 9, events(7), None),
    page("listRuns", "/runs?kind=import", 10, [DONE]),
]

BROKEN: dict[str, tuple[list[Entry], list[str]]] = {
    "an event is gone": (
        [new_event(0), refused("getEvent", 404, "EVENT_NOT_FOUND", path=PLACE, at=1)],
        ["acknowledged.event"],
    ),
    "an event that was read is gone": (
        [new_event(0), read(1), refused("getEvent", 404, "EVENT_NOT_FOUND", path=PLACE, at=2)],
        ["generated.model.events"],
    ),
    "an event whose ID ends like a file is not found": (
        [new_event(0, "a.json"), refused("getEvent", 404, "EVENT_NOT_FOUND", path="/events/a.json", at=1)],
        ["ids.suffix.events"],
    ),
    "an event loses its zeros": (
        [new_event(0, "07"), read(1, "07", event_id="7")],
        ["ids.number_like.events"],
    ),
    "tags are taken out of a title": (
        [new_event(0, title="<b>Summit</b>"), read(1, title="Summit")],
        ["texts.markup.event"],
    ),
    "a refused creation changes an event": (
        [
            new_event(0),
            refused("createEvent", 409, "PARTNER_ID_CONFLICT", request=event(title="Other"), path="/events", at=1),
            read(2, title="Other"),
        ],
        ["events.conflict.unchanged"],
    ),
    "an event is mapped before it is created": (
        [
            entry("getIdMapping", 200, MAPPED, path="/id-map/event/summit-2026", at=0),
            new_event(1),
        ],
        ["id_map.event.unmapped"],
    ),
    "an update of one field alone is refused": (
        [
            new_event(0),
            refused("updateEventContext", 400, "INVALID_CONTEXT", request={"objectives": "Meet."}, path=CONTEXT, at=1),
        ],
        ["context.alone.objectives"],
    ),
    "a code comes with another status": (
        [refused("createEvent", 422, "INVALID_TITLE", request=event(title=""), path="/events", at=0)],
        ["codes.createEvent", "error.createEvent.INVALID_TITLE"],
    ),
    "an event is read otherwise": ([new_event(0), read(1, title="ANNUAL")], ["events.read_back.title"]),
    "an event is listed otherwise": (
        [new_event(0), page("listEvents", "/events", 1, [{**created(event()), "title": "Annual"}])],
        ["events.listed.details"],
    ),
    "an event is created twice": ([new_event(0), new_event(1)], ["error.createEvent.PARTNER_ID_CONFLICT"]),
    "an event is not mapped": (
        [
            new_event(0),
            refused("getIdMapping", 404, "PARTNER_ID_NOT_FOUND", path="/id-map/event/summit-2026", at=1),
        ],
        ["acknowledged.event", "id_map.event.mapped"],
    ),
    "a run goes back": (
        [poll(1, status="running", started_at="2026-09-10T10:00:02Z"), poll(2)],
        ["runs.status.forward"],
    ),
    "a run ends twice": ([poll(1, DONE), poll(2, DONE, status="failed")], ["runs.terminal.final"]),
    "a run that ended changes": (
        [poll(1, DONE), poll(2, DONE, terminal_at="2026-09-10T10:00:04Z")],
        ["runs.terminal.frozen"],
    ),
    "another run answers a poll": (
        [entry("getRun", 200, RUN, path="/runs/run_2", at=1)],
        ["runs.poll.same_run"],
    ),
    "a run is gone": (
        [start(1), refused("getRun", 404, "RUN_NOT_FOUND", path="/runs/run_1", at=2)],
        ["acknowledged.run"],
    ),
    "a run has another key": ([start(1), poll(2, idempotency_key="key-2")], ["runs.idempotency_key"]),
    "a replay starts a run": (
        [start(1), start(2, 200, run_id="run_2")],
        ["idempotency.replay.same_run.importAttendees"],
    ),
    "a replay is refused": (
        [
            new_event(0),
            start(1),
            refused("importAttendees", 404, "EVENT_NOT_FOUND", request=IMPORT, path=f"{PLACE}/attendees:import", at=2),
        ],
        ["generated.model.events", "idempotency.replay.same_run.importAttendees"],
    ),
    "a key is taken for another event": (
        [start(1), start(2, run_id="run_2", place="/events/other", event_id="other")],
        ["error.importAttendees.IDEMPOTENCY_KEY_CONFLICT", "idempotency.conflict.other_event.importAttendees"],
    ),
    "two keys start one run": (
        [start(1), start(2, request={**IMPORT, "idempotency_key": "key-2"}, idempotency_key="key-2")],
        ["idempotency.other_key.new_run.importAttendees"],
    ),
    "a first call is flagged as a replay": (
        [start(1, idempotent_replay=True)],
        ["idempotency.flag.first.importAttendees", "schema.importAttendees.202"],
    ),
    "a page is out of order": ([page("listEvents", "/events", 1, events(1, 2))], ["lists.events.order"]),
    "pages are out of order": (
        [
            page("listEvents", "/events", 1, events(7, 5), "x"),
            page("listEvents", "/events?cursor=x", 2, events(6)),
        ],
        ["lists.events.order"],
    ),
    "a page is too long": ([page("listEvents", "/events?limit=1", 1, events(2, 1))], ["lists.events.page_size"]),
    "a page repeats a row": ([page("listEvents", "/events", 1, events(2, 2))], ["lists.events.complete"]),
    "a walk repeats a row": (
        [
            page("listEvents", "/events?limit=2", 1, events(3, 2), "x"),
            page("listEvents", "/events?limit=2&cursor=x", 2, events(2, 1)),
        ],
        ["lists.events.stable"],
    ),
    "a walk loses a row": (
        [
            page("listEvents", "/events", 1, events(3, 2, 1)),
            page("listEvents", "/events?limit=2", 2, events(3), "x"),
            page("listEvents", "/events?limit=2&cursor=x", 3, events(1)),
        ],
        ["lists.events.full_page", "lists.events.stable"],
    ),
    "a walk runs in a circle": (
        [
            page("listEvents", "/events?limit=2", 1, events(3, 2), "x"),
            page("listEvents", "/events?limit=2&cursor=x", 2, events(3, 2), "x"),
        ],
        ["lists.events.stable"],  # as many events may have been added meanwhile
    ),
    "a walk meets a later row": (
        [
            page("listEvents", "/events", 1, events(5), "x"),
            page("listEvents", "/events?cursor=x", 2, events(6)),
        ],
        ["lists.events.stable"],
    ),
    "a filter is forgotten": (
        [page("listRuns", "/runs?kind=match", 1, [RUN])],
        ["lists.runs.kind_filter", "runs.list.by_kind"],
    ),
}


def test_good_traffic_breaks_nothing(tmp_path: Path) -> None:
    code, document = judged(tmp_path, write(tmp_path, *GOOD))
    assert (code, failed(document)) == (0, [])
    for name in (
        *("generated.model.events", "events.read_back.title", "idempotency.replay.same_run.importAttendees"),
        *("runs.terminal.final", "runs.idempotency_key", "lists.events.order", "lists.events.end", "runs.list.by_kind"),
        *("idempotency.replay.after_end.importAttendees", "idempotency.flag.first.importAttendees"),
    ):
        assert held(document).get(name), name


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sequence_is_found(name: str, tmp_path: Path) -> None:
    entries, expected = BROKEN[name]
    assert sorted(found(tmp_path, *entries)) == sorted(expected)


@pytest.mark.parametrize("name", BROKEN)
def test_the_order_of_the_entries_does_not_matter(name: str, tmp_path: Path) -> None:
    entries, expected = BROKEN[name]
    assert sorted(found(tmp_path, *reversed(entries))) == sorted(expected)


def test_good_traffic_with_any_entries_missing_breaks_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    for _ in range(25):
        kept = [one for one in GOOD if chance.random() < 0.6]
        chance.shuffle(kept)
        if kept:
            assert found(tmp_path, *kept) == []


@pytest.mark.parametrize("name", ["an event is gone", "a run ends twice", "a key is taken for another event"])
def test_other_orgs_have_rows_of_their_own(name: str, tmp_path: Path) -> None:
    first, second = BROKEN[name][0][-2:]
    headers = [row for row in second["request"]["headers"] if row["name"] != "Authorization"]
    headers.append({"name": "Authorization", "value": "Bearer another"})
    second = {**second, "request": {**second["request"], "headers": headers}}
    assert found(tmp_path, first, second) == []


def test_keys_of_one_org_are_known_by_what_auth_answers(tmp_path: Path) -> None:
    org: Entry = {"org_id": "org_1", "principal_type": "service_account", "service_account_user_id": "u"}
    org |= {"scopes": ["partner:read", "partner:write"]}
    gone = refused("getEvent", 404, "EVENT_NOT_FOUND", path=PLACE, at=3, key="two")
    entries = [entry("getAuth", 200, org, at=0), entry("getAuth", 200, org, at=1, key="two"), new_event(2), gone]
    assert found(tmp_path, *entries) == ["acknowledged.event"]


def test_calls_at_the_same_time_are_not_put_in_order(tmp_path: Path) -> None:
    slow = new_event(0)
    slow["time"] = 5000
    assert found(tmp_path, slow, refused("getEvent", 404, "EVENT_NOT_FOUND", path=PLACE, at=1)) == []


def test_clocks_of_two_recorders_are_compared_with_care(tmp_path: Path) -> None:
    gone = [refused("getEvent", 404, "EVENT_NOT_FOUND", path=PLACE, at=at) for at in (2, 9)]
    first = write(tmp_path, new_event(0))
    near, far = (write(tmp_path, one, name=f"{number}.har") for number, one in enumerate(gone))
    assert failed(judged(tmp_path, first, near)[1]) == []
    assert failed(judged(tmp_path, first, far)[1]) == ["acknowledged.event"]


def context(at: float, text: str) -> list[Entry]:
    answer = {"event_id": "summit-2026", "context": {"objectives": text}}
    return [entry("updateEventContext", 200, answer, request={"objectives": text}, path=f"{PLACE}/context", at=at)]


def context_read(at: float, text: str | None) -> Entry:
    answer = {"event_id": "summit-2026", "context": {"objectives": text}}
    return entry("getEventContext", 200, answer, path=f"{PLACE}/context", at=at)


def test_a_context_is_judged_where_every_write_was_seen(tmp_path: Path) -> None:
    entries = [new_event(0), *context(1, "Meet."), *context(2, "Meet people."), context_read(3, "Meet.")]
    names = {name for name in found(tmp_path, *entries, options=("--complete",)) if name.startswith("context.")}
    assert names == {"context.read_back.objectives", "context.replaced"}
    assert not [name for name in found(tmp_path, *entries) if name.startswith("context.")]


def test_a_write_without_an_answer_ends_what_is_known(tmp_path: Path) -> None:
    lost = context(2.5, "Meet everybody.")[0]
    lost["response"] = {"status": 0, "headers": [], "content": {}}
    entries = [new_event(0), *context(1, "Meet."), lost, context_read(3, "Meet everybody.")]
    names = {name for name in found(tmp_path, *entries, options=("--complete",)) if name.startswith("context.")}
    assert names == set()


@pytest.mark.parametrize("name", ["a walk runs in a circle", "a walk meets a later row"])
def test_a_list_that_nobody_changes_is_ordered_and_ends(name: str, tmp_path: Path) -> None:
    entries, _ = BROKEN[name]
    wanted = {"lists.events.order"} | ({"lists.events.end"} if "circle" in name else set())
    assert wanted <= set(found(tmp_path, *entries, options=("--complete",)))


def test_one_key_for_two_kinds_of_run_is_open(tmp_path: Path) -> None:
    first = {"kind": "import", "idempotency_key": "key-1"}
    made = {**RUN, "kind": "import", "event_id": None, "idempotency_key": "key-1", "status": "queued"}
    made["idempotent_replay"] = False
    entries = [
        entry("createRun", 201, made, request=first, at=1),
        refused("createRun", 409, "IDEMPOTENCY_KEY_CONFLICT", request={**first, "kind": "match"}, at=2),
    ]
    assert found(tmp_path, *entries) == []

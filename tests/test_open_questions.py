"""Calls to which several answers are right: what a server chose is observed, and that it answers well is judged.

Where the pages leave a place open, no requirement says what happens. What holds anyway is that the server answers
without a 5xx, and refuses with the error envelope. meshi_conformance/behaviours/ reads from these exchanges which
choice a target made; requirements/open_questions/ has the questions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import Inconclusive
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World

OPERATIONS = load().operations
JSON = {"Content-Type": "application/json"}
ASTRAL = "\U0001f600"
LEVELS = 24

Probe = Callable[[Api, Given, World], list[Exchange]]
"""Sends the calls of one probe; the exchanges of its operation are judged."""


def send(
    api: Api, operation: str, body: Any, path: Mapping[str, str] | None = None, headers: Mapping[str, str] = JSON
) -> Exchange:
    """Send a body as it is: whether and with which code it is refused is not judged here."""
    said = OPERATIONS[operation]
    place = said.path
    for name, value in (path or {}).items():
        place = place.replace("{" + name + "}", quote(value, safe=":"))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.request(said.method, place, content=content, headers=dict(headers), idempotent=False)


def read(api: Api, place: str) -> Exchange:
    return api.request("GET", place)


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else "end"


def events(api: Api, given: Given, world: World) -> list[Exchange]:
    """Events with one unusual value each."""

    def event(**members: Any) -> dict[str, Any]:
        return {**given.event_request(), **members}

    # A server that takes these would have to show them: the ID is used, so nothing is created.
    used = {"event_id": world.event.id}
    bodies: list[Any] = [
        b'["conf"]',
        event(description=None),
        event(description=""),
        event(title="   "),
        event(title=" Conformance Summit "),
        event(conf_unknown=1),
        event(title=ASTRAL * 50),
        event(title=ASTRAL * 200),
        event(**used, title=7),
        event(**used, start_date="2031-02-30"),
        event(**used, start_date="20310310"),
        event(**used, start_date="not a date"),
    ]
    unlabelled = send(api, "createEvent", event(), headers={})
    return [unlabelled, *(send(api, "createEvent", body) for body in bodies)]


def sessions(api: Api, given: Given, world: World) -> list[Exchange]:
    """Sessions without times, after their event, with the end first, and with long titles."""
    path = {"event_id": given.event(title="Open Conformance Summit")}
    after = {"start_timestamp": "2032-03-10T09:00:00Z", "end_timestamp": "2032-03-10T10:00:00Z"}
    turned = {"start_timestamp": "2031-03-10T10:00:00Z", "end_timestamp": "2031-03-10T09:00:00Z"}
    requests = [
        given.session_request(start_timestamp=None, end_timestamp=None),
        given.session_request(**after),
        given.session_request(**turned),
        given.session_request(title="x" * 150),
        given.session_request(title="x" * 201),
    ]
    return [send(api, "createSession", request, path) for request in requests]


def context(api: Api, given: Given, world: World) -> list[Exchange]:
    """No field, for an event that does not exist."""
    return [send(api, "updateEventContext", {}, {"event_id": given.name("nowhere")})]


def email(length: int) -> str:
    """An address with a local part and labels of the length that RFC 5321 allows."""
    labels = ["x" * 60 for _ in range(3)]
    domain = ".".join([*labels, "com"])
    local = "x" * 64
    return f"{local}@{'x' * (length - len(local) - len(domain) - 2)}.{domain}"


def imports(api: Api, given: Given, world: World) -> list[Exchange]:
    """Rows whose e-mail is long, and whose profile is not one of LinkedIn."""
    path = {"event_id": world.imports.event_id}
    rows = [given.attendee(email=email(300)), given.attendee(linkedin_url="https://example.com/conf")]
    return [send(api, "importAttendees", given.import_request([row]), path) for row in rows]


def attendees(api: Api, given: Given, world: World) -> list[Exchange]:
    """An attendee that a later import shortens, IDs in two cases, and an attendee of two events."""
    first, second = given.event(title="Open Conformance Summit"), given.event(title="Open Conformance Summit")
    base = given.name("open")
    rows = [given.attendee(attendee_id=f"{base}-{letter}") for letter in ("a", "B")]
    given.import_and_wait(first, rows)
    shorter = [{name: value for name, value in rows[0].items() if name not in ("title", "company")}, rows[1]]
    given.import_and_wait(first, shorter)
    api.list_attendees(first)
    again = send(
        api,
        "importAttendees",
        given.import_request([{**rows[1], "name": "Another Conny"}]),
        {"event_id": second},
    )
    if again.is_success:
        given.finished_run(again)
        api.list_attendees(first)
    return [again]


def run_keys(api: Api, given: Given, world: World) -> list[Exchange]:
    """Keys of `POST /runs` that are long, unusual, used for another kind, and used on an event."""
    used = world.spent.runs["createMatchRun"]["request"]["idempotency_key"]
    request = given.generic_run_request("import")
    requests = [
        given.generic_run_request(idempotency_key=given.idempotency_key().ljust(200, "x")),
        given.generic_run_request(idempotency_key=f"conf ä {given.idempotency_key()}"),
        request,
        {**request, "kind": "match"},
        given.generic_run_request("match", idempotency_key=used),
    ]
    return [send(api, "createRun", one) for one in requests]


def run_values(api: Api, given: Given, world: World) -> list[Exchange]:
    """A kind in capitals, an object of many levels, and progress in words."""
    requests = [
        given.generic_run_request("Import"),
        given.generic_run_request(snapshot_metadata=nested(LEVELS)),
        given.generic_run_request(progress={"conf": "in words"}),
    ]
    return [send(api, "createRun", one) for one in requests]


def queries(api: Api, given: Given, world: World) -> list[Exchange]:
    """A parameter that is sent twice, one that no page names, and a cursor without its filter, twice."""
    for kind in ("match", "match", "match", "import", "match"):
        given.run_id(api.create_run(given.generic_run_request(kind)))
    asked = [read(api, "/runs?limit=2&limit=3"), read(api, "/runs?conf_unknown=1")]
    first = given.page(Call("listRuns", query={"kind": "match", "limit": 1}))
    if first.next_cursor is not None:
        cursor = quote(str(first.next_cursor), safe="")
        asked += [read(api, f"/runs?limit=8&cursor={cursor}") for _ in range(2)]
    return asked


def same_cursor(api: Api, given: Given, world: World) -> list[Exchange]:
    """One page of attendees, asked for twice, and two more pages behind one with another limit."""
    attendees = f"/events/{world.crowd.event_id}/attendees"
    asked = []
    for limit, others in ((2, (2, 2)), (3, (5, 5))):
        page = given.page(Call("listAttendees", path={"event_id": world.crowd.event_id}, query={"limit": limit}))
        for other in others:
            if page.next_cursor is None:
                break
            answer = read(api, f"{attendees}?cursor={quote(str(page.next_cursor), safe='')}&limit={other}")
            asked.append(answer)
            if other != limit and answer.is_success:
                page = answer
    return asked


def matches(api: Api, given: Given, world: World) -> list[Exchange]:
    """A goal that no attendee has, a malformed run, and a run that has hardly begun."""
    matched = world.matched
    place = f"/events/{matched.event_id}/matches"
    asked = [read(api, f"{place}?goal=conf-nobody"), read(api, f"{place}?run_id=-conf%20malformed-")]
    session = world.sessions
    if session.event_id == matched.event_id:
        asked.append(read(api, f"{place}?session_id={session.ids[0]}"))
    return asked


def match_runs(api: Api, given: Given, world: World) -> list[Exchange]:
    """A match list that is read while its run is under way, and one that is walked while a later run ends."""
    event_id = given.event(title="Open Conformance Summit")
    given.import_and_wait(event_id, [given.attendee() for _ in range(3)])
    request = given.run_request()
    run = api.create_match_run(event_id, request)
    run_id = given.run_id(run)
    place = f"/events/{event_id}/matches"
    asked = [read(api, f"{place}?run_id={quote(run_id, safe='')}")]
    given.finished_run(run)
    first = given.page(Call("listEventMatches", path={"event_id": event_id}, query={"limit": 1}))
    if first.next_cursor is not None:
        given.match_and_wait(event_id)
        asked.append(read(api, f"{place}?limit=1&cursor={quote(str(first.next_cursor), safe='')}"))
    send(api, "createMatchRun", {**request, "top_n": 0}, {"event_id": event_id})
    return asked


def kinds(api: Api, given: Given, world: World) -> list[Exchange]:
    """A kind that is well formed and that no page names."""
    return [read(api, f"/id-map/conference/{world.event.id}")]


def decisions(api: Api, given: Given, world: World) -> list[Exchange]:
    """Reasons that are unusual, for a review that does not exist."""
    path = {"review_id": given.unknown_id_like(world.refusals.reviews[0])}
    reasons: list[Any] = [{"conf": "no text"}, None, "x" * 5000]
    return [send(api, "resolveReview", {"decision": "distinct", "reason": one}, path) for one in reasons]


def look_alikes(api: Api, given: Given, world: World) -> list[Exchange]:
    """What becomes of look-alikes, of one whose review is accepted, and of one that is merged."""
    event_id = given.event(title="Open Conformance Summit")
    pairs = [given.look_alikes() for _ in range(2)]
    given.import_and_wait(event_id, [row for pair in pairs for row in pair])
    given.enrich_and_wait(event_id)
    try:
        reviews = given.open_reviews(event_id)
    except Inconclusive:
        reviews = []  # nothing forces one to appear
    api.list_attendees(event_id)
    asked = []
    if reviews:
        decision = {"decision": "accept", "reason": "Checked."}
        asked += [api.resolve_review(reviews[0], decision) for _ in range(2)]
        api.list_attendees(event_id)
    for review in reviews[1:2]:
        merge_one(api, review, [[row["attendee_id"] for row in pair] for pair in pairs])
    return asked


def merge_one(api: Api, review: str, pairs: list[list[str]]) -> None:
    """Merge the pair that a review is about, and look for the attendee that was given up."""
    for one, other in pairs:
        for source, target in ((one, other), (other, one)):
            body = {"source_kind": "attendee", "source_partner_id": source, "reason": "Checked."}
            target_body = {"target_kind": "attendee", "target_partner_id": target}
            if api.merge_review(review, {**body, **target_body}).is_success:
                api.get_id_mapping("attendee", source)
                return


def no_key(api: Api, given: Given, world: World) -> list[Exchange]:
    """An unknown path without a key."""
    return [api.request("GET", "/conf-nothing", key=None)]


PROBES: dict[str, tuple[str, Probe]] = {
    "events": ("createEvent", events),
    "sessions": ("createSession", sessions),
    "context": ("updateEventContext", context),
    "imports": ("importAttendees", imports),
    "attendees": ("importAttendees", attendees),
    "run_keys": ("createRun", run_keys),
    "run_values": ("createRun", run_values),
    "queries": ("listRuns", queries),
    "same_cursor": ("listAttendees", same_cursor),
    "matches": ("listEventMatches", matches),
    "match_runs": ("listEventMatches", match_runs),
    "kinds": ("getIdMapping", kinds),
    "decisions": ("resolveReview", decisions),
    "look_alikes": ("resolveReview", look_alikes),
}
"""By name: the operation that the probe is about, and what sends it."""


def assert_answered(exchange: Exchange) -> None:
    assert exchange.status < 500, exchange.summary
    if not exchange.is_success:
        assert isinstance(exchange["code"], str), f"{exchange.summary} without the error envelope"
        assert isinstance(exchange["message"], str), f"{exchange.summary} without a message"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=requirement(f"server_errors.{operation}", f"envelope.{operation}"), id=name.replace("_", "-")
        )
        for name, (operation, _) in PROBES.items()
    ],
)
def test_what_is_left_open_is_answered_well(name: str, api: Api, given: Given, world: World) -> None:
    for exchange in PROBES[name][1](api, given, world):
        assert_answered(exchange)


@requirement("routes.unknown.envelope")
def test_an_unknown_path_without_a_key_is_refused_well(api: Api, given: Given, world: World) -> None:
    for exchange in no_key(api, given, world):
        assert not exchange.is_success, exchange.summary
        assert_answered(exchange)

"""Every documented bound from both sides: at the bound accepted, past it refused with the field's code.

The bounds come from openapi/ and schemas/; this module says which values lie at a bound and which past it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.contract.contract import load
from meshi_conformance.contract.operations import Limit, describe_bounds
from meshi_conformance.errors import SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.shared_parts import LONGEST_ID, longest_id
from meshi_conformance.testing.valid_calls import Calls

CONTRACT = load()
LIMITS = [limit for limit in CONTRACT.limits() if describe_bounds(limit.schema)]

REVIEW_WRITES = ("resolveReview", "mergeReview")
"""Their success uses up a review, so the accepted side is judged by what they are not refused for."""

LONGEST_KIND = 64

SPOILT_ROW = ("INVALID_ATTENDEE", "INVALID_ATTENDEES")
"""What a row without an attendee ID may be called besides a malformed ID: which of the codes it earns is open."""

KNOWN_KINDS = ["event", "session", "attendee"]
"""The kinds that the pages name; whether another one is well formed or unknown is the server's to say."""

BAD_FIRST = tuple(mark + "conf" for mark in "-._:")
BAD_INSIDE = ("conf id", "conf+id", "conf@id", "conf\u00e9", "\u00e9conf", "conf\u0663")
"""Values that the ID pattern rules out: letters and digits of other scripts are not among its own."""

NO_TEXT: Any = {"conf": "no text"}
MISSING: Any = object()
"""The marker of a member that is left out."""


def non_ascii(length: int) -> str:
    """Text that is longer in bytes than in characters; every character counts as one in UTF-16 as well."""
    return ("Ein Gespräch über 会議 – " * (length // 20 + 1))[: length - 1] + "é"


# Text of a form that servers may insist on; which forms they accept beyond the length is their choice.


def time_zone(length: int) -> str:
    return "Conference/Hall".ljust(length, "x")


def visibility(length: int) -> str:
    return "invited".ljust(length, "x")


def slug(length: int) -> str:
    return f"conf-{uuid.uuid4().hex[:8]}-x".ljust(length, "x")


LOCAL_PART, LABEL = 64, 63
"""Characters of the longest local part and of the longest label of a domain (RFC 5321, RFC 1035)."""


def email(length: int) -> str:
    """An address whose local part and labels are as long as they may be; the last but one label takes the rest."""
    local = f"conf-{uuid.uuid4().hex[:8]}".ljust(LOCAL_PART, "x")
    labels = []
    room = length - len(local) - len("@.com")
    while room > LABEL:
        # At least one letter is left for the label after it.
        labels.append("x" * min(LABEL, room - 2))
        room -= len(labels[-1]) + 1
    return f"{local}@{'.'.join([*labels, 'x' * room])}.com"


def linkedin_url(length: int) -> str:
    """A profile of ordinary length; its query makes the rest."""
    return f"https://www.linkedin.com/in/conf-{uuid.uuid4().hex[:8]}?trk=".ljust(length, "x")


@dataclass(frozen=True)
class Form:
    """Text of a form that servers may insist on: how to make it in a given length.

    `most` is the longest that every common validator takes, where that is less than the documented bound; `usual` is
    a length at which the form alone decides, and with it the same rules for the parts of a value.
    """

    text: Callable[[int], str]
    usual: int
    most: int | None = None


FORMS: dict[str, Form] = {
    "timezone": Form(time_zone, 64),
    "visibility": Form(visibility, 16),
    "url_slug": Form(slug, 32),
    # The longest path of RFC 5321 has 256 characters, two of them angle brackets: many validators stop there.
    "email": Form(email, LOCAL_PART + LABEL + len("@.com"), 254),
    "linkedin_url": Form(linkedin_url, 120),
}
"""By field: the texts to send at its bound and past it."""

FORMATS: dict[str, tuple[str, str]] = {
    "start_date": ("2031-03-09", "not a date"),
    "end_date": ("2032-02-29", "not a date"),
    "start_timestamp": ("2031-03-10T08:30:00Z", "not a timestamp"),
    "end_timestamp": ("2031-03-10T10:30:00Z", "not a timestamp"),
    "webhook_url": ("https://example.com/conformance?from=limits", "not a url"),
}
"""By field: a value of its format, and text that no reading accepts."""


SHORT_TEXTS = {
    operation: [limit for limit in LIMITS if limit.operation == operation and limit.name in names]
    for operation, names in {
        "createEvent": ("title", "description"),
        "updateEventContext": ("event_details", "objectives", "welcome_instructions"),
        "createSession": ("title",),
        "importAttendees": ("name", "title", "company"),
    }.items()
}
"""Free texts by operation: one character is enough for each."""

SHORTEST_ID = "c"
"""The shortest ID that there is. In a shared org it may be taken, so nothing is ever created by that name."""

SPOILT: dict[tuple[str, str], dict[str, Any]] = {
    ("createEvent", "event_id"): {"url_slug": "x" * 129},
    ("createSession", "session_id"): {"end_timestamp": "not a timestamp"},
    ("importAttendees", "attendee_id"): {"company": "x" * 513},
}
"""By field of an ID: a mistake in a later field, so that nothing is created."""


@dataclass(frozen=True)
class Sides:
    """Values within a bound and past it."""

    within: list[Any]
    past: list[Any]
    assuming: Any = None
    """A value of the same made-up form, not that long: where it is refused, the server minds the form."""


def sides(limit: Limit, given: Given) -> Sides:
    """What to send to a field of a body or of a row."""
    schema, name = limit.schema, limit.name
    empty = [""] if limit.required else []
    if "pattern" in schema:
        if name.endswith("_kind"):
            return Sides(KNOWN_KINDS, ["k" * (LONGEST_KIND + 1), "1conf", "conf.kind", "", NO_TEXT])
        longest = longest_id(given, name.replace("_", "-"))
        return Sides([longest, "0" + given.name("digit")], [longest + "x", *BAD_FIRST, *BAD_INSIDE, "", NO_TEXT])
    if name in FORMS:
        form, most = FORMS[name], schema["maxLength"]
        return Sides([form.text(form.most or most)], [form.text(most + 1)], assuming=form.text(form.usual))
    if "maxLength" in schema:
        return Sides([non_ascii(schema["maxLength"])], [*empty, "x" * (schema["maxLength"] + 1)])
    if "enum" in schema:
        return Sides(list(schema["enum"]), ["conference", ""])
    if name in FORMATS:
        good, bad = FORMATS[name]
        return Sides([good], [bad])
    if "maximum" in schema:
        least, most = schema["minimum"], schema["maximum"]
        return Sides([least, most], [least - 1, most + 1, -1, "ten", NO_TEXT])
    if name == "idempotency_key":
        return Sides([str(uuid.uuid4())], [""])
    if name == "attendees":
        # The other end of this bound takes a very large request: test_large.py.
        return Sides([[given.attendee()]], [[]])
    if "minLength" in schema:
        return Sides(["x"], ["", NO_TEXT])
    raise LookupError(f"no values for the bound of {limit.requirement}: {describe_bounds(schema)}")


def holding(call: Call, limit: Limit, value: Any, given: Given) -> Call:
    """The call with a value in the limited field, or without the field for MISSING."""
    if limit.place == "body":
        return call.without(limit.name) if value is MISSING else call.with_body(**{limit.name: value})
    row = given.attendee()
    row[limit.name] = value
    if value is MISSING:
        del row[limit.name]
    return call.with_body(attendees=[row])


def cases(*limits: Limit) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "limit",
        [
            pytest.param(limit, marks=requirement(limit.requirement), id=limit.requirement.removeprefix("limits."))
            for limit in limits
        ],
    )


def assert_refused(exchange: Exchange, limit: Limit, value: Any) -> None:
    if limit.code is None:
        assert exchange.status == 400, f"{exchange.summary}; documented is a range, so 400"
    elif limit.place == "row" and limit.name == "attendee_id" and value in ("", NO_TEXT, None, MISSING):
        # A row that has no ID worth the name may also be called a malformed row.
        assert exchange.status_and_code in {(400, code) for code in (limit.code, *SPOILT_ROW)}, exchange.summary
    else:
        assert exchange.status_and_code == (400, limit.code), f"{exchange.summary}; documented: 400 {limit.code}"


@cases(*(limit for limit in LIMITS if limit.place in ("body", "row") and limit.operation not in REVIEW_WRITES))
def test_a_field_is_accepted_up_to_its_bound_and_refused_past_it(
    limit: Limit, api: Api, calls: Calls, given: Given
) -> None:
    values = sides(limit, given)
    within = values.within
    if values.assuming is not None:
        usual = api.send(holding(calls.of(limit.operation), limit, values.assuming, given))
        if usual.status_and_code == (400, limit.code):
            within = []
    for exchange in api.send_concurrently(holding(calls.of(limit.operation), limit, value, given) for value in within):
        if not exchange.is_success:
            given.require_success(api.send(calls.of(limit.operation)))
        assert exchange.is_success, (
            f"{exchange.summary}, though `{limit.name}` keeps to {describe_bounds(limit.schema)}"
        )
    if not within:
        given.require_success(api.send(calls.of(limit.operation)))
    past = [*values.past, *([None, MISSING] if limit.required else [])]
    refused = api.send_concurrently(holding(calls.of(limit.operation), limit, value, given) for value in past)
    for exchange, value in zip(refused, past, strict=True):
        assert_refused(exchange, limit, value)
    if (limit.operation, limit.name) in SPOILT:
        shortest = holding(calls.of(limit.operation), limit, SHORTEST_ID, given)
        exchange = api.send(spoilt(shortest, limit))
        assert exchange.code != limit.code, f"{exchange.summary} to the well-formed `{limit.name}` {SHORTEST_ID!r}"


def spoilt(call: Call, limit: Limit) -> Call:
    """The call with a mistake in another field, which alone is what it is to be refused for."""
    mistake = SPOILT[limit.operation, limit.name]
    if limit.place == "body":
        return call.with_body(**mistake)
    return call.with_body(attendees=[{**row, **mistake} for row in call.body["attendees"]])


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(operation, marks=requirement(*(limit.requirement for limit in limits)), id=operation)
        for operation, limits in SHORT_TEXTS.items()
    ],
)
def test_text_of_one_character_is_accepted(operation: str, api: Api, calls: Calls, given: Given, judge: Judge) -> None:
    call = calls.of(operation)
    limits = SHORT_TEXTS[operation]
    if limits[0].place == "body":
        call = call.with_body(**{limit.name: "x" for limit in limits})
    else:
        call = call.with_body(attendees=[given.attendee(**{limit.name: "x" for limit in limits})])
    exchange = api.send(call)
    if not exchange.is_success:
        given.require_success(api.send(calls.of(operation)))
    for limit in limits:
        with judge(limit.requirement):
            if exchange.code not in (limit.code, None):
                given.require_success(exchange)
            assert exchange.is_success, f"{exchange.summary} to a `{limit.name}` of one character"


@cases(*(limit for limit in LIMITS if limit.place == "query"))
def test_a_filter_is_accepted_up_to_its_bound_and_refused_past_it(
    limit: Limit, api: Api, calls: Calls, given: Given, world: World
) -> None:
    call = calls.of(limit.operation)
    within: list[Any] = list(limit.schema.get("enum", []))
    past = ["conference", "imports", "match\n"]
    if limit.name == "session_id":
        longest = world.long_session.session_id
        past = [longest + "x", *BAD_FIRST, *BAD_INSIDE]
        well_formed = [world.sessions.ids[0], longest, SHORTEST_ID]
        for exchange in api.send_concurrently(call.replace(query={limit.name: value}) for value in well_formed):
            assert exchange.code != limit.code, f"{exchange.summary}: the `{limit.name}` is well-formed"
    for exchange in api.send_concurrently(call.replace(query={limit.name: value}) for value in within):
        if not exchange.is_success:
            given.require_success(api.send(call))
        assert exchange.is_success, (
            f"{exchange.summary}, though `{limit.name}` keeps to {describe_bounds(limit.schema)}"
        )
    for exchange in api.send_concurrently(call.replace(query={limit.name: value}) for value in past):
        assert_refused(exchange, limit, None)


@cases(*(limit for limit in LIMITS if limit.operation in REVIEW_WRITES))
def test_a_field_of_a_decision_is_accepted_up_to_its_bound_and_refused_past_it(
    limit: Limit, api: Api, calls: Calls, given: Given
) -> None:
    call = calls.of(limit.operation)
    # On a review that does not exist a good value changes nothing, and is not what the call is refused for.
    nowhere = call.with_path(review_id=given.unknown_id_like(call.path["review_id"]))
    values = sides(limit, given)
    for value in values.within:
        exchange = api.send(holding(nowhere, limit, value, given))
        assert exchange.code != limit.code, f"{exchange.summary}: {value!r} is a good `{limit.name}`"
    # Whether a malformed source is malformed first, or first another one than the review's, is open.
    right = {(400, limit.code)} | ({(400, "REVIEW_SOURCE_MISMATCH")} if limit.name.startswith("source_") else set())
    for refused in (holding(call, limit, value, given) for value in [*values.past, None, MISSING]):
        exchange = api.send(refused)
        assert exchange.status_and_code in right, f"{exchange.summary}; documented: 400 {limit.code}"


THOROUGH = ("getIdMapping", "getEvent", "getSession", "listAttendeeIdentity")
"""Where every kind of bad ID is sent; elsewhere a few, as the rule is the same."""

BEFORE_A_MATCH_RUN = (404, "MATCH_RUN_NOT_FOUND"), (404, "MATCH_NOT_FOUND")
"""What reading matches earns where nothing was matched yet: the IDs themselves were fine."""


@cases(*(limit for limit in LIMITS if limit.place == "path"))
def test_an_id_in_a_path_is_accepted_up_to_its_bound_and_refused_past_it(
    limit: Limit, api: Api, calls: Calls, given: Given, world: World
) -> None:
    call = well_formed(limit.operation, calls, world)
    if limit.name == "kind":
        # A longer kind is well formed, and a server may refuse it as one that it does not know.
        for kind in KNOWN_KINDS:
            exchange = api.send(call.with_path(kind=kind))
            assert exchange.status != 400, f"{exchange.summary}: {kind} is a good kind"
        given.require_success(api.send(call))
        past = [
            "k" * (LONGEST_KIND + 1),
            "1conf",
            "-conf",
            "_conf",
            "conf.kind",
            "conf:kind",
            "conf kind",
            "conf\u00e9",
        ]
    else:
        # An import could take away the attendees that the other calls name.
        own = given.event(event_id=longest_id(given, "event")) if limit.operation == "importAttendees" else ""
        exchange = api.send(call.with_path(**longest_ids(call, world, own)))
        if not exchange.is_success and exchange.status_and_code not in BEFORE_A_MATCH_RUN:
            given.require_success(api.send(calls.of(limit.operation)))
            raise AssertionError(f"{exchange.summary}: these IDs of {LONGEST_ID} characters are in use")
        if exchange.is_success:
            asked = longest_ids(call, world, own)[limit.name]
            shown = exchange.json.get(limit.name, asked)
            assert shown == asked, f"{asked} was asked for, {shown} is shown: {exchange.summary}"
        exchange = api.send(call.with_path(**{limit.name: SHORTEST_ID}))
        assert exchange.code != limit.code, f"{exchange.summary}: `{limit.name}` may have one character"
        past = [longest_ids(call, world)[limit.name] + "x", BAD_FIRST[0], BAD_INSIDE[0]]
        if limit.operation in THOROUGH:
            past += [*BAD_FIRST[1:], *BAD_INSIDE[1:]]
    refused = api.send_concurrently(
        well_formed(limit.operation, calls, world).with_path(**{limit.name: value}) for value in past
    )
    for exchange, value in zip(refused, past, strict=True):
        assert_refused(exchange, limit, value)


def well_formed(operation: str, calls: Calls, world: World) -> Call:
    """A valid call, or one for a pair that may have no score: the IDs are what counts here."""
    if operation != "getMatch":
        return calls.of(operation)
    people = world.people
    path = {"principal_partner_id": people.ids[0], "target_partner_id": people.ids[1]}
    return Call(operation, path={"event_id": people.event_id, **path})


def longest_ids(call: Call, world: World, event_id: str = "") -> dict[str, str]:
    """The IDs of greatest length that replace the IDs in a call's path; `event_id` in place of the shared event."""
    # Only what the call needs: an operation that refuses long IDs must not hide behind those that made them.
    found: dict[str, Callable[[], str]] = {
        "event_id": lambda: event_id or world.long_event.event_id,
        "partner_id": lambda: world.long_event.event_id,
        "session_id": lambda: world.long_session.session_id,
        "attendee_id": lambda: world.long_people.ids[0],
        "principal_partner_id": lambda: world.long_people.ids[0],
        "target_partner_id": lambda: world.long_people.ids[1],
    }
    return {name: value() for name, value in found.items() if name in call.path}


@pytest.mark.parametrize("operation", [one.id for one in CONTRACT.operations.values() if one.creates_run])
@requirement("limits.idempotency_key.too_long")
def test_an_endless_idempotency_key_is_refused(operation: str, api: Api, calls: Calls, given: Given) -> None:
    given.require_success(api.send(calls.of(operation)))
    exchange = api.send(calls.of(operation).with_body(idempotency_key=given.name("key").ljust(10_000, "x")))
    assert exchange.status_and_code == (400, "INVALID_IDEMPOTENCY_KEY"), exchange.summary


@requirement("limits.attendee_id.missing")
def test_a_row_needs_an_attendee_id(api: Api, calls: Calls, given: Given) -> None:
    given.require_success(api.send(calls.of("importAttendees")))
    row = given.attendee()
    del row["attendee_id"]
    exchange = api.send(calls.of("importAttendees").with_body(attendees=[given.attendee(), row]))
    assert exchange.status == 400, exchange.summary
    assert exchange.code in ("INVALID_PARTNER_ID", *SPOILT_ROW), exchange.summary


@requirement("limits.ids.line_break")
def test_a_line_break_at_its_end_spoils_an_id(api: Api, calls: Calls, given: Given) -> None:
    row = given.attendee(attendee_id=given.name("attendee") + "\n")
    spoiled = [
        calls.of("createEvent").with_body(event_id=given.name("event") + "\n"),
        calls.of("createSession").with_body(session_id=given.name("session") + "\n"),
        calls.of("importAttendees").with_body(attendees=[row]),
        calls.of("getEvent").with_path(event_id=calls.of("getEvent").path["event_id"] + "\n"),
    ]
    for call in spoiled:
        given.require_success(api.send(calls.of(call.operation)))
        exchange = api.send(call)
        assert exchange.status_and_code == (400, "INVALID_PARTNER_ID"), exchange.summary


@requirement("limits.ids.blanks")
def test_a_blank_beside_an_id_spoils_it(api: Api, calls: Calls, given: Given) -> None:
    mapping, event = calls.of("getIdMapping"), calls.of("getEvent")
    spoiled = [calls.of("createEvent").with_body(event_id=given.name("event") + " ")]
    spoiled += [calls.of("createSession").with_body(session_id=" " + given.name("session"))]
    for before, behind in ((" ", ""), ("", " ")):
        spoiled += [
            mapping.with_path(partner_id=before + mapping.path["partner_id"] + behind),
            event.with_path(event_id=before + event.path["event_id"] + behind),
        ]
    for call in spoiled:
        given.require_success(api.send(calls.of(call.operation)))
        exchange = api.send(call)
        assert exchange.status_and_code == (400, "INVALID_PARTNER_ID"), exchange.summary


@requirement("limits.ids.path_like")
def test_an_id_is_decoded_once(api: Api, given: Given, world: World) -> None:
    event_id = world.event.id
    given.require_success(api.get_event(event_id))
    exchange = api.request("GET", f"/events/{event_id[:-1]}%25{ord(event_id[-1]):x}")
    assert 400 <= exchange.status < 500, f"{exchange.summary}: the last letter is encoded twice"


@pytest.mark.parametrize("text", ["conf%2Fid", "conf%5Cid", "conf%3Fid", "conf%23id", "%25", "%20", "%2E%2E"])
@requirement("limits.ids.path_like")
def test_what_looks_like_a_path_is_no_id(text: str, api: Api, world: World) -> None:
    event = f"/events/{world.event.id}"
    paths = ["/id-map/event/{}", "/events/{}/context", event + "/sessions/{}", event + "/attendees/{}/identity"]
    paths += [event + "/matches/{}/{}", "/runs/{}"]
    for path in paths:
        exchange = api.request("GET", path.replace("{}", text))
        if text == "%2E%2E":
            # Any proxy may resolve dot segments on the way; then another path was asked for.
            assert exchange.status < 500, exchange.summary
        else:
            assert 400 <= exchange.status < 500, exchange.summary
            assert isinstance(exchange["code"], str), f"{exchange.summary} without the error envelope"


@requirement("limits.text.kept_whole")
def test_the_longest_text_is_given_back_whole(api: Api, given: Given) -> None:
    fields = {(limit.operation, limit.name): limit.schema.get("maxLength", 0) for limit in LIMITS}
    event = {name: non_ascii(fields["createEvent", name]) for name in ("title", "description")}
    names = ("event_details", "objectives", "welcome_instructions")
    context = {name: non_ascii(fields["updateEventContext", name]) for name in names}
    row = {name: non_ascii(fields["importAttendees", name]) for name in ("name", "title", "company")}
    event_id = given.event(**event)
    given.require_success(api.update_event_context(event_id, context))
    sent = given.attendee(**row)
    given.import_and_wait(event_id, [sent])
    read = given.require_success(api.get_event(event_id)).json
    assert {name: read[name] for name in event} == event
    kept = given.require_success(api.get_event_context(event_id))["context"]
    assert isinstance(kept, dict), "the context is not an object"
    assert {name: kept.get(name) for name in context} == context
    given.settle(Call("listAttendees", path={"event_id": event_id}), "attendee_id", [sent["attendee_id"]])
    listed = given.require_success(api.list_attendees(event_id)).items
    if len(listed) != 1:
        raise SetupFailed(f"{len(listed)} attendees are listed after an import of one", "imports list other rows")
    assert (listed[0]["display_name"], listed[0]["title"], listed[0]["company"]) == tuple(row.values())

"""Text that is accepted comes back as it was sent: cut nowhere, cleaned of nothing, taken for nothing but text.

A server may refuse any of these texts. What it refuses is not judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import CouldNotArrange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.sample_texts import OUTSIDE_THE_BASIC_PLANE
from meshi_conformance.testing.shared_data import World

TEXTS: dict[str, tuple[str, ...]] = {
    "markup": ("Conf <b>bold</b> &amp; <i>", 'Conf "quoted" it\'s {{7*7}} ${x} %20 100% C:\\new \\u0041 end'),
    "symbols": (f"Conf {OUTSIDE_THE_BASIC_PLANE} end", f"{OUTSIDE_THE_BASIC_PLANE} conf"),
    "words": ("007", "null", "1e3", "2031-03-10"),
    "form": ("  conf blanks  ", "conf line\r\nend\n\tconf", "Cafe\u0301 conf"),
}
"""By what is unusual about them."""

Members = dict[str, str]
Send = Callable[[Api, Given, World, list[Members]], Iterator[tuple[Members, JsonObject]]]
"""Sends members to one place and yields those that were accepted with what is shown of them."""


def in_event(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    for members in sent:
        request = given.event_request(**members)
        created = api.create_event(request)
        if created.accepted:
            yield members, created.json
            yield members, given.accepted(api.get_event(request["event_id"])).json


def in_context(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = given.event()
    for members in sent:
        updated = api.update_event_context(event_id, members)
        if updated.accepted:
            for answer in (updated, given.accepted(api.get_event_context(event_id))):
                context = answer["context"]
                yield members, context if isinstance(context, JsonObject) else JsonObject()


def in_session(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = world.scratch.event_id
    for members in sent:
        request = given.session_request(**members)
        created = api.create_session(event_id, request)
        if created.accepted:
            yield members, created.json
            yield members, given.accepted(api.get_session(event_id, request["session_id"])).json


def in_attendee(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = given.event()
    rows = {given.name("attendee"): members for members in sent}
    request = [given.attendee(attendee_id=one, **members) for one, members in rows.items()]
    imported = api.import_attendees(event_id, given.import_request(request))
    if imported.accepted:
        given.ended(imported)
        for row in given.listed(Call("listAttendees", path={"event_id": event_id})):
            if row.get("attendee_id") in rows:
                yield rows[row["attendee_id"]], row


PLACES: dict[str, tuple[tuple[str, ...], Send]] = {
    "event": (("title", "description"), in_event),
    "context": (("event_details", "objectives", "welcome_instructions"), in_context),
    "session": (("title", "description"), in_session),
    "attendee": (("title", "company"), in_attendee),
}
"""Fields that are plain text, and how they are sent and read."""


def spread(texts: tuple[str, ...], fields: tuple[str, ...]) -> list[Members]:
    """Members that hold every text in some field, and something in every field."""
    again = itertools.cycle(texts)
    return [{name: next(again) for name in fields} for _ in range(0, len(texts), len(fields))]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        pytest.param(place, kind, marks=requirement(f"texts.{kind}.{place}"), id=f"{place}-{kind}")
        for place in PLACES
        for kind in TEXTS
    ],
)
def test_text_comes_back_as_it_was_sent(place: str, kind: str, api: Api, given: Given, world: World) -> None:
    fields, send = PLACES[place]
    judged = False
    for members, shown in send(api, given, world, spread(TEXTS[kind], fields)):
        judged = True
        changed = {name: shown.get(name) for name, text in members.items() if shown.get(name) != text}
        assert not changed, f"{members!r} was sent and accepted, shown is {changed!r}"
    if not judged:
        raise CouldNotArrange(f"no text with {kind} was accepted", f"text with {kind} is refused in {place}s")

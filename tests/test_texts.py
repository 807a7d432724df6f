"""Text that is accepted comes back as it was sent: cut nowhere, cleaned of nothing, taken for nothing but text.

A server may refuse any of these texts. What it refuses is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.errors import NothingThere
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.sample_texts import OUTSIDE_THE_BASIC_PLANE
from meshi_conformance.testing.shared_data import World

TEXTS: dict[str, tuple[str, ...]] = {
    "markup": ("Conf <b>bold</b> &amp; <i>", 'Conf "quoted" it\'s {{7*7}} ${x} %20 100% C:\\new \\u0041 end'),
    "symbols": (f"Conf {OUTSIDE_THE_BASIC_PLANE} end", f"Conf {OUTSIDE_THE_BASIC_PLANE}"),
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
        if created.is_success:
            yield members, created.json
            yield members, given.require_success(api.get_event(request["event_id"])).json


def in_context(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = given.event()
    for members in sent:
        updated = api.update_event_context(event_id, members)
        if updated.is_success:
            for answer in (updated, given.require_success(api.get_event_context(event_id))):
                context = answer["context"]
                yield members, context if isinstance(context, JsonObject) else JsonObject()


def in_session(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = world.scratch.event_id
    for members in sent:
        request = given.session_request(**members)
        created = api.create_session(event_id, request)
        if created.is_success:
            yield members, created.json
            yield members, given.require_success(api.get_session(event_id, request["session_id"])).json


def in_attendee(api: Api, given: Given, world: World, sent: list[Members]) -> Iterator[tuple[Members, JsonObject]]:
    event_id = given.event()
    rows = {given.name("attendee"): members for members in sent}
    request = [given.attendee(attendee_id=one, **members) for one, members in rows.items()]
    imported = api.import_attendees(event_id, given.import_request(request))
    if imported.is_success:
        given.finished_run(imported)
        for row in given.list_until_shown(Call("listAttendees", path={"event_id": event_id}), "attendee_id", rows):
            if row.get("attendee_id") in rows:
                yield rows[row["attendee_id"]], JsonObject({**row, "name": row.get("display_name")})


PLACES: dict[str, tuple[tuple[str, ...], Send]] = {
    "event": (("title", "description"), in_event),
    "context": (("event_details", "objectives", "welcome_instructions"), in_context),
    "session": (("title", "description"), in_session),
    "attendee": (("title", "company", "name"), in_attendee),
}
"""Fields that are plain text, and how they are sent and read."""


def spread(texts: tuple[str, ...], fields: tuple[str, ...], step: int) -> list[Members]:
    """Members that hold the texts in turn: with a step of one each field gets every text, else some field does."""
    return [
        {name: texts[(first + place) % len(texts)] for place, name in enumerate(fields)}
        for first in range(0, len(texts), step)
    ]


def requirement_of(place: str, kind: str, field: str) -> str:
    """The requirement of one field: that `display_name` is the name is only implied."""
    return f"texts.{kind}.{'name' if field == 'name' else place}"


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        pytest.param(
            place,
            kind,
            marks=requirement(*dict.fromkeys(requirement_of(place, kind, field) for field in PLACES[place][0])),
            id=f"{place}-{kind}",
        )
        for place in PLACES
        for kind in TEXTS
    ],
)
def test_text_comes_back_as_it_was_sent(
    place: str, kind: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    fields, send = PLACES[place]
    step = 1 if place == "attendee" else len(fields)  # all rows come with one import
    shown = list(send(api, given, world, spread(TEXTS[kind], fields, step)))
    for field in fields:
        with judge(requirement_of(place, kind, field)):
            if not shown:
                raise NothingThere(f"no text with {kind} was accepted", f"text with {kind} is refused in {place}s")
            # That a row shows a text by the name under which it was sent is for its schema to say.
            named = [(members, row) for members, row in shown if field in row]
            if not named:
                raise NothingThere(f"no {place} shows a `{field}`", f"{place}s show their texts under other names")
            for members, row in named:
                said = row[field]
                assert said == members[field], f"`{field}` {members[field]!r} was sent and accepted, shown is {said!r}"

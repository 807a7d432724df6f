"""ID map: which partner IDs the org has mapped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World


def create_event(given: Given, world: World, event_id: str) -> None:
    given.event(event_id=event_id)


def create_session(given: Given, world: World, session_id: str) -> None:
    given.session(world.scratch.event_id, session_id=session_id)


def create_attendee(given: Given, world: World, attendee_id: str) -> None:
    # An event of its own: another import into a shared one could take the attendee away.
    given.import_and_wait(given.event(), [given.attendee(attendee_id=attendee_id)])


KINDS: dict[str, Callable[[Given, World, str], None]] = {
    "event": create_event,
    "session": create_session,
    "attendee": create_attendee,
}
"""The kinds that the pages name, and how one of each comes to be."""


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            one, marks=requirement(*(f"id_map.{one}.{aspect}" for aspect in ("unmapped", "mapped", "echo"))), id=one
        )
        for one in KINDS
    ],
)
def test_an_id_is_mapped_once_its_resource_exists(
    kind: str, api: Api, given: Given, world: World, judge: Judge
) -> None:
    partner_id = given.name(kind)
    before = api.get_id_mapping(kind, partner_id)
    KINDS[kind](given, world, partner_id)
    after = api.get_id_mapping(kind, partner_id)
    with judge(f"id_map.{kind}.unmapped"):
        given.require_success(after)
        assert before.status_and_code == (404, "PARTNER_ID_NOT_FOUND"), (
            f"{before.summary} for an ID that was never used"
        )
    with judge(f"id_map.{kind}.mapped"):
        assert after.status == 200, f"{after.summary} for a mapped ID"
        assert after["mapped"] is True, f"`mapped` is {after['mapped']!r} for a mapped ID"
    with judge(f"id_map.{kind}.echo"):
        given.require_success(after)
        shown = after["kind"], after["partner_id"]
        assert shown == (kind, partner_id), f"{(kind, partner_id)} was asked for, {shown} is shown"


@requirement("id_map.kinds")
def test_an_id_is_mapped_under_its_own_kind_alone(api: Api, given: Given, world: World) -> None:
    own = {"event": world.event.id, "session": world.sessions.ids[0], "attendee": world.people.ids[0]}
    for kind, partner_id in own.items():
        given.require_success(api.get_id_mapping(kind, partner_id))
        for other in own.keys() - {kind}:
            answer = api.get_id_mapping(other, partner_id)
            assert answer.status_and_code == (404, "PARTNER_ID_NOT_FOUND"), (
                f"{answer.summary}: the ID is that of one {kind}"
            )

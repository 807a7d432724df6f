"""Event context: read back, updated in part, and shown on the event."""

from __future__ import annotations

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.sample_texts import BEYOND_ASCII

FIELDS = ("event_details", "objectives", "welcome_instructions")
FULL = {
    "event_details": "People who test interfaces.",
    "objectives": "Find out what holds.",
    "welcome_instructions": "Say what you test.",
}


def context_of(exchange: Exchange) -> JsonObject:
    """The context in an answer; a failed assertion where it holds none."""
    context = exchange["context"]
    assert isinstance(context, JsonObject), f"`context` of {exchange.summary} is not an object"
    return context


@requirement(
    *(f"context.{aspect}.{field}" for aspect in ("read_back", "on_event") for field in FIELDS), "context.event_id"
)
def test_a_context_is_read_as_it_was_written(api: Api, given: Given, judge: Judge) -> None:
    event_id = given.event()
    updated = given.require_success(api.update_event_context(event_id, FULL))
    read = given.require_success(api.get_event_context(event_id))
    event = given.require_success(api.get_event(event_id))
    for field, value in FULL.items():
        with judge(f"context.read_back.{field}"):
            for answer in (updated, read):
                shown = context_of(answer)[field]
                assert shown == value, f"{answer.operation} shows {shown!r}, written was {value!r}"
        with judge(f"context.on_event.{field}"):
            assert event[field] == value, f"getEvent shows {event[field]!r}, written was {value!r}"
    with judge("context.event_id"):
        for answer in (updated, read):
            assert answer["event_id"] == event_id, f"{answer.operation} names event {answer['event_id']!r}"


@pytest.mark.parametrize(
    "field", [pytest.param(one, marks=requirement(f"context.alone.{one}"), id=one) for one in FIELDS]
)
def test_an_update_may_hold_one_field_alone(field: str, api: Api, given: Given) -> None:
    event_id = given.event()
    given.require_success(api.update_event_context(event_id, FULL))
    alone = api.update_event_context(event_id, {field: "Only this."})
    assert alone.is_success, f"{alone.summary} to {field} alone"


@requirement("context.replaced", "context.kept", "context.details_kept", "context.answer_whole")
def test_a_later_update_replaces_what_it_holds_and_keeps_the_rest(api: Api, given: Given, judge: Judge) -> None:
    event_id = given.event()
    before = given.require_success(api.get_event(event_id)).json
    given.require_success(api.update_event_context(event_id, FULL))
    answer = given.require_success(api.update_event_context(event_id, {"objectives": "Something else."}))
    read = given.require_success(api.get_event_context(event_id))
    with judge("context.answer_whole"):
        shown = {field: context_of(answer).get(field) for field in FIELDS}
        expected = {field: context_of(read).get(field) for field in FIELDS}
        assert shown == expected, f"the answer to the update shows {shown}, the read after it {expected}"
    with judge("context.replaced"):
        assert context_of(read)["objectives"] == "Something else."
    with judge("context.kept"):
        for field in ("event_details", "welcome_instructions"):
            assert context_of(read)[field] == FULL[field], (
                f"{field} was left out and became {context_of(read)[field]!r}"
            )
        for alone in FIELDS:
            expected = {**context_of(given.require_success(api.get_event_context(event_id))), alone: f"Alone: {alone}."}
            given.require_success(api.update_event_context(event_id, {alone: expected[alone]}))
            kept = context_of(given.require_success(api.get_event_context(event_id)))
            changed = [field for field in FIELDS if field != alone and kept.get(field) != expected.get(field)]
            assert not changed, f"an update of {alone} alone changed {changed}: {kept}"
    after = given.require_success(api.get_event(event_id)).json
    with judge("context.details_kept"):
        members = set(load().operations["createEvent"].responses[201].members)
        details = members - {*FIELDS, "created_at", "updated_at", "correlation_id"}
        changed = [name for name in sorted(details) if before.get(name) != after.get(name)]
        assert not changed, f"the updates of the context changed {changed}"


@requirement("context.unset")
def test_fields_that_were_never_set_are_null(api: Api, given: Given) -> None:
    event_id = given.event()
    read = given.require_success(api.get_event_context(event_id))
    event = given.require_success(api.get_event(event_id))
    for field in FIELDS:
        assert context_of(read).get(field) is None, f"getEventContext shows {field} {context_of(read)[field]!r}"
        assert event.json.get(field) is None, f"getEvent shows {field} {event[field]!r}"


@requirement("context.text")
def test_text_outside_ascii_is_read_as_it_was_written(api: Api, given: Given) -> None:
    event_id = given.event()
    given.require_success(api.update_event_context(event_id, {"objectives": BEYOND_ASCII}))
    assert context_of(given.require_success(api.get_event_context(event_id)))["objectives"] == BEYOND_ASCII


@requirement("context.own_event")
def test_an_update_changes_its_own_event_alone(api: Api, given: Given) -> None:
    ours, other = given.event(), given.event()
    given.require_success(api.update_event_context(other, {"objectives": "Of the other event."}))
    given.require_success(api.update_event_context(ours, FULL))
    shown = context_of(given.require_success(api.get_event_context(other)))["objectives"]
    assert shown == "Of the other event.", f"the other event's objectives became {shown!r}"


@requirement("context.unknown_alone")
def test_an_update_without_any_documented_field_is_refused(api: Api, given: Given) -> None:
    event_id = given.event()
    given.require_success(api.update_event_context(event_id, FULL))
    refused = api.update_event_context(event_id, {"conf_member": "No field of a context."})
    # A server that minds members it does not know may call the body malformed.
    assert refused.status_and_code in ((400, "INVALID_CONTEXT"), (400, "INVALID_JSON")), refused.summary

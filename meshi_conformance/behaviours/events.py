"""Observers of events, sessions and IDs."""

from __future__ import annotations

import re
from typing import Any

from .observer import Observer, Sightings, by_code, each
from .traffic import Observed, Traffic

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
KINDS = frozenset({"event", "session", "attendee"})
CONTEXT = ("event_details", "objectives", "welcome_instructions")
SHORT_TITLE, LONGEST_TITLE = 150, 200


def unset_details(one: Observed) -> str | None:
    if not one.is_success or "description" in one.body or not one.body:
        return None
    if "description" not in one.answer:
        return "left_out"
    return "null" if one.answer["description"] is None else None


def unset_context(one: Observed) -> str | None:
    context = one.answer.get("context")
    if not one.is_success or not isinstance(context, dict):
        return None
    if any(name not in context for name in CONTEXT):
        return "left_out"
    return "null" if any(context[name] is None for name in CONTEXT) else None


def context_update(traffic: Traffic) -> Sightings:
    """Look for a field that one update of an event set and the next one omits."""
    known: dict[str, dict[str, str]] = {}
    for one in traffic.of("updateEventContext"):
        context = one.answer.get("context")
        if not one.is_success or not isinstance(context, dict):
            continue
        fields = known.setdefault(one.params["event_id"], {})
        for name, value in fields.items():
            if name not in one.body:
                if context.get(name) == value:
                    yield "kept", one
                elif context.get(name) is None:
                    yield "cleared", one
        sent = {name: one.body[name] for name in CONTEXT if isinstance(one.body.get(name), str)}
        known[one.params["event_id"]] = sent


def undocumented_members(traffic: Traffic) -> Sightings:
    """Return the drift that the checks have found; none where no exchange shows any."""
    shown = [one for one in traffic.all if one.is_success]
    drifting = [one for one in shown if one.drift]
    yield from (("some", one) for one in drifting)
    if shown and not drifting:
        yield "none", shown[0]


def times_required(one: Observed) -> str | None:
    if {"start_timestamp", "end_timestamp"} & one.body.keys() or not isinstance(one.body.get("title"), str):
        return None
    if one.is_success:
        return "optional"
    return "required" if one.code in ("INVALID_START_TIMESTAMP", "INVALID_END_TIMESTAMP") else None


def inside_event(traffic: Traffic) -> Sightings:
    """Look for a session that begins after the last day of its event."""
    last = {
        str(one.body.get("event_id")): one.body["end_date"]
        for one in traffic.of("createEvent")
        if one.is_success and isinstance(one.body.get("end_date"), str)
    }
    for one in traffic.of("createSession"):
        start, end = one.body.get("start_timestamp"), last.get(one.params["event_id"])
        if isinstance(start, str) and end and re.match(r"[0-9]{4}-", start) and start[:10] > end:
            if one.is_success:
                yield "anywhere", one
            elif one.code in ("INVALID_START_TIMESTAMP", "INVALID_END_TIMESTAMP"):
                yield "inside", one


def text_length(one: Observed) -> str | None:
    title = one.body.get("title")
    if not isinstance(title, str):
        return None
    if SHORT_TITLE <= len(title) <= LONGEST_TITLE:
        return "shorter" if one.code == "INVALID_TITLE" else None
    if not LONGEST_TITLE < len(title) <= LONGEST_TITLE + 10:
        return None
    return "longer" if one.is_success else None


def text_lengths(traffic: Traffic) -> Sightings:
    """Look for the longest accepted title of a session: a refusal above an event's bound is not enough to tell."""
    takes_long = any(
        one.is_success and SHORT_TITLE <= len(str(one.body.get("title"))) <= LONGEST_TITLE
        for one in traffic.of("createSession")
    )
    for one in traffic.of("createSession"):
        choice = text_length(one)
        if choice is not None:
            yield choice, one
        elif takes_long and len(str(one.body.get("title"))) > LONGEST_TITLE and one.code == "INVALID_TITLE":
            yield "as_event", one


def used_id(traffic: Traffic) -> Sightings:
    """Look for a session ID that another event of the org has used."""
    used: dict[str, str] = {}
    for one in traffic.of("createSession"):
        session_id, event_id = str(one.body.get("session_id")), one.params["event_id"]
        if used.get(session_id, event_id) != event_id:
            if one.is_success:
                yield "per_event", one
            elif one.code == "PARTNER_ID_CONFLICT":
                yield "conflict", one
        elif one.is_success:
            used[session_id] = event_id


def session_members(one: Observed) -> str | None:
    if not one.is_success or not {"title", "start_timestamp"} <= one.body.keys():
        return None
    return "as_sent" if {"title", "start_timestamp"} <= one.answer.keys() else "others"


def case(traffic: Traffic) -> Sightings:
    """Look for an event ID that differs from an earlier one in case alone."""
    used: dict[str, str] = {}
    for one in traffic.of("createEvent"):
        event_id = one.body.get("event_id")
        if not isinstance(event_id, str):
            continue
        if used.get(event_id.lower(), event_id) != event_id:
            if one.is_success:
                yield "apart", one
            elif one.code == "PARTNER_ID_CONFLICT":
                yield "folded", one
        elif one.is_success:
            used[event_id.lower()] = event_id


def opaque(one: Observed) -> str | None:
    run_id: Any = one.answer.get("run_id")
    if not one.is_success or not isinstance(run_id, str) or not run_id:
        return None
    if UUID.fullmatch(run_id):
        return "uuid"
    return "digits" if run_id.isdigit() else "text"


def malformed_opaque(one: Observed) -> str | None:
    named = one.params.get("run_id", one.params.get("review_id", ""))
    if " " not in named:
        return None
    return by_code(
        {
            "INVALID_RUN_ID": "malformed",
            "INVALID_REVIEW_ID": "malformed",
            "RUN_NOT_FOUND": "unknown",
            "REVIEW_NOT_FOUND": "unknown",
        }
    )(one)


def unknown_kind(one: Observed) -> str | None:
    kind = one.params["kind"]
    if kind in KINDS or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", kind):
        return None
    return by_code({"PARTNER_ID_NOT_FOUND": "not_found", "INVALID_PARTNER_KIND": "invalid"})(one)


OBSERVERS: dict[str, Observer] = {
    "events.unset_details": each("createEvent", "createSession")(unset_details),
    "events.unset_context": each("getEventContext", "updateEventContext")(unset_context),
    "events.context_update": context_update,
    "events.undocumented_members": undocumented_members,
    "sessions.times_required": each("createSession")(times_required),
    "sessions.inside_event": inside_event,
    "sessions.text_length": text_lengths,
    "sessions.used_id": used_id,
    "sessions.members": each("createSession")(session_members),
    "ids.case": case,
    "ids.opaque": each("createRun")(opaque),
    "ids.malformed_opaque": each("getRun", "resolveReview", "mergeReview")(malformed_opaque),
    "ids.unknown_kind": each("getIdMapping")(unknown_kind),
}

"""Observers of what a body may hold."""

from __future__ import annotations

from typing import Any

from .observer import Observer, Sightings, each, of_values
from .traffic import Observed, Traffic

LONGEST_TITLE = 200
RUN_KINDS = frozenset({"import", "enrichment", "match"})
EVENT_MEMBERS = frozenset(
    {"event_id", "title", "description", "start_date", "end_date", "timezone", "visibility", "url_slug"}
)


def _answered(one: Observed, accepted: str, refused: str) -> str | None:
    if one.is_success:
        return accepted
    return refused if one.refused else None


def not_an_object(one: Observed) -> str | None:
    if one.sent is None or isinstance(one.sent, dict) or one.status != 400:
        return None
    return "invalid_json" if one.code == "INVALID_JSON" else "first_field"


def content_type(one: Observed) -> str | None:
    if not one.body or one.sent_header("content-type") is not None:
        return None
    return _answered(one, "not_needed", "required")


def null(one: Observed) -> str | None:
    if one.body.get("description", "") is not None or not one.body.get("title"):
        return None
    return _answered(one, "absent", "refused")


def blank_optional(one: Observed) -> str | None:
    if one.body.get("description") != "" or not one.body.get("title"):
        return None
    if one.is_success:
        return "kept" if one.answer.get("description") == "" else "absent"
    return "refused" if one.code == "INVALID_DESCRIPTION" else None


def blank_required(one: Observed) -> str | None:
    title = one.body.get("title")
    if not isinstance(title, str) or not title or title.strip():
        return None
    return _answered(one, "accepted", "refused")


def padded(one: Observed) -> str | None:
    title = one.body.get("title")
    if not one.is_success or not isinstance(title, str) or title == title.strip(" ") or not title.strip():
        return None
    shown = one.answer.get("title")
    return "kept" if shown == title else "trimmed" if shown == title.strip() else None


def coercion(traffic: Traffic) -> Sightings:
    """Look for a number as the title of an event."""
    return of_values(
        traffic, lambda one: isinstance(one.body.get("title"), int | float), "INVALID_TITLE", "converted", "refused"
    )


def unknown_members(one: Observed) -> str | None:
    if not one.body.keys() - EVENT_MEMBERS or not isinstance(one.body.get("title"), str):
        return None
    return _answered(one, "ignored", "refused")


def words(one: Observed) -> str | None:
    kind = one.body.get("kind")
    if not isinstance(kind, str) or kind in RUN_KINDS or kind.lower() not in RUN_KINDS:
        return None
    return _answered(one, "taken", "refused")


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while any(isinstance(node, dict | list) for node in level):
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


def free_objects(one: Observed) -> str | None:
    if _depth(one.body.get("snapshot_metadata")) < 20:
        return None
    return _answered(one, "any", "bounded")


def progress(one: Observed) -> str | None:
    sent = one.body.get("progress")
    if not isinstance(sent, dict) or not any(isinstance(value, str) for value in sent.values()):
        return None
    if one.is_success:
        return "any"
    return "counters" if one.code == "INVALID_PROGRESS" else None


def _astral(one: Observed) -> str:
    """Return the title where it has characters outside the basic plane, else nothing."""
    title = one.body.get("title")
    return title if isinstance(title, str) and any(ord(letter) > 0xFFFF for letter in title) else ""


def letters(one: Observed) -> str | None:
    if not 0 < len(_astral(one)) <= LONGEST_TITLE // 2:
        return None
    if one.is_success:
        return "taken"
    return "refused" if one.code == "INVALID_TITLE" else None


def characters(traffic: Traffic) -> Sightings:
    """Look for a title that fits in code points but not in UTF-16 units; refusals need a shorter one accepted."""
    titles = [one for one in traffic.of("createEvent") if _astral(one)]
    takes_short = any(one.is_success and len(_astral(one)) <= LONGEST_TITLE // 2 for one in titles)
    for one in titles:
        title = _astral(one)
        units = len(title.encode("utf-16-le", "surrogatepass")) // 2
        if len(title) <= LONGEST_TITLE < units:
            if one.is_success:
                yield "code_points", one
            elif one.code == "INVALID_TITLE" and takes_short:
                yield "utf16_units", one


def first_mistake(traffic: Traffic) -> Sightings:
    """Look for an update of the context without any field, of an event that does not exist."""
    for one in traffic.of("updateEventContext"):
        if one.sent == {} and one.params["event_id"] not in traffic.events:
            if one.code == "EVENT_NOT_FOUND":
                yield "event_first", one
            elif one.code == "INVALID_CONTEXT":
                yield "body_first", one


OBSERVERS: dict[str, Observer] = {
    "bodies.not_an_object": each("createEvent")(not_an_object),
    "bodies.content_type": each("createEvent")(content_type),
    "bodies.null": each("createEvent")(null),
    "bodies.blank_optional": each("createEvent")(blank_optional),
    "bodies.blank_required": each("createEvent")(blank_required),
    "bodies.padded": each("createEvent")(padded),
    "bodies.coercion": coercion,
    "bodies.unknown_members": each("createEvent")(unknown_members),
    "bodies.words": each("createRun")(words),
    "bodies.free_objects": each("createRun")(free_objects),
    "bodies.progress": each("createRun")(progress),
    "bodies.letters": each("createEvent")(letters),
    "bodies.characters": characters,
    "bodies.first_mistake": first_mistake,
}

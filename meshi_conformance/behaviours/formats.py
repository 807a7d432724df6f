"""Observers of the forms that values may have, and have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from .observer import Observer, Sightings, each, of_values
from .traffic import Observed, Traffic

VISIBILITIES = frozenset({"private", "public", "unlisted"})
COMMON_EMAIL = 254
"""The longest address that common validators take (RFC 5321, 4.5.3.1.3)."""

FORMS = (
    ("micros", re.compile(r".*T[0-9:]{8}\.[0-9]{6}Z")),
    ("millis", re.compile(r".*T[0-9:]{8}\.[0-9]{3}Z")),
    ("seconds", re.compile(r".*T[0-9:]{8}Z")),
    ("nanos", re.compile(r".*T[0-9:]{8}\.[0-9]{9}Z")),
    ("offset", re.compile(r".*T.*[+-][0-9]{2}:[0-9]{2}")),
)
FRACTION = re.compile(r"\.([0-9]+)")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ROWS_FOR_A_CLOCK = 5
"""How many different rows have to show whole seconds before the clock counts as coarse."""


def values(one: Observed) -> str | None:
    visibility = one.body.get("visibility")
    if not isinstance(visibility, str) or visibility in VISIBILITIES or not 0 < len(visibility) <= 32:
        return None
    if one.is_success:
        return "any_text"
    return "known_form" if one.code == "INVALID_VISIBILITY" else None


def longest_email(one: Observed) -> str | None:
    rows = one.body.get("attendees")
    emails = [row.get("email") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not any(isinstance(email, str) and COMMON_EMAIL < len(email) <= 320 and "@" in email for email in emails):
        return None
    if one.is_success:
        return "documented"
    return "shorter" if one.code == "INVALID_ATTENDEE_EMAIL" else None


def linkedin_url(one: Observed) -> str | None:
    rows = one.body.get("attendees")
    urls = [row.get("linkedin_url") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not any(isinstance(url, str) and url.startswith("https://example.com/") for url in urls):
        return None
    if one.is_success:
        return "any_url"
    return "profile" if one.code == "INVALID_ATTENDEE_LINKEDIN_URL" else None


def webhook_scheme(one: Observed) -> str | None:
    url = one.body.get("webhook_url")
    if not isinstance(url, str) or not url.startswith("http://"):
        return None
    if one.is_success:
        return "http"
    return "https_only" if one.code == "INVALID_WEBHOOK_URL" else None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def impossible_dates(traffic: Traffic) -> Sightings:
    """Look for an event that starts on a day that the calendar does not have."""

    def is_tried(one: Observed) -> bool:
        start = one.body.get("start_date")
        return isinstance(start, str) and bool(DAY.fullmatch(start)) and not _is_day(start)

    return of_values(traffic, is_tried, "INVALID_START_DATE", "accepted", "refused")


def date_forms(traffic: Traffic) -> Sightings:
    """Look for an event that starts on a day without hyphens."""

    def is_tried(one: Observed) -> bool:
        start = one.body.get("start_date")
        return isinstance(start, str) and bool(re.fullmatch(r"[0-9]{8}", start))

    return of_values(traffic, is_tried, "INVALID_START_DATE", "accepted", "refused")


def end_before_start(one: Observed) -> str | None:
    start, end = one.body.get("start_timestamp"), one.body.get("end_timestamp")
    if not isinstance(start, str) or not isinstance(end, str) or not (start.endswith("Z") and end.endswith("Z")):
        return None
    if not DAY.match(start) or not DAY.match(end) or end >= start:
        return None
    if one.is_success:
        return "accepted"
    return "refused" if one.code in ("INVALID_END_TIMESTAMP", "INVALID_START_TIMESTAMP") else None


def event_dates(one: Observed) -> str | None:
    shown = one.answer.get("start_date")
    if not one.is_success or not isinstance(shown, str):
        return None
    return "day" if DAY.fullmatch(shown) else "date_time" if DAY.match(shown) else None


def _created(one: Observed) -> Iterator[str]:
    """Return the creation times that a read shows."""
    shown = [row.get("created_at") for row in one.rows] if one.is_page else [one.answer.get("created_at")]
    yield from (text for text in shown if isinstance(text, str))


def timestamps(one: Observed) -> str | None:
    if not one.is_success:
        return None
    text = next(_created(one), "")
    return next((name for name, form in FORMS if form.fullmatch(text)), None)


def clock(traffic: Traffic) -> Sightings:
    """Look for whole seconds in every row of a form that shows fractions."""
    whole: dict[str, Observed] = {}
    for one in traffic.of("getEvent", "listEvents"):
        for text in _created(one) if one.is_success else ():
            fraction = FRACTION.search(text)
            if fraction and fraction[1].strip("0"):
                yield "fine", one
                return
            if fraction:
                whole.setdefault(text, one)
    if len(whole) >= ROWS_FOR_A_CLOCK:
        yield "coarse", next(iter(whole.values()))


def creation_time(traffic: Traffic) -> Sightings:
    """Compare the creation time of one event in the answer to its creation and in a later read."""
    made: dict[str, Any] = {}
    for one in traffic.of("createEvent"):
        if one.is_success and isinstance(one.answer.get("created_at"), str):
            made.setdefault(str(one.answer.get("event_id")), one.answer["created_at"])
    for one in traffic.of("getEvent"):
        shown = one.answer.get("created_at")
        then = made.get(str(one.answer.get("event_id")))
        if one.is_success and isinstance(shown, str) and then is not None:
            yield ("same" if shown == then else "rounded"), one


def session_times(one: Observed) -> str | None:
    sent, shown = one.body.get("start_timestamp"), one.answer.get("start_timestamp")
    if not one.is_success or not isinstance(sent, str) or not isinstance(shown, str):
        return None
    return "as_sent" if shown == sent else "own_form"


OBSERVERS: dict[str, Observer] = {
    "formats.values": each("createEvent")(values),
    "formats.longest_email": each("importAttendees")(longest_email),
    "formats.linkedin_url": each("importAttendees")(linkedin_url),
    "formats.webhook_scheme": each("importAttendees", "createEnrichmentRun", "createMatchRun", "createRun")(
        webhook_scheme
    ),
    "formats.impossible_dates": impossible_dates,
    "formats.date_forms": date_forms,
    "formats.end_before_start": each("createSession")(end_before_start),
    "formats.event_dates": each("createEvent", "getEvent")(event_dates),
    "formats.timestamps": each("getEvent", "listEvents", "getRun")(timestamps),
    "formats.clock": clock,
    "formats.creation_time": creation_time,
    "formats.session_times": each("createSession")(session_times),
}

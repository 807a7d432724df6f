"""Which attendees look like the same person: same e-mail, same LinkedIn page, or same name and company."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from ..services import Services
from ..storage import Row

SIGNALS: dict[str, str] = {
    "same_email": "email_key",
    "same_linkedin_url": "linkedin_key",
    "same_name_and_company": "name_company_key",
}
"""Each signal with the column that two look-alikes share."""


def normalise_text(text: str) -> str:
    """Return the text without differences of case, width and spacing."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def email_key(email: str | None) -> str | None:
    """Return what equal e-mail addresses share."""
    return normalise_text(email or "") or None


def linkedin_key(url: str | None) -> str | None:
    """Return what equal LinkedIn URLs share: no scheme, no `www.`, no query, no closing slash, any case."""
    text = normalise_text(url or "").split("?")[0].split("#")[0]
    return text.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/") or None


def name_company_key(name: str, company: str | None) -> str | None:
    """Return what equal names at one company share; nothing where no company is known."""
    employer = normalise_text(company or "")
    return f"{normalise_text(name)}\n{employer}" if employer else None


def keys_of(members: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return the three keys of an attendee, in the order of their columns."""
    return (
        email_key(members["email"]),
        linkedin_key(members["linkedin_url"]),
        name_company_key(members["name"], members["company"]),
    )


def others_with(services: Services, attendee: Row, column: str) -> list[int]:
    """Return the attendees that this one, as a review's subject, looks like by one key.

    A group of look-alikes is compared with its first member only, so that reviews grow with the group and
    not with its square.
    """
    group = "FROM attendees WHERE event_seq = ? AND merged_into IS NULL"
    key = (attendee["event_seq"], attendee[column])
    first = services.storage.scalar(f"SELECT min(seq) {group} AND {column} = ?", key)
    if services.settings.review_subject == "later":
        return [] if first == attendee["seq"] else [first]
    if first != attendee["seq"]:
        return []
    rows = services.storage.all(f"SELECT seq {group} AND {column} = ? AND seq > ?", (*key, first))
    return [row["seq"] for row in rows]


def find_look_alikes(services: Services, attendee: Row) -> dict[int, list[str]]:
    """Return the attendees to compare this one with, each with the signals for it."""
    found: dict[int, list[str]] = {}
    for signal, column in SIGNALS.items():
        if attendee[column] is not None:
            for other in others_with(services, attendee, column):
                found.setdefault(other, []).append(signal)
    return found

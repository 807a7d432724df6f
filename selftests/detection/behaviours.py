"""What the report has to say of the choices that a variation makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshi_reference.variations.default import CHOICES
from meshi_reference.variations.registry import Variation

UNSEEN = {
    "attendees.body_limit": "it takes 50,000 rows, which are sent with --large alone",
    "rate_limit.wait_form": "it takes a 429, and most servers of a trial have no rate limit",
}
"""Open questions of which a trial need not see a choice, and why."""


def misread(entry: Variation, behaviours: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a report says otherwise of the choices that a variation makes.

    The report must name no choice but the variation's: its own, and in all other questions the default server's. Its
    own choices have to be named; of the default server, all.
    """
    own: dict[str, str] = dict(choice.split("=") for choice in entry.makes)
    return [
        said
        for row in behaviours
        if (said := _misread(row, own.get(row["question"]), CHOICES.get(row["question"], "nothing known")))
    ]


def _misread(row: Mapping[str, Any], own: str | None, default: str) -> str:
    expected = default if own is None else own
    if "problem" in row:
        return f"{row['question']}: {row['problem']}"
    wrong = [one for one in row["seen"] if one["choice"] != expected]
    if wrong:
        shown = "; ".join(f"{one['choice']} ({one['shown']})" for one in wrong)
        return f"{row['question']} is {expected}, and the report names {shown}"
    if own is not None and not row["seen"] and row["question"] not in UNSEEN:
        return f"{row['question']} is {expected}, and the report names no choice"
    return ""

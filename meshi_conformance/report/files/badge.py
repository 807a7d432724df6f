"""badge.svg: outcome and count of passed requirements, for a README or a dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from ...verdicts import gate

COLORS = {
    "conformant": "#2b7d47",
    "partial": "#8a6100",
    "undecided": "#a8450b",
    "nonconformant": "#b3261e",
    "invalid": "#5c6470",
}
LABEL = "Partner API"
LETTER = 6.7
"""Width of an average letter in pixels at 11 pixels; textLength makes the text fit whatever font is there."""


def parts(document: dict[str, Any], events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Draw the badge as SVG text."""
    counts = document["counts"]["documented"]
    outcome = document["outcome"]
    message = outcome
    if outcome == "nonconformant":
        message += f", {counts['fail']} failed"
    elif outcome == "undecided":
        message += f", {len(gate.undecided(document))} kept from being judged"
    elif outcome == "partial":
        message += f", {counts['pass']} of {sum(counts.values())} hold"
    left, right = (round(len(text) * LETTER) + 14 for text in (LABEL, message))
    title = escape(f"{LABEL}: {message}")
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3a3f47"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLORS[outcome]}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14" textLength="{left - 12}">{escape(LABEL)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - 12}">{escape(message)}</text>'
        "</g></svg>\n"
    )

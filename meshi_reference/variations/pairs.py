"""Variations that make two choices which bear on each other."""

from __future__ import annotations

from ..patching.patch import Patch
from . import audited, choices
from .registry import VARIATIONS, variation

PARTS = (audited, choices)
"""The modules whose variations are joined here: they are registered once they are imported."""


def pair(name: str, sentence: str, first: str, second: str) -> None:
    """Register the variation that two others make together; the second one's settings and clients win."""
    one, other = VARIATIONS[first], VARIATIONS[second]

    def apply(patch: Patch) -> None:
        one.apply(patch)
        other.apply(patch)

    variation(
        name,
        sentence,
        settings={**one.settings, **other.settings},
        apply=apply,
        background=other.background or one.background,
        unjudged=(*one.unjudged, *other.unjudged),
        deviates=(*one.deviates, *other.deviates),
        makes=tuple(dict.fromkeys((*one.makes, *other.makes))),
    )


pair(
    "pairs.replacing_busy",
    "An import replaces the event's attendees, while other clients read and write all the time.",
    "import.replaces",
    "org.busy",
)
pair(
    "pairs.lagging_short",
    "Lists lag behind writes, and their pages hold less than was asked for.",
    "lists.lag",
    "pages.short",
)
pair(
    "pairs.lagging_empty_last",
    "Lists lag behind writes, and end with an empty page.",
    "lists.lag",
    "pages.empty_last",
)
pair(
    "pairs.offset_busy",
    "Cursors count rows, while other clients add rows all the time.",
    "pages.offset",
    "org.busy",
)
pair(
    "pairs.in_flight_slow",
    "A key is refused while its first call is worked on, and every answer takes 20 ms.",
    "keys.in_flight",
    "wire.slow",
)

"""Variations of reviews, scores and match lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import storage
from ...patching.patch import Patch
from ...resources import lookalikes, matching
from ...services import Services
from ...storage import Row


def two_reviews_a_pair(patch: Patch) -> None:
    """Give each of two look-alikes a review about the other."""
    patch.wrap(
        storage,
        "SCHEMA",
        lambda sql: sql.replace("UNIQUE (kind, low_seq, high_seq)", "UNIQUE (kind, subject_seq, candidate_seq)"),
    )

    def others_with(services: Services, attendee: Row, column: str) -> list[int]:
        rows = services.storage.all(
            f"SELECT seq FROM attendees WHERE event_seq = ? AND merged_into IS NULL AND {column} = ? AND seq <> ?",
            (attendee["event_seq"], attendee[column], attendee["seq"]),
        )
        return [row["seq"] for row in rows]

    patch(lookalikes, "others_with", others_with)


def equal_scores(patch: Patch) -> None:
    patch(matching, "final_score", lambda a_to_b, b_to_a: 1)


def whole_scores(patch: Patch) -> None:
    patch.wrap(
        matching, "sub_scores", lambda inner: lambda a, b: {name: round(one) for name, one in inner(a, b).items()}
    )
    patch.wrap(matching, "final_score", lambda inner: lambda a_to_b, b_to_a: round(inner(a_to_b, b_to_a)))


def few_pairs(patch: Patch) -> None:
    """Match only some attendees."""

    def wrap(inner: Callable[[int, list[matching.Profile], int], Any]) -> Any:
        return lambda index, population, top_n: [] if index % 3 else inner(index, population, top_n)

    patch.wrap(matching, "rank_targets", wrap)

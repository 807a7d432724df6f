"""The story of a duty: the requests that show it, in the order of the server's clock, and the pauses between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

PAUSE = 0.05
"""Seconds from which on the time between an answer and the next request is worth a line."""

DISTURBED = {
    "rate_limited": "refused by the scenario, with Retry-After {retry_after}",
    "unavailable": "refused by the scenario",
    "lost": "carried out; the answer never arrived",
}
"""What a scenario did to an exchange, in words."""


def timelines(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the story in each scenario: `scenario` and its `lines`.

    A line is a request (`at` in seconds since the scenario began, `title`, `outcome`, `exchange`) or a `pause` in
    seconds.
    Exchanges of a run against a server have no scenario, and no story.
    """
    told = sorted(
        (one for one in records if "scenario" in one), key=lambda one: (one["scenario"], one["round"], one["at"])
    )
    return [
        {"scenario": scenario, "lines": list(_lines(list(group)))}
        for scenario, group in groupby(told, key=lambda one: one["scenario"])
    ]


def _lines(records: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    before: Mapping[str, Any] | None = None
    for one in records:
        if before is not None and before["round"] == one["round"]:
            pause = one["at"] - (before["at"] + before["elapsed"])
            if pause >= PAUSE:
                yield {"pause": round(pause, 2)}
        elif before is not None:
            yield {"round": one["round"]}
        yield {
            "at": round(one["at"], 2),
            "title": f"{one['method']} {one['path'][:160]}",
            "outcome": _outcome(one),
            "exchange": one["id"],
        }
        before = one


def _outcome(one: Mapping[str, Any]) -> str:
    headers = {name.lower(): value for name, value in one["headers"]}
    words = DISTURBED.get(one["disturbance"] or "", "" if one["delivered"] else "the client had gone")
    words = words.format(retry_after=headers.get("retry-after", ""))
    return f"{one['status']}: {words}" if words else str(one["status"])

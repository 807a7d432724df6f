"""Ask every observer what the exchanges of a run show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ..contract.contract import Contract
from ..contract.open_questions import Question
from . import attendees, bodies, events, formats, lists, matches, reviews, routes, runs
from .observer import Observer
from .traffic import Observed, Traffic

OBSERVERS: dict[str, Observer] = {
    **bodies.OBSERVERS,
    **formats.OBSERVERS,
    **events.OBSERVERS,
    **attendees.OBSERVERS,
    **lists.OBSERVERS,
    **runs.OBSERVERS,
    **matches.OBSERVERS,
    **reviews.OBSERVERS,
    **routes.OBSERVERS,
}
"""By open question: its observer."""

MOST_EXCHANGES = 10_000
"""How many exchanges are read: what a longer run shows, it shows in these."""


def observe(
    records: Iterable[Mapping[str, Any]], contract: Contract, questions: Mapping[str, Question]
) -> list[dict[str, Any]]:
    """Return a row for each question: its choices that the records (Exchange.record) show, the most frequent first.

    `seen` is empty where no exchange shows any. Each choice comes with the number of exchanges that show it, with the
    operations of these, and with the first of them: its ID and a line. An observer that errs costs its own row alone,
    which says so in `problem`.
    """
    traffic = Traffic(islice(records, MOST_EXCHANGES), contract)
    return [_row(name, traffic) for name in questions]


def _row(question: str, traffic: Traffic) -> dict[str, Any]:
    try:
        return {"question": question, "seen": _seen(traffic, OBSERVERS[question])}
    except Exception as problem:  # whatever a server answers must not cost the report
        said = f"the observer erred: {type(problem).__name__}: {str(problem)[:200]}"
        return {"question": question, "seen": [], "problem": said}


def _seen(traffic: Traffic, observer: Observer) -> list[dict[str, Any]]:
    found: dict[str, list[Observed]] = {}
    for choice, exchange in observer(traffic):
        found.setdefault(choice, []).append(exchange)
    ranked = sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [
        {
            "choice": choice,
            "count": len(exchanges),
            "operations": sorted({one.operation for one in exchanges if one.operation is not None}),
            "exchange": exchanges[0].id,
            "shown": exchanges[0].line,
        }
        for choice, exchanges in ranked
    ]

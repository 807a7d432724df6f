"""Walks over lists: cursors verbatim, with the same filters, until null (canonical-flow, Production Checklist)."""

from __future__ import annotations

from dataclasses import dataclass

from ...vocabulary import CauseClass
from ..story import End, Step
from .judge import Judge

FILTERS = ("kind", "run_id", "session_id", "goal")

SEARCHES = frozenset({"listEvents", "listRuns", "listAttendeeMatches"})
"""Lists in which a client may want one row, or the first rows, and stop where it has them."""

MOST_CURSORS = 20_000
LISTS = ("small_pages",)

Place = tuple[str | None, tuple[tuple[str, str], ...]]


def place(step: Step) -> Place:
    """Return which list a request asks for, without its filters."""
    return step.operation, tuple(sorted(step.parameters.items()))


def filters(step: Step) -> tuple[tuple[str, str], ...]:
    """Return the filters of a request."""
    return tuple((name, step.query[name]) for name in FILTERS if name in step.query)


class _Cursors(Judge):
    """Keeps the cursors that the client was given."""

    shown_in = LISTS

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self.issued: dict[str, Step] = {}

    def answered(self, step: Step) -> None:
        if step.is_success and step.next_cursor is not None and len(self.issued) < MOST_CURSORS:
            self.issued[step.next_cursor] = step


class Verbatim(_Cursors):
    duty = "client.pages.verbatim"

    def asked(self, step: Step) -> None:
        cursor = step.query.get("cursor")
        if not cursor or step.operation is None:
            return  # an empty cursor may mean that there is no next page
        page = self.issued.get(cursor)
        if page is not None and place(page) == place(step):
            self.keeps(page, step)
        elif page is not None:
            self.breaks(f"A cursor of {page.operation} was sent to another list, {step.operation}", page, step)
        elif len(self.issued) < MOST_CURSORS:
            last = next((one for one in reversed(self.issued.values()) if place(one) == place(step)), None)
            self.breaks(f"{step.operation} was sent the cursor {cursor[:60]!r}, which no answer had given", last, step)


class SameFilters(_Cursors):
    duty = "client.pages.same_filters"

    def asked(self, step: Step) -> None:
        page = self.issued.get(step.query.get("cursor", ""))
        if page is None or place(page) != place(step):
            return
        if filters(page) != filters(step):
            before = ", ".join(f"{name}={value[:40]}" for name, value in filters(page)) or "no filter"
            after = ", ".join(f"{name}={value[:40]}" for name, value in filters(step)) or "none"
            self.breaks(
                f"{step.operation}: the walk began with {before}, and a later page was asked with {after}", page, step
            )
        elif filters(step):
            self.keeps(page, step)


@dataclass
class Walk:
    """Pages of one list that follow each other; `rows` is how many it has shown."""

    last: Step
    rows: int


class ToTheEnd(Judge):
    duty = "client.pages.to_the_end"
    shown_in = LISTS

    def __init__(self, scenario: str) -> None:
        super().__init__(scenario)
        self._open: dict[str, Walk] = {}
        self._whole: dict[tuple[Place, tuple[tuple[str, str], ...]], Step] = {}
        self._asked: dict[str, Walk] = {}

    def asked(self, step: Step) -> None:
        cursor = step.query.get("cursor", "")
        walk = self._open.pop(cursor, None)
        if walk is not None:
            self._asked[step.exchange] = walk
        elif cursor:
            # The client goes on with a cursor that it has changed, which is reported already.
            self._open = {name: one for name, one in self._open.items() if place(one.last) != place(step)}

    def answered(self, step: Step) -> None:
        before = self._asked.pop(step.exchange, None)
        if step.operation is None or not step.is_success or step.operation in SEARCHES:
            return
        rows = step.rows + (before.rows if before else 0)
        if step.next_cursor is not None:
            if len(self._open) < MOST_CURSORS:
                self._open[step.next_cursor] = Walk(step, rows)
            return
        self._whole[place(step), filters(step)] = step
        if before is not None:
            self.keeps(before.last, step)

    def ended(self, end: End) -> None:
        for walk in self._open.values():
            last = walk.last
            limit = last.query.get("limit", "")
            wanted = int(limit) if limit.isdigit() and len(limit) < 9 else None
            if (place(last), filters(last)) in self._whole or (wanted is not None and walk.rows >= wanted):
                continue
            if end.killed:
                self.cannot_tell("the client was stopped in the middle of a walk", CauseClass.DEADLINE)
            else:
                self.breaks(
                    f"A walk over {last.operation} ended after {walk.rows} rows, with a next_cursor that was not null",
                    last,
                )
        self._open.clear()
        self._whole.clear()

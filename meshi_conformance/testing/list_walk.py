"""A walk through a list that keeps what it saw, also where it breaks off, and what can be asked of it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..client.pagination import steps
from ..client.polling import look_until
from ..errors import CeilingReached, CheckFailed, Inconclusive, NothingThere, SetupFailed
from ..exchanges.exchange import Exchange
from ..exchanges.strict_json import JsonObject
from ..exchanges.timestamps import instant

MOST_EMPTY = 100
"""Empty pages in a row after which a walk through a list without a filter leads nowhere."""


@dataclass
class ListWalk:
    """What a walk showed, and why it stopped before the end: `broken` by the server, or `stopped` by us."""

    limit: int
    pages: list[Exchange] = field(default_factory=list)
    rows: list[JsonObject] = field(default_factory=list)
    broken: str | None = None
    stopped: Inconclusive | None = None

    def check_order(
        self,
        rank: Callable[[JsonObject], Any],
        descending: bool,
        key: Callable[[JsonObject], Hashable] | None = None,
    ) -> None:
        """Assert that no row follows one that it should precede; a row without a rank is passed over.

        With `key` a row that was shown before is passed over too: others may add rows meanwhile, which may push it
        onto a later page.

        Raise NothingThere where no two rows have one.
        """
        rows = self.rows if key is None else list({key(row): row for row in self.rows}.values())
        ranked = [(value, row) for row in rows if (value := rank(row)) is not None]
        if len(ranked) < 2:
            raise NothingThere("fewer than two rows show what they are ordered by", "rows do not show their order")
        for (before, _), (after, row) in itertools.pairwise(ranked):
            wrong = before < after if descending else before > after
            if wrong:
                raise CheckFailed(f"{after} comes after {before}, in the row {json.dumps(row)[:200]}")

    def check_once_each(self, ours: Sequence[Hashable], key: Callable[[JsonObject], Hashable]) -> None:
        """Assert that each row of ours was shown, and no row twice.

        Rows that hold the same are in `ours` as often as they are to be shown.
        """
        times, expected = Counter(key(row) for row in self.rows), Counter(ours)
        twice = [one for one, shown in times.items() if shown > max(1, expected[one])]
        if twice:
            raise CheckFailed(f"{len(twice)} of {len(times)} rows were shown more than once, such as {twice[0]}")
        lost = [one for one, wanted in expected.items() if times[one] < wanted]
        if lost and self.stopped:
            raise self.stopped
        broken = f"; {self.broken}" if self.broken else ""
        if lost:
            raise CheckFailed(f"{len(lost)} of {len(ours)} rows were not shown, such as {lost[0]}{broken}")

    def check_end(self, most_empty: int | None = MOST_EMPTY) -> None:
        """Assert that every page but the last has a cursor.

        A walk that was given up after more empty pages in a row than `most_empty` led nowhere; None where a server
        may have that many rows to pass over.
        """
        if self.stopped:
            empty = len(list(itertools.takewhile(lambda page: not page.items, reversed(self.pages))))
            if most_empty is not None and empty >= most_empty:
                raise CheckFailed(f"{empty} pages in a row are empty, and each has a `next_cursor`")
            raise self.stopped
        if self.broken is not None:
            raise CheckFailed(self.broken)

    def check_page_size(self) -> None:
        """Assert that no page was longer than asked for."""
        for number, page in enumerate(self.pages, 1):
            if len(page.items) > self.limit:
                raise CheckFailed(f"page {number} has {len(page.items)} rows for limit={self.limit}")


def walk_list(
    api: Api,
    call: Call,
    limit: int,
    *,
    until: Callable[[list[JsonObject]], bool] = lambda rows: False,
    between: Callable[[], Any] = lambda: None,
    most_pages: int = 200,
) -> ListWalk:
    """Walk a list to its end, or until the rows so far are enough; `between` is done before each next page.

    Raise SetupFailed where not even the first page comes: that is not a question of paging.
    """
    found = ListWalk(limit)
    try:
        for page in steps(lambda query: api.send(call.replace(query={**call.query, **query})), {"limit": limit}):
            found.rows += page.items
            found.pages.append(page)
            if until(found.rows):
                break
            if len(found.pages) >= most_pages:
                message = f"{call.operation} goes on after {most_pages} pages of {limit}"
                raise CeilingReached(message, f"{call.operation} is too long to walk")
            between()
    except AssertionError as problem:
        found.broken = str(problem)
    except Inconclusive as problem:
        found.stopped = problem
    if found.stopped and not found.pages:
        raise found.stopped
    if not found.pages:
        raise SetupFailed(found.broken or call.operation, f"{call.operation} answers with no page")
    return found


def walk_once_shown(
    api: Api, call: Call, limit: int, shown: Callable[[list[JsonObject]], bool], **how: Any
) -> ListWalk:
    """Walk a list, anew until it shows what was written, as long as it may lag behind; `how` as of `walk_list`."""

    def holds(found: ListWalk) -> bool:
        return bool(found.broken or found.stopped) or shown(found.rows)

    return look_until(api, call.operation, lambda: walk_list(api, call, limit, **how), holds)


def member(name: str) -> Callable[[JsonObject], Hashable]:
    """Name a row by one of its members, or by all it holds where that one is missing."""
    return lambda row: value if isinstance(value := row.get(name), str) else whole(row)


def pair(row: JsonObject) -> Hashable:
    """Name a match by its ordered pair, or by all it holds where it does not show one."""
    ids = row.get("principal_attendee_id"), row.get("target_attendee_id")
    return ids if all(isinstance(one, str) for one in ids) else whole(row)


def whole(row: JsonObject) -> Hashable:
    """Name a row by all it holds."""
    return json.dumps(row, sort_keys=True)


def score(row: JsonObject) -> float | None:
    """Return what matches are ordered by; None where a row does not show it."""
    value = row.get("final_score")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def created(row: JsonObject) -> Decimal | None:
    """Return when a row was created; None where it does not show it."""
    return instant(row.get("created_at"))

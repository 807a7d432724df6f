"""Lists: the order and size of each page, and walks from page to page by their cursors."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from ...client.pagination import MOST_PAGES
from ...contract.contract import Contract
from ...exchanges.timestamps import after, instant
from ..rule import Rule, shown
from ..state.bounded import Bounded
from ..state.memory import Memory, WholeWalk
from ..state.observation import Observation, Trace
from ..state.tally import Tally

MOST_WALKS = 2_000
MOST_ROWS = 60_000
"""Rows of one walk that are told apart: enough for the largest import."""
MOST_KNOWN = 2_000
"""Rows of one list that are remembered from walk to walk."""
MOST_EMPTY = 100
"""Empty pages in a row after which a walk leads nowhere."""


def _id(name: str) -> Callable[[dict[str, Any]], Hashable]:
    return lambda row: row.get(name) if isinstance(row.get(name), str) else None


def _match(row: dict[str, Any]) -> Hashable:
    """Name a match by its ID, or without one by all it holds, for a pair may be matched in several sessions."""
    return row["match_id"] if isinstance(row.get("match_id"), str) else json.dumps(row, sort_keys=True)


def _created(row: dict[str, Any]) -> Any:
    return instant(row.get("created_at"))


def _score(row: dict[str, Any]) -> float | None:
    value = row.get("final_score")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _start(row: dict[str, Any]) -> Any:
    return instant(row.get("start_timestamp"))


def _attendee(row: dict[str, Any]) -> Any:
    value = row.get("attendee_id")
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Listing:
    """A list: its family of requirements, what names a row, and what rows are ordered by.

    `kept` says that a row once listed stays listed, because nothing in the API takes one away.
    """

    family: str
    key: Callable[[dict[str, Any]], Hashable]
    rank: Callable[[dict[str, Any]], Any]
    descending: bool
    kept: bool = False
    time: str = ""


LISTINGS: dict[str, Listing] = {
    "listEvents": Listing("events", _id("event_id"), _created, True, True, "created_at"),
    "listRuns": Listing("runs", _id("run_id"), _created, True, True, "created_at"),
    "listSessions": Listing("sessions", _id("session_id"), _start, False, True, "start_timestamp"),
    "listAttendees": Listing("attendees", _id("attendee_id"), _attendee, False),
    "listAttendeeIdentity": Listing("identity", lambda row: None, _created, True, False, "created_at"),
    "listAttendeeMatches": Listing("attendee_matches", _match, _score, True, True),
    "listEventMatches": Listing("event_matches", _match, _score, True, True),
    "listEventReviews": Listing("event_reviews", _id("review_id"), _created, True, False, "created_at"),
    "listReviews": Listing("reviews", _id("review_id"), _created, True, False, "created_at"),
}


@dataclass
class Walk:
    """A walk through a list: how far it is and what it has shown. `whole` is True where its first page was seen."""

    key: Hashable
    limit: str | None
    whole: bool
    first: Trace
    last: Trace
    pages: int = 0
    empty: int = 0
    rows: int = 0
    """Rows of the last page."""
    top: Any = None
    """What the first row that it showed is ordered by."""
    last_row: dict[str, Any] | None = None
    seen: set[Hashable] = field(default_factory=set)
    repeated: bool = False
    token: Any = None


@dataclass(frozen=True)
class Suspicion:
    """A row that a walk showed twice or not at all, with the time during which the list must not have changed."""

    family: str
    scope: Hashable
    since: Trace
    seen: Observation
    message: str
    earlier: Trace
    narrower: str = ""
    """What is broken where the list did not change, if that is more than that each row is shown once."""


QUEUES = {"event_reviews": "identity.queue.event", "reviews": "identity.queue.org"}
"""That a list holds an open review until it is resolved."""

MOST_SUSPICIONS = 200


class Lists(Rule):
    """Every page of a list, and each walk that its cursors lead through."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._walks: Bounded[Hashable, list[Walk]] = Bounded(MOST_WALKS)
        self._fifty: Bounded[Hashable, int] = Bounded(MOST_WALKS)
        self._known: Bounded[Hashable, dict[Hashable, tuple[Any, Trace]]] = Bounded(300)
        self._suspicions: list[Suspicion] = []

    def see(self, seen: Observation) -> None:
        self.memory.walked = None
        listing = LISTINGS.get(seen.exchange.operation or "")
        if listing is None or not seen.coverage.answer_body:
            return
        self._odd(seen, listing)
        if not seen.is_success or not isinstance(seen.answer.get("items"), list):
            return
        rows = seen.rows
        self._size(seen, listing, rows)
        self._ordered(seen, listing, rows, None)
        twice = _twice([listing.key(row) for row in rows])
        message = f"{shown(twice)} is repeated on the page"
        if rows:
            self.judge(twice is None, self._of_repeat(seen, listing, twice), seen, message)
        self._walk(seen, listing, rows)

    # One page

    def _odd(self, seen: Observation, listing: Listing) -> None:
        """Judge a page size out of range: refused, or a page of at most 100."""
        limit = seen.argument("limit")
        if limit is None or re.fullmatch(r"[1-9][0-9]?|100", limit):
            return
        if not (seen.status in (401, 403, 404, 429) or seen.status >= 500):
            rows = seen.answer.get("items")
            holds = not seen.is_success or not isinstance(rows, list) or len(rows) <= 100
            message = f"limit={limit} is answered with {len(rows) if isinstance(rows, list) else 0} rows"
            self.judge(holds, f"lists.{listing.family}.odd_limit", seen, message)

    def _size(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]]) -> None:
        family, asked = listing.family, seen.argument("limit")
        more = seen.answer.get("next_cursor") is not None
        if asked is None and "limit" not in seen.query:
            if self.known(f"lists.{family}.default_size"):
                longest = self._fifty.get(_key(seen)) or 0
                message = f"a page without a limit has {len(rows)} rows"
                if len(rows) > 50 or (more and len(rows) < longest):
                    self.judge(False, f"lists.{family}.default_size", seen, f"{message}; with limit=50 {longest}")
                elif more and len(rows) == 50:
                    self.tally.hold(f"lists.{family}.default_size")
            return
        if asked is None or not re.fullmatch(r"[1-9][0-9]?|100", asked):
            return
        limit = int(asked)
        message = f"limit={limit} is answered with {len(rows)} rows"
        self.judge(len(rows) <= limit, f"lists.{family}.page_size", seen, message)
        if limit in (1, 100) and family == "events":
            self.tally.hold("lists.events.limit_range")
        if limit == 50 and more and not seen.query.get("cursor"):
            self._fifty.put(_key(seen), len(rows))

    def _full_page(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]], walk: Walk) -> None:
        """Judge the size of the page before this one: more rows did follow it, and not only a cursor."""
        family, asked = listing.family, seen.argument("limit")
        name = f"lists.{family}.full_page"
        if not rows or asked is None or not re.fullmatch(r"[1-9][0-9]?|100", asked) or not self.known(name):
            return
        if set(seen.query) - {"limit", "cursor"} or not walk.whole:
            return  # a cursor may keep the page size that it was given with
        grows_behind = not listing.descending  # a new row may have come to stand behind a page that was the last one
        if grows_behind and (
            not self.memory.complete
            or self.memory.changed(self._scope(seen, listing), walk.last.began, seen.trace.ended)
        ):
            return
        message = f"the page before this one had {walk.rows} rows with limit={asked}"
        self.judge(walk.rows >= int(asked), name, seen, message, walk.last)
        if asked == "100" and family == "attendees":
            self.judge(walk.rows >= 100, "lists.attendees.largest_page", seen, message, walk.last)

    def _ordered(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]], walk: Walk | None) -> None:
        """Judge the order on a page; with a walk, that from its last row to the first of this page."""
        ranked = [row for row in rows if listing.rank(row) is not None]
        if walk is not None:
            ranked = [row for row in (walk.last_row, *ranked[:1]) if row is not None]
        for one, other in itertools.pairwise(ranked):
            wrong = _wrong(listing, one, other)
            if wrong is None:
                continue
            earlier = (walk.last,) if walk is not None else ()
            message = f"{shown(listing.rank(other))} comes after {shown(listing.rank(one))}"
            requirement = f"lists.{listing.family}.order"
            if wrong and walk is not None and not self._surely_wrong(listing, other, walk):
                # Nothing says that a walk survives rows that are added meanwhile.
                self._suspect(seen, listing, walk.first, message, walk.last, requirement)
                return
            self.judge(not wrong, requirement, seen, message, *earlier)
            if wrong:
                return
            if listing.family == "sessions":
                self.tally.hold("lists.sessions.instants")

    def _surely_wrong(self, listing: Listing, row: dict[str, Any], walk: Walk) -> bool:
        """Tell whether a row that is out of order was there when the walk passed its place, and was not shown."""
        if listing.family.endswith("_matches"):
            return True  # a run that has ended gets no more of them
        rank = listing.rank(row)
        by_creation = listing.time == "created_at" and listing.descending
        return by_creation and walk.top is not None and rank <= walk.top and listing.key(row) not in walk.seen

    # From page to page

    def _walk(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]]) -> None:
        key = _key(seen)
        cursor = seen.argument("cursor")
        walk = None
        if "cursor" not in seen.query:
            walk = Walk(key, seen.argument("limit"), True, seen.trace, seen.trace)
        elif cursor is not None:
            walk = self._continued(seen, key, cursor)
        if walk is None:
            walk = Walk(key, seen.argument("limit"), False, seen.trace, seen.trace)
        elif walk.pages:
            self._ordered(seen, listing, rows, walk)
            self._repeats(seen, listing, rows, walk)
            self._full_page(seen, listing, rows, walk)
        walk.rows = len(rows)
        before, walk.last, walk.pages = walk.last_row, seen.trace, walk.pages + 1
        walk.empty = 0 if rows else walk.empty + 1
        ranked = [row for row in rows if listing.rank(row) is not None]
        walk.last_row = ranked[-1] if ranked else walk.last_row
        walk.top = listing.rank(ranked[0]) if ranked and before is None else walk.top
        if len(walk.seen) < MOST_ROWS:
            walk.seen.update(one for row in rows if (one := listing.key(row)) is not None)
        token = seen.answer.get("next_cursor")
        if seen.org is not None and (listing.kept or self.memory.complete):
            self._lost(seen, listing, rows, walk, before, token is None)
        self._remember(seen, listing, rows, key)
        if token is None:
            self._ended(seen, listing, walk)
        elif isinstance(token, str | int | float) and walk.pages < 10 * MOST_PAGES:
            if walk.empty > MOST_EMPTY and not set(seen.query) - {"limit", "cursor"}:
                message = f"{walk.empty} pages in a row are empty, and each has a `next_cursor`"
                self.judge(False, f"lists.{listing.family}.end", seen, message, walk.first)
                return
            place = (key, str(token))
            self._walks.put(place, [*(self._walks.get(place) or [])[-7:], walk])

    def _continued(self, seen: Observation, key: Hashable, cursor: str) -> Walk | None:
        """Return the walk that a cursor continues: the latest one that had got the cursor before."""
        walks = self._walks.get((key, cursor)) or []
        for walk in reversed(walks):
            if walk.last.before(seen.trace) and walk.limit == seen.argument("limit"):
                walks.remove(walk)
                return walk
        return None

    def _repeats(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]], walk: Walk) -> None:
        keys = [one for row in rows if (one := listing.key(row)) is not None]
        again = [one for one in keys if one in walk.seen]
        if not again:
            return
        walk.repeated = True
        family = listing.family
        message = f"{shown(again[0])} was on an earlier page of the same walk"
        if len(again) == len(keys) and seen.answer.get("next_cursor") is not None:
            self._suspect(
                seen, listing, walk.first, f"the walk shows nothing new: {message}", walk.last, f"lists.{family}.end"
            )
        elif family.endswith("_matches") and isinstance(seen.answer.get("run_id"), str):
            # Nothing adds a pair to a match run that has ended; only the run asked for can be told from a later one.
            name = "complete" if "run_id" in seen.query else None
            if name:
                self.judge(False, f"lists.{family}.{name}", seen, message, walk.last)
        else:
            self._suspect(seen, listing, walk.first, message, walk.last)

    def _of_repeat(self, seen: Observation, listing: Listing, id: Hashable) -> str:
        """Return the requirement that a row breaks which a list repeats."""
        if listing.family == "attendees" and isinstance(id, str):
            known = self.memory.attendees.get((seen.org or "", seen.parameters["event_id"], id))
            if known is not None and len(known.imports) > 1:
                return "attendees.reimport.once"
        return f"lists.{listing.family}.complete"

    def _suspect(
        self, seen: Observation, listing: Listing, since: Trace, message: str, earlier: Trace, narrower: str = ""
    ) -> None:
        """Note a row that was shown twice or not at all: a list that changed meanwhile breaks something else."""
        stable = f"lists.{listing.family}.stable"
        if self.memory.complete and len(self._suspicions) < MOST_SUSPICIONS:
            self._suspicions.append(
                Suspicion(listing.family, self._scope(seen, listing), since, seen, message, earlier, narrower)
            )
        elif self.known(stable) and listing.kept and not listing.family.endswith("_matches"):
            self.judge(False, stable, seen, message, earlier)

    def settle(self) -> None:
        """Judge the rows that were shown twice or not at all, now that every write at the same time is known."""
        for one in self._suspicions:
            if not self.memory.complete:
                break
            scopes = [one.scope]
            if one.family == "attendees":
                scopes.append((one.seen.org, "decisions", None))  # whom a decision takes off the list is open
            changed = any(self.memory.changed(scope, one.since.began, one.seen.trace.ended) for scope in scopes)
            name = f"lists.{one.family}.stable" if changed else one.narrower or f"lists.{one.family}.complete"
            if self.known(name) and not (changed and one.family in ("attendees", "event_reviews", "reviews")):
                self.judge(False, name, one.seen, one.message, one.earlier)
        self._suspicions.clear()

    def _closed_by(self, seen: Observation, listing: Listing, id: Hashable, walk: Walk) -> str:
        """Return the requirement that a list without an open review breaks, where more than its paging may be wrong."""
        if listing.family not in QUEUES or not isinstance(id, str):
            return ""
        refused = self.memory.refused_decisions.get((seen.org or "", id))
        if refused is not None and refused[1].before(walk.first):
            return refused[0]
        alone = walk.pages == 1 and seen.answer.get("next_cursor") is None
        return QUEUES[listing.family] if alone else ""

    def _scope(self, seen: Observation, listing: Listing) -> Hashable:
        """Name what must not change if the list is not to change."""
        below = seen.parameters.get("event_id") if listing.family in ("sessions", "attendees") else None
        return (seen.org, {"event_reviews": "reviews"}.get(listing.family, listing.family), below)

    def _ended(self, seen: Observation, listing: Listing, walk: Walk) -> None:
        if walk.whole and len(walk.seen) < MOST_ROWS:
            self.memory.walked = WholeWalk(listing.family, walk.first, frozenset(walk.seen))
        if walk.whole and walk.pages > 1 and not walk.repeated:
            self.tally.hold(f"lists.{listing.family}.end")

    def _remember(self, seen: Observation, listing: Listing, rows: list[dict[str, Any]], key: Hashable) -> None:
        if seen.org is None or not (listing.kept or self.memory.complete):
            return
        known = self._known.get(_full(key, seen))
        if known is None:
            known = {}
            self._known.put(_full(key, seen), known)
        for row in rows:
            id, rank = listing.key(row), listing.rank(row)
            if id is not None and rank is not None and len(known) < MOST_KNOWN:
                known.setdefault(id, (rank, seen.trace))

    def _lost(
        self,
        seen: Observation,
        listing: Listing,
        rows: list[dict[str, Any]],
        walk: Walk,
        before: dict[str, Any] | None,
        end: bool,
    ) -> None:
        """Return rows that the list has shown before the walk began, and that this page should have shown."""
        known = self._known.get(_full(walk.key, seen))
        ranked = [row for row in rows if listing.rank(row) is not None]
        if not known or not walk.whole or (not ranked and not end):
            return
        start = listing.rank(before) if before is not None else None
        stop = None if end else listing.rank(ranked[-1])
        if start is None and before is None and walk.pages > 1:
            return
        for id, (rank, trace) in known.items():
            if id in walk.seen or not trace.before(walk.first):
                continue
            if listing.family == "attendees":
                inside = (start is None or _wrong_ids(str(rank), start) is True) and (
                    stop is None or _wrong_ids(stop, str(rank)) is True
                )
            elif listing.descending:
                inside = (start is None or rank < start) and (stop is None or rank > stop)
            else:
                inside = (start is None or rank > start) and (stop is None or rank < stop)
            if inside:
                message = f"{shown(id)} is missing, and the list showed it before"
                self._suspect(seen, listing, trace, message, trace, self._closed_by(seen, listing, id, walk))
                return
        if walk.pages > 1 or end:
            self.tally.hold(f"lists.{listing.family}.complete")


def _key(seen: Observation) -> Hashable:
    """Name what a walk is a walk of: the list with its filters, as one key asks for it."""
    filters = {name: values for name, values in seen.query.items() if name not in ("limit", "cursor")}
    path = json.dumps(dict(seen.parameters), sort_keys=True)
    return (seen.org or seen.party, seen.exchange.operation, path, json.dumps(filters, sort_keys=True))


def _full(key: Hashable, seen: Observation) -> Hashable:
    """Name the list that a page is of; a page of matches says of which run."""
    run_id = seen.answer.get("run_id")
    return (key, run_id if isinstance(run_id, str) else None)


def _twice(keys: list[Hashable]) -> Hashable:
    found: set[Hashable] = set()
    for one in keys:
        if one is not None and one in found:
            return one
        found.add(one)
    return None


def _wrong(listing: Listing, one: dict[str, Any], other: dict[str, Any]) -> bool | None:
    """Tell whether a row comes after one that it should precede; None where readings of the order differ."""
    if listing.family == "attendees":
        return _wrong_ids(str(one["attendee_id"]), str(other["attendee_id"]))
    if listing.time:
        first, second = one.get(listing.time), other.get(listing.time)
        return after(second, first) if listing.descending else after(first, second)
    before, behind = listing.rank(one), listing.rank(other)
    return bool(before < behind if listing.descending else before > behind)


def _wrong_ids(one: str, other: str) -> bool | None:
    """Tell whether two IDs are out of order in every collation; None where collations differ."""
    orders = {(_ > other_) for _, other_ in zip(_collations(one), _collations(other), strict=True)}
    return orders.pop() if len(orders) == 1 else None


def _collations(id: str) -> list[Any]:
    """Return the ID as bytes are ordered, as dictionaries order words, and with its numbers by their value."""
    letters = re.sub(r"[^a-z0-9]", "", id.lower())
    natural = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", id.lower())]
    return [id, id.lower(), id.swapcase(), letters, natural]

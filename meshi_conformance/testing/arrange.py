"""Create the preconditions of a test on the target.

Every function either arranges or raises SetupFailed with the one cause, so that a broken endpoint shows
up once and not in every check that needed it. None of them judges more than it has to: any success status
will do.
"""

from __future__ import annotations

import copy
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..client.pagination import rows, walk
from ..client.polling import look_until, poll_to_end
from ..errors import AnswerLost, Inconclusive, NothingThere, SetupFailed
from ..exchanges.exchange import Exchange
from ..exchanges.strict_json import JsonObject

PAGES_LOOKED_AT = 20
"""Pages of a list of the whole org in which rows of ours are looked for."""


def plain_rows(base: str, count: int) -> list[dict[str, Any]]:
    """Return rows of an import with the two required members alone; their IDs sort in the order of the rows."""
    return [{"attendee_id": f"{base}-{number:05d}", "name": "Conny"} for number in range(count)]


class Given:
    """Arranges rows under names that tell people what made them: `conf-<date>-<run>-…`."""

    def __init__(self, api: Api, run: str, worker: str) -> None:
        self.api = api
        self._prefix = f"conf-{time.strftime('%Y%m%d')}-{run}"
        self._worker = worker
        self._numbers = itertools.count(1)

    def as_key(self, key: str) -> Given:
        """Arrange with the key of another role, under the same names."""
        other = copy.copy(self)
        other.api = self.api.as_key(key)
        return other

    def name(self, what: str) -> str:
        """Return an ID that was never used, in lower-case letters, digits and hyphens."""
        return f"{self._prefix}-{self._worker}-{what}-{next(self._numbers)}"

    def idempotency_key(self) -> str:
        """Return a key for one logical write, no longer than a UUID: the maximum is not documented."""
        return f"{self._prefix}-{secrets.token_hex(7)}"

    def unknown_id_like(self, issued: str) -> str:
        """Return an ID of the same form as one that the target made up, which it has not issued.

        The last characters are turned around, which keeps the alphabet and the length of any random ID; a short
        one is taken for a running number and moved far ahead.
        """
        if not issued:
            raise SetupFailed("the target made up an empty ID", "the target makes up empty IDs")
        places = [place for place, letter in enumerate(issued) if letter.isalnum()][-10:]
        number = re.search(r"[0-9]{1,9}\Z", issued)
        if number and (len(places) < 10 or len(number[0]) == len(issued) or not issued[number.start() - 1].isalnum()):
            return issued[: number.start()] + f"{int(number[0]) + 900_000_000}"
        letters = list(issued)
        for place, other in zip(places, reversed(places), strict=True):
            letters[place] = issued[other]
        turned = "".join(letters)
        return turned if turned != issued else issued[:-1] + ("0" if issued[-1] != "0" else "1")

    def event_request(self, **members: Any) -> dict[str, Any]:
        """Return a request for a new event with every documented member; None leaves a member out."""
        event_id = self.name("event")
        request = {
            "event_id": event_id,
            "title": "Conformance Summit",
            "description": "Made by a conformance run; safe to ignore.",
            "start_date": "2031-03-10",
            "end_date": "2031-03-11",
            "timezone": "Europe/Lisbon",
            "visibility": "private",
            "url_slug": event_id,
            **members,
        }
        return {name: value for name, value in request.items() if value is not None}

    def session_request(self, **members: Any) -> dict[str, Any]:
        """Return a request for a new session with every documented member; None leaves a member out."""
        request = {
            "session_id": self.name("session"),
            "title": "Conformance Session",
            "description": "Made by a conformance run; safe to ignore.",
            "start_timestamp": "2031-03-10T09:00:00Z",
            "end_timestamp": "2031-03-10T10:00:00Z",
            **members,
        }
        return {name: value for name, value in request.items() if value is not None}

    def attendee(self, **members: Any) -> dict[str, Any]:
        """Return a unique row of an import with every documented member; None leaves a member out."""
        token = secrets.token_hex(5)
        attendee_id = members.pop("attendee_id", None) or self.name("attendee")
        row = {
            "attendee_id": attendee_id,
            "name": f"Conny {token.capitalize()}",
            "email": f"conf-{token}@example.com",
            "linkedin_url": f"https://www.linkedin.com/in/conf-{token}",
            "title": "Test Engineer",
            "company": f"Example {token.upper()}",
            "raw_data": {"source": "conformance"},
            **members,
        }
        return {name: value for name, value in row.items() if value is not None}

    def look_alikes(self) -> list[dict[str, Any]]:
        """Return two rows of one person: all but the ID is the same, so any identity rule should notice."""
        one = self.attendee()
        return [one, {**one, "attendee_id": self.name("attendee")}]

    def import_request(self, rows: list[dict[str, Any]] | None = None, **members: Any) -> dict[str, Any]:
        """Return a request to import rows, by default one; None leaves a member out."""
        request = {
            "idempotency_key": self.idempotency_key(),
            "attendees": [self.attendee()] if rows is None else rows,
            **members,
        }
        return {name: value for name, value in request.items() if value is not None}

    def run_request(self, **members: Any) -> dict[str, Any]:
        """Return a request for an enrichment or match run."""
        return {"idempotency_key": self.idempotency_key(), **members}

    def generic_run_request(self, kind: str = "import", **members: Any) -> dict[str, Any]:
        """Return a request for a run outside event scope, every member set; None leaves one out."""
        request = {
            "kind": kind,
            "idempotency_key": self.idempotency_key(),
            "progress": {},
            # Names in two notations, a list and a null: what is kept as data comes back as it was.
            "snapshot_metadata": {"source": "conformance", "someName": 1, "some_name": [1, None, {"deep": True}]},
            "version_metadata": {"suite": "conformance"},
            **members,
        }
        return {name: value for name, value in request.items() if value is not None}

    def event(self, **members: Any) -> str:
        """Return the ID of a new event; after a lost answer, that of another one."""

        def create() -> str:
            request = self.event_request(**members)
            self.require_success(self.api.create_event(request))
            return str(request["event_id"])

        with suppress(AnswerLost):
            return create()
        return create()

    def session(self, event_id: str, **members: Any) -> str:
        """Return the ID of a new session of an event; after a lost answer, that of another one."""

        def create() -> str:
            request = self.session_request(**members)
            self.require_success(self.api.create_session(event_id, request))
            return str(request["session_id"])

        with suppress(AnswerLost):
            return create()
        return create()

    def require_success(self, exchange: Exchange) -> Exchange:
        """Return the exchange itself, given that it was accepted."""
        if not exchange.is_success:
            raise SetupFailed(
                f"could not arrange: {exchange.summary} (exchange {exchange.id})",
                f"{exchange.called} answered {exchange.status} {exchange.code or ''}".strip(),
            )
        return exchange

    def run_id(self, exchange: Exchange) -> str:
        """Return the ID of the run that an accepted write started."""
        try:
            run_id = self.require_success(exchange)["run_id"]
        except AssertionError as problem:
            raise SetupFailed(str(problem), f"{exchange.called} names no run") from None
        if not isinstance(run_id, str) or not run_id:
            raise SetupFailed(f"{exchange.summary} without a run_id", f"{exchange.called} names no run")
        return run_id

    def finished_run(self, exchange: Exchange) -> JsonObject:
        """Return the run that an accepted write started, after it ended as it should: succeeded or partial."""
        return self.wait_for_run(exchange)[-1].json

    def wait_for_run(self, exchange: Exchange) -> list[Exchange]:
        """Return every poll of the run that an accepted write started, until it succeeded, wholly or in part."""
        return self.wait_for(self.run_id(exchange), exchange.operation)

    def wait_for(self, run_id: str, operation: str | None) -> list[Exchange]:
        """Return every poll of a run that this operation started, until it succeeded, wholly or in part."""
        try:
            polls = poll_to_end(self.api, run_id)
            last = polls[-1].json
            if last["status"] == "failed":
                raise SetupFailed(
                    f"the run of {operation} failed: {str(last.get('error'))[:200]}",
                    f"runs of {operation} fail",
                )
        except AssertionError as problem:
            raise SetupFailed(str(problem), "getRun answers without the members of a run") from None
        return polls

    def import_and_wait(self, event_id: str, rows: list[dict[str, Any]] | None = None) -> JsonObject:
        """Import into an event and return the ended run."""
        return self.finished_run(self.api.import_attendees(event_id, self.import_request(rows)))

    def enrich_and_wait(self, event_id: str) -> JsonObject:
        """Enrich an event and return the ended run."""
        return self.finished_run(self.api.create_enrichment_run(event_id, self.run_request()))

    def match_and_wait(self, event_id: str, **members: Any) -> JsonObject:
        """Match an event and return the ended run."""
        return self.finished_run(self.api.create_match_run(event_id, self.run_request(**members)))

    def page(self, call: Call) -> Exchange:
        """Read a page of a list, with rows and a cursor that can be read."""
        page = self.require_success(self.api.send(call))
        try:
            _ = page.items, page.next_cursor
        except AssertionError as problem:
            raise SetupFailed(str(problem), f"{call.operation} answers with no page") from None
        return page

    def list_all(
        self, call: Call, until: Callable[[list[JsonObject]], bool] | None = None, **bounds: int
    ) -> list[JsonObject]:
        """Return every row of a list, from pages of the largest size, up to the page that is enough for `until`."""
        fetch = lambda query: self.api.send(call.replace(query={**call.query, **query}))  # noqa: E731
        try:
            return rows(walk(fetch, {"limit": 100}, until=until, **bounds))
        except AssertionError as problem:
            raise SetupFailed(str(problem), f"{call.operation} cannot be walked") from None

    def list_until_shown(self, call: Call, named: str, ids: Iterable[Any]) -> list[JsonObject]:
        """Read the rows of a list again until rows with these IDs are among them, as long as a list may lag.

        That they are there is for the caller to judge.
        """
        wanted = set(ids)
        holds = lambda seen: wanted <= {row.get(named) for row in seen}  # noqa: E731
        return look_until(self.api, call.operation, lambda: self.list_all(call), holds)

    def settle(self, call: Call, named: str, ids: Iterable[Any]) -> None:
        """Wait until a list shows rows of ours, so that what is asked of it next is not answered too early.

        Nothing is judged: where the list never shows them, a test of its own says so.
        """
        wanted = set(ids)
        holds = lambda seen: wanted <= {row.get(named) for row in seen}  # noqa: E731
        with suppress(Inconclusive, AssertionError):
            look_until(
                self.api, call.operation, lambda: self.list_all(call, until=holds, most_pages=PAGES_LOOKED_AT), holds
            )

    def settle_matches(self, event_id: str, run_id: str) -> None:
        """Wait until the event's match list shows a run that has ended; nothing is judged."""

        def shown() -> bool:
            page = self.api.list_event_matches(event_id, query={"limit": 1})
            return page.is_success and page.json.get("run_id") == run_id

        with suppress(Inconclusive, AssertionError):
            look_until(self.api, "listEventMatches", shown, bool)

    def open_reviews(self, event_id: str, at_least: int = 1) -> list[str]:
        """Return the IDs of the open reviews of an event of ours. Raise NothingThere where too few appear."""
        reviews = look_until(
            self.api, "an open review", lambda: self._reviews(event_id), lambda seen: len(seen) >= at_least
        )
        if len(reviews) >= at_least:
            return reviews
        raise NothingThere(
            f"look-alike attendees of {event_id} left {len(reviews)} open reviews, "
            f"{at_least} are needed; nothing in the API forces one to appear",
            "no identity review appeared for look-alike attendees",
        )

    def _reviews(self, event_id: str) -> list[str]:
        page = self.require_success(self.api.list_event_reviews(event_id, query={"limit": 100}))
        try:
            return [row["review_id"] for row in page.items if isinstance(row["review_id"], str)]
        except AssertionError as problem:
            raise SetupFailed(str(problem), "the review queue's rows have no review_id") from None

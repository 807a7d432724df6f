"""Valid reads of rows that are already there: what a run that may not write can still judge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cached_property

from ..client.api import Api
from ..client.call import Call
from ..client.polling import TERMINAL
from ..errors import NotPermitted
from ..exchanges.exchange import Exchange
from ..exchanges.strict_json import JsonObject

LOOKED_AT = 20
"""How many of the newest events and runs are looked at for one that has what is needed."""


class Found:
    """Finds an event, a session, an attendee, a pair with a score and a run among other people's rows."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.RLock()

    def call(self, operation: str) -> Call:
        """Return a valid read. Raise NotPermitted for a write, and where there is nothing to read."""
        if operation in ("getAuth", "listEvents", "listRuns", "listReviews"):
            return Call(operation)
        builder = _PATHS.get(operation)
        if builder is None:
            raise NotPermitted(self._api.transport.target.read_only_reason)
        with self._lock, self._api.transport.recorder.outside_test():
            return Call(operation, path=builder(self))

    @cached_property
    def events(self) -> list[str]:
        """The IDs of the newest events; at least one."""
        return self._some(self._api.list_events(query={"limit": LOOKED_AT}), "event_id", "an event")

    @cached_property
    def session(self) -> dict[str, str]:
        fetch = lambda event_id: self._api.list_sessions(event_id, query={"limit": 1})  # noqa: E731
        for event_id, row in self._rows(fetch):
            if isinstance(row.get("session_id"), str):
                return {"event_id": event_id, "session_id": row["session_id"]}
        raise self._nothing("a session")

    @cached_property
    def attendee(self) -> dict[str, str]:
        fetch = lambda event_id: self._api.list_attendees(event_id, query={"limit": 1})  # noqa: E731
        for event_id, row in self._rows(fetch, "import"):
            if isinstance(row.get("attendee_id"), str):
                return {"event_id": event_id, "attendee_id": row["attendee_id"]}
        raise self._nothing("an attendee")

    @cached_property
    def pair(self) -> dict[str, str]:
        fetch = lambda event_id: self._api.list_event_matches(event_id, query={"limit": 1})  # noqa: E731
        for event_id, row in self._rows(fetch, "match"):
            principal, target = row.get("principal_attendee_id"), row.get("target_attendee_id")
            if isinstance(principal, str) and isinstance(target, str):
                return {"event_id": event_id, "principal_partner_id": principal, "target_partner_id": target}
        raise self._nothing("a pair with a score")

    @cached_property
    def run_id(self) -> str:
        return self._some(self._api.list_runs(query={"limit": 1}), "run_id", "a run")[0]

    def _rows(self, fetch: Callable[[str], Exchange], kind: str | None = None) -> Iterator[tuple[str, JsonObject]]:
        """Return the first row of a list of each event: those first that a run of the kind names, then the newest."""
        runs = self._api.list_runs(query={"kind": kind, "limit": LOOKED_AT}) if kind else None
        ran = [row.get("event_id") for row in _objects(runs) if row.get("status") in TERMINAL] if runs else []
        for event_id in dict.fromkeys([*(one for one in ran if isinstance(one, str)), *self.events]):
            for row in _objects(fetch(event_id))[:1]:
                yield event_id, row

    def _some(self, page: Exchange, member: str, what: str) -> list[str]:
        found = [row[member] for row in _objects(page) if isinstance(row.get(member), str)]
        if not found:
            raise self._nothing(what)
        return found

    def _nothing(self, what: str) -> NotPermitted:
        reason = self._api.transport.target.read_only_reason
        return NotPermitted(f"{reason}; {what} of another client would do, but none was found")


def _objects(page: Exchange) -> list[JsonObject]:
    """Return the rows of a page that are objects; none where it was refused."""
    rows = page.json.get("items") if page.is_success else None
    return [row for row in rows if isinstance(row, JsonObject)] if isinstance(rows, list) else []


def _matches(found: Found) -> dict[str, str]:
    return {"event_id": found.pair["event_id"]}


def _event(found: Found) -> dict[str, str]:
    return {"event_id": found.events[0]}


_PATHS: dict[str, Callable[[Found], dict[str, str]]] = {
    "getIdMapping": lambda found: {"kind": "event", "partner_id": found.events[0]},
    "getEvent": _event,
    "getEventContext": _event,
    "listSessions": _event,
    "getSession": lambda found: found.session,
    "listAttendees": _event,
    "listAttendeeIdentity": lambda found: found.attendee,
    "listAttendeeMatches": lambda found: {
        "event_id": found.pair["event_id"],
        "attendee_id": found.pair["principal_partner_id"],
    },
    "listEventMatches": _matches,
    "getMatch": lambda found: found.pair,
    "getRun": lambda found: {"run_id": found.run_id},
    "listEventReviews": _event,
}
"""Operation to the path parameters of a read that existing rows allow."""

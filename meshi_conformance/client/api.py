"""The 25 operations as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ..exchanges.exchange import Exchange
from .call import Call
from .transport import Transport


class Api:
    """The operations as methods, sent with one key. `api.as_key("read")` is the same with another key.

    Every method takes the attributes of Call as keyword arguments besides its own.
    """

    def __init__(self, transport: Transport, key: str | None = "main") -> None:
        self.transport = transport
        self.key = key

    def as_key(self, key: str | None) -> Api:
        """Return the same operations with the key of another role; None sends no key."""
        return Api(self.transport, key)

    def send(self, call: Call) -> Exchange:
        """Send a prepared call, with its own key."""
        return self.transport.call(call)

    def send_concurrently(self, calls: Iterable[Call | Callable[[], Exchange]]) -> list[Exchange]:
        """Send independent calls at once; the exchanges come in the order of the calls."""
        return self.transport.send_concurrently(
            partial(self.send, one) if isinstance(one, Call) else one for one in calls
        )

    def request(self, method: str, path: str, **how: Any) -> Exchange:
        """Send a request outside the 25 operations; `path` is relative to the base URL."""
        how.setdefault("key", self.key)
        return self.transport.request(method, path, **how)

    def _send(self, operation: str, how: dict[str, Any], **given: Any) -> Exchange:
        how.setdefault("key", self.key)
        return self.transport.call(Call(operation, **given, **how))

    def get_auth(self, **how: Any) -> Exchange:
        return self._send("getAuth", how)

    def get_id_mapping(self, kind: str, partner_id: str, **how: Any) -> Exchange:
        return self._send("getIdMapping", how, path={"kind": kind, "partner_id": partner_id})

    def create_event(self, event: Any, **how: Any) -> Exchange:
        return self._send("createEvent", how, body=event)

    def list_events(self, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listEvents", how, query=query or {})

    def get_event(self, event_id: str, **how: Any) -> Exchange:
        return self._send("getEvent", how, path={"event_id": event_id})

    def update_event_context(self, event_id: str, context: Any, **how: Any) -> Exchange:
        return self._send("updateEventContext", how, path={"event_id": event_id}, body=context)

    def get_event_context(self, event_id: str, **how: Any) -> Exchange:
        return self._send("getEventContext", how, path={"event_id": event_id})

    def create_session(self, event_id: str, session: Any, **how: Any) -> Exchange:
        return self._send("createSession", how, path={"event_id": event_id}, body=session)

    def list_sessions(self, event_id: str, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listSessions", how, path={"event_id": event_id}, query=query or {})

    def get_session(self, event_id: str, session_id: str, **how: Any) -> Exchange:
        return self._send("getSession", how, path={"event_id": event_id, "session_id": session_id})

    def list_attendees(self, event_id: str, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listAttendees", how, path={"event_id": event_id}, query=query or {})

    def import_attendees(self, event_id: str, request: Any, **how: Any) -> Exchange:
        return self._send("importAttendees", how, path={"event_id": event_id}, body=request)

    def list_attendee_identity(
        self, event_id: str, attendee_id: str, *, query: Mapping[str, Any] | None = None, **how: Any
    ) -> Exchange:
        path = {"event_id": event_id, "attendee_id": attendee_id}
        return self._send("listAttendeeIdentity", how, path=path, query=query or {})

    def create_enrichment_run(self, event_id: str, request: Any, **how: Any) -> Exchange:
        return self._send("createEnrichmentRun", how, path={"event_id": event_id}, body=request)

    def create_match_run(self, event_id: str, request: Any, **how: Any) -> Exchange:
        return self._send("createMatchRun", how, path={"event_id": event_id}, body=request)

    def list_attendee_matches(
        self, event_id: str, attendee_id: str, *, query: Mapping[str, Any] | None = None, **how: Any
    ) -> Exchange:
        path = {"event_id": event_id, "attendee_id": attendee_id}
        return self._send("listAttendeeMatches", how, path=path, query=query or {})

    def list_event_matches(self, event_id: str, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listEventMatches", how, path={"event_id": event_id}, query=query or {})

    def get_match(
        self,
        event_id: str,
        principal_id: str,
        target_id: str,
        *,
        query: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> Exchange:
        path = {
            "event_id": event_id,
            "principal_partner_id": principal_id,
            "target_partner_id": target_id,
        }
        return self._send("getMatch", how, path=path, query=query or {})

    def create_run(self, request: Any, **how: Any) -> Exchange:
        return self._send("createRun", how, body=request)

    def list_runs(self, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listRuns", how, query=query or {})

    def get_run(self, run_id: str, **how: Any) -> Exchange:
        return self._send("getRun", how, path={"run_id": run_id})

    def list_event_reviews(self, event_id: str, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listEventReviews", how, path={"event_id": event_id}, query=query or {})

    def list_reviews(self, *, query: Mapping[str, Any] | None = None, **how: Any) -> Exchange:
        return self._send("listReviews", how, query=query or {})

    def resolve_review(self, review_id: str, decision: Any, **how: Any) -> Exchange:
        return self._send("resolveReview", how, path={"review_id": review_id}, body=decision)

    def merge_review(self, review_id: str, merge: Any, **how: Any) -> Exchange:
        return self._send("mergeReview", how, path={"review_id": review_id}, body=merge)

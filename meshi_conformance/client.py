"""The 25 operations over httpx. Every call returns an Exchange, whatever the server answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from .contract import Contract
from .errors import TransportTrouble
from .exchange import Exchange
from .recorder import Recorder
from .target import Target

NOTHING: Any = object()
"""No request body at all."""

ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer that is read; past it the server is cut off."""

ANSWER_SECONDS = 60.0
"""How long one answer may take in all."""

TRIES = 4
RATE_LIMIT_PATIENCE = 180.0
"""Seconds that one request waits in all for a rate limit to lift."""

THREADS = 8


@dataclass(frozen=True)
class Call:
    """One request to an operation, before it is sent.

    `key` is the role of the key to send, None for no Authorization header; `authorization` replaces the
    header's whole value. `body` is a JSON value, `content` raw bytes in its place.
    """

    operation: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = NOTHING
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = "main"
    authorization: str | None = None

    def but(self, **changes: Any) -> Call:
        """The same call with other attributes."""
        return replace(self, **changes)

    def with_body(self, **members: Any) -> Call:
        """The same call with some members of its body set."""
        return replace(self, body={**self.body, **members})

    def without(self, *members: str) -> Call:
        """The same call without some members of its body."""
        return replace(self, body={name: value for name, value in self.body.items() if name not in members})

    def at(self, **parameters: str) -> Call:
        """The same call with other path parameters."""
        return replace(self, path={**self.path, **parameters})


class Transport:
    """Sends requests to one target and records what comes back."""

    def __init__(self, target: Target, contract: Contract, recorder: Recorder, run: str) -> None:
        self.run = run
        self.target = target
        self.contract = contract
        self.recorder = recorder
        self._http = httpx.Client(
            timeout=httpx.Timeout(30.0, connect=10.0),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=4.0),
            follow_redirects=False,
            trust_env=not target.is_loopback,
            headers={"Accept": "application/json", "User-Agent": "meshi-conformance"},
        )
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()
        self._http.close()

    def call(self, call: Call, patient: bool = True) -> Exchange:
        """Sends one call of an operation. `patient` waits out a 429; else it is returned."""
        operation = self.contract.operations[call.operation]
        path = operation.path
        for name, value in call.path.items():
            path = path.replace("{" + name + "}", quote(value, safe=":"))
        if call.query:
            path += "?" + urlencode(call.query, quote_via=quote)
        content = call.content
        headers = dict(call.headers)
        if call.body is not NOTHING and content is None:
            content = json.dumps(call.body, ensure_ascii=False).encode()
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        retriable = operation.method == "GET" or (
            isinstance(call.body, Mapping) and isinstance(call.body.get("idempotency_key"), str)
        )
        return self.request(
            operation.method,
            path,
            operation=operation.id,
            key=call.key,
            authorization=call.authorization,
            headers=headers,
            content=content,
            retriable=retriable,
            patient=patient,
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        operation: str | None = None,
        key: str | None = "main",
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        retriable: bool = False,
        patient: bool = True,
        base: str | None = None,
    ) -> Exchange:
        """Sends any request below the base URL.

        A safe request is repeated after a transport failure, and so is a write that carries an idempotency
        key. Raises TransportTrouble when no answer comes.
        """
        sent = dict(headers or {})
        url = (base or self.target.base) + path
        bearer = authorization
        if bearer is None and key is not None:
            bearer = f"Bearer {self.target.keys[key]}"
        started_waiting = time.monotonic()
        for attempt in range(1, 1000):
            try:
                exchange = self._once(method, url, path, operation, key, authorization, bearer, sent, content)
            except httpx.TransportError as problem:
                reason = f"{operation or method + ' ' + path}: {type(problem).__name__} {problem}"
                self.recorder.trouble(reason)
                never_sent = isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout)
                if attempt < TRIES and (retriable or never_sent):
                    time.sleep(min(0.1 * 2**attempt, 2.0))
                    continue
                raise TransportTrouble(f"no answer to {reason}", f"transport: {reason}") from problem
            if exchange.status != 429 or not patient:
                return exchange
            waited = time.monotonic() - started_waiting
            if waited > RATE_LIMIT_PATIENCE:
                raise TransportTrouble(
                    f"{exchange.summary} for {waited:.0f} s in spite of waiting as Retry-After said",
                    "the target's rate limit did not lift",
                )
            time.sleep(retry_delay(exchange.header("retry-after")))
        raise TransportTrouble(f"{method} {path} was answered 429 a thousand times", "the rate limit stays")

    def _once(
        self,
        method: str,
        url: str,
        path: str,
        operation: str | None,
        key: str | None,
        authorization: str | None,
        bearer: str | None,
        sent: dict[str, str],
        content: bytes | None,
    ) -> Exchange:
        number = self.recorder.next_id()
        if int(number.rpartition("-")[2]) % 2 and "x-correlation-id" not in sent:
            # Every other request brings an ID of its own, so that both directions are seen on every route
            # and on every kind of refusal, and the target's logs can be searched for the run.
            sent = {**sent, "x-correlation-id": f"conf-{self.run}-{number}"}
        started = time.time()
        clock = time.perf_counter()
        headers = {**sent, "Authorization": bearer} if bearer is not None else sent
        body = bytearray()
        with self._http.stream(method, url, headers=headers, content=content) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise TransportTrouble(
                        f"{method} {path} answered more than {ANSWER_BYTES >> 20} MiB; reading was stopped",
                        "an answer without end",
                    )
                if time.perf_counter() - clock > ANSWER_SECONDS:
                    raise TransportTrouble(
                        f"{method} {path} was still answering after {ANSWER_SECONDS:.0f} s",
                        "an answer that trickles",
                    )
        literal = {"Authorization": authorization} if authorization is not None else {}
        exchange = Exchange(
            id=number,
            operation=operation,
            test=self.recorder.test,
            method=method,
            path=path,
            key="literal" if authorization is not None else key,
            request_headers={**sent, **literal},
            request_body=content,
            status=response.status_code,
            headers=[(name, value) for name, value in response.headers.multi_items()],
            body=bytes(body),
            started=started,
            elapsed=time.perf_counter() - clock,
        )
        self.recorder.exchange(exchange)
        return exchange

    def together(self, calls: Iterable[Callable[[], Exchange]]) -> list[Exchange]:
        """Makes independent calls at once and returns their exchanges in the order given."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "calls")
        return [future.result() for future in [self._pool.submit(one) for one in calls]]


LONGEST_PAUSE = 60.0
"""Seconds between two tries at most, whatever Retry-After says."""


def retry_delay(retry_after: str | None) -> float:
    """Seconds to wait before the next try; one second where the header says nothing usable."""
    if retry_after and retry_after.strip().isdigit():
        return min(max(float(retry_after), 0.05), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(retry_after or "").timestamp()
    except ValueError:
        return 1.0
    return min(max(moment - time.time(), 0.05), LONGEST_PAUSE)


class Api:
    """The operations as methods, sent with one key. `api.as_key("read")` is the same with another key.

    Every method takes the attributes of Call as keyword arguments besides its own.
    """

    def __init__(self, transport: Transport, key: str | None = "main") -> None:
        self.transport = transport
        self.key = key

    def as_key(self, key: str | None) -> Api:
        """The same operations with the key of another role; None sends no key."""
        return Api(self.transport, key)

    def send(self, call: Call) -> Exchange:
        """Sends a prepared call, with its own key."""
        return self.transport.call(call)

    def together(self, calls: Iterable[Call | Callable[[], Exchange]]) -> list[Exchange]:
        """Sends independent calls at once; the exchanges come in the order of the calls."""
        return self.transport.together(partial(self.send, one) if isinstance(one, Call) else one for one in calls)

    def request(self, method: str, path: str, **how: Any) -> Exchange:
        """Sends a request that is none of the 25 operations; `path` is relative to the base URL."""
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

"""One sandbox: the reference server behind a front that disturbs, and records every request with its answer.

What the client never received is recorded too, with the answer that the server gave.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import httpcore

from ..contract.contract import Contract
from ..exchanges.checks import USABLE_CORRELATION_ID, retry_after_seconds
from ..exchanges.exchange import STORED_BODY_BYTES, Exchange
from ..exchanges.redaction import Redaction
from ..target.keys import BEARER
from ..target.reference_process import Embedded
from ..target.target import CURRENT_BASE, LEGACY_BASE, Target
from ..watching.expectations.expectation import Reader, Unknown
from .bounds import faults_of
from .disturbances import Disturbance, Visit
from .front import Asked, Front, Reply
from .scenarios import Scenario
from .story import Facts, Routes, Step, facts_of, query_of, read_answer

MOST_REQUESTS = 20_000
"""Requests that one scenario takes; a client that sends more is stopped."""

DROPPED_REQUEST_HEADERS = frozenset(
    {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "expect", "upgrade", "te", "trailer"}
)
DROPPED_ANSWER_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Sandbox:
    """A scenario at work.

    `record` receives each exchange as results.json keeps it. `key` is what the client is given; the reference server
    gets a key of its own in its place. With `keeps_events` the bodies of all events that were created are in `events`.
    """

    def __init__(
        self,
        scenario: Scenario,
        contract: Contract,
        key: str,
        record: Callable[[dict[str, Any]], None],
        keeps_events: bool = False,
    ) -> None:
        self.scenario = scenario
        self.events: list[Any] = []
        self.steps: list[Step] = []
        self.round = 1
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.began = time.monotonic()
        self._contract = contract
        self._key = key
        self._redaction = Redaction({"main": key})
        self._record = record
        self._keeps_events = keeps_events
        self._routes = Routes(contract)
        self._reader = Reader(contract, Unknown({}))
        self._most_rows = next(
            int(one.schema["maxItems"])
            for one in contract.limits()
            if (one.operation, one.name) == ("importAttendees", "attendees")
        )
        self._disturbances: list[Disturbance] = [make() for make in scenario.disturbances]
        self._front = Front(self._handle, self._told, self._stop)
        self._visits: dict[int, tuple[Step, Reply]] = {}
        self._under_way = 0
        self._server: Embedded | None = None
        self._target: Target | None = None
        self._pool: httpcore.AsyncConnectionPool | None = None
        self.base = ""

    async def start(self) -> None:
        """Start the reference server and listen. Raise UsageError where the server does not start."""
        self._server = Embedded(self.scenario.arguments)
        self._target = await asyncio.to_thread(self._server.target)
        self._pool = httpcore.AsyncConnectionPool(max_connections=64, keepalive_expiry=30.0)
        self.base = f"http://127.0.0.1:{await self._front.start()}{CURRENT_BASE}"
        self.began = time.monotonic()

    async def stop(self) -> None:
        """Close every connection and end the reference server."""
        await self._front.stop()
        if self._pool is not None:
            await self._pool.aclose()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def seed(self, events: list[Any]) -> None:
        """Create events that are to exist before the scenario begins."""
        for body in events:
            await self._send("POST", "/events", body, self._upstream_key("main"))

    @property
    def server_ended(self) -> bool:
        """Whether the reference server is gone without having been stopped."""
        return self._server is None or self._server.ended

    # One request

    async def _handle(self, asked: Asked) -> Reply | None:
        self._under_way += 1
        try:
            if len(self.steps) >= MOST_REQUESTS:
                self._stop(f"it sent more than {MOST_REQUESTS:,} requests")
                return None
            return await self._answer(asked)
        finally:
            self._under_way -= 1

    def _stop(self, why: str) -> None:
        if not self.stopped.done():
            self.stopped.set_result(why)

    async def _answer(self, asked: Asked) -> Reply | None:
        base, below = _split(asked.target)
        operation, parameters = self._routes.find(asked.method, below.partition("?")[0]) if base else (None, {})
        value = _json(asked.body) if operation is not None and operation.body is not None else None
        correlation_id = self._correlation_id(asked)

        def refuse(status: int, code: str, message: str, headers: Mapping[str, str]) -> Reply:
            return _refusal(status, code, message, headers, correlation_id)

        visit = Visit(asked, operation, parameters, value, asked.target, asked.body, self._send_as_client, refuse)
        step = self._step(asked, base, visit)
        self.steps.append(step)
        if asked.malformed is not None:
            reply: Reply = refuse(400, "INVALID_REQUEST", asked.malformed, {})
        elif asked.body_bytes > len(asked.body):
            reply = refuse(413, "PAYLOAD_TOO_LARGE", "the body is over the byte limit", {})
        else:
            reply = await self._through(visit)
        lost = any([one.loses(visit, reply) for one in self._disturbances])
        step.disturbance = visit.disturbance
        self._read_reply(step, visit, reply)
        if self._keeps_events and step.effect and step.operation == "createEvent":
            self.events.append(value)
        self._visits[id(asked)] = (step, reply)
        return None if lost else reply

    async def _through(self, visit: Visit) -> Reply:
        """Return the answer of the first disturbance that answers, or else of the reference server."""
        for one in self._disturbances:
            made = await one.before(visit)
            if made is not None:
                return made
        reply = await self._forward(visit)
        for one in self._disturbances:
            reply = one.after(visit, reply)
        return reply

    async def _forward(self, visit: Visit) -> Reply:
        headers = [
            (name, self._outward(value) if name == "authorization" else value)
            for name, value in visit.asked.headers
            if name not in DROPPED_REQUEST_HEADERS
        ]
        return await self._request(visit.asked.method, visit.target, headers, visit.body)

    def _outward(self, authorization: str) -> str:
        """Return the Authorization header with the reference server's key in place of the client's."""
        return authorization.replace(self._key, self._upstream_key(self.scenario.key))

    def _upstream_key(self, role: str) -> str:
        assert self._target is not None
        return self._target.keys[role]

    async def _request(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Reply:
        assert self._pool is not None
        assert self._target is not None
        origin = httpcore.URL(self._target.base)
        url = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.encode("latin-1"))
        sent = [("host", f"127.0.0.1:{origin.port}"), *headers]
        if body or method in ("POST", "PUT", "PATCH"):
            sent.append(("content-length", str(len(body))))
        answer = await self._pool.request(
            method.encode(), url, headers=[(n.encode("latin-1"), v.encode("latin-1")) for n, v in sent], content=body
        )
        received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers]
        kept = [(name, value) for name, value in received if name not in DROPPED_ANSWER_HEADERS]
        return Reply(answer.status, kept, answer.content)

    async def _send_as_client(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        return await self._send(method, path, body, self._upstream_key("main"))

    async def _send(self, method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        headers = [("authorization", f"{BEARER}{key}"), ("content-type", "application/json")]
        content = b"" if body is None else json.dumps(body).encode()
        reply = await self._request(method, CURRENT_BASE + path, headers, content)
        return reply.status, _json(reply.body)

    # Facts

    def _step(self, asked: Asked, base: str | None, visit: Visit) -> Step:
        operation = visit.operation
        below = _split(asked.target)[1]
        facts = Facts()
        faults: list[tuple[str, str]] = []
        if operation is not None:
            if operation.body is not None:
                facts = facts_of(operation, visit.parameters, visit.value)
            faults = list(self._faults(asked, visit))
        if asked.malformed is not None:
            faults.append(("request", f"it is not HTTP: {asked.malformed}"))
        authorization = asked.header("authorization") or ""
        scheme, _, token = authorization.partition(" ")
        return Step(
            exchange=f"{self.scenario.name}-{len(self.steps) + 1}",
            round=self.round,
            method=asked.method,
            path=below[:300] if base else asked.target[:300],
            operation=operation.id if operation else None,
            base={CURRENT_BASE: "current", LEGACY_BASE: "alias"}.get(base or "", "other"),
            connection=asked.connection,
            arrived=asked.arrived - self.began,
            parameters=visit.parameters,
            query=query_of(asked.target),
            facts=facts,
            faults=tuple(faults),
            key_in=tuple(self._key_places(asked)),
            authorized=scheme.lower() == "bearer" and token.strip() == self._key,
            overlaps=self._under_way > 1,
        )

    def _faults(self, asked: Asked, visit: Visit) -> list[tuple[str, str]]:
        """Return the documented bounds that a request breaks, read as generated calls are read."""
        assert visit.operation is not None
        faults = faults_of(
            self._reader, visit.operation.id, visit.parameters, query_of(asked.target), asked.body, visit.value
        )
        if faults is None:
            return []
        rows = visit.value.get("attendees") if isinstance(visit.value, dict) else None
        if visit.name == "importAttendees" and isinstance(rows, list) and len(rows) > self._most_rows:
            faults.append(("attendees", f"attendees has {len(rows):,} rows, more than {self._most_rows:,}"))
        return faults

    def _key_places(self, asked: Asked) -> list[str]:
        """Return where the key appears besides the Authorization header."""
        found = []
        forms = [self._key, base64.b64encode(self._key.encode()).decode().rstrip("=")]
        if any(form in unquote(asked.target) for form in forms):
            found.append("the URL")
        found += [
            f"the header {name[:60]}"
            for name, value in asked.headers
            if name != "authorization" and any(form in value for form in forms)
        ]
        if any(form.encode() in asked.body for form in forms):
            found.append("the body")
        return found

    def _read_reply(self, step: Step, visit: Visit, reply: Reply) -> None:
        step.status = reply.status
        read_answer(step, _json(reply.body), visit.operation)
        headers = dict(reply.headers)
        step.correlation_id = headers.get("x-correlation-id")
        if reply.status == 429:
            said = headers.get("retry-after")
            step.retry_after = retry_after_seconds(said)
            step.retry_after_is_date = bool(said) and not str(said).isdigit()

    def _correlation_id(self, asked: Asked) -> str:
        sent = asked.header("x-correlation-id")
        usable = sent is not None and USABLE_CORRELATION_ID.match(sent)
        return str(sent) if usable else "cor_" + secrets.token_hex(12)

    def _told(self, asked: Asked, reply: Reply | None, moment: float, delivered: bool) -> None:
        known = self._visits.pop(id(asked), None)
        if known is None:
            return  # the client is being stopped
        step, said = known
        step.answered = moment - self.began
        step.delivered = delivered and reply is not None
        exchange = Exchange(
            id=step.exchange,
            operation=step.operation,
            test=f"scenario {self.scenario.name}",
            method=asked.method,
            path=_split(asked.target)[1] if step.base != "other" else asked.target,
            key="main" if step.authorized else ("literal" if asked.header("authorization") else None),
            request_headers={
                name: value
                for name, value in asked.headers
                if name not in ("host", "authorization", "content-length", "connection")
            },
            request_body=asked.body[: STORED_BODY_BYTES + 2048] if asked.body else None,
            status=said.status,
            headers=said.headers,
            body=said.body,
            started=time.time() - (time.monotonic() - asked.arrived),
            elapsed=moment - asked.arrived,
            request_size=asked.body_bytes if asked.body else None,
            other_base=None if step.base == "current" else asked.target[: len(asked.target) - len(step.path)] or "",
        )
        self._record(
            {
                **exchange.record(self._redaction),
                "scenario": self.scenario.name,
                "round": step.round,
                "at": round(step.arrived, 4),
                "connection": asked.connection,
                "client_port": asked.port,
                "delivered": step.delivered,
                "disturbance": step.disturbance,
            }
        )


def _split(target: str) -> tuple[str | None, str]:
    """Return the base that a target lies below, and the rest."""
    for base in (CURRENT_BASE, LEGACY_BASE):
        if target.startswith((base + "/", base + "?")) or target == base:
            return base, target[len(base) :]
    return None, target


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _refusal(status: int, code: str, message: str, headers: Mapping[str, str], correlation_id: str) -> Reply:
    body = json.dumps({"code": code, "message": message, "correlation_id": correlation_id}).encode()
    every = [("x-correlation-id", correlation_id), ("content-type", "application/json"), *headers.items()]
    return Reply(status, every, body)

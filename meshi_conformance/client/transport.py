"""The 25 operations over httpx. Every call returns an Exchange, whatever the server answered."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from ..contract.contract import Contract
from ..errors import AnswerLost, NotPermitted, TransportTrouble
from ..exchanges.checks import retry_after_seconds
from ..exchanges.created_rows import Row, created, may_exist, planned, total
from ..exchanges.exchange import Exchange
from ..exchanges.recorder import Recorder
from ..exchanges.strict_json import NotJson
from ..target.keys import BEARER
from ..target.target import Target
from .call import NOTHING, Call, Padded
from .circuit_breaker import Breaker
from .network import ANSWER_VALUES, Connections, Exceeded, Wire, decoded, value_count
from .rate_limiter import Limiter

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

TRIES = 4
OUTAGE_SECONDS, LOOPBACK_OUTAGE_SECONDS = 15.0, 2.0
"""How long a request waits for a target that cannot be connected to at all, far away and on this machine."""

KEEP_ALIVE = 4.0
"""Seconds that an idle connection is used again: less than the five after which many servers close one."""

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""Failures after which the server surely saw nothing of the request."""

REFUSED_FOR_GOOD = re.compile(r"\[SSL: |^4[0-9][0-9] ")
"""What a connection says that a certificate, the version of TLS or a proxy refuses: not a server that restarts."""

LARGE_BYTES = 1024 * 1024
"""Answers beyond this size are read one at a time."""

THREADS = 8


class Transport:
    """Sends requests to one target and records what comes back.

    Every answer is bounded in time and size (network.py). What does not come, or is none of the API's, ends as
    TransportTrouble: a check that meets it is inconclusive, never failed.
    """

    def __init__(
        self, target: Target, contract: Contract, recorder: Recorder, run: str, limiter: Limiter | None = None
    ) -> None:
        self.run = run
        self.target = target
        self.contract = contract
        self.recorder = recorder
        self.late_runs: Counter[str] = Counter()
        self.late_lists: Counter[str] = Counter()
        self._limiter = limiter or Limiter(None)
        self._breaker = Breaker()
        self._wire = Wire()
        self._http = Connections(target.base, target.access, self._wire, KEEP_ALIVE, target.answer_seconds)
        self._single: Connections | None = None
        self._large = threading.Lock()
        self._over = threading.Event()
        self._held = threading.local()
        self._exhausted = False
        self._last_answer = time.monotonic()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def held(self) -> float:
        """The seconds that this thread has waited in all until the target took more requests."""
        return getattr(self._held, "seconds", 0.0)

    def sleep(self, seconds: float) -> None:
        """Waits; raises TransportTrouble once the run is over."""
        if self._over.wait(seconds):
            raise TransportTrouble("the run was ended", "the run was ended")

    def close(self) -> None:
        """Ends all that is under way. Says so where the target stopped answering before."""
        lost = self._breaker.lost
        if lost:
            self.recorder.problem(f"The target stopped answering during the run: {lost}")
        self._over.set()
        self._wire.cut()
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for one in (self._http, self._single):
            if one is not None:
                one.close()
        self._limiter.close()

    def call(self, call: Call, patient: bool = True) -> Exchange:
        """Sends one call of an operation. `patient` waits out a 429; else it is returned."""
        operation = self.contract.operations[call.operation]
        path = operation.path
        for name, value in call.path.items():
            path = path.replace("{" + name + "}", quote(str(value), safe=":", errors="surrogatepass"))
        if call.query:
            path += "?" + urlencode(call.query, quote_via=quote, errors="surrogatepass")
        content = call.content
        known = call.body if content is None else None
        headers = dict(call.headers)
        if call.body is not NOTHING and content is None:
            content = json.dumps(call.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        retriable = isinstance(call.body, Mapping) and isinstance(call.body.get("idempotency_key"), str)
        return self.request(
            operation.method,
            path,
            operation=operation.id,
            key=call.key,
            authorization=call.authorization,
            headers=headers,
            content=content,
            value=known,
            retriable=retriable,
            patient=patient,
            base=call.base,
            scheme=call.scheme,
            any_code=call.any_code,
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
        content: bytes | Padded | None = None,
        value: Any = None,
        retriable: bool = False,
        patient: bool = True,
        base: str | None = None,
        scheme: str = BEARER,
        any_code: bool = False,
    ) -> Exchange:
        """Sends any request below the base URL. `value` is what `content` says as JSON, where that is at hand.

        A safe request is repeated after a transport failure; so is a write that is `retriable`, because it
        carries an idempotency key, or that was surely not sent. Raises TransportTrouble when no answer of the
        API comes, NotPermitted for a write where the run may only read, CeilingReached past the run's ceilings.
        """
        self._permit(method, path, key)
        sent = dict(headers or {})
        bearer = authorization
        if bearer is None and key is not None:
            bearer = scheme + self.target.keys[key]
        request = _Request(
            method,
            (base or self.target.base) + path,
            path,
            operation,
            key,
            authorization,
            bearer,
            sent,
            content,
            safe=method in SAFE_METHODS,
            retriable=retriable or method in SAFE_METHODS,
            rows=tuple(planned(method, path, _unpadded(content), value)) if method not in SAFE_METHODS else (),
            other_base=base,
            scheme=scheme,
            any_code=any_code,
        )
        exchange = self._to_the_end(request, patient)
        if request.maybe_done and not request.safe and exchange.status == 200 and not self.recorder.is_aside:
            raise TransportTrouble(
                f"{exchange.summary}, but an earlier attempt had no answer: this one may be its replay",
                "transport: a write had to be repeated",
            )
        return exchange

    def _permit(self, method: str, path: str, key: str | None) -> None:
        if not self.target.read_only:
            return
        if method not in SAFE_METHODS:
            raise NotPermitted(self.target.read_only_reason)
        if key == "other" and not path.startswith("/auth"):
            # Only rows of this run are known to be in one org alone; partner IDs of others may repeat.
            raise NotPermitted(self.target.read_only_reason)

    def _to_the_end(self, request: _Request, patient: bool) -> Exchange:
        """Sends a request again until there is an answer to give back."""
        started = time.monotonic()
        refused_since: float | None = None
        idle = self._breaker.refusal(request.name)
        if idle:
            raise TransportTrouble(f"{request.name} was not sent: {idle}", f"transport: {idle}")
        reserved = total(request.rows)
        attempt = 0
        while True:
            attempt += 1
            self._take_turn(reserved if attempt == 1 else 0)
            try:
                exchange = self._once(request)
            except _NoAnswer as problem:
                self.recorder.trouble(f"{request.name}: {problem.reason}")
                request.maybe_done = request.maybe_done or problem.maybe_done
                if self._try_again(request, problem, attempt, started):
                    continue
                reason = self.recorder.clean(f"{request.name}: {problem.reason}")
                self._breaker.unanswered(request.name, reason)
                cause = f"transport: {reason}"
                lost = self._exchange(request, self.recorder.next_id(), request.sent)
                self.recorder.unanswered(lost, cause, attempt)
                kind = AnswerLost if request.maybe_done and not request.retriable else TransportTrouble
                raise kind(f"no answer of the API to {reason}", cause) from None
            except Exceeded as problem:
                self.recorder.trouble(f"{request.name}: {problem}")
                raise Exceeded(f"{request.name}: {problem}", f"transport: {request.name}: {problem.cause}") from None
            self._last_answer = time.monotonic()
            self._breaker.answered(request.name)
            if exchange.status != 429:
                self._exhausted = False
            if exchange.status != 429 or not patient:
                if (
                    reserved
                    and not may_exist(exchange.status)
                    and not created(request.rows, exchange.status, _value(exchange))
                ):
                    self._limiter.give_back(reserved)
                return exchange
            now = time.monotonic()
            refused_since = refused_since or now
            if self._exhausted or now - refused_since > self.target.rate_limit_seconds:
                self._exhausted = True
                self._limiter.give_back(reserved)
                who = f"a gateway's {exchange.answered_by}; " if exchange.is_gateway_page else ""
                raise TransportTrouble(
                    f"{who}{exchange.summary} in spite of waiting as Retry-After said "
                    f"({now - refused_since:.0f} s for this request)",
                    "the target's rate limit did not lift",
                )
            self._limiter.pause(_pause(exchange))

    def _take_turn(self, rows: int) -> None:
        """Waits until one more request may be sent, as the rate and every worker's 429 say."""
        wait = self._limiter.admit(rows)
        if wait > 0:
            # Not all at the same moment: the window would be used up by whoever comes first.
            wait += random.uniform(0, 0.05)
            self._held.seconds = self.held + wait
            self.sleep(wait)

    def _try_again(self, request: _Request, problem: _NoAnswer, attempt: int, started: float) -> bool:
        """Whether to repeat a request that had no answer, after a pause."""
        if not (request.retriable or not request.maybe_done) or self._breaker.is_silent(request.name):
            return False
        if problem.final:
            return False
        if problem.slow:
            again = attempt < 2
        else:
            # A target that is gone altogether may be restarting: it is given a little longer.
            gone = self._last_answer < started and time.monotonic() - started < (
                OUTAGE_SECONDS if not self.target.is_loopback else LOOPBACK_OUTAGE_SECONDS
            )
            again = attempt < TRIES or (gone and not problem.maybe_done)
        if again:
            # The first repeat is quick: most often an idle connection was closed at the wrong moment.
            self.sleep(0.02 if attempt == 1 else min(0.1 * 2**attempt, 2.0))
        return again

    def _once(self, request: _Request) -> Exchange:
        """One attempt. Raises _NoAnswer, or Exceeded."""
        number = self.recorder.next_id()
        sent = request.sent
        if int(number.rpartition("-")[2]) % 2 and "x-correlation-id" not in sent:
            # Every other request brings an ID of its own, so that both directions are seen on every route
            # and on every kind of refusal, and the target's logs can be searched for the run.
            sent = {**sent, "x-correlation-id": f"conf-{self.run}-{number}"}
        headers = {**sent, "Authorization": request.bearer} if request.bearer is not None else sent
        if isinstance(request.content, Padded):
            headers = {**headers, "Content-Length": str(request.content.size)}
        if request.rows:
            self.recorder.sending(number, request.rows)
        started = time.time()
        clock = time.perf_counter()
        patience = self._wire.patience
        patience.begin(self.target.answer_seconds)
        with ExitStack() as stack:
            try:
                http = self._http if request.retriable or self._single is None else self._single
                response = stack.enter_context(http.open(request.method, request.url, headers, request.content))
                patience.expect_body()
                raw = bytearray()
                coding = response.headers.get("content-encoding", "")
                alone = False
                for chunk in response.iter_raw():
                    raw += chunk
                    if not alone and (len(raw) > LARGE_BYTES or coding):
                        # One at a time, so that many at once cannot fill the memory; a coded one may be large.
                        waiting = time.monotonic()
                        stack.enter_context(self._large)
                        patience.end += time.monotonic() - waiting
                        alone = True
                body = decoded(raw, coding)
                del raw
                if len(body) > LARGE_BYTES and value_count(body) > ANSWER_VALUES:
                    raise Exceeded(f"more than {ANSWER_VALUES} JSON values in one answer", "an answer past every bound")
            except Exceeded:
                raise
            except TransportTrouble as problem:  # a body that does not decode
                raise _NoAnswer(str(problem), maybe_done=True) from None
            except (httpx.RequestError, httpx.InvalidURL, httpx.StreamError) as problem:
                raise self._without_answer(problem) from None
            exchange = self._exchange(
                request,
                number,
                sent,
                status=response.status_code,
                headers=[(name, value) for name, value in response.headers.multi_items()],
                body=body,
                started=started,
                elapsed=time.perf_counter() - clock,
            )
            self.recorder.exchange(exchange)
            if request.rows:
                for row in created(request.rows, exchange.status, _value(exchange)):
                    self.recorder.created(row)
        if exchange.is_gateway_page and exchange.status != 429:
            raise _NoAnswer(f"a gateway's {exchange.answered_by} came in the API's place", maybe_done=True)
        return exchange

    def _exchange(self, request: _Request, number: str, sent: Mapping[str, str], **answer: Any) -> Exchange:
        """The request as it was sent, with its answer; without one the status is 0."""
        literal = {"Authorization": request.authorization} if request.authorization is not None else {}
        nothing = {"status": 0, "headers": [], "body": b"", "started": time.time(), "elapsed": 0.0}
        return Exchange(
            id=number,
            operation=request.operation,
            test=self.recorder.test,
            method=request.method,
            path=request.path,
            key="literal" if request.authorization is not None else request.key,
            request_headers={**sent, **literal},
            request_body=request.content.start if isinstance(request.content, Padded) else request.content,
            request_size=request.content.size if isinstance(request.content, Padded) else None,
            other_base=request.other_base,
            scheme=request.scheme,
            any_code=request.any_code,
            curl_options=self.target.access.curl_options,
            **{**nothing, **answer},
        )

    def _without_answer(self, problem: Exception) -> _NoAnswer:
        """What a failure of the wire means for a repeat."""
        patience = self._wire.patience
        unsent = isinstance(problem, NEVER_SENT)
        slow = isinstance(problem, httpx.TimeoutException) and not isinstance(problem, httpx.ConnectTimeout)
        if not unsent and not slow and not patience.touched and self._single is None:
            # The server may close idle connections early. What must not be repeated gets its own from now on.
            self._single = Connections(self.target.base, self.target.access, self._wire, 0, self.target.answer_seconds)
        how = "" if unsent else " after part of the answer had come" if patience.touched else " before any answer"
        who = ""
        if self.target.access.proxy and isinstance(
            problem, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError
        ):
            # Every connection goes to the proxy; what lies behind it cannot refuse one.
            who = f"{self.target.access.proxy_name}: "
        return _NoAnswer(
            who + f"{type(problem).__name__} {problem}"[:300].strip(" .") + how,
            maybe_done=not unsent,
            slow=slow,
            final=unsent and REFUSED_FOR_GOOD.search(str(problem)) is not None,
        )

    def together(self, calls: Iterable[Callable[[], Exchange]]) -> list[Exchange]:
        """Makes independent calls at once and returns their exchanges in the order given."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "calls")
        beside = self.recorder.aside if self.recorder.is_aside else nullcontext

        def make(one: Callable[[], Exchange]) -> Exchange:
            with beside():
                return one()

        return [future.result() for future in [self._pool.submit(make, one) for one in calls]]


@dataclass
class _Request:
    """One request as it goes over the wire; `maybe_done` says whether an attempt without answer may count."""

    method: str
    url: str
    path: str
    operation: str | None
    key: str | None
    authorization: str | None
    bearer: str | None
    sent: dict[str, str]
    content: bytes | Padded | None
    safe: bool
    retriable: bool
    rows: tuple[Row, ...]
    other_base: str | None
    scheme: str
    any_code: bool
    maybe_done: bool = False

    @property
    def name(self) -> str:
        return self.operation or f"{self.method} {self.path[:80]}"


class _NoAnswer(Exception):
    """An attempt had no answer of the API; a `final` one would end alike however often it is made."""

    def __init__(self, reason: str, maybe_done: bool, slow: bool = False, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_done = maybe_done
        self.slow = slow
        self.final = final


def _unpadded(content: bytes | Padded | None) -> bytes | None:
    return content.head + content.tail if isinstance(content, Padded) else content


def _value(exchange: Exchange) -> Any:
    try:
        return exchange.parsed
    except NotJson:
        return None


def _pause(refusal: Exchange) -> float:
    """Return the seconds to wait after a 429; one second where its Retry-After says nothing usable."""
    seconds = retry_after_seconds(refusal.header("retry-after"), refusal.header("date"))
    return 1.0 if seconds is None else min(max(seconds, 0.05), 60.0)

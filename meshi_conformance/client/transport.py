"""The 25 operations over httpx. Every call returns an Exchange, whatever the server answered."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from ..contract.contract import Contract
from ..errors import AnswerLost, ConnectionBroken, NotPermitted, TransportTrouble
from ..exchanges.checks import retry_after_seconds
from ..exchanges.created_rows import Row, created, may_exist, planned, total
from ..exchanges.exchange import Exchange
from ..exchanges.recorder import Recorder
from ..exchanges.strict_json import NotJson
from ..target.keys import BEARER
from ..target.target import Target
from .acknowledged import Acknowledgements
from .call import NOTHING, Call, Padded
from .circuit_breaker import Breaker
from .credentials import ACCEPTED_ROLES, Credentials
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

BROKEN_BEHIND = frozenset({502, 520})
"""What a gateway answers when the server behind it ends the connection."""

SMALL_BYTES = 64 * 1024
"""Bodies up to this size are sent again to find out what makes the target break a connection."""

LARGE_BYTES = 1024 * 1024
"""Answers beyond this size are read one at a time."""

THREADS = 8


class Transport:
    """Sends requests to one target and records what comes back.

    Every answer is bounded in time and size (network.py). What does not come, or is not the API's, ends as
    TransportTrouble: a check that meets it is inconclusive, never failed. `watches_keys` says whether a key that is
    refused everywhere is renewed or given up; without it its 401 is an answer like any other.
    """

    def __init__(
        self,
        target: Target,
        contract: Contract,
        recorder: Recorder,
        run: str,
        limiter: Limiter | None = None,
        watches_keys: bool = True,
    ) -> None:
        self.run = run
        self.target = target
        self.contract = contract
        self.recorder = recorder
        self.late_runs: Counter[str] = Counter()
        self.late_lists: Counter[str] = Counter()
        self.ended_runs: dict[str, list[float]] = defaultdict(list)
        """How many seconds the runs of each kind that ended took."""
        self._limiter = limiter or Limiter(None)
        self._breaker = Breaker()
        self._wire = Wire()
        self._http = Connections(target.base, target.access, self._wire, KEEP_ALIVE, target.answer_seconds)
        self._single: Connections | None = None
        self._fresh: Connections | None = None
        self._twins: dict[str, _Request] = {}
        self._credentials = Credentials(target.keys, target.variables, target.key_commands, recorder.renewed)
        self._acknowledged = Acknowledgements()
        self._watches_keys = watches_keys
        self._large = threading.Lock()
        self._over = threading.Event()
        self._held = threading.local()
        self._exhausted = False
        self._last_answer = time.monotonic()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def rate_limited_seconds(self) -> float:
        """The seconds that this thread has waited in all until the target took more requests."""
        return getattr(self._held, "seconds", 0.0)

    def sleep(self, seconds: float) -> None:
        """Wait. Raise TransportTrouble once the run is over."""
        if self._over.wait(seconds):
            raise TransportTrouble("the run was ended", "the run was ended")

    def close(self) -> None:
        """End all that is under way. Says so where the target stopped answering before."""
        lost = self._breaker.lost
        if lost:
            self.recorder.problem(f"The target stopped answering during the run: {lost}")
        self._over.set()
        self._wire.cut()
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
        for one in (self._http, self._single, self._fresh):
            if one is not None:
                one.close()
        self._limiter.close()

    def call(self, call: Call, patient: bool = True, at_once: bool = False) -> Exchange:
        """Send one call of an operation.

        `patient` waits out a 429; else it is returned. A target that does not know a row which it has accepted breaks
        the requirement that says so, and is asked again for a while: everything else is judged on what it says then.
        With `at_once` its first answer is returned.
        """
        known = self._acknowledged.known(call)
        started = time.monotonic()
        exchange = self._send(call, patient)
        row = known.get(exchange.code or "") if exchange.status == 404 else None
        if row is None:
            return exchange
        missed, pause = exchange, 0.05
        patience = 0.0 if at_once else self._acknowledged.patience(row)
        while exchange.status == 404 and exchange.code == missed.code and time.monotonic() - started < patience:
            self.sleep(pause)
            pause = min(pause * 2, 0.5)
            exchange = self._send(call, patient)
        found = exchange.status != 404 or exchange.code != missed.code
        if patience and not found:
            self._acknowledged.waited_in_vain(row)
        if self._acknowledged.blame(row, call.operation):
            seconds = time.monotonic() - started
            waited = f"known after {seconds:.1f} s" if found else f"still unknown after {seconds:.1f} s"
            self.recorder.violated(
                row.requirement(call.operation),
                missed.id,
                f"{missed.summary}, though exchange {row.exchange} had accepted the {row.kind} {row.id[:80]}: {waited}",
            )
        return exchange

    def _send(self, call: Call, patient: bool) -> Exchange:
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
        idempotent = isinstance(call.body, Mapping) and isinstance(call.body.get("idempotency_key"), str)
        return self.request(
            operation.method,
            path,
            operation=operation.id,
            key=call.key,
            authorization=call.authorization,
            headers=headers,
            content=content,
            value=known,
            idempotent=idempotent,
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
        idempotent: bool = False,
        patient: bool = True,
        base: str | None = None,
        scheme: str = BEARER,
        any_code: bool = False,
    ) -> Exchange:
        """Send any request below the base URL. `value` is what `content` says as JSON, where that is at hand.

        A safe request is repeated after a transport failure; so is a write that is `idempotent`, because it
        carries an idempotency key, or that was surely not sent. Raise TransportTrouble when no answer of the
        API comes, NotPermitted for a write where the run may only read, CeilingReached past the run's ceilings, and
        ConnectionBroken where this request makes the target break connections while another is answered.
        """
        self._permit(method, path, key)
        sent = dict(headers or {})
        bearer = authorization
        if bearer is None and key is not None:
            bearer = scheme + self._credentials.key(key)
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
            idempotent=idempotent or method in SAFE_METHODS,
            rows=tuple(planned(method, path, _unpadded(content), value)) if method not in SAFE_METHODS else (),
            other_base=base,
            scheme=scheme,
            any_code=any_code,
        )
        exchange = self._send_with_retries(request, patient)
        if (
            request.may_have_been_applied
            and not request.safe
            and exchange.status == 200
            and not self.recorder.is_outside_test
        ):
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

    def _send_with_retries(self, request: _Request, patient: bool) -> Exchange:
        """Send a request again until there is an answer to give back."""
        started = time.monotonic()
        refused_since: float | None = None
        idle = self._breaker.refusal(request.name)
        if idle:
            raise TransportTrouble(f"{request.name} was not sent: {idle}", f"transport: {idle}")
        reserved = total(request.rows)
        attempt = 0
        while True:
            attempt += 1
            self._wait_for_slot(reserved if attempt == 1 else 0)
            try:
                exchange = self._send_once(request)
            except _NoAnswer as problem:
                self.recorder.transport_error(f"{request.name}: {problem.reason}")
                request.may_have_been_applied = request.may_have_been_applied or problem.may_have_been_applied
                if self._should_retry(request, problem, attempt, started):
                    continue
                if problem.broke and self._breaks_on(request):
                    raise ConnectionBroken(f"{request.name} breaks the connection: {problem.reason}") from None
                reason = self.recorder.clean(f"{request.name}: {problem.reason}")
                self._breaker.unanswered(request.name, reason)
                cause = f"transport: {reason}"
                lost = self._exchange(request, self.recorder.next_id(), request.sent)
                self.recorder.unanswered(lost, cause, attempt)
                kind = AnswerLost if request.may_have_been_applied and not request.idempotent else TransportTrouble
                raise kind(f"no answer of the API to {reason}", cause) from None
            except Exceeded as problem:
                self.recorder.transport_error(f"{request.name}: {problem}")
                raise Exceeded(f"{request.name}: {problem}", f"transport: {request.name}: {problem.cause}") from None
            self._last_answer = time.monotonic()
            self._breaker.answered(request.name)
            if self._was_renewed(request, exchange):
                continue
            if exchange.is_success and request.is_small:
                self._twins[request.name] = request
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

    def _was_renewed(self, request: _Request, exchange: Exchange) -> bool:
        """Return whether the request is to be sent again, with a fresh key in place of one that was refused.

        A 401 to a key that should be accepted is the operation's own mistake as long as `GET /auth` or `GET /events`
        takes the key. Raise KeyRefused where neither does, and no fresh key is to be had.
        """
        role = request.key
        if role is None or request.authorization is not None or role not in ACCEPTED_ROLES or not self._watches_keys:
            return False
        if exchange.status != 401:
            self._credentials.accepted(role)
            return False
        refused = (request.bearer or "").removeprefix(request.scheme)
        if self._takes(role, refused):
            return False
        if self._credentials.renew(role, refused):
            fresh = self._credentials.key(role)
            if self._takes(role, fresh):
                request.bearer = request.scheme + fresh
                return True
        problem = self._credentials.end(role, f"{exchange.summary} (exchange {exchange.id})")
        if self._credentials.was_accepted(role):
            self.recorder.key_refused(role, self._credentials.variable(role), exchange)
        raise problem

    def _takes(self, role: str, key: str) -> bool:
        """Return whether one of two routes that every key may read answers a key with anything but 401."""
        for operation in ("getAuth", "listEvents"):
            path = self.contract.operations[operation].path
            probe = _Request(
                "GET",
                self.target.base + path,
                path,
                operation,
                role,
                None,
                BEARER + key,
                {},
                None,
                safe=True,
                idempotent=True,
                rows=(),
                other_base=None,
                scheme=BEARER,
                any_code=False,
            )
            try:
                with self.recorder.outside_test():
                    if self._send_once(probe).status != 401:
                        return True
            except (_NoAnswer, Exceeded):
                return True  # no answer proves nothing about the key
        return False

    def _wait_for_slot(self, rows: int) -> None:
        """Wait until one more request may be sent, as the rate and every worker's 429 say."""
        wait = self._limiter.admit(rows)
        if wait > 0:
            # Not all at the same moment: the first ones would use up the window.
            wait += random.uniform(0, 0.05)
            self._held.seconds = self.rate_limited_seconds + wait
            self.sleep(wait)

    def _should_retry(self, request: _Request, problem: _NoAnswer, attempt: int, started: float) -> bool:
        """Tell whether to repeat a request that had no answer, after a pause."""
        if not (request.idempotent or not request.may_have_been_applied) or self._breaker.is_silent(request.name):
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
            again = attempt < TRIES or (gone and not problem.may_have_been_applied)
        if again:
            # The first repeat is quick: most often an idle connection was closed at the wrong moment.
            self.sleep(0.02 if attempt == 1 else min(0.1 * 2**attempt, 2.0))
        return again

    def _breaks_on(self, request: _Request) -> bool:
        """Return whether it is this request that makes the target break connections; record that as evidence.

        It broke one before. Here it breaks two more, each of them fresh, and between the two the last call of the
        operation that was accepted is answered: network and operation work, so the request is what breaks them.
        """
        twin = self._twins.get(request.name)
        if twin is None or not request.is_small or (twin.url, twin.content) == (request.url, request.content):
            return False
        if self._break_of(request) is None:
            return False
        try:
            with self.recorder.outside_test():
                answered = self._send_once(twin, fresh=True)
        except (_NoAnswer, Exceeded):
            return False
        again = self._break_of(request)
        if again is None:
            return False
        self._breaker.answered(request.name)
        reason = f"{again} on three connections in a row, while exchange {answered.id} was answered {answered.status}"
        self.recorder.exchange(self._exchange(request, self.recorder.next_id(), request.sent, no_answer=reason))
        return True

    def _break_of(self, request: _Request) -> str | None:
        """Send a request on a fresh connection; return how the target broke it, None where it did not."""
        try:
            self._wait_for_slot(0)
            self._send_once(request, fresh=True)
        except _NoAnswer as problem:
            return problem.reason if problem.broke else None
        except Exceeded:
            return None
        return None

    def _send_once(self, request: _Request, fresh: bool = False) -> Exchange:
        """Make one attempt, on a connection of its own where it is to be `fresh`. Raise _NoAnswer, or Exceeded."""
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
                http = self._http if request.idempotent or self._single is None else self._single
                if fresh:
                    http = self._fresh = self._fresh or Connections(
                        self.target.base, self.target.access, self._wire, 0, self.target.answer_seconds
                    )
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
                if value_count(body) > ANSWER_VALUES:
                    raise Exceeded(f"more than {ANSWER_VALUES} JSON values in one answer", "an answer past every bound")
            except Exceeded:
                raise
            except TransportTrouble as problem:  # a body that does not decode
                raise _NoAnswer(str(problem), may_have_been_applied=True) from None
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
                confirmed = created(request.rows, exchange.status, _value(exchange))
                self._acknowledged.note(None if request.other_base else request.key, confirmed, exchange)
                for row in confirmed:
                    self.recorder.created(row)
        if exchange.is_gateway_page and exchange.status != 429:
            reason = f"a gateway's {exchange.answered_by} came in the API's place"
            raise _NoAnswer(reason, may_have_been_applied=True, broke=exchange.status in BROKEN_BEHIND)
        return exchange

    def _exchange(self, request: _Request, number: str, sent: Mapping[str, str], **answer: Any) -> Exchange:
        """Record the request as it was sent, with its answer; without one the status is 0."""
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
        """Classify a transport error by whether a retry is safe."""
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
            may_have_been_applied=not unsent,
            slow=slow,
            broke=isinstance(problem, httpx.ReadError | httpx.RemoteProtocolError),
            final=unsent and REFUSED_FOR_GOOD.search(str(problem)) is not None,
        )

    def send_concurrently(self, calls: Iterable[Callable[[], Exchange]]) -> list[Exchange]:
        """Make independent calls at once and return their exchanges in the order given."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "calls")
        beside = self.recorder.outside_test if self.recorder.is_outside_test else nullcontext

        def make(one: Callable[[], Exchange]) -> Exchange:
            with beside():
                return one()

        return [future.result() for future in [self._pool.submit(make, one) for one in calls]]


@dataclass
class _Request:
    """One request as it goes over the wire; `may_have_been_applied`: an attempt without answer may count."""

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
    idempotent: bool
    rows: tuple[Row, ...]
    other_base: str | None
    scheme: str
    any_code: bool
    may_have_been_applied: bool = False

    @property
    def is_small(self) -> bool:
        """Whether a repeat costs little and says something: the request is an operation's, below the target's base."""
        size = len(self.content) if isinstance(self.content, bytes) else 0
        is_plain = not isinstance(self.content, Padded) and size <= SMALL_BYTES
        return is_plain and self.operation is not None and self.other_base is None

    @property
    def name(self) -> str:
        return self.operation or f"{self.method} {self.path[:80]}"


class _NoAnswer(Exception):
    """An attempt had no answer of the API.

    A `final` one would end alike however often it is made; `broke` says that the other side ended the connection in
    place of an answer.
    """

    def __init__(
        self, reason: str, may_have_been_applied: bool, slow: bool = False, final: bool = False, broke: bool = False
    ) -> None:
        super().__init__(reason)
        self.broke = broke
        self.reason = reason
        self.may_have_been_applied = may_have_been_applied
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

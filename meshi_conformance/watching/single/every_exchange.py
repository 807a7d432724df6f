"""What a single exchange shows: the checks of every exchange, correlation IDs, and undocumented routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ...contract.contract import Contract
from ...contract.operations import Operation
from ...exchanges.boundary import Boundary
from ...exchanges.checks import USABLE_CORRELATION_ID, check
from ...exchanges.exchange import Exchange
from ..expectations.expectation import EXISTENCE
from ..rule import Rule
from ..state.bounded import Bounded
from ..state.memory import Memory
from ..state.observation import Observation, Trace
from ..state.tally import Tally

NEED_HEADERS = ("content_type.", "correlation.", "rate_limit.retry_after")
NEED_BODY = (
    "json.",
    "correlation.",
    "schema.",
    "shape.",
    "status.",
    "boundary.",
    "envelope.",
    "codes.",
    "rate_limit.code",
)

ECHOES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict"}


class SingleExchange(Rule):
    """Runs the checks of exchanges/checks.py, and counts what they found in order."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._boundary = Boundary()

    def see(self, seen: Observation) -> None:
        if seen.operation is None:
            return
        missing = self._missing(seen)
        found = [one for one in check(seen.exchange, self.contract) if not one.requirement.startswith(missing)]
        for one in found:
            self.tally.fail(one.requirement, seen.exchange.id, one.message)
        broken = {one.requirement for one in found}
        for holder, (requirement, message) in self._boundary.look(seen.exchange):
            if not requirement.startswith(missing):
                broken.add(requirement)
                self.tally.fail(requirement, holder, message)
        for name in at_stake(seen.exchange.status, seen, seen.operation):
            if name not in broken and not name.startswith(missing) and self.known(name):
                self.tally.hold(name)

    def _missing(self, seen: Observation) -> tuple[str, ...]:
        """Return the families that cannot be judged for lack of a part of the exchange."""
        missing: tuple[str, ...] = ()
        if not seen.coverage.answer_headers:
            missing += NEED_HEADERS
            self.tally.leave("the recording holds no headers of the answer")
        if not seen.coverage.answer_body:
            missing += NEED_BODY
            self.tally.leave("the recording holds no whole body of the answer")
        if not seen.coverage.request_body:
            missing += ("boundary.",)
        if seen.expected is None or seen.expected.freedoms - {EXISTENCE}:
            missing += ("codes.",)  # what a server refuses that it may as well accept has no listed code
        return missing


def at_stake(status: int, seen: Observation, operation: Operation) -> Iterator[str]:
    """Return the requirements that the checks look at in an exchange."""
    name = operation.id
    yield f"content_type.{name}"
    yield f"server_errors.{name}"
    yield f"json.{name}"
    if status == 429:
        yield "rate_limit.retry_after"
        yield "rate_limit.code"
    if not seen.answer:
        return
    yield f"correlation.{name}"
    if not seen.is_success:
        yield f"envelope.{name}"
        if status < 500 and status != 429:
            yield f"codes.{name}"
        return
    documented = status if status in operation.responses else max(operation.responses)
    for family in ("status", "schema", "shape"):
        yield f"{family}.{name}.{documented}"
    yield f"boundary.{name}"


class CorrelationIds(Rule):
    """Whose correlation ID comes back, and that the server's own are never the same twice."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._made: Bounded[str, Trace] = Bounded(100_000)

    def see(self, seen: Observation) -> None:
        if seen.operation is None or not seen.coverage.answer_headers or not seen.coverage.answer_body:
            return
        sent = seen.exchange.request_headers.get("x-correlation-id")
        header, member = seen.exchange.header("x-correlation-id"), seen.answer.get("correlation_id")
        if not seen.answer or not isinstance(member, str):
            return
        if sent is None:
            self.judge(
                bool(member) and header == member,
                "correlation.made",
                seen,
                f"no correlation ID was sent, and the answer carries {header!r} and {member!r}",
            )
            self._unique(seen, member)
        elif USABLE_CORRELATION_ID.match(sent):
            kind = "success" if seen.is_success else ECHOES.get(seen.status)
            holds = header == sent == member
            message = f"{sent!r} was sent, the answer carries {header!r} and {member!r}"
            for name in ([f"correlation.echo.{kind}"] if kind else []) + ["correlation.echo.forms"]:
                self.judge(holds, name, seen, message)
        else:
            self.judge(
                header == member, "correlation.odd", seen, f"header {header!r} and body {member!r} of the answer differ"
            )

    def _unique(self, seen: Observation, made: str) -> None:
        before = self._made.get(made)
        if before is not None:
            self.judge(False, "correlation.unique", seen, f"the server made {made!r} a second time", before)
            return
        self._made.put(made, seen.trace)
        self.tally.hold("correlation.unique")


class UnnamedRoutes(Rule):
    """What paths and methods that the pages do not name answer: the envelope all the same."""

    def see(self, seen: Observation) -> None:
        if seen.operation is not None:
            return
        if seen.nearly_named:
            if not seen.is_success:
                self._answered(seen, "variant")
        else:
            self._answered(seen, "method" if seen.route_named else "unknown")

    def _answered(self, seen: Observation, family: str) -> None:
        status = seen.status
        answer = seen.answer
        if seen.coverage.answer_body and not seen.is_success:
            holds = all(isinstance(answer.get(name), str) for name in ("code", "message"))
            self.judge(holds, f"routes.{family}.envelope", seen, f"a {status} without the error envelope")
        if seen.coverage.answer_body and seen.coverage.answer_headers:
            header, member = seen.exchange.header("x-correlation-id"), answer.get("correlation_id")
            sent = seen.exchange.request_headers.get("x-correlation-id")
            usable = bool(sent) and bool(USABLE_CORRELATION_ID.match(sent or ""))
            holds = bool(header) and header == member and (not usable or header == sent)
            message = f"header {header!r} and body {member!r}" + (f", sent {sent!r}" if sent else "")
            self.judge(holds, f"routes.{family}.correlation", seen, message)
        if family != "variant" and status in (404, 405, 501):
            # Anything else may be an operation that the pages do not name.
            name = "routes.method.not_offered" if family == "method" else "routes.unknown.not_found"
            self.judge(status != 501, name, seen, f"answered {status}; documented is 404 or 405")


BARE_METHODS = ("HEAD", "OPTIONS")
PREFLIGHT = "access-control-request-method"


class BareMethods(Rule):
    """HEAD and OPTIONS of a documented path: the answer's header carries the correlation ID."""

    def see(self, seen: Observation) -> None:
        sent_headers = {name.lower(): value for name, value in seen.exchange.request_headers.items()}
        if not seen.is_success or not seen.route_named or not seen.coverage.answer_headers or PREFLIGHT in sent_headers:
            return
        sent = sent_headers.get("x-correlation-id", "")
        carried = set(seen.exchange.header_values("x-correlation-id"))
        holds = carried == {sent} if USABLE_CORRELATION_ID.match(sent) else len(carried) == 1
        message = f"{sent!r} was sent, the header carries {sorted(carried)}"
        self.judge(holds, f"routes.{seen.exchange.method.lower()}.correlation", seen, message)


def is_about_the_path(exchange: Exchange) -> bool:
    """Tell whether a redirect leads to another spelling of the path that was asked for."""
    target = urlsplit(exchange.header("location") or "").path
    path = exchange.path.partition("?")[0]
    return bool(target) and not target.endswith(path) and _plain(target).endswith(_plain(path))


def _plain(path: str) -> str:
    return re.sub(r"/+", "/", path.lower()).strip("/")

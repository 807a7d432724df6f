"""What the whole API promises besides its 25 operations: unknown paths, wrong methods, and the rate limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import CeilingReached, NothingThere, SetupFailed
from meshi_conformance.exchanges.checks import USABLE_CORRELATION_ID, retry_after_is_valid
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.rate_limit_probe import HONOURED_WAITS, LONGEST_WAIT
from meshi_conformance.testing.shared_data import World

PATHS = {operation.path for operation in load().operations.values()}
OFFERED = {(operation.method, operation.path) for operation in load().operations.values()}


def is_enveloped(exchange: Exchange) -> bool:
    """Whether a refusal carries the members of the error envelope that clients read."""
    return isinstance(exchange["code"], str) and exchange["code"] != "" and isinstance(exchange["message"], str)


def is_correlated(exchange: Exchange) -> bool:
    """Whether header and body agree on one correlation ID, the client's own where it was usable."""
    found = exchange.header("x-correlation-id")
    sent = exchange.request_headers.get("x-correlation-id", "")
    return (
        len(set(exchange.header_values("x-correlation-id"))) == 1
        and found == exchange["correlation_id"]
        and (not USABLE_CORRELATION_ID.match(sent) or found == sent)
    )


def refused(exchange: Exchange) -> Exchange:
    """The exchange itself, given that it was refused."""
    if exchange.is_success:
        raise SetupFailed(f"{exchange.summary}: there is no refusal to judge", "undocumented routes are accepted")
    return exchange


@requirement("routes.unknown.envelope", "routes.unknown.correlation", "routes.unknown.not_found")
def test_an_unknown_path_is_refused_like_everything_else(api: Api, world: World, judge: Judge) -> None:
    exchanges = [
        api.request("GET", "/conf-nothing"),
        api.request("GET", "/conf-nothing/conf-deeper"),
        api.request("POST", "/conf-nothing", content=b"{}", headers={"Content-Type": "application/json"}),
        api.request("GET", f"/events/{world.event.id}/conf-nothing"),
        api.request("GET", "/review-queue/conf-nothing/conf-deeper"),
        api.request("GET", "/conf-nothing", headers={"x-correlation-id": "conf-unknown-path"}),
    ]
    for exchange in exchanges:
        with judge("routes.unknown.not_found"):
            assert exchange.status in (404, 405), exchange.summary
        with judge("routes.unknown.envelope"):
            assert is_enveloped(refused(exchange)), f"{exchange.summary} without the error envelope"
        with judge("routes.unknown.correlation"):
            assert is_correlated(refused(exchange)), f"{exchange.summary}: its correlation IDs differ"


@requirement("routes.method.envelope", "routes.method.correlation", "routes.method.not_offered")
def test_a_method_that_a_path_does_not_offer_is_refused(api: Api, given: Given, judge: Judge) -> None:
    for path in sorted(PATHS):
        method = next(name for name in ("PUT", "POST", "GET") if (name, path) not in OFFERED)
        # Nothing that exists is named: who knows what an undocumented method would do to it.
        named = path.replace("{kind}", "event")
        for parameter in ("event_id", "session_id", "attendee_id", "partner_id", "run_id", "review_id"):
            named = named.replace("{" + parameter + "}", given.name("nowhere"))
        named = named.replace("{principal_partner_id}", given.name("nowhere"))
        named = named.replace("{target_partner_id}", given.name("nowhere"))
        content = None if method == "GET" else b"{}"
        headers = {} if content is None else {"Content-Type": "application/json"}
        exchanges = [api.request(method, named, content=content, headers=headers)]
        if "{" not in path:
            with judge("routes.method.not_offered"):
                assert exchanges[0].status in (404, 405), exchanges[0].summary
        else:
            exchanges.append(api.request("DELETE", named))
        for exchange in exchanges:
            with judge("routes.method.envelope"):
                assert is_enveloped(refused(exchange)), f"{exchange.summary} without the error envelope"
            with judge("routes.method.correlation"):
                assert is_correlated(refused(exchange)), f"{exchange.summary}: its correlation IDs differ"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "a slash at its end": lambda path: f"{path}/",
    "a doubled slash": lambda path: "//".join(path.rsplit("/", 1)),
    "upper case": lambda path: "".join(
        part if part[:1] == "{" else part.upper() for part in re.split(r"({\w+})", path)
    ),
    "an unnamed sub-resource": lambda path: f"{path}/conf-nothing/conf-deeper/conf-deepest",
}
"""What makes a documented path nearly another one. Whether a server still takes it for the same is open."""


@requirement("routes.variant.envelope", "routes.variant.correlation")
def test_a_path_that_is_nearly_a_documented_one_is_answered_like_everything_else(
    api: Api, given: Given, judge: Judge
) -> None:
    paths = [spell(path) for path in sorted(PATHS) for spell in SPELLINGS.values()]
    # Only reads, and nothing that exists is named: a server may take the path for the documented one.
    named = [re.sub(r"{\w+}", given.name("nowhere"), path.replace("{kind}", "event")) for path in paths]
    exchanges = api.send_concurrently(partial(api.request, "GET", path) for path in named)
    refusals = [exchange for exchange in exchanges if not exchange.is_success]
    if not refusals:
        raise NothingThere("every such path is accepted", "paths that are nearly documented are accepted")
    for exchange in refusals:
        with judge("routes.variant.envelope"):
            assert is_enveloped(exchange), f"{exchange.summary} without the error envelope"
        with judge("routes.variant.correlation"):
            assert is_correlated(exchange), f"{exchange.summary}: its correlation IDs differ"


@requirement("routes.head.read_key", "routes.options.read_key")
def test_the_read_scope_covers_head_and_options(api: Api, world: World, judge: Judge) -> None:
    for path in ("/auth", "/events", f"/events/{world.event.id}", "/runs"):
        for method in ("HEAD", "OPTIONS"):
            exchange = api.as_key("read").request(method, path)
            with judge(f"routes.{method.lower()}.read_key"):
                assert exchange.status not in (401, 403), f"{exchange.summary} to a key with partner:read"


@requirement("routes.head.correlation", "routes.options.correlation")
def test_head_and_options_carry_the_correlation_id(api: Api, given: Given, world: World, judge: Judge) -> None:
    event = f"/events/{world.event.id}"
    for path in ("/auth", "/events", event, f"{event}/context", f"{event}/sessions", f"{event}/attendees", "/runs"):
        for method in ("HEAD", "OPTIONS"):
            sent = given.name("correlation")
            exchange = api.request(method, path, headers={"x-correlation-id": sent})
            with judge(f"routes.{method.lower()}.correlation"):
                if not exchange.is_success:
                    raise NothingThere(exchange.summary, f"{method} is not answered")
                carried = exchange.header_values("x-correlation-id")
                assert set(carried) == {sent}, f"{sent!r} was sent, the header carries {carried}: {exchange.summary}"


@requirement("rate_limit.leaves_nothing")
def test_a_request_past_the_window_leaves_nothing_behind(world: World) -> None:
    again = world.window.again
    if not again:
        raise CeilingReached("no write earned a 429 and could be sent again", "no write was held back by the limit")
    for one in again:
        assert one["status"] == 201, f"{one['summary']} to a write that was sent before and refused with 429"


@requirement("rate_limit.code", "rate_limit.retry_after", "rate_limit.lifts")
def test_an_exhausted_window_is_refused_until_it_opens_again(world: World, judge: Judge) -> None:
    window = world.window
    refused, later, told = window.refused, window.later, window.told
    with judge("rate_limit.code"):
        for one in refused:
            assert (one["status"], one["code"]) == (429, "PARTNER_RATE_LIMIT_EXCEEDED"), one["summary"]
    with judge("rate_limit.retry_after"):
        for one in refused:
            wait = one["retry_after"]
            assert retry_after_is_valid(wait), f"{one['summary']} has Retry-After {wait!r}: neither seconds nor a date"
    with judge("rate_limit.lifts"):
        if told is None:
            raise SetupFailed(f"{later['summary']} without a usable Retry-After", "a 429 does not say how long to wait")
        if later["status"] == 429 and told > LONGEST_WAIT:
            raise CeilingReached(f"Retry-After asks for {told:.0f} s", "the rate limit's wait is too long")
        accepted = 200 <= later["status"] < 300
        assert accepted, f"{later['summary']} after waiting {HONOURED_WAITS} times as Retry-After said"

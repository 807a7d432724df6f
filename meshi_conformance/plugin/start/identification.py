"""Tells the Partner API from what answers in its place, and says what that most likely is and how to mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from urllib.parse import urlsplit, urlunsplit

from ...client.api import Api
from ...contract.contract import Contract
from ...contract.operations import COMMON_CODES
from ...errors import TransportTrouble, UsageError
from ...exchanges.exchange import Exchange
from ...target.target import CURRENT_BASE, LEGACY_BASE, Target

REDIRECTS = (301, 302, 303, 307, 308)

CANDIDATES = 6
"""How many other bases are tried at most, where the given one does not hold the API."""

AUTH_MEMBERS = ("org_id", "principal_type", "service_account_user_id", "scopes")

CLIENT_CERTIFICATE = (
    "The target asks for a client certificate: give tls.certificate and tls.private_key in its entry of the targets "
    "file (docs/targets.md)."
)

BROKEN_CONNECTIONS = (
    (
        r"hostname mismatch|doesn't match|not valid for|IP address mismatch",
        "The certificate is for another host: use the host name that it was issued for.",
    ),
    (
        r"certificate has expired|not yet valid",
        "The target's certificate is not valid today: check its dates, and this machine's clock.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "The certificate of the target, or of a proxy that reads TLS, comes from an authority that is not trusted "
        "here: name the authority's PEM file in SSL_CERT_FILE or REQUESTS_CA_BUNDLE, or as tls.ca in the targets file.",
    ),
    (r"CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE", CLIENT_CERTIFICATE),
    (
        r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|UNEXPECTED_MESSAGE",
        "The port does not speak TLS: for plain HTTP give a URL that starts with http://.",
    ),
    (
        r"getaddrinfo|Name or service not known|name resolution|nodename|No address associated",
        "The host name is not known here: check its spelling, and whether a proxy or VPN is needed.",
    ),
)
"""What a failed connection says to what is most likely wrong, the first that fits; every pattern ignores case."""


def unreachable(target: Target, problem: str) -> str:
    """Return the message for a target that gave no usable answer, with the most likely mend."""
    mend = next((text for pattern, text in BROKEN_CONNECTIONS if re.search(pattern, problem, re.IGNORECASE)), None)
    if mend is None and "a gateway's 407" in problem:
        mend = _proxy_refuses(target, 407)
    if mend is None and "a gateway's 429" in problem:
        mend = "A gateway limits requests: send fewer with --rate."
    if mend is None and "a gateway's" in problem:
        mend = "A gateway answers and the API behind it does not: check whether the API is up."
        if "a gateway's 503" in problem:
            mend += " Where the gateway limits requests, send fewer with --rate."
    if mend is None and target.access.proxy and target.access.proxy_name in problem:
        mend = (
            f"Check that {target.access.proxy_variable} names the right proxy and that the proxy lets this target "
            "through; name the target's host in NO_PROXY where it needs no proxy."
        )
        if "407" in problem:
            mend = f"The proxy wants a user and a password: put them into the URL in {target.access.proxy_variable}."
    if mend is None and target.base.startswith("http:") and "disconnected" in problem:
        mend = "The port may speak TLS: then give a URL that starts with https://."
    return (
        f"The target {target.base} could not be reached: {problem.rstrip('.')}. "
        f"{mend or 'Check the URL, the network and whether the server is up.'}"
    )


def require_the_api(target: Target, api: Api, contract: Contract, auth: Exchange | None, events: Exchange) -> None:
    """Raise UsageError, with what answered and the most likely mend, where neither answer is the Partner API's.

    `auth` is the answer to GET /auth, None where none came; `events` the one to GET /events. One recognizable answer
    is enough: what is odd about the other is for the tests to judge.
    """
    answers = [one for one in (auth, events) if one is not None]
    if any(one.is_success and is_recognizable(one, contract) for one in answers):
        return
    shown = auth or events
    statuses = {one.status for one in answers}
    if statuses <= {401, 403} and any(is_recognizable(one, contract) for one in answers):
        known = next(one for one in answers if is_recognizable(one, contract))
        raise UsageError(
            f"{target.base} refuses the key in {target.variable('main')} ({known.status} {(known.code or '')[:60]}). "
            "Check that the key belongs to this environment: staging and production keys are separate."
        )
    if statuses <= set(REDIRECTS):
        place = (shown.header("location") or "nowhere")[:200]
        raise UsageError(
            f"{target.base} redirects to {place} ({shown.answered_by}). Keys are never sent on to another place: give "
            "the final URL; a page to sign in means that something in front of the API guards it."
        )
    if statuses <= {404, 405}:
        raise UsageError(
            f"{target.base} serves no Partner API: {_answers(answers)}. {_other_base(target, api, contract)}"
        )
    if not any(is_recognizable(one, contract) for one in answers):
        raise UsageError(f"{target.base} is not the Partner API: {_answers(answers)}. {_mend(target, shown)}")


def is_recognizable(exchange: Exchange, contract: Contract) -> bool:
    """Return whether an answer can only have come from the Partner API: documented members, codes or the envelope.

    JSON that breaks a rule is read all the same: that it breaks one is for the tests to judge.
    """
    try:
        body = json.loads(exchange.body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(body, dict):
        return False
    if exchange.is_success:
        if exchange.operation == "getAuth":
            return any(name in body for name in AUTH_MEMBERS)
        return "items" in body and ("next_cursor" in body or "correlation_id" in body)
    if all(isinstance(body.get(name), str) for name in ("code", "message", "correlation_id")):
        return True
    return exchange.code in _codes(contract)


def _codes(contract: Contract) -> set[str]:
    """Return the codes that any route may answer with: the common ones, and those of keys and scopes."""
    return {*COMMON_CODES, *(code for codes in contract.operations["getAuth"].errors.values() for code in codes)}


def _answers(answers: list[Exchange]) -> str:
    """Tell people which request was answered how; equal answers are named together."""
    said: dict[str, list[str]] = {}
    for one in answers:
        said.setdefault(f"answered {one.answered_by}{_title(one)}", []).append(f"{one.method} {one.path[:80]}")
    return "; ".join(f"{' and '.join(requests)} {how}" for how, requests in said.items())


def _title(exchange: Exchange) -> str:
    """Return the error code of a JSON answer, or the title of a page, in parentheses."""
    if exchange.code:
        return f" ({exchange.code[:60]})"
    found = re.search(r"<title[^>]*>([^<]{1,200})", exchange.body[:20_000].decode("utf-8", "replace"), re.IGNORECASE)
    title = " ".join(unescape(found[1]).split())[:80] if found else ""
    return f" (a page with the title {title!r})" if title else ""


def _proxy_refuses(target: Target, status: int) -> str:
    name = target.access.proxy_name if target.access.proxy else "a proxy"
    wish = " It wants a user and a password in its URL." if status == 407 else ""
    return (
        f"The request went through {name}, which most likely gave this answer.{wish} Name the target's host in "
        "NO_PROXY where it needs no proxy."
    )


def _mend(target: Target, shown: Exchange) -> str:
    text = shown.body[:20_000].decode("utf-8", "replace").lower()
    if shown.status == 407 or (target.access.proxy and shown.status in (403, 502, 503, 504)):
        return _proxy_refuses(target, shown.status)
    if target.base.startswith("http:") and shown.status == 400 and "https" in text:
        return "The port speaks TLS: give a URL that starts with https://."
    if target.base.startswith("https:") and shown.status == 400 and "certificate" in text:
        return CLIENT_CERTIFICATE
    if shown.status in (401, 403):
        return (
            "Something in front of the API refuses the request before the API sees the key. Where it wants a header of "
            "its own or a client certificate, give them as headers and tls in the targets file (docs/targets.md)."
        )
    if shown.status in (429, 503):
        return "A gateway limits requests, or has nothing behind it: send fewer with --rate, or try again later."
    if shown.status >= 500:
        return "The server fails before the API answers: look at its log, and check the URL."
    if "html" in (shown.header("content-type") or "").lower():
        return (
            "That is a page for people: a sign-in page, a default page or a catch-all. Check host and path of the URL, "
            "and whether something in front of the API wants a sign-in."
        )
    return f"Another service answers here. Check host, port and path: the documented base ends with {CURRENT_BASE}."


def _other_base(target: Target, api: Api, contract: Contract) -> str:
    """Say in a sentence where the API was found instead, and how to mend it. Keys are not sent there."""
    for base in list(_candidates(target.base))[:CANDIDATES]:
        with suppress(TransportTrouble):
            found = api.as_key(None).request("GET", "/auth", base=base, patient=False)
            if found.status in (401, 403) and found.code in _codes(contract):
                return f"The API answers at {base}: give that as the target."
    return f"Check the path of the URL; the documented one ends with {CURRENT_BASE}."


def _candidates(base: str) -> Iterator[str]:
    """Return bases of the same host that may have been meant, the likeliest first."""
    parts = urlsplit(base)
    segments = [one for one in parts.path.split("/") if one]
    seen = {base}
    for ending in (CURRENT_BASE, LEGACY_BASE):
        for kept in range(len(segments) + 1):
            path = "".join(f"/{one}" for one in segments[:kept]) + ending
            found = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
            if found not in seen:
                seen.add(found)
                yield found

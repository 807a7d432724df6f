"""Observers of paths, methods, keys and headers."""

from __future__ import annotations

import re

from .observer import Observer, Sightings, each, each_of_any_key
from .traffic import MAIN, Observed, Traffic

PLAIN_PATHS = frozenset({"/auth", "/events", "/runs", "/review-queue"})
"""Paths without a parameter: what refuses a wrong method of theirs is not a missing row."""

LONG_CORRELATION_ID = 200
SCOPES = frozenset({"partner:read", "partner:write"})


def wrong_method(one: Observed) -> str | None:
    if one.operation is not None or one.method not in ("GET", "POST", "PUT") or one.path not in PLAIN_PATHS:
        return None
    return str(one.status) if one.key == MAIN and one.status in (404, 405) else None


def spelling(one: Observed) -> str | None:
    """Look for a plain path with a slash at its end."""
    if one.method != "GET" or one.path.removesuffix("/") not in PLAIN_PATHS or not one.path.endswith("/"):
        return None
    if one.key != MAIN or one.status >= 500:
        return None
    return "same" if one.is_success else "redirect" if one.status < 400 else "unknown"


def delete(one: Observed) -> str | None:
    if one.method != "DELETE" or one.key != MAIN:
        return None
    return {403: "scope", 404: "route", 405: "route"}.get(one.status)


def key_or_route(one: Observed) -> str | None:
    if one.key is not None or not one.path.startswith("/conf-"):
        return None
    return {401: "key", 404: "route"}.get(one.status)


def head(one: Observed) -> str | None:
    if one.method != "HEAD":
        return None
    return "offered" if one.is_success else "refused" if one.refused else None


def dot_segments(one: Observed) -> str | None:
    """Look for an encoded dot segment in the place of a partner ID."""
    if not one.path.startswith("/events/%2E%2E/") or one.key != MAIN:
        return None
    return "kept" if one.code == "INVALID_PARTNER_ID" else "resolved" if one.status < 500 else None


def refusal_label(one: Observed) -> str | None:
    if one.is_success or not one.code:
        return None
    label = (one.header("content-type") or "").partition(";")[0].strip().lower()
    if label == "application/json":
        return "json"
    return "problem" if label == "application/problem+json" else None


def no_org(traffic: Traffic) -> Sightings:
    """Tell which code refuses a key without an org."""
    codes = {"PARTNER_ORG_REQUIRED": "org", "SERVICE_ACCOUNT_REQUIRED": "account"}
    for one in traffic.all:
        if one.key == "no_org" and one.status == 403 and one.code in codes:
            yield codes[one.code], one


def scopes(one: Observed) -> str | None:
    shown = one.answer.get("scopes")
    if not one.is_success or not isinstance(shown, list) or "partner:write" not in shown:
        return None
    if not all(isinstance(scope, str) for scope in shown):
        return None
    if set(shown) - SCOPES:
        return "more"
    return "both" if "partner:read" in shown else "write_alone"


def unusual_correlation(one: Observed) -> str | None:
    sent = one.sent_header("x-correlation-id")
    if sent is None or len(sent) < LONG_CORRELATION_ID or not one.is_success:
        return None
    return "kept" if one.header("x-correlation-id") == sent else "replaced"


def wait_form(one: Observed) -> str | None:
    if one.status != 429:
        return None
    wait = (one.header("retry-after") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", wait):
        return "seconds"
    return "date" if "GMT" in wait else None


OBSERVERS: dict[str, Observer] = {
    "routes.wrong_method": each_of_any_key(wrong_method),
    "routes.spelling": each_of_any_key(spelling),
    "routes.delete": each_of_any_key(delete),
    "routes.key_or_route": each_of_any_key(key_or_route),
    "routes.head": each_of_any_key(head),
    "routes.dot_segments": each_of_any_key(dot_segments),
    "routes.refusal_label": each_of_any_key(refusal_label),
    "keys.no_org": no_org,
    "keys.scopes": each("getAuth")(scopes),
    "correlation.unusual": each("getAuth")(unusual_correlation),
    "rate_limit.wait_form": each_of_any_key(wait_form),
}

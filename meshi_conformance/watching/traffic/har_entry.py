"""From an entry of a HAR file to an exchange, whichever tool wrote it.

Chrome, Firefox, mitmproxy, Charles, Insomnia and this suite agree on HTTP Archive 1.2 and differ in what they leave
out: bodies that were not kept or were cut, sizes of the compressed form, keys that are taken out, answers that came
from a cache or never came.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from ...exchanges.exchange import Exchange
from ...target.keys import BEARER, KEY_VARIABLES
from ..state.observation import Coverage

KEPT_REQUEST_HEADERS = frozenset({"accept", "content-type", "x-correlation-id"})
"""Request headers that are kept: others may hold secrets, and no check reads them."""

DROPPED_ANSWER_HEADERS = frozenset({"set-cookie", "set-cookie2"})

_ROLES = {f"${variable}": role for role, variable in KEY_VARIABLES.items()}
_MASK = re.compile(r"redact|mask|hidden|filtered|removed|^\W*$|^[x*.]+$|\*{3}", re.IGNORECASE)
_MOMENT = re.compile(r"(.*?\d{2}:\d{2}:\d{2})(\.\d+)?(Z|z|[+-]\d{2}:?\d{2})?")


class Unusable(Exception):
    """An entry shows no exchange that could be judged; the message says why, in words that group equal reasons."""


@dataclass(frozen=True)
class Moment:
    """When an exchange began and ended, in seconds of POSIX time, and how fine the recorder's clock is."""

    began: float
    ended: float
    tick: float


def moment(entry: dict[str, Any]) -> Moment:
    """Return when an entry happened. Raise Unusable where it does not say."""
    text = entry.get("startedDateTime")
    found = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Unusable("the entry does not say when it happened")
    try:
        zone = (found[3] or "Z").upper().replace("Z", "+00:00")
        start = datetime.fromisoformat(found[1] + zone).astimezone(UTC).timestamp()
    except ValueError:
        raise Unusable("the entry does not say when it happened") from None
    fraction = found[2] or ""
    digits = len(fraction) - 1 if fraction else 0
    began = start + (float(fraction) if digits > 0 else 0.0)
    return Moment(began, began + _milliseconds(entry) / 1000, 10.0**-digits if digits < 6 else 0.0)


def _milliseconds(entry: dict[str, Any]) -> float:
    value = entry.get("time")
    if _is_number(value) and value >= 0:
        return float(value)
    timings = entry.get("timings")
    parts = timings.values() if isinstance(timings, dict) else ()
    return float(sum(part for part in parts if _is_number(part) and part > 0))


def address(entry: dict[str, Any]) -> str:
    """Return the URL that was asked for; empty where there is none."""
    request = entry.get("request")
    url = request.get("url") if isinstance(request, dict) else None
    return url if isinstance(url, str) else ""


def authorization(entry: dict[str, Any]) -> str | None:
    """Return the value of the Authorization header; None where the recording has none."""
    return _header(_headers(entry.get("request")), "authorization")


def key_of(value: str) -> str | None:
    """Return the key that an Authorization header carries; None where the recorder took it out."""
    scheme, _, key = value.strip().partition(" ")
    if scheme.lower() != "bearer":
        return None if _MASK.search(value) else value
    return None if _MASK.search(key.strip()) else key.strip()


def role_of(key: str) -> str | None:
    """Return the role of a key that this suite wrote as the name of its variable."""
    return _ROLES.get(key)


def exchange(entry: dict[str, Any], *, name: str, where: str, base: str) -> tuple[Exchange, Coverage]:
    """Return the exchange of an entry below `base`, and what the recorder kept of it. Raise Unusable.

    `name` becomes the exchange's ID, `where` names its file for people. `base` is the part of the
    URL that the path follows.
    """
    request, response = entry["request"], entry["response"]
    status = response["status"]
    if _came_from_cache(entry):
        raise Unusable("the answer came from a cache")
    when = moment(entry)
    sent, received = _headers(request), _headers(response)
    body, body_known = _answer_body(response)
    content, size, content_known = _request_body(request, sent)
    bearer = _header(sent, "authorization")
    kept = {name: value for name, value in sent if name.lower() in KEPT_REQUEST_HEADERS}
    key = None if bearer is None else role_of(key_of(bearer) or "") or "main"
    shown = Exchange(
        id=name,
        operation=None,
        test=where,
        method=method(entry),
        path=address(entry)[len(base) :] or "/",
        key=key,
        request_headers=_lower_correlation(kept),
        request_body=content,
        status=status,
        headers=[pair for pair in received if pair[0].lower() not in DROPPED_ANSWER_HEADERS],
        body=body,
        started=when.began,
        elapsed=when.ended - when.began,
        request_size=size,
        scheme=BEARER,
    )
    return shown, Coverage(content_known, bool(received), body_known, when.tick)


def _lower_correlation(headers: dict[str, str]) -> dict[str, str]:
    """Spell the name as documented, for the checks; clients write it in any case."""
    return {"x-correlation-id" if name.lower() == "x-correlation-id" else name: one for name, one in headers.items()}


def answered(entry: dict[str, Any]) -> bool:
    """Tell whether an answer was recorded; the other parts of the entry can then be read."""
    request, response = entry.get("request"), entry.get("response")
    status = response.get("status") if isinstance(response, dict) else None
    return isinstance(request, dict) and isinstance(status, int) and 200 <= status < 600


def method(entry: dict[str, Any]) -> str:
    """Return the request's method in capitals; empty where there is none."""
    request = entry.get("request")
    return str(request.get("method", "")).upper() if isinstance(request, dict) else ""


def _came_from_cache(entry: dict[str, Any]) -> bool:
    """Tell whether the server did not give this answer now: a browser's cache or a worker in the page did."""
    return bool(entry.get("_fromCache") or entry.get("_fetchedViaServiceWorker") or entry.get("_was_fulfilled_locally"))


def _headers(message: Any) -> list[tuple[str, str]]:
    """Return the headers as pairs, HTTP/2's pseudo-headers left out; empty where none were recorded."""
    return list(_pairs(message.get("headers"))) if isinstance(message, dict) else []


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    if isinstance(headers, dict):  # not HAR, but written by some
        headers = [{"name": name, "value": value} for name, value in headers.items()]
    for one in headers if isinstance(headers, list) else ():
        name, value = (one.get("name"), one.get("value")) if isinstance(one, dict) else (None, None)
        if isinstance(name, str) and isinstance(value, str) and not name.startswith(":"):
            yield name, value


def _header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _answer_body(response: dict[str, Any]) -> tuple[bytes, bool]:
    """Return the body, and whether it is all there."""
    content = response.get("content")
    content = content if isinstance(content, dict) else {}
    text, size = content.get("text"), content.get("size")
    if not isinstance(text, str):
        return b"", size == 0 and response.get("bodySize") in (0, None)
    body, whole = _decoded(text, content.get("encoding"))
    if isinstance(size, int) and len(body) < size:
        whole = False
    if not body and size != 0:
        whole = False
    return body, whole


def _decoded(text: str, encoding: Any) -> tuple[bytes, bool]:
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True), True
        except (binascii.Error, ValueError):
            return b"", False
    # A recorder that met other bytes than UTF-8 left U+FFFD in their place: what was sent is lost.
    return text.encode("utf-8", "surrogatepass"), "\ufffd" not in text


def _request_body(request: dict[str, Any], headers: list[tuple[str, str]]) -> tuple[bytes | None, int | None, bool]:
    """Return the body, its size where only a part was kept, and whether it is all there."""
    data = request.get("postData")
    size = request.get("bodySize")
    length = _header(headers, "content-length")
    told = max(
        size if isinstance(size, int) and not isinstance(size, bool) else 0,
        int(length) if length and re.fullmatch(r"[0-9]{1,12}", length) else 0,
    )
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text:
        return None, None, told == 0
    body, whole = _decoded(text, data.get("encoding") if isinstance(data, dict) else None)
    return body, (told if told > len(body) else None), whole and len(body) >= told


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def split_base(url: str) -> tuple[str, str]:
    """Return scheme and host of a URL, and its path; empty for what is not a URL."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "", ""
    return (f"{parts.scheme}://{host}", parts.path) if parts.scheme in ("http", "https") and host else ("", "")

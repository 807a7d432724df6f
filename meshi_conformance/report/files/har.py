"""exchanges.har: every exchange of a run as an HTTP archive 1.2, for browsers' tools and for replay.

Written entry by entry, so that the size of a run does not matter. Keys appear as the names of their
environment variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ...exchanges.exchange import STORED_BODY_BYTES
from ...target.keys import KEY_VARIABLES

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def parts(document: dict[str, Any], events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Write the archive as JSON text, one entry a line, in the order of recording."""
    suite = document["suite"]
    head = json.dumps({"version": "1.2", "creator": {"name": suite["name"], "version": suite["version"]}})
    yield f'{{"log": {head[:-1]}, "entries": [\n'
    separator = ""
    for event in events:
        if event["type"] == "exchange":
            yield separator + json.dumps(entry(event, document["target"]["base"]))
            separator = ",\n"
    yield "\n]}}\n"


def entry(one: dict[str, Any], base: str) -> dict[str, Any]:
    milliseconds = round(one["elapsed"] * 1000, 3)
    entry = {
        "startedDateTime": _moment(one["started"]),
        "time": milliseconds,
        "request": _request(one, base),
        "response": _response(one),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "_exchange": one["id"],
        "_operation": one["operation"],
        "_test": one["test"],
    }
    cut = [
        f"the {name}'s body was cut for the record: {size} bytes were sent"
        for name, text, size in (
            ("request", one["request_body"], one["request_bytes"]),
            ("response", one["body"], one["body_bytes"]),
        )
        if text is not None and size > STORED_BODY_BYTES
    ]
    if cut:
        entry["comment"] = "; ".join(cut)
    return entry


def _request(one: dict[str, Any], base: str) -> dict[str, Any]:
    headers = [{"name": name, "value": value} for name, value in one["request_headers"].items()]
    if one["key"] in KEY_VARIABLES:
        headers.append({"name": "Authorization", "value": f"{one['scheme']}${KEY_VARIABLES[one['key']]}"})
    request: dict[str, Any] = {
        "method": one["method"],
        "url": (one["other_base"] or base) + one["path"],
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(urlsplit(one["path"]).query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": one["request_bytes"],
    }
    if one["request_body"] is not None:
        request["postData"] = {
            "mimeType": _header(one["request_headers"].items(), "content-type"),
            "text": one["request_body"],
        }
        if one.get("request_body_encoding"):
            # HAR has no member for it in a request, only in an answer.
            request["postData"]["_encoding"] = one["request_body_encoding"]
    return request


def _response(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": one["status"],
        "statusText": _PHRASES.get(one["status"], ""),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in one["headers"]],
        "content": {
            "size": one["body_bytes"],
            "mimeType": _header(one["headers"], "content-type"),
            "text": one["body"] or "",
            **({"encoding": one["body_encoding"]} if one.get("body_encoding") else {}),
        },
        "redirectURL": _header(one["headers"], "location"),
        "headersSize": -1,
        "bodySize": one["body_bytes"],
    }


def _header(headers: Iterable[Any], name: str) -> str:
    return next((str(value) for key, value in headers if str(key).lower() == name), "")


def _moment(seconds: float) -> str:
    # To the microsecond: what happened before what is judged by it.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

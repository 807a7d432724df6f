"""The exchanges of a server as HAR 1.2, valid at any moment: each one is written when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from .exchange import Seen

SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"})
"""Headers whose values are not written."""

_HEAD = '{"log": {"version": "1.2", "creator": {"name": "meshi_reference", "version": "0"}, "entries": [\n'
_TAIL = "\n]}}\n"


class HarLog:
    """A file that grows with every exchange."""

    def __init__(self, file: Path) -> None:
        """Begin the file anew. Raise OSError where it cannot be written."""
        self._stream = file.open("w", encoding="utf-8")
        self._stream.write(_HEAD)
        self._end = self._stream.tell()
        self._write("")

    def add(self, seen: Seen, base: str, clean: Callable[[str], str]) -> None:
        """Write an exchange; `clean` takes keys out of it."""
        comma = ",\n" if self._end > len(_HEAD) else ""
        self._write(comma + clean(json.dumps(_entry(seen, base))))

    def _write(self, text: str) -> None:
        self._stream.seek(self._end)
        self._stream.write(text)
        self._stream.flush()
        self._end = self._stream.tell()
        self._stream.write(_TAIL)
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def _entry(seen: Seen, base: str) -> dict[str, object]:
    host = urlsplit(base)
    url = f"{host.scheme}://{host.netloc}{seen.target}"
    sent, came = (body.decode("utf-8", "replace") for body in (seen.request_body, seen.body))
    kind = dict(seen.headers).get("content-type", "")
    return {
        "startedDateTime": datetime.fromtimestamp(seen.moment, UTC).isoformat(),
        "time": round(seen.milliseconds, 3),
        "request": {
            "method": seen.method,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _headers(seen.request_headers),
            "queryString": [
                {"name": name, "value": value}
                for name, value in parse_qsl(seen.target.partition("?")[2], keep_blank_values=True)
            ],
            "headersSize": -1,
            "bodySize": len(seen.request_body),
            **({"postData": {"mimeType": "application/json", "text": sent}} if sent else {}),
        },
        "response": {
            "status": seen.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _headers(seen.headers),
            "content": {"size": len(seen.body), "mimeType": kind, "text": came},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(seen.body),
        },
        "cache": {},
        "timings": {"send": 0, "wait": round(seen.milliseconds, 3), "receive": 0},
    }


def _headers(headers: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": "removed" if name.lower() in SECRET_HEADERS else value} for name, value in headers]

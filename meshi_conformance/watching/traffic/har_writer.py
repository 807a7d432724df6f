"""Writes exchanges to a HAR file as they come, bodies whole and keys as names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ... import __version__
from ...exchanges.exchange import Exchange
from ...exchanges.redaction import Redaction
from ...report.files import har


class HarWriter:
    """A HAR file that can be judged again with the same result, also where it was not closed."""

    def __init__(self, file: Path, base: str) -> None:
        self._base = base
        self._stream = file.open("w", encoding="utf-8", errors="surrogatepass")
        creator = {"name": "meshi-conformance proxy", "version": __version__}
        self._stream.write(f'{{"log": {{"version": "1.2", "creator": {json.dumps(creator)}, "entries": [\n')
        self._separator = ""

    def write(self, exchange: Exchange, key: str | None, redaction: Redaction) -> None:
        """Add an exchange. `key` names the key that was sent."""
        record: dict[str, Any] = exchange.record(redaction)
        for name, body in (("request_body", exchange.request_body), ("body", exchange.body)):
            record[name] = None if body is None else redaction.text(body.decode("utf-8", "replace"))
        record["key"] = None
        entry = har.entry(record, self._base)
        if key is not None:
            variable = "$" + key.upper().replace(" ", "_")
            entry["request"]["headers"].append({"name": "Authorization", "value": f"Bearer {variable}"})
        for name in ("_exchange", "_operation", "_test"):
            entry.pop(name)
        self._stream.write(self._separator + json.dumps(entry))
        self._separator = ",\n"

    def close(self) -> None:
        """End the file."""
        self._stream.write("\n]}}\n")
        self._stream.close()

"""What the target has acknowledged: from then on a single read has to show it (rulings, Reads after a write)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..exchanges.created_rows import Row
from ..exchanges.exchange import Exchange
from .call import Call

LONGEST_LAG = 5.0
"""Seconds for which a call on an acknowledged row is repeated while the target does not know the row."""

VAIN_WAITS = 2
"""Waits for rows of one kind that ended in vain, after which no other is waited for."""

SAME_ORG = {"main": "main", "read": "main", "probe": "main", "other": "other"}
"""Role of a key to the org that it belongs to; rows of one org are unknown in the other."""

SINGLE_READS = frozenset({"getEvent", "getEventContext", "getSession", "getRun", "getIdMapping"})


@dataclass(frozen=True)
class Acknowledged:
    """A row that the target has accepted: `kind` is event, session or run; `exchange` is the ID of the answer."""

    org: str
    kind: str
    id: str
    exchange: str

    def requirement(self, operation: str) -> str:
        """Return the requirement that an operation breaks which does not know the row."""
        return f"acknowledged.{self.kind}" if operation in SINGLE_READS else "acknowledged.elsewhere"


class Acknowledgements:
    """Remembers accepted rows, and how often a wait for one was in vain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], Acknowledged] = {}
        self._charged: set[tuple[Acknowledged, str]] = set()
        self._vain: Counter[str] = Counter()

    def note(self, key: str | None, rows: Iterable[Row], exchange: Exchange) -> None:
        """Remember the rows that an answer confirms."""
        org = SAME_ORG.get(key or "")
        for row in rows if org else ():
            kind = "run" if row.kind.endswith("run") else row.kind
            if org and row.id and kind in ("event", "session", "run"):
                one = Acknowledged(org, kind, row.id, exchange.id)
                with self._lock:
                    self._rows.setdefault((org, kind, row.id), one)
                    if kind == "session":  # another event does not know it
                        self._rows.setdefault((org, f"session of {row.event_id}", row.id), one)

    def known(self, call: Call) -> dict[str, Acknowledged]:
        """Return what a call names and the target has accepted, by the code that would deny it."""
        org = SAME_ORG.get(call.key or "") if call.authorization is None and call.base is None else None
        if org is None:
            return {}
        names = {**call.query, **call.path}
        named: dict[str, tuple[Any, Any]] = {
            "EVENT_NOT_FOUND": ("event", names.get("event_id")),
            "SESSION_NOT_FOUND": (f"session of {names.get('event_id')}", names.get("session_id")),
            "RUN_NOT_FOUND": ("run", names.get("run_id")),
        }
        if call.operation == "getIdMapping":
            named["PARTNER_ID_NOT_FOUND"] = (names.get("kind"), names.get("partner_id"))
        with self._lock:
            found = {code: self._rows.get((org, str(kind), str(id))) for code, (kind, id) in named.items()}
        return {code: one for code, one in found.items() if one is not None}

    def blame(self, row: Acknowledged, operation: str) -> bool:
        """Return whether this is the first time that an operation is seen not to know the row."""
        with self._lock:
            before = len(self._charged)
            self._charged.add((row, row.requirement(operation)))
            return len(self._charged) > before

    def patience(self, row: Acknowledged) -> float:
        """Return how many seconds to wait for a row: none once rows of its kind were waited for in vain."""
        with self._lock:
            return LONGEST_LAG if self._vain[row.kind] < VAIN_WAITS else 0.0

    def waited_in_vain(self, row: Acknowledged) -> None:
        """Note that a row did not appear in time."""
        with self._lock:
            self._vain[row.kind] += 1

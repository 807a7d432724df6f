"""Exchanges as observers read them: recorded data, parsed when it is asked for, found by operation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..contract.contract import Contract
from ..exchanges.strict_json import NotJson, parse_json

TERMINAL = frozenset({"succeeded", "partial", "failed"})
MAIN = "main"


class Parameters(dict[str, str]):
    """The parameters of a path; one that the path does not have is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def is_terminal(status: object) -> bool:
    """Return whether a status is one in which a run has ended."""
    return isinstance(status, str) and status in TERMINAL


def texts(rows: Iterable[Mapping[str, Any]], member: str) -> set[str]:
    """Return the values of a member of rows, without what is not a text."""
    return {row[member] for row in rows if isinstance(row.get(member), str)}


class Observed:
    """One recorded exchange (Exchange.record) for reading.

    A body that was cut when it was stored, or that is not JSON, reads as if it were not there.
    """

    def __init__(self, record: Mapping[str, Any], operation: str | None, params: Parameters) -> None:
        self._record = record
        self.id: str = record["id"]
        self.operation = operation
        self.params = params
        self.method: str = record["method"]
        self.path, _, self._query = record["path"].partition("?")
        self.key: str | None = record["key"]
        self.status: int = record["status"]
        self.started: float = record["started"]
        self.ended: float = record["started"] + record["elapsed"]
        self.test: str = record["test"]
        self.drift: Sequence[str] = record["drift"]
        self.request_bytes: int = record["request_bytes"]

    @property
    def is_success(self) -> bool:
        """Return whether the answer is a success of any kind."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Return whether the answer is a client's mistake, other than a rate limit or a wrong key."""
        return 400 <= self.status < 500 and self.status not in (401, 403, 429)

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """Return the parameters of the query in their order."""
        return parse_qsl(self._query, keep_blank_values=True)

    def asked(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    @cached_property
    def sent(self) -> Any:
        """Return the JSON value of the request's body, or None where it cannot be read."""
        return _parsed(self._record["request_body"])

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """Return the request's body as an object; empty where it is not one."""
        return self.sent if isinstance(self.sent, dict) else {}

    @property
    def sent_text(self) -> str:
        """Return the start of the request's body."""
        return self._record["request_body"] or ""

    def sent_header(self, name: str) -> str | None:
        """Return a header of the request, by case-insensitive name."""
        return next((value for key, value in self._record["request_headers"].items() if key.lower() == name), None)

    @cached_property
    def answer(self) -> Mapping[str, Any]:
        """Return the answer's body as an object; empty where it is not one."""
        value = _parsed(self._record["body"])
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str | None:
        """Return the error code of a refusal."""
        code = self.answer.get("code")
        return code if isinstance(code, str) and not self.is_success else None

    @property
    def _page(self) -> Mapping[str, Any] | None:
        """What the record says of a page, also where its body was cut."""
        page: Mapping[str, Any] | None = self._record.get("page") if self.is_success else None
        return page

    @property
    def is_page(self) -> bool:
        """Return whether the answer is a page of a list."""
        return self._page is not None

    @property
    def row_count(self) -> int:
        """Return how many rows a page has; 0 where the answer is not a page."""
        return int(self._page["rows"]) if self._page else 0

    @property
    def next_cursor(self) -> Any:
        """Return where the next page starts."""
        return self._page["next_cursor"] if self._page else None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of a page; none where its body was cut, or where the answer is not a page."""
        rows = self.answer.get("items") if self._page else None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    @property
    def is_whole_list(self) -> bool:
        """Return whether the answer shows every row of its list, and all of them can be read."""
        return (
            self.is_page
            and self.next_cursor is None
            and self.asked("cursor") is None
            and len(self.rows) == self.row_count
        )

    def header(self, name: str) -> str | None:
        """Return a header of the answer, by case-insensitive name."""
        return next((value for key, value in self._record["headers"] if key.lower() == name), None)

    @property
    def line(self) -> str:
        """Return the request and its answer in a line."""
        said = f" {self.code[:60]}" if self.code else ""
        return f"{self.method} {self._record['path'][:160]} → {self.status}{said}"


def _parsed(text: str | None) -> Any:
    if not text:
        return None
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))
    except NotJson:
        return None


class Traffic:
    """The exchanges of a run in the order in which they began."""

    def __init__(self, records: Iterable[Mapping[str, Any]], contract: Contract) -> None:
        self.contract = contract
        self._templates = [
            (
                one.method,
                one.id,
                re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]*)", one.path)),
            )
            for one in contract.operations.values()
        ]
        ordered = sorted(
            (record for record in records if not record["other_base"] and not record.get("no_answer")),
            key=lambda one: one["started"],
        )
        self.all = [self._observed(record) for record in ordered]
        self._by_operation: dict[str | None, list[Observed]] = defaultdict(list)
        for one in self.all:
            self._by_operation[one.operation].append(one)

    def _observed(self, record: Mapping[str, Any]) -> Observed:
        path = record["path"].partition("?")[0]
        for method, operation, template in self._templates:
            found = template.fullmatch(path) if method == record["method"] else None
            if found and record["operation"] in (operation, None):
                return Observed(
                    record, operation, Parameters((name, unquote(value)) for name, value in found.groupdict().items())
                )
        return Observed(record, record["operation"], Parameters())

    def of(self, *operations: str | None) -> Iterator[Observed]:
        """Return the exchanges of some operations with the main key, operation by operation."""
        for name in operations:
            yield from (one for one in self._by_operation[name] if one.key == MAIN)

    def of_any_key(self, *operations: str | None) -> Iterator[Observed]:
        """Return the exchanges of some operations, whatever key they were sent with."""
        for name in operations:
            yield from self._by_operation[name]

    @cached_property
    def list_operations(self) -> tuple[str, ...]:
        """Return the operations that answer with pages."""
        return tuple(name for name, operation in self.contract.operations.items() if operation.lists)

    @cached_property
    def pages(self) -> list[Observed]:
        """Return the exchanges of every list in the order in which they began."""
        return sorted(self.of(*self.list_operations), key=lambda one: one.started)

    @cached_property
    def issued(self) -> dict[tuple[str, Any], Observed]:
        """Return the page that issued each cursor first, by path and cursor as a query writes it."""
        found: dict[tuple[str, Any], Observed] = {}
        for page in self.pages:
            if page.next_cursor is not None:
                found.setdefault((page.path, str(page.next_cursor)), page)
        return found

    @cached_property
    def events(self) -> set[str]:
        """Return the events that exist: those that an accepted exchange names."""
        found = {str(one.body.get("event_id")) for one in self.of("createEvent") if one.is_success}
        found |= {one.params["event_id"] for one in self.all if one.is_success and "event_id" in one.params}
        return found

    @cached_property
    def event_ids(self) -> tuple[str, ...]:
        """Return the IDs of the events that exist, for comparing with any value."""
        return tuple(self.events)

    @cached_property
    def run_reads(self) -> list[Observed]:
        """Return the accepted reads of one run each."""
        return [one for one in self.of("getRun") if one.is_success]

    @cached_property
    def ended(self) -> dict[str, float]:
        """Return when a run was first read in a terminal status, by its ID."""
        found: dict[str, float] = {}
        for one in self.run_reads:
            if is_terminal(one.answer.get("status")):
                found.setdefault(str(one.answer.get("run_id")), one.ended)
        return found

    def run_writes(self, *operations: str) -> Iterator[tuple[Observed, str]]:
        """Return the accepted writes that started or found a run, each with the ID of the run."""
        for one in self.of(*operations):
            run_id = one.answer.get("run_id")
            if one.is_success and isinstance(run_id, str):
                yield one, run_id

    @cached_property
    def imports(self) -> list[Import]:
        """Return the accepted imports whose run was seen to end, in the order in which they began."""
        found = []
        for one, run_id in self.run_writes("importAttendees"):
            rows = one.body.get("attendees")
            if run_id in self.ended and isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                found.append(Import(one.params["event_id"], rows, one.started, self.ended[run_id]))
        return found


class Import:
    """An import that ended: what it brought, and when."""

    def __init__(self, event_id: str, rows: Sequence[Mapping[str, Any]], started: float, ended: float) -> None:
        self.event_id = event_id
        self.rows = rows
        self.started = started
        self.ended = ended

    @cached_property
    def ids(self) -> set[str]:
        """Return the attendee IDs of the rows."""
        return {str(row.get("attendee_id")) for row in self.rows}

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Return the look-alikes among the rows: two IDs with one e-mail address, in the order of the rows."""
        by_email: dict[str, list[str]] = defaultdict(list)
        for row in self.rows:
            if row.get("email"):
                by_email[str(row["email"])].append(str(row.get("attendee_id")))
        return [(ids[0], ids[1]) for ids in by_email.values() if len(ids) == 2]

    @cached_property
    def has_larger_groups(self) -> bool:
        """Return whether more than two rows share an e-mail address."""
        emails = [row["email"] for row in self.rows if row.get("email")]
        return any(emails.count(one) > 2 for one in emails)

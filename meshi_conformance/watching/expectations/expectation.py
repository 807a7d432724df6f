"""What the reading rules say of one call: it must be accepted, it must be refused and how, or either is right.

The generator only proposes calls; whether a call is good or bad is decided here, from the contract and from
`FREEDOMS`, so that a server which chooses differently where the pages are silent is never blamed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from ...client.call import NOTHING, Call
from ...contract.contract import Contract
from ...contract.operations import Limit, Operation

FREEDOMS: dict[str, tuple[str, ...]] = {
    "null": ("bodies.null",),
    "blank": ("bodies.blank_optional", "bodies.blank_required"),
    "padded": ("bodies.padded",),
    "coercion": ("bodies.coercion",),
    "letters": ("bodies.letters", "bodies.characters"),
    "format": ("formats.values", "formats.webhook_scheme"),
    "dates": ("formats.impossible_dates", "formats.date_forms", "formats.end_before_start", "sessions.inside_event"),
    "case": ("bodies.words",),
    "key": ("runs.key_length", "runs.key_characters"),
    "kind": ("ids.unknown_kind",),
    "objects": ("bodies.free_objects", "bodies.progress"),
    "length": ("sessions.text_length", "reviews.reason_length"),
    "page": ("lists.limit_range", "lists.limit_word", "lists.unknown_cursor"),
    "goal": ("matches.goal",),
    "reason": ("reviews.reason_type",),
    "unknown": ("bodies.unknown_members", "lists.unknown_parameter"),
    "route": ("routes.dot_segments",),
    "media": ("bodies.content_type", "lists.repeated_parameter"),
}
"""Why a call is left to the server: the open questions that it touches, by a short name."""

EXISTENCE = "existence"
"""Freedom of a call that names what may exist or not: traffic that is only watched does not show it."""

UNSENT = frozenset({"reason", "unknown", "route", "media", "dates", "coercion", "case"})
"""Freedoms of calls that are not sent at all: a refusal would have no listed code, the call would never reach the
API, or a server that accepts the value would have to show it in an answer whose type it does not fit."""

ORDINARY = frozenset("LMNP")
FORBIDDEN = frozenset("<>\\")
EMAIL = re.compile(r"[a-z][a-z0-9.-]{0,60}@example\.(com|org)")
LINKEDIN = re.compile(r"https://www\.linkedin\.com/in/[a-z0-9-]{3,100}")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
WEBHOOK = re.compile(r"https://[a-z]{1,20}\.example\.(com|org)(/[a-z0-9-]{1,40}){0,4}")
ZONES = frozenset({"UTC", "Europe/Lisbon", "America/New_York", "Asia/Tokyo", "Africa/Nairobi", "Australia/Sydney"})
KEY = re.compile(r"[A-Za-z0-9_-]{1,36}")
TIMESTAMP = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
SESSIONS_FROM = datetime(2031, 6, 2, tzinfo=UTC)
SESSIONS_TO = datetime(2031, 7, 30, tzinfo=UTC)
"""Sessions between these lie inside the dates of the events that they are sent to, in every time zone."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
MODEST = 60
"""Characters that every server takes in a text whose maximum is not documented."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
SEGMENT = re.compile(r"[^/\\;%\x00-\x1f\x7f]{1,400}")
KINDS = frozenset({"event", "session", "attendee"})
RUN_KINDS = frozenset({"import", "enrichment", "match"})


Answers = AbstractSet[tuple[int, str | None]]


@dataclass(frozen=True)
class Fault:
    """A mistake in a call: `answers` are the (status, code) pairs that refuse it; a None code is any.

    `requirement` is what a server breaks that accepts it, or refuses it otherwise.
    """

    what: str
    answers: Answers
    requirement: str


@dataclass
class Expectation:
    """What is wrong with a call, and what the pages leave open about it."""

    faults: list[Fault] = field(default_factory=list)
    freedoms: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """`good` (must be accepted), `bad` (must be refused), `open`, or `unsent`."""
        if self.freedoms & UNSENT:
            return "unsent"
        if self.faults:
            return "bad"
        return "open" if self.freedoms else "good"


@dataclass(frozen=True)
class Known:
    """The real resources that calls may name; everything else does not exist.

    `events`, `attendees` and so on hold the IDs that reading finds; `pairs` the ordered pairs with a score.
    """

    paths: Mapping[str, list[dict[str, str]]]
    match_runs: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    merges: frozenset[tuple[str, str]] = frozenset()

    def names(self, operation: str, path: Mapping[str, str]) -> bool | None:
        """Tell whether the path parameters of an operation name what exists; None where that is not known."""
        return path in self.paths.get(operation, ())

    def has_match_run(self, id: str) -> bool | None:
        """Tell whether a match run has this ID."""
        return id in self.match_runs

    def has_session(self, id: str) -> bool | None:
        """Tell whether a session has this ID."""
        return id in self.sessions

    def can_merge(self, source: str, target: str) -> bool | None:
        """Tell whether a review allows this merge of two attendees."""
        return (source, target) in self.merges

    def session_times(self, path: Mapping[str, str]) -> tuple[datetime, datetime] | None:
        """Return moments between which a session lies inside its event by any reading; None where that is not known."""
        return SESSIONS_FROM, SESSIONS_TO

    def took(self, operation: str, name: str, value: Any) -> bool:
        """Tell whether the server was seen to take a value, so that its choice about it is known."""
        return False


class Unknown(Known):
    """Whether what a call names exists is not known."""

    def names(self, operation: str, path: Mapping[str, str]) -> bool | None:
        return None

    def has_match_run(self, id: str) -> bool | None:
        return None

    def has_session(self, id: str) -> bool | None:
        return None

    def can_merge(self, source: str, target: str) -> bool | None:
        return None


class Reader:
    """Reads calls by the rules, for one run."""

    def __init__(self, contract: Contract, known: Known) -> None:
        self._contract = contract
        self.known = known
        self._limits: dict[str, dict[tuple[str, str], Limit]] = {}
        for limit in contract.limits():
            self._limits.setdefault(limit.operation, {})[limit.place, limit.name] = limit

    def read(self, call: Call) -> Expectation:
        """Return what to expect of a call."""
        found = Expectation()
        operation = self._contract.operations[call.operation]
        self._key(call, operation, found)
        self._path(call, operation, found)
        self._query(call, operation, found)
        if operation.body is not None:
            self._body(call, operation, found)
        return found

    def _key(self, call: Call, operation: Operation, found: Expectation) -> None:
        if call.key is None and call.authorization is None:
            answers = {(401, "UNAUTHORIZED")}
            found.faults.append(Fault("no Authorization header", answers, f"auth.{operation.id}"))

    # Path

    def _path(self, call: Call, operation: Operation, found: Expectation) -> None:
        malformed = False
        for parameter in operation.path_parameters():
            name, value = parameter["name"], call.path[parameter["name"]]
            if not SEGMENT.fullmatch(value) or value.strip(".") == "" or not value.strip():
                found.freedoms.add("route")
                malformed = True
                continue
            pattern = parameter["schema"].get("pattern")
            if pattern and not re.fullmatch(pattern.removesuffix("$"), value):
                malformed = True
                if value != value.strip():
                    found.freedoms.add("padded")
                code = parameter["x-error-code"]
                what = f"{name} {value[:40]!r} does not fit its pattern"
                limit = self._limits[operation.id]["path", name]
                self._fault(found, operation, what, limit, {(400, code)}, "pattern")
        if operation.id == "getIdMapping" and call.path["kind"] not in KINDS:
            found.freedoms.add("kind")
        if malformed or not call.path:
            return
        exists = self.known.names(operation.id, call.path)
        if exists is None:
            found.freedoms.add(EXISTENCE)
        if exists is not False:
            return
        # Well formed, and nothing that exists: any of the listed not-found codes may name what is missing.
        codes = {(404, code) for code in operation.errors.get(404, ())}
        if operation.id in ("getRun", "resolveReview", "mergeReview"):
            codes |= {(400, code) for code in ("INVALID_RUN_ID", "INVALID_REVIEW_ID") if code in operation.errors[400]}
        if operation.id == "getIdMapping" and call.path["kind"] not in KINDS:
            codes |= {(400, "INVALID_PARTNER_KIND")}
        first = operation.errors[404][0]
        for code in ("EVENT_NOT_FOUND", "PARTNER_ID_NOT_FOUND", "RUN_NOT_FOUND", "REVIEW_NOT_FOUND"):
            if code in operation.errors[404]:
                first = code
                break
        what = f"{', '.join(call.path)} name nothing that exists"
        found.faults.append(Fault(what, codes, f"error.{operation.id}.{first}"))

    # Query

    def _query(self, call: Call, operation: Operation, found: Expectation) -> None:
        known = {one["name"] for one in operation.parameters if one["in"] == "query"}
        for name, value in call.query.items():
            if name not in known:
                found.freedoms.add("unknown")
            elif not isinstance(value, str):
                found.freedoms.add("media")
            elif name == "goal":
                found.freedoms.add("goal")
            elif name == "cursor" or (name == "limit" and not _is_limit(value)):
                found.freedoms.add("page")
            elif not value.strip():
                found.freedoms.add("blank")
            elif name == "kind" and value not in RUN_KINDS:
                if value.strip().lower() in RUN_KINDS:
                    found.freedoms.add("case")
                else:
                    answers = {(400, "INVALID_RUN_KIND")}
                    found.faults.append(
                        Fault(f"kind {value[:40]!r}", answers, f"error.{operation.id}.INVALID_RUN_KIND")
                    )
            elif name == "run_id" and (exists := self.known.has_match_run(value)) is not True:
                if exists is None:
                    found.freedoms.add(EXISTENCE)
                    continue
                what = f"run_id {value[:40]!r} is not a match run"
                either: Answers = {(404, "MATCH_RUN_NOT_FOUND"), (400, None)}
                found.faults.append(Fault(what, either, f"error.{operation.id}.MATCH_RUN_NOT_FOUND"))
            elif name == "session_id" and not ID.fullmatch(value):
                what, answers = f"session_id {value[:40]!r} is malformed", {(400, "INVALID_PARTNER_ID")}
                found.faults.append(Fault(what, answers, f"error.{operation.id}.INVALID_PARTNER_ID"))
            elif name == "session_id" and (exists := self.known.has_session(value)) is not True:
                if exists is None:
                    found.freedoms.add(EXISTENCE)
                    continue
                what, answers = f"session_id {value[:40]!r} is not a session", {(404, "SESSION_NOT_FOUND")}
                found.faults.append(Fault(what, answers, f"error.{operation.id}.SESSION_NOT_FOUND"))

    # Body

    def _body(self, call: Call, operation: Operation, found: Expectation) -> None:
        if any(name.lower() == "content-type" for name in call.headers):
            found.freedoms.add("media")
        listed = {(400, code) for code in (*operation.errors[400], "INVALID_JSON")}
        if isinstance(call.content, bytes):
            if _is_json_by_any_reading(call.content):
                found.freedoms.add("media")
            requirement = self._own(f"error.{operation.id}.INVALID_JSON", operation)
            answers = {(400, "INVALID_JSON")} if "INVALID_JSON" in operation.errors[400] else listed
            found.faults.append(Fault("the body is not JSON", answers, requirement))
        elif call.body is NOTHING:
            found.faults.append(Fault("no body", listed, f"generated.refuses.{operation.id}"))
        elif not isinstance(call.body, dict):
            what = "the body is not a JSON object"
            found.faults.append(Fault(what, listed, f"generated.refuses.{operation.id}"))
        else:
            self._members(call.body, operation, "body", found)
            _across(call.body, found)
            self._inside(call, found)
            if operation.id == "updateEventContext" and not set(call.body) & _names(operation):
                answers = {(400, "INVALID_CONTEXT")}
                found.faults.append(Fault("no context field", answers, "error.updateEventContext.INVALID_CONTEXT"))
            if operation.id == "mergeReview":
                kinds = [call.body.get(name) for name in ("source_kind", "target_kind")]
                if any(isinstance(kind, str) and kind not in KINDS for kind in kinds):
                    found.freedoms.add("kind")
                self._merge(call, found)

    def _inside(self, call: Call, found: Expectation) -> None:
        """Tell whether a session lies inside the dates of its event is the server's business."""
        for name in ("start_timestamp", "end_timestamp"):
            value = call.body.get(name)
            if isinstance(value, str) and TIMESTAMP.fullmatch(value) and not list(_timestamp(value)):
                times = self.known.session_times(call.path)
                if times is None or not times[0] <= datetime.fromisoformat(value) <= times[1]:
                    found.freedoms.add("dates")

    def _members(self, body: Mapping[str, Any], operation: Operation, place: str, found: Expectation) -> None:
        limits = {name: one for (where, name), one in self._limits[operation.id].items() if where == place}
        if any(not self.known.took(operation.id, name, body[name]) for name in set(body) - set(limits)):
            found.freedoms.add("unknown")
        for name, limit in limits.items():
            if name in body:
                self._member(name, body[name], limit, operation, found)
            elif limit.required:
                self._fault(found, operation, f"{name} is missing", limit, _refusals(limit, "required"), "required")
            elif name in ("start_timestamp", "end_timestamp", "reason"):
                found.freedoms.add("dates" if name != "reason" else "blank")

    def _member(self, name: str, value: Any, limit: Limit, operation: Operation, found: Expectation) -> None:
        for verdict in judge_member(name, value, limit):
            if verdict in FREEDOMS:
                if not self.known.took(operation.id, name, value):
                    found.freedoms.add(verdict)
            else:
                answers = _refusals(limit, verdict)
                if verdict == "rows":
                    self._rows(value, operation, found)
                else:
                    self._fault(found, operation, f"{name} is {_shown(value)}: {verdict}", limit, answers, verdict)

    def _rows(self, rows: list[Any], operation: Operation, found: Expectation) -> None:
        ids = [row.get("attendee_id") for row in rows if isinstance(row, dict)]
        texts = [one for one in ids if isinstance(one, str)]
        if len(set(texts)) < len(texts):
            answers = {(400, "DUPLICATE_ATTENDEE_ID")}
            what = "an attendee_id is repeated"
            found.faults.append(Fault(what, answers, f"error.{operation.id}.DUPLICATE_ATTENDEE_ID"))
        elif len({one.lower() for one in texts}) < len(texts):
            found.freedoms.add("case")
        for row in rows:
            if isinstance(row, dict):
                self._members(row, operation, "row", found)
            else:
                answers = {(400, "INVALID_ATTENDEE"), (400, "INVALID_ATTENDEES")}
                what = f"a row is {_shown(row)}, no object"
                found.faults.append(Fault(what, answers, f"generated.refuses.{operation.id}"))

    def _merge(self, call: Call, found: Expectation) -> None:
        if found.faults or not all(isinstance(value, str) for value in call.body.values()):
            return
        source, target = call.body.get("source_partner_id", ""), call.body.get("target_partner_id", "")
        kinds = {call.body.get("source_kind"), call.body.get("target_kind")}
        possible = self.known.can_merge(source, target)
        if possible is None:
            found.freedoms.add(EXISTENCE)
        if possible is None or (possible and kinds == {"attendee"}):
            return
        # Which of the listed refusals names a merge that cannot be is left to the server.
        operation = self._contract.operations["mergeReview"]
        answers = {(status, code) for status, code in operation.route_errors() if code != "INVALID_JSON"}
        what = "source and target are not a pair of this review"
        found.faults.append(Fault(what, answers, "generated.refuses.mergeReview"))

    # Which requirement a mistake breaks

    def _fault(
        self,
        found: Expectation,
        operation: Operation,
        what: str,
        limit: Limit,
        answers: Answers,
        verdict: str,
    ) -> None:
        """Blame a documented bound itself; for a missing or wrongly typed member, the code that refuses it."""
        requirement = f"error.{operation.id}.{limit.code}"
        if verdict not in TYPES:
            requirement = limit.requirement
        elif verdict == "no text" and not limit.required:
            requirement = f"generated.refuses.{operation.id}"
        if limit.code is None:
            requirement = limit.requirement
        found.faults.append(Fault(what, answers, self._own(requirement, operation)))

    def _own(self, requirement: str, operation: Operation) -> str:
        known = requirement in self._contract.requirements
        return requirement if known else f"generated.refuses.{operation.id}"


def _names(operation: Operation) -> set[str]:
    assert operation.body is not None
    return set(operation.body.get("properties", {}))


TYPES = frozenset({"required", "empty", "no text", "no JSON object", "no list with rows"})
"""Mistakes that break no bound: a member is missing or of another type."""


def _refusals(limit: Limit, verdict: str) -> Answers:
    """Return how a mistake in a field may be refused; `verdict` says what is wrong with it."""
    if limit.code is None:
        return {(400, None)}
    codes = {limit.code}
    if limit.name == "attendee_id" and verdict in TYPES:
        # A row without an ID worth the name: which of the three it is, is open.
        codes |= {"INVALID_ATTENDEE", "INVALID_ATTENDEES"}
    if limit.name == "attendees" and verdict != "empty":
        codes.add("INVALID_ATTENDEE")
    if limit.name in ("source_kind", "source_partner_id"):
        codes.add("REVIEW_SOURCE_MISMATCH")
    return {(400, code) for code in codes}


def judge_member(name: str, value: Any, limit: Limit) -> Iterator[str]:
    """Say what is wrong with a value: freedoms by their name, else words for a fault; nothing where it is right."""
    schema = limit.schema
    if name == "attendees":
        if isinstance(value, list):
            yield "rows" if value else "empty"
        else:
            yield "no list with rows"
        return
    if value is None:
        yield "required" if limit.required else "null"
    elif schema["type"] == "object":
        if not isinstance(value, dict):
            yield "no JSON object"
        elif not _plain_object(value) or (name == "progress" and not _is_progress(value)):
            yield "objects"
    elif schema["type"] == "integer":
        yield from _integer(value, schema)
    elif not isinstance(value, str):
        if name == "reason":
            yield "reason"
        else:
            yield "coercion" if isinstance(value, bool | int | float) and "enum" not in schema else "no text"
    elif value == "":
        yield "empty" if limit.required else "blank"
    elif not value.strip():
        yield "blank"
    else:
        yield from _text(name, value, schema)


def _integer(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        yield "coercion"
    elif isinstance(value, str):
        yield "coercion" if re.search(r"[0-9]", value) or not value.strip() else "no number"
    elif not isinstance(value, int):
        yield (
            "coercion" if isinstance(value, float) and schema["minimum"] <= value <= schema["maximum"] else "no integer"
        )
    elif not schema["minimum"] <= value <= schema["maximum"]:
        yield f"outside {schema['minimum']} to {schema['maximum']}"


def _text(name: str, value: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        if value not in schema["enum"]:
            yield "case" if value.strip().lower() in schema["enum"] else "not one of the listed"
        return
    if "pattern" in schema:
        if not re.fullmatch(schema["pattern"].removesuffix("$"), value):
            yield "padded" if value != value.strip() else "does not fit its pattern"
        return
    most = schema.get("maxLength")
    if most is not None and len(value) > most:
        # Too long by every count that a server may take.
        if any(ord(letter) > 0xFFFF for letter in value):
            yield "letters"
        elif _shortest(value) > most:
            yield f"over {most} characters"
        else:
            yield "padded"
        return
    if not is_ordinary(value):
        yield "letters"
    if value != value.strip():
        yield "padded"
    if name in FORMS:
        yield from FORMS[name](value)
    elif most is None and len(value) > MODEST:
        yield "length"


def is_ordinary(value: str) -> bool:
    """Tell whether a text has only letters, digits, marks and punctuation of the basic plane, and spaces."""
    return all(
        letter == " "
        or (ord(letter) <= 0xFFFF and letter not in FORBIDDEN and unicodedata.category(letter)[0] in ORDINARY)
        for letter in value
    )


def _shortest(value: str) -> int:
    return min(len(unicodedata.normalize(form, value).strip()) for form in ("NFC", "NFKC"))


def _date(value: str) -> Iterator[str]:
    if re.fullmatch(r"(19[5-9]|20[0-9])[0-9]-[0-9]{2}-[0-9]{2}", value):
        try:
            date.fromisoformat(value)
        except ValueError:
            yield "dates"
    elif any(letter.isdigit() for letter in value):
        yield "dates"
    else:
        yield "no date"


def _timestamp(value: str) -> Iterator[str]:
    if TIMESTAMP.fullmatch(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield "dates"
    elif any(letter.isdigit() for letter in value):
        yield "dates"
    else:
        yield "no timestamp"


def _webhook(value: str) -> Iterator[str]:
    if not WEBHOOK.fullmatch(value):
        yield "format" if any(mark in value for mark in ":./") or not value.isascii() else "no URL"


def _fits(pattern: re.Pattern[str], freedom: str = "format") -> Any:
    def judge(value: str) -> Iterator[str]:
        if not pattern.fullmatch(value):
            yield freedom

    return judge


def _zone(value: str) -> Iterator[str]:
    if value not in ZONES:
        yield "format"


def _visibility(value: str) -> Iterator[str]:
    if value != "private":
        yield "format"


FORMS = {
    "start_date": _date,
    "end_date": _date,
    "start_timestamp": _timestamp,
    "end_timestamp": _timestamp,
    "timezone": _zone,
    "visibility": _visibility,
    "url_slug": _fits(SLUG),
    "email": _fits(EMAIL),
    "linkedin_url": _fits(LINKEDIN),
    "webhook_url": _webhook,
    "idempotency_key": _fits(KEY, "key"),
}


def _across(body: Mapping[str, Any], found: Expectation) -> None:
    """Leave an end before its start, or at the same moment, to the server."""
    for start, end in (("start_date", "end_date"), ("start_timestamp", "end_timestamp")):
        first, last = body.get(start), body.get(end)
        if isinstance(first, str) and isinstance(last, str):
            if last < first or (last == first and start == "start_timestamp"):
                found.freedoms.add("dates")
        elif start == "start_date" and isinstance(last, str) and first is None:
            found.freedoms.add("dates")


def _is_limit(value: str) -> bool:
    return bool(re.fullmatch(r"[1-9][0-9]?|100", value))


def _plain_object(value: Any, depth: int = 0) -> bool:
    if isinstance(value, dict):
        return (
            depth < 3
            and len(value) <= 20
            and all(NAME.fullmatch(name) and _plain_object(member, depth + 1) for name, member in value.items())
        )
    if isinstance(value, str):
        return len(value) <= 200 and is_ordinary(value)
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**31)


def _is_progress(value: Mapping[str, Any]) -> bool:
    return all(
        name in ("total", "processed") and isinstance(number, int) and not isinstance(number, bool) and number >= 0
        for name, number in value.items()
    ) and value.get("processed", 0) <= value.get("total", 0)


def _is_json_by_any_reading(content: bytes) -> bool:
    """Tell whether some parser could read it: lenient ones take other encodings, comments and NaN."""
    for encoding in ("utf-8", "latin-1", "utf-16"):
        try:
            json.loads(content.decode(encoding, "replace").strip("\ufeff\x00 \t\r\n"))
        except ValueError:
            continue
        return True
    return b"//" in content or b"/*" in content or not content.strip()


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:50]}… ({len(text)} characters)"

"""Attendees, imports and enrichment: rows lost on the way, members mixed up, repeated imports that go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.changes import Fetch
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import attendees, enrichment, events, importing, runs
from ...resources.runs import NewRun
from ...rules import validation
from ...rules.paging import Page
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault
from .events import mojibake, without_accents

Rows = list[JsonObject]
Apply = Callable[[Services, Row, Rows], dict[str, int]]
MODEL = "generated.model.attendees"
MISSING = ("attendees.*", "imports.*", "lists.attendees.*", "id_map.attendee.*", MODEL)


def checking(patch: Patch, change: Callable[[list[Any]], None]) -> None:
    """Check and store other rows than were sent: `change` changes the list of them."""

    def wrap(inner: Callable[[object, Settings], list[Any]]) -> Any:
        def check_attendees(value: object, settings: Settings) -> list[Any]:
            rows = inner(value, settings)
            change(rows)
            return rows

        return check_attendees

    patch.wrap(validation, "check_attendees", wrap)


def applied(patch: Patch, change: Callable[[Services, Row, Rows], Rows]) -> None:
    """Apply other rows than were accepted; the progress counts all of them."""

    def make(inner: Apply) -> Apply:
        return lambda services, run, rows: inner(services, run, change(services, run, rows))

    patch.wrap(importing, "apply_rows", make)


# Who is listed

for _name, _sentence, _keep in (
    ("last_row", "leaves out the last row of each batch", lambda rows: rows[:-1] if len(rows) > 1 else rows),
    ("hundred", "imports the first hundred rows alone", None),
    (
        "no_email",
        "leaves out rows without an e-mail address",
        lambda rows: [row for row in rows if row.get("email")],
    ),
):

    def _leave_out(patch: Patch, keep: Callable[[Rows], Rows] | None = _keep) -> None:
        def first_hundred(services: Services, run: Row, rows: Rows) -> Rows:
            done: int = json.loads(run["progress"])["processed"]
            return rows[: max(0, 100 - done)]

        applied(patch, first_hundred if keep is None else lambda services, run, rows: keep(rows))

    fault(
        f"imports.lost.{_name}",
        f"An import {_sentence}, and succeeds.",
        breaks=["imports.name_alone"] if _name == "no_email" else ["attendees.listed"],
        also=[
            *(*MISSING, "identity.*", "lists.*", "limits.*", "matching.*", "isolation.*", "enrichment.*"),
            # Who was imported and is not there cannot be asked for either.
            *("status.*", "scope.*", "runs.progress.*"),
        ],
    )(_leave_out)


@fault(
    "imports.lost.batch_edge",
    "An import leaves out the first row of each further batch of 250, and succeeds.",
    breaks=["attendees.listed"],
    also=[*MISSING, "limits.import_rows.*"],
)
def _(patch: Patch) -> None:
    def skip(services: Services, run: Row, rows: Rows) -> Rows:
        done: int = json.loads(run["progress"])["processed"]
        return [row for place, row in enumerate(rows, done) if not place or place % 250]

    applied(patch, skip)


@fault(
    "imports.name_alone.refused",
    "An import refuses rows with neither e-mail address nor LinkedIn URL.",
    breaks=["imports.name_alone"],
    also=["flow.canonical", "codes.importAttendees", MODEL],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[object, Settings], JsonObject]) -> Any:
        def check_attendee(row: object, settings: Settings) -> JsonObject:
            checked = inner(row, settings)
            if not checked.get("email") and not checked.get("linkedin_url"):
                raise ApiError("INVALID_ATTENDEE_EMAIL", "an e-mail address or a LinkedIn URL is required")
            return checked

        return check_attendee

    patch.wrap(validation, "check_attendee", make)


for _many in (100, 1000):

    def _check_the_first(patch: Patch, many: int = _many) -> None:
        def harmless(rows: list[Any]) -> None:
            for place, row in enumerate(rows[many:], many):
                if isinstance(row, dict):
                    rows[place] = {**row, "attendee_id": f"row-{place}", "name": "?", "title": None}

        checking(patch, harmless)

    fault(
        f"imports.every_row.first_{_many}",
        f"An import checks its first {_many} rows alone.",
        breaks=["imports.every_row"],
        also=[*MISSING, "limits.import_rows.*"],
    )(_check_the_first)


@fault(
    "imports.every_row.neighbours",
    "An ID in two rows of an import is noticed in neighbouring rows alone.",
    breaks=["imports.every_row"],
    also=["error.importAttendees.DUPLICATE_ATTENDEE_ID", MODEL],
)
def _(patch: Patch) -> None:
    def rename(rows: list[Any]) -> None:
        known: dict[Any, int] = {}
        for place, row in enumerate(rows):
            one = row.get("attendee_id") if isinstance(row, dict) else None
            if isinstance(one, str) and known.get(one, place) < place - 1:
                rows[place] = {**row, "attendee_id": f"row-{place}"}
            known[one] = place

    checking(patch, rename)


@fault(
    "imports.later.replaces",
    "A later import brings no one new into an event that has attendees: it updates alone.",
    breaks=["imports.later.adds"],
    also=[*MISSING, "identity.*", "lists.*", "matching.*"],
)
def _(patch: Patch) -> None:
    def known_alone(services: Services, run: Row, rows: Rows) -> Rows:
        first = services.storage.scalar(
            "SELECT min(seq) FROM runs WHERE event_seq = ? AND kind = 'import'", (run["event_seq"],)
        )
        known = importing.existing_attendees(services, run["event_seq"], [row["attendee_id"] for row in rows])
        return rows if first == run["seq"] else [row for row in rows if row["attendee_id"] in known]

    applied(patch, known_alone)


@fault(
    "imports.replay.imports",
    "A replayed import answers with the first run and imports its own rows all the same.",
    breaks=["imports.replay.imports_nothing"],
    also=[MODEL, "attendees.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Services, NewRun], tuple[Row, bool]]) -> Any:
        def accept_run(services: Services, new: NewRun) -> tuple[Row, bool]:
            row, replay = inner(services, new)
            if replay and new.kind == "import":
                for batch in new.inputs:
                    importing.apply_rows(services, row, json.loads(batch))
            return row, replay

        return accept_run

    patch.wrap(runs, "accept_run", make)


@fault(
    "imports.refused.first_rows",
    "An import stores row after row and stops at the first bad one: the good rows before it stay.",
    breaks=["imports.refused.changes_nothing"],
    also=[MODEL, "id_map.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def import_attendees(call: Call) -> Response:
            event = events.require_event(call)
            rows = call.body.get("attendees")
            good: Rows = []
            for row in rows if isinstance(rows, list) else []:
                try:
                    good.append(validation.check_attendee(row, call.services.settings))
                except ApiError:
                    importing.apply_rows(call.services, {"org_id": call.org, "event_seq": event["seq"]}, good)  # type: ignore[arg-type]
                    break
            return await inner(call)

        return import_attendees

    operations.handle(patch, "importAttendees", make)


@fault(
    "imports.refused.later",
    "The good rows of a refused import are kept and imported with the next one of the event.",
    breaks=["imports.refused.changes_nothing"],
    also=[MODEL, "id_map.*"],
)
def _(patch: Patch) -> None:
    waiting: dict[str, Rows] = {}

    def make(inner: Handler) -> Handler:
        async def import_attendees(call: Call) -> Response:
            rows = call.body.get("attendees")
            good: Rows = []
            try:
                for row in rows if isinstance(rows, list) else []:
                    good.append(validation.check_attendee(row, call.services.settings))
                return await inner(call)
            except ApiError:
                waiting.setdefault(call.params["event_id"], []).extend(good[:1])
                raise

        return import_attendees

    def with_waiting(services: Services, run: Row, rows: Rows) -> Rows:
        kept = waiting.pop(run["event_id"], [])
        return [*rows, *kept]

    operations.handle(patch, "importAttendees", make)
    applied(patch, with_waiting)


@fault(
    "enrichment.keeps_attendees.filtered",
    "After an enrichment the attendees without an enriched profile are taken out of the event.",
    breaks=["enrichment.keeps_attendees"],
    also=[
        *("attendees.*", "lists.*", "matching.*", "identity.*", MODEL, "flow.canonical"),
        *("error.mergeReview.*", "limits.listAttendeeMatches.*", "limits.getMatch.*"),
    ],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[Any], str]) -> Any:
        def finish(work: enrichment.EnrichmentWork) -> str:
            status = inner(work)
            first = "SELECT min(seq) FROM attendees WHERE event_seq = ?"
            work.services.storage.execute(
                f"UPDATE attendees SET merged_into = seq WHERE seq = ({first})", (work.run["event_seq"],)
            )
            return status

        return finish

    patch.wrap(enrichment.EnrichmentWork, "finish", make)


# How they are shown


def in_list(patch: Patch, name: str, value: Callable[[JsonObject, Row], Any]) -> None:
    """Show a member of an attendee otherwise."""

    def change(body: JsonObject, row: Row) -> None:
        body[name] = value(body, row)

    changes.shown(patch, attendees, "serialize_attendee", change)


SHOWN: tuple[tuple[str, str, str, Callable[[JsonObject, Row], Any]], ...] = (
    ("event_id", "none", "without their event", lambda body, row: ""),
    ("event_id", "internal", "with a number in place of their event's ID", lambda body, row: str(row["event_seq"])),
    ("display_name", "email", "under their e-mail address", lambda body, row: row["email"] or row["name"]),
    ("display_name", "first", "under their first name", lambda body, row: row["name"].split()[0]),
    ("title", "company", "with company and title mixed up", lambda body, row: body["company"]),
    ("title", "enriched", "with a title that enrichment made up", lambda body, row: "Attendee"),
    ("company", "title", "with title and company mixed up", lambda body, row: body["title"]),
    ("company", "lower", "with companies in lower case", lambda body, row: (body["company"] or "").lower() or None),
    ("optional", "title", "with an empty title where none was given", lambda body, row: body["title"] or ""),
    ("optional", "company", "with an unknown company where none was given", lambda body, row: body["company"] or "-"),
)
for _aspect, _suffix, _sentence, _value in SHOWN:
    _name = _suffix if _aspect == "optional" else _aspect
    fault(
        f"attendees.{_aspect}.{_suffix}",
        f"Attendees are listed {_sentence}.",
        breaks=[f"attendees.{_aspect}"],
        also=["attendees.*", "limits.text.kept_whole", MODEL],
    )(partial(in_list, name=_name, value=_value))

for _suffix, _sentence, _text in (
    ("question_marks", "stores text outside ASCII as question marks", without_accents),
    ("mojibake", "reads UTF-8 as Latin-1", mojibake),
):

    def _mangle(patch: Patch, text: Callable[[str], str] = _text) -> None:
        def mangled(services: Services, run: Row, rows: Rows) -> Rows:
            return [
                {name: text(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
            ]

        applied(patch, mangled)

    fault(
        f"attendees.text.{_suffix}",
        f"An import {_sentence}.",
        breaks=["attendees.text"],
        also=["limits.text.kept_whole", "attendees.display_name", MODEL],
    )(_mangle)

for _suffix, _sentence, _identity in (
    ("required", "Attendees without an open review are listed as in need of one.", (True, 0)),
    ("counted", "The count of open reviews begins at one.", (False, 1)),
):

    def _flag(patch: Patch, identity: tuple[bool, int] = _identity) -> None:
        def make(inner: Callable[[int], JsonObject]) -> Any:
            def serialize_identity(open_reviews: int) -> JsonObject:
                shown = inner(open_reviews)
                if not open_reviews:
                    shown["review_required"], shown["open_review_count"] = identity
                return shown

            return serialize_identity

        patch.wrap(attendees, "serialize_identity", make)

    fault(
        f"attendees.no_review.{_suffix}",
        _sentence,
        breaks=["attendees.no_review"],
        also=["identity.counts.*", "schema.listAttendees.200"],
    )(_flag)


# Imported again


@fault(
    "attendees.reimport.ignored",
    "An import passes over attendees that the event has already.",
    breaks=["attendees.reimport.updates"],
    also=[MODEL],
)
def _(patch: Patch) -> None:
    def new_alone(services: Services, run: Row, rows: Rows) -> Rows:
        known = importing.existing_attendees(services, run["event_seq"], [row["attendee_id"] for row in rows])
        return [row for row in rows if row["attendee_id"] not in known]

    applied(patch, new_alone)


@fault(
    "attendees.reimport.name_alone",
    "An import updates the names alone of attendees that the event has already.",
    breaks=["attendees.reimport.updates"],
    also=[MODEL],
)
def _(patch: Patch) -> None:
    def names_alone(services: Services, run: Row, rows: Rows) -> Rows:
        known = importing.existing_attendees(services, run["event_seq"], [row["attendee_id"] for row in rows])
        changed: Rows = []
        for row in rows:
            before = known.get(row["attendee_id"])
            kept = {} if before is None else {name: before[name] for name in ("title", "company")}
            changed.append({**row, **kept})
        return changed

    applied(patch, names_alone)


@fault(
    "attendees.reimport.twice",
    "An attendee who is imported again is listed once for each import.",
    breaks=["attendees.reimport.once"],
    also=["lists.attendees.*", "lists.*", MODEL],
)
def _(patch: Patch) -> None:
    again: set[tuple[int, str]] = set()

    def remember(services: Services, run: Row, rows: Rows) -> Rows:
        known = importing.existing_attendees(services, run["event_seq"], [row["attendee_id"] for row in rows])
        again.update((run["event_seq"], attendee_id) for attendee_id in known)
        return rows

    def make(inner: Fetch) -> Fetch:
        def fetch_page(call: Call, *rest: Any, **named: Any) -> Page:
            page = inner(call, *rest, **named)
            page.rows = [
                row for row in page.rows for _ in range(2 if (row["event_seq"], row["attendee_id"]) in again else 1)
            ]
            return page

        return fetch_page

    applied(patch, remember)
    changes.pages(patch, "listAttendees", make)


@fault(
    "attendees.id.no_case",
    "Attendees whose IDs differ in case alone are taken for one.",
    breaks=["attendees.id.case"],
    also=[MODEL],
)
def _(patch: Patch) -> None:
    first: dict[tuple[int, str], str] = {}

    def first_of_each(services: Services, run: Row, rows: Rows) -> Rows:
        known = (first.setdefault((run["event_seq"], row["attendee_id"].lower()), row["attendee_id"]) for row in rows)
        return [{**row, "attendee_id": one} for row, one in zip(rows, known, strict=True)]

    applied(patch, first_of_each)


@fault(
    "attendees.id.duplicate_case",
    "An import refuses two IDs that differ in case alone.",
    breaks=["attendees.id.case"],
    also=["codes.importAttendees"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[[str, set[str]], None]) -> Any:
        return lambda attendee_id, seen: inner(attendee_id.lower(), seen)

    patch.wrap(validation, "check_unique_attendee", make)


# The whole way


@fault(
    "flow.no_match_run",
    "A match run is refused where an attendee of the event has no e-mail address.",
    breaks=["flow.canonical"],
    also=["matching.*", "lists.*", "idempotency.*", "limits.createMatchRun.*", "runs.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def create_match_run(call: Call) -> Response:
            event = events.require_event(call)
            bare = "SELECT 1 FROM attendees WHERE event_seq = ? AND merged_into IS NULL AND email IS NULL"
            if call.services.storage.one(bare, (event["seq"],)):
                raise ApiError("EVENT_NOT_FOUND", "the event is not ready to be matched")
            return await inner(call)

        return create_match_run

    operations.handle(patch, "createMatchRun", make)


@fault(
    "flow.no_match_page",
    "Reading the matches of an attendee without any is refused with 404.",
    breaks=["flow.canonical"],
    also=["matching.*", "lists.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def list_attendee_matches(call: Call) -> Response:
            answer = await inner(call)
            if answer.body is not None and len(answer.body["items"]) < 2:
                raise ApiError("MATCH_RUN_NOT_FOUND", "the attendee has no matches")
            return answer

        return list_attendee_matches

    operations.handle(patch, "listAttendeeMatches", make)


@fault(
    "auth.scopes.none",
    "The answer of /auth lists no scopes.",
    breaks=["auth.scopes.listed"],
    also=["flow.canonical"],
)
def _(patch: Patch) -> None:
    changes.answered_member(patch, "getAuth", "scopes", lambda scopes: [])


@fault(
    "auth.scopes.short",
    "The answer of /auth lists scopes without their prefix.",
    breaks=["auth.scopes.listed"],
    also=["flow.canonical", "schema.getAuth.200"],
)
def _(patch: Patch) -> None:
    changes.answered_member(
        patch, "getAuth", "scopes", lambda scopes: [scope.removeprefix("partner:") for scope in scopes]
    )

"""Runs: how they go wrong between the first answer and their end, and what they fail to carry."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ... import clock
from ...patching import changes, operations
from ...patching.changes import Query
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import runs
from ...services import Call, Services
from ...settings import Settings
from ...storage import Row
from ...wire.http import JsonObject, Response
from ..registry import fault

KINDS = ("import", "enrichment", "match")
MODEL = "generated.model.runs"
SLOW = {"run_seconds": 0.4}
"""Long enough for a poll to meet a run on its way."""
DEPENDENTS = ("attendees.*", "imports.*", "matching.*", "identity.*", "lists.*", "flow.*", "generated.*", "runs.*")

Shown = Callable[[JsonObject, Row], None]


def shown(patch: Patch, change: Shown, kind: str | None = None, generic: bool | None = None) -> None:
    """Show runs otherwise, wherever they are shown: those of one kind, in event scope or outside of it."""

    def fitting(body: JsonObject, row: Row) -> None:
        if kind in (None, row["kind"]) and generic in (None, row["event_seq"] is None):
            change(body, row)

    changes.shown(patch, runs, "serialize_run", fitting)


def polled(patch: Patch, change: Shown) -> None:
    """Show runs otherwise in polls; the other answers do not."""

    def make(inner: Handler) -> Handler:
        async def get_run(call: Call) -> Response:
            answer = await inner(call)
            run_id = call.params["run_id"]
            row = call.services.storage.one(f"{runs.SELECT} WHERE run_id = ?", (run_id,))
            assert row is not None
            assert answer.body is not None
            change(answer.body, row)
            return answer

        return get_run

    operations.handle(patch, "getRun", make)


def of_kind(kind: str, change: Shown) -> Shown:
    """Make the change on runs of one kind in event scope."""

    def fitting(body: JsonObject, row: Row) -> None:
        if row["kind"] == kind and row["event_seq"] is not None:
            change(body, row)

    return fitting


def stamp(micros: int) -> str:
    return clock.format_timestamp(micros, Settings())


# Statuses


def requeued() -> Shown:
    """Queue a run again between its batches."""

    def change(body: JsonObject, row: Row) -> None:
        if body["status"] == "running" and row["updated_at"] > row["started_at"] + 100_000:
            body["status"] = "queued"

    return change


def completed(body: JsonObject, row: Row) -> None:
    if body["status"] == "succeeded":
        body["status"] = "completed"


def done(body: JsonObject, row: Row) -> None:
    if row["terminal_at"] is not None:
        body["status"] = "done"


def settles_later() -> Shown:
    """Change the final status of a run a moment after it ended."""
    seen: set[str] = set()

    def change(body: JsonObject, row: Row) -> None:
        if row["terminal_at"] is not None:
            if row["run_id"] in seen:
                body["status"] = "partial" if row["status"] == "succeeded" else "succeeded"
            seen.add(row["run_id"])

    return change


def runs_again() -> Shown:
    """Show an ended run as running again from the second read on."""
    seen: set[str] = set()

    def change(body: JsonObject, row: Row) -> None:
        if row["terminal_at"] is not None:
            if row["run_id"] in seen:
                body["status"], body["terminal_at"] = "running", None
            seen.add(row["run_id"])

    return change


for _kind in KINDS:
    for _name, _suffix, _sentence, _make in (
        ("runs.status.forward", "requeued", "goes back into the queue between batches", requeued),
        ("runs.terminal.final", "settles_later", "ends twice, each time in another status", settles_later),
        ("runs.terminal.final", "runs_again", "is shown as running again after its end", runs_again),
    ):

        def _status(patch: Patch, kind: str = _kind, make: Callable[[], Shown] = _make) -> None:
            polled(patch, of_kind(kind, make()))

        fault(
            f"{_name}.{_kind}.{_suffix}",
            f"A run of kind {_kind} {_sentence}.",
            breaks=[_name],
            also=["runs.times.*", "runs.terminal.*", "runs.progress.as_sent", "idempotency.replay.current.*", MODEL],
            settings=SLOW if _suffix == "requeued" else None,
        )(_status)

for _suffix, _sentence, _change in (
    ("completed", "A run that succeeded is `completed`.", completed),
    ("done", "A run that has ended is `done`, whatever came of it.", done),
):
    fault(
        f"runs.terminal.documented.{_suffix}",
        _sentence,
        breaks=["runs.terminal.documented"],
        also=[*DEPENDENTS, "idempotency.*", "schema.*"],
    )(partial(shown, change=_change))


def at_end(body: JsonObject, row: Row, changed: JsonObject) -> None:
    if row["terminal_at"] is not None:
        body.update(changed)


def ends_now() -> Shown:
    now = clock.Clock().now

    def change(body: JsonObject, row: Row) -> None:
        at_end(body, row, {"terminal_at": stamp(now())})

    return change


def loses_progress() -> Shown:
    """Drop the details of an ended run."""
    seen: set[str] = set()

    def change(body: JsonObject, row: Row) -> None:
        if row["terminal_at"] is not None:
            if row["run_id"] in seen:
                body["progress"] = {}
            seen.add(row["run_id"])

    return change


def errs_late() -> Shown:
    """Show an error on an ended run from the second read on."""
    seen: set[str] = set()

    def change(body: JsonObject, row: Row) -> None:
        if row["terminal_at"] is not None:
            if row["run_id"] in seen:
                body["error"] = {"code": "EXPIRED", "message": "the details of the run have expired"}
            seen.add(row["run_id"])

    return change


for _kind in KINDS:
    for _suffix, _sentence, _make in (
        ("terminal_at", "shows the time of the request as `terminal_at` once it has ended", ends_now),
        ("progress", "has its progress cleaned up once it has ended", loses_progress),
        ("error", "has an error some time after it has ended", errs_late),
    ):

        def _thaw(patch: Patch, kind: str = _kind, make: Callable[[], Shown] = _make) -> None:
            polled(patch, of_kind(kind, make()))

        fault(
            f"runs.terminal.frozen.{_kind}.{_suffix}",
            f"A run of kind {_kind} {_sentence}.",
            breaks=["runs.terminal.frozen"],
            also=["runs.times.*", "runs.progress.*", "runs.error.none"],
        )(_thaw)


@fault(
    "runs.first_answer.running",
    "An enrichment is shown as running from the start.",
    breaks=["runs.first_answer.queued"],
    also=["runs.times.follow_status"],
)
def _(patch: Patch) -> None:
    changes.answered_member(
        patch, "createEnrichmentRun", "status", lambda status: "running" if status == "queued" else status
    )


@fault(
    "runs.first_answer.accepted",
    "The answer that starts an enrichment shows it as `accepted`.",
    breaks=["runs.first_answer.queued"],
)
def _(patch: Patch) -> None:
    changes.answered_member(
        patch, "createEnrichmentRun", "status", lambda status: "accepted" if status == "queued" else status
    )


# What a run carries


@fault(
    "runs.poll.latest",
    "A poll answers with the latest run of the same event.",
    breaks=["runs.poll.same_run"],
    also=["runs.*", MODEL, "idempotency.*"],
)
def _(patch: Patch) -> None:
    def make(inner: Handler) -> Handler:
        async def get_run(call: Call) -> Response:
            answer = await inner(call)
            latest = call.services.storage.one(
                f"{runs.SELECT} WHERE runs.event_seq = (SELECT event_seq FROM runs WHERE run_id = ?)"
                " ORDER BY runs.seq DESC LIMIT 1",
                (call.params["run_id"],),
            )
            return answer if latest is None else Response(200, runs.serialize_run(latest, call.services.settings))

        return get_run

    operations.handle(patch, "getRun", make)


for _kind in KINDS:

    def _capitals(patch: Patch, kind: str = _kind) -> None:
        polled(patch, of_kind(kind, changes.member("run_id", str.upper)))

    fault(
        f"runs.poll.{_kind}.no_case",
        f"A poll shows the ID of a run of kind {_kind} in capitals.",
        breaks=["runs.poll.same_run"],
        also=["runs.*", MODEL, "idempotency.*"],
    )(_capitals)


Values = Callable[[Any], Any]

for _kind in KINDS:
    for _name, _suffix, _sentence, _member, _value in (
        ("runs.kind", "operation", "has another kind", "kind", lambda kind: "import" if kind != "import" else "match"),
        ("runs.event_id", "none", "names no event", "event_id", lambda event_id: None),
        ("runs.event_id", "internal", "names its event by a number", "event_id", lambda event_id: "1"),
        ("runs.idempotency_key", "upper", "shows its key in capitals", "idempotency_key", str.upper),
        (
            "runs.webhook_url",
            "lost",
            "does not echo the webhook",
            "webhook_url",
            lambda url: None,
        ),
        (
            "runs.webhook_url.none",
            "empty",
            "shows an empty text where no webhook was sent",
            "webhook_url",
            lambda url: url or "",
        ),
        ("runs.error.none", "empty", "has an empty error all the time", "error", lambda error: error or {}),
    ):
        if (_name, _kind) == ("runs.webhook_url", "enrichment"):
            _sentence = "echoes the webhook cut after the host"
        _also = ["idempotency.*", MODEL, "runs.list.same_run", "runs.list.by_kind", "lists.runs.kind_filter", "runs.*"]
        fault(
            f"{_name}.{_kind}.{_suffix}",
            f"A run of kind {_kind} {_sentence}.",
            breaks=[_name],
            also=_also,
        )(partial(shown, change=changes.member(_member, _value), kind=_kind, generic=False))


def without_query(url: Any) -> Any:
    return url.partition("?")[0] if isinstance(url, str) else url


OUTSIDE: tuple[tuple[str, str, str, str, Values], ...] = (
    ("runs.kind", "other", "has another kind", "kind", lambda kind: "import" if kind != "import" else "match"),
    ("runs.event_id.none", "empty", "names an empty event", "event_id", lambda event_id: ""),
    ("runs.event_id.none", "placeholder", "names a made-up event", "event_id", lambda event_id: "none"),
    ("runs.idempotency_key", "cut", "shows the start of its key alone", "idempotency_key", lambda key: key[:8]),
    ("runs.webhook_url", "query", "cuts the query of its webhook", "webhook_url", without_query),
    ("runs.webhook_url", "lost", "does not echo the webhook", "webhook_url", lambda url: None),
    ("runs.metadata", "snapshot", "loses its snapshot metadata", "snapshot_metadata", lambda value: {}),
    ("runs.metadata", "version", "loses its version metadata", "version_metadata", lambda value: {}),
)
ALSO_OUTSIDE = {
    "runs.event_id.none": ("runs.event_id", "schema.createRun.*", "schema.getRun.200", "shape.listRuns.200")
}
"""What else is judged by the same member, by requirement."""

fault(
    "runs.event_id.none.listed",
    "The run list names an empty event for a run outside event scope.",
    breaks=["runs.event_id.none"],
    also=["runs.list.*", "shape.listRuns.200"],
)(
    partial(
        changes.items,
        operation="listRuns",
        change=lambda rows: [{**row, "event_id": row["event_id"] or ""} for row in rows],
    )
)

fault(
    "runs.event_id.listed",
    "The run list names no event.",
    breaks=["runs.event_id"],
    also=["runs.list.*"],
)(partial(changes.items, operation="listRuns", change=lambda rows: [{**row, "event_id": None} for row in rows]))

for _kind in KINDS:
    for _name, _suffix, _sentence, _member, _value in OUTSIDE:
        fault(
            f"{_name}.{_kind}.outside.{_suffix}",
            f"A run of kind {_kind} outside event scope {_sentence}.",
            breaks=[_name],
            also=["idempotency.*", MODEL, "runs.list.*", "lists.runs.kind_filter", *ALSO_OUTSIDE.get(_name, ())],
        )(partial(shown, change=changes.member(_member, _value), kind=_kind, generic=True))

fault(
    "runs.webhook_url.none.outside.default",
    "A run outside event scope shows a webhook where none was sent.",
    breaks=["runs.webhook_url.none"],
    also=["idempotency.*", MODEL],
)(partial(shown, change=changes.member("webhook_url", lambda url: url or ""), generic=True))


@fault(
    "runs.webhook_url.first_answer",
    "Polls no longer show the webhook that the first answer echoed.",
    breaks=["runs.webhook_url"],
    also=["runs.list.same_run"],
)
def _(patch: Patch) -> None:
    polled(patch, changes.member("webhook_url", lambda url: None))


@fault(
    "runs.metadata.swapped",
    "Snapshot and version metadata of a run outside event scope change places.",
    breaks=["runs.metadata"],
)
def _(patch: Patch) -> None:
    def swap(body: JsonObject, row: Row) -> None:
        body["snapshot_metadata"], body["version_metadata"] = body["version_metadata"], body["snapshot_metadata"]

    shown(patch, swap, generic=True)


@fault(
    "runs.progress.initial.ignored",
    "A run outside event scope begins with an empty progress, whatever was sent.",
    breaks=["runs.progress.initial"],
)
def _(patch: Patch) -> None:
    changes.answered_member(patch, "createRun", "progress", lambda progress: {})


@fault(
    "runs.progress.initial.reset",
    "A run outside event scope begins with `processed` at 0, whatever was sent.",
    breaks=["runs.progress.initial"],
)
def _(patch: Patch) -> None:
    changes.answered_member(patch, "createRun", "progress", lambda progress: {**progress, "processed": 0})


# Times


def creation_moves(body: JsonObject, row: Row) -> None:
    body["created_at"] = body["updated_at"]


def starts_before(body: JsonObject, row: Row) -> None:
    """Set the worker's clock behind the server's."""
    if row["started_at"] is not None:
        body["started_at"] = stamp(row["started_at"] - 7_200_000_000)


def ends_before(body: JsonObject, row: Row) -> None:
    if row["terminal_at"] is not None:
        body["terminal_at"] = stamp(row["created_at"] - 1_000_000)


def created_in_local_time(body: JsonObject, row: Row) -> None:
    body["created_at"] = stamp(row["created_at"] + 3_600_000_000)


def starts_at_once(body: JsonObject, row: Row) -> None:
    body["started_at"] = body["started_at"] or body["created_at"]


def never_starts(body: JsonObject, row: Row) -> None:
    body["started_at"] = None


def never_ends(body: JsonObject, row: Row) -> None:
    body["terminal_at"] = None


def ends_at_once(body: JsonObject, row: Row) -> None:
    body["terminal_at"] = body["terminal_at"] or body["updated_at"]


def never_updated(body: JsonObject, row: Row) -> None:
    body["updated_at"] = body["created_at"]


def updated_back(body: JsonObject, row: Row) -> None:
    if row["terminal_at"] is not None:
        body["updated_at"] = stamp(row["created_at"] - 1_000_000)


TIMES: tuple[tuple[str, str, str, Shown], ...] = (
    ("created_at.stable", "moves", "takes its last update for its creation", creation_moves),
    ("created_at.stable", "poll", "was created an hour later when it is polled", created_in_local_time),
    ("times.ordered", "start", "starts two hours before it is created", starts_before),
    ("times.ordered", "end", "ends before it is created", ends_before),
    ("times.follow_status", "queued", "has started before it leaves the queue", starts_at_once),
    ("times.follow_status", "no_start", "ends without ever starting", never_starts),
    ("times.follow_status", "no_end", "ends without a `terminal_at`", never_ends),
    ("times.follow_status", "early_end", "has a `terminal_at` from the start", ends_at_once),
    ("times.updated", "never", "is never updated", never_updated),
    ("times.updated", "back", "is updated before it was created when it has ended", updated_back),
)
for _kind in KINDS:
    for _name, _suffix, _sentence, _change_time in TIMES:

        def _times(patch: Patch, kind: str = _kind, change: Shown = _change_time, suffix: str = _suffix) -> None:
            (polled if suffix == "poll" else shown)(patch, of_kind(kind, change))

        fault(
            f"runs.{_name}.{_kind}.{_suffix}",
            f"A run of kind {_kind} {_sentence}.",
            breaks=[f"runs.{_name}"],
            also=[
                "runs.times.*",
                "runs.created_at.stable",
                "lists.runs.*",
                "runs.list.same_run",
                "runs.terminal.frozen",
            ],
            settings=SLOW if _suffix in ("queued", "early_end", "moves") else None,
        )(_times)


# Progress


def counted(patch: Patch, kind: str, change: Callable[[JsonObject, Row], None]) -> None:
    """Show the progress of runs of one kind in event scope otherwise."""

    def fitting(body: JsonObject, row: Row) -> None:
        change(body["progress"], row)

    shown(patch, fitting, kind=kind, generic=False)


def starts_again_at_end(progress: JsonObject, row: Row) -> None:
    if row["terminal_at"] is not None:
        progress["processed"] = 0


def counts_twice(progress: JsonObject, row: Row) -> None:
    progress["processed"] *= 2


def counts_header(progress: JsonObject, row: Row) -> None:
    if row["terminal_at"] is not None:
        progress["processed"] += 1


def total_short(progress: JsonObject, row: Row) -> None:
    progress["total"] -= 1
    progress["processed"] = min(progress["processed"], progress["total"])


def total_long(progress: JsonObject, row: Row) -> None:
    progress["total"] += 1


def never_quite_done(progress: JsonObject, row: Row) -> None:
    progress["processed"] = max(0, progress["processed"] - 1)


PROGRESS: tuple[tuple[str, str, str, Callable[[JsonObject, Row], None], tuple[str, ...]], ...] = (
    ("never_shrinks", "end", "shows nothing done when it has ended", starts_again_at_end, KINDS),
    ("within_total", "twice", "counts everything twice", counts_twice, KINDS),
    ("within_total", "header", "counts the header too when it has ended", counts_header, ("import", "match")),
    ("as_sent", "total_short", "counts a total that is one short", total_short, ("import", "enrichment")),
    ("as_sent", "total_long", "counts a total that is one too many", total_long, ("import", "enrichment")),
    ("as_sent", "last_missing", "never counts the last row", never_quite_done, ("import", "enrichment")),
)
for _name, _suffix, _sentence, _count, _kinds in PROGRESS:
    for _kind in _kinds:
        fault(
            f"runs.progress.{_name}.{_kind}.{_suffix}",
            f"A run of kind {_kind} {_sentence}.",
            breaks=[f"runs.progress.{_name}"],
            also=["runs.progress.*"],
            settings=SLOW if _suffix == "end" else None,
        )(partial(counted, kind=_kind, change=_count))

for _counter in ("enrichment_requested", "review_required", "skipped", "error_count", "errors", "total", "processed"):

    def _drop(patch: Patch, counter: str = _counter) -> None:
        counted(patch, "enrichment", lambda progress, row: progress.pop(counter, None) and None)

    fault(
        f"runs.progress.enrichment.{_counter}",
        f"The progress of an enrichment has no `{_counter}`.",
        breaks=["runs.progress.enrichment"],
        also=["runs.progress.as_sent"],
    )(_drop)


# The list


def without_generic(call: Call, where: str, parameters: list[Any]) -> Query:
    return where + " AND runs.event_seq IS NOT NULL", parameters


def without_imports(call: Call, where: str, parameters: list[Any]) -> Query:
    return where + " AND NOT (runs.kind = 'import' AND runs.event_seq IS NOT NULL)", parameters


def kind_ignored(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace(" AND runs.kind = ?", ""), parameters[:1]


def kind_of_event_runs(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace("runs.kind = ?", "(runs.kind = ? OR runs.event_seq IS NULL)"), parameters


def kind_with_event(call: Call, where: str, parameters: list[Any]) -> Query:
    return where.replace("runs.kind = ?", "runs.kind = ? AND runs.event_seq IS NOT NULL"), parameters


for _name, _suffix, _sentence, _query in (
    ("holds", "generic", "leaves out runs outside event scope", without_generic),
    ("holds", "imports", "leaves out imports", without_imports),
    ("by_kind", "ignored", "ignores `kind`", kind_ignored),
    ("by_kind", "outside", "shows runs outside event scope for every `kind`", kind_of_event_runs),
    ("by_kind", "missing", "shows no runs outside event scope where `kind` is given", kind_with_event),
):
    fault(
        f"runs.list.{_name}.{_suffix}",
        f"The list of runs {_sentence}.",
        breaks=[f"runs.list.{_name}"],
        also=["lists.runs.*", "idempotency.*", "runs.list.*"],
    )(partial(changes.rows, operation="listRuns", query=_query))

for _member, _sentence, _value in (
    ("webhook_url", "shows no webhooks", lambda url: None),
    ("created_at", "shows the start of the day as creation", lambda text: text[:10] + "T00:00:00Z"),
    ("idempotency_key", "hides keys", lambda key: "***"),
):

    def _listed(patch: Patch, name: str = _member, value: Values = _value) -> None:
        changes.items(patch, "listRuns", lambda rows: [{**row, name: value(row[name])} for row in rows])

    fault(
        f"runs.list.same_run.{_member}",
        f"The list of runs {_sentence}.",
        breaks=["runs.list.same_run"],
        also=["idempotency.*", "lists.runs.*", MODEL, "schema.listRuns.200"],
    )(_listed)


# Webhooks


def deliver(url: str, body: bytes) -> None:
    with suppress(OSError):
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=2).close()


def delivering(when: str) -> Callable[[Patch], None]:
    """Send runs in a status to their webhook; only to this machine, so that no foreign host is called."""

    def apply(patch: Patch) -> None:
        def make(inner: Callable[..., None]) -> Any:
            def transition(services: Services, seq: int, status: str, error: JsonObject | None = None) -> None:
                inner(services, seq, status, error)
                run = runs.load_run(services, seq)
                ended = status in runs.TERMINAL
                if (run["webhook_url"] or "").startswith("http://127.0.0.1:") and ended == (when == "end"):
                    body = json.dumps({"run_id": run["run_id"], "status": status}).encode()
                    threading.Thread(target=deliver, args=(run["webhook_url"], body), daemon=True).start()

            return transition

        patch.wrap(runs, "transition", make)

    return apply


fault("webhooks.not_delivered.end", "A webhook is called when its run has ended.", breaks=["webhooks.not_delivered"])(
    delivering("end")
)
fault("webhooks.not_delivered.start", "A webhook is called when its run starts.", breaks=["webhooks.not_delivered"])(
    delivering("start")
)


@fault(
    "webhooks.not_delivered.check",
    "A webhook is called once when it is given, to see whether it answers.",
    breaks=["webhooks.not_delivered"],
)
def _(patch: Patch) -> None:
    def make(inner: Callable[..., Any]) -> Any:
        def accept_run(services: Services, new: runs.NewRun) -> tuple[Row, bool]:
            if (new.webhook_url or "").startswith("http://127.0.0.1:"):
                threading.Thread(target=deliver, args=(new.webhook_url, b"{}"), daemon=True).start()
            found: tuple[Row, bool] = inner(services, new)
            return found

        return accept_run

    patch.wrap(runs, "accept_run", make)


def announced_for(kind: str, patch: Patch) -> None:
    """Send runs of one kind, of an event or of `POST /runs`, to their webhook when they are accepted."""

    def make(inner: Callable[..., Any]) -> Any:
        def accept_run(services: Services, new: runs.NewRun) -> tuple[Row, bool]:
            found: tuple[Row, bool] = inner(services, new)
            if new.kind == kind and (new.webhook_url or "").startswith("http://127.0.0.1:"):
                threading.Thread(target=deliver, args=(new.webhook_url, b"{}"), daemon=True).start()
            return found

        return accept_run

    patch.wrap(runs, "accept_run", make)


for _kind in ("enrichment", "match"):
    fault(
        f"webhooks.not_delivered.{_kind}",
        f"The webhook of a run of kind {_kind} is called when the run is accepted, and no other.",
        breaks=["webhooks.not_delivered"],
    )(partial(announced_for, _kind))


# Counters


def progress_as(change: Callable[[JsonObject], JsonObject], patch: Patch) -> None:
    """Show the progress of an enrichment of an event otherwise."""

    def shown(body: JsonObject, row: Any) -> None:
        if body["kind"] == "enrichment" and body["event_id"] is not None:
            body["progress"] = change(body["progress"])

    changes.shown(patch, runs, "serialize_run", shown)


COUNTED: tuple[tuple[str, str, str, Callable[[JsonObject], JsonObject]], ...] = (
    ("counters", "empty", "is always empty", lambda progress: {}),
    ("counters", "words", "holds words in place of numbers", lambda progress: {"state": "done", "errors": []}),
    (
        "counts",
        "zeros",
        "never counts",
        lambda progress: {name: 0 if isinstance(value, int) else value for name, value in progress.items()},
    ),
)

for _name, _suffix, _sentence, _counted in COUNTED:
    fault(
        f"runs.progress.{_name}.{_suffix}",
        f"The progress of an enrichment {_sentence}.",
        breaks=[f"runs.progress.{_name}"],
        also=["runs.progress.*"],
    )(partial(progress_as, _counted))

"""Runs: what the call that started one was given, and how it goes from poll to poll."""

from __future__ import annotations

from typing import Any

from ...client.polling import SURELY_ENDED, SURELY_ENDED_SECONDS, TERMINAL
from ...exchanges.timestamps import after, instant
from ..expectations.expectation import EXISTENCE
from ..expectations.unusual import key_mixed_up
from ..rule import Rule, comparable, is_usable_key, shown
from ..state.memory import RunRow
from ..state.observation import Observation, Trace

KINDS = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}
"""Kind of run by the operation that starts it; `POST /runs` says the kind itself."""

COUNTERS = ("processed", "enrichment_requested", "review_required", "skipped", "error_count")
"""What the example's progress counts up (canonical-flow, 6)."""

FROZEN = ("created_at", "started_at", "terminal_at", "progress", "error")

LISTED_WITHIN = 5.0
"""Seconds after which a list shows what was written (ruling on reads after a write)."""

SAME_RUN = ("event_id", "idempotency_key", "webhook_url", "created_at")

ENDS = ("created_at", "started_at"), ("created_at", "terminal_at"), ("started_at", "terminal_at")


class Runs(Rule):
    """Each run by its ID, from the answer that started it, or from the first poll that was seen."""

    def see(self, seen: Observation) -> None:
        if seen.operation is None or seen.org is None or not seen.coverage.answer_body:
            return
        name = seen.operation.id
        if name == "listRuns":
            if seen.is_success:
                self._listed(seen)
        elif name == "getRun":
            self._polled(seen)
        elif seen.operation.creates_run and seen.is_success:
            self._started(seen, name)

    # The answer that starts a run

    def _started(self, seen: Observation, operation: str) -> None:
        row, id = seen.answer, seen.answer.get("run_id")
        self._row(seen, row)
        if not isinstance(id, str) or not isinstance(seen.request, dict):
            return
        first = seen.status == max(seen.operation.responses) if seen.operation else False
        run = self._run(seen, id)
        if first:
            run.operation, run.event_id = operation, seen.parameters.get("event_id")
            run.request, run.answer, run.started_by = _kept(seen.request), _kept(row), seen.trace
            if seen.expected is None or seen.expected.freedoms - {EXISTENCE}:
                # How odd objects are kept is open.
                run.request = {name: one for name, one in run.request.items() if not name.endswith("_metadata")}
            if operation == "createEnrichmentRun":
                message = f"the first answer shows status {shown(row.get('status'))}"
                self.judge(row.get("status") == "queued", "runs.first_answer.queued", seen, message)
            if operation == "createRun":
                self._progress_sent(seen, row)
            self._match_run(seen, id, run)
        self._as_started(seen, row, run, first)

    def _progress_sent(self, seen: Observation, row: dict[str, Any]) -> None:
        sent, said = seen.sent("progress"), row.get("progress")
        if isinstance(sent, dict) and isinstance(said, dict):
            for name in ("total", "processed"):
                if isinstance(sent.get(name), int):
                    message = f"{name} {sent[name]} was sent, the run has {shown(said)}"
                    self.judge(said.get(name) == sent[name], "runs.progress.initial", seen, message)

    def _match_run(self, seen: Observation, id: str, run: RunRow) -> None:
        if run.operation != "createMatchRun" or run.event_id is None:
            return
        key = (seen.org or "", run.event_id)
        self.memory.match_runs.put(key, [*(self.memory.match_runs.get(key) or [])[-50:], id])

    def _as_started(self, seen: Observation, row: dict[str, Any], run: RunRow, first: bool) -> None:
        """Judge what every answer about a run repeats from the call that started it."""
        if run.operation is None or run.request is None or run.answer is None:
            return
        earlier: tuple[Trace, ...] = () if first or run.started_by is None else (run.started_by,)
        kind = KINDS.get(run.operation) or run.request.get("kind")
        message = f"a run of kind {kind!r} was started, kind {shown(row.get('kind'))} is shown"
        if kind in KINDS.values() and "kind" in row:  # a kind in other letters that was accepted is open
            self.judge(row["kind"] == kind, "runs.kind", seen, message, *earlier)
        if "event_id" in row:
            requirement = "runs.event_id" if run.event_id is not None else "runs.event_id.none"
            message = f"the run of event {run.event_id!r} has event_id {shown(row['event_id'])}"
            self.judge(row["event_id"] == run.event_id, requirement, seen, message, *earlier)
        key = run.request.get("idempotency_key")
        if "idempotency_key" in row and is_usable_key(key):
            message = f"the run of key {key!r} has key {shown(row['idempotency_key'])}"
            holds = row["idempotency_key"] == key
            requirement = "runs.idempotency_key"
            if not holds and isinstance(key, str):
                requirement = key_mixed_up(run.operation, key, str(row["idempotency_key"]), requirement)
            self.judge(holds, requirement, seen, message, *earlier)
        self._webhook(seen, row, run, earlier)
        if run.operation == "createRun":
            for name in ("snapshot_metadata", "version_metadata"):
                if isinstance(run.request.get(name), dict):
                    message = f"`{name}` is {shown(row.get(name))}; {shown(run.request[name])} was sent"
                    self.judge(row.get(name) == run.request[name], "runs.metadata", seen, message, *earlier)
        then, now = run.answer.get("created_at"), row.get("created_at")
        if not first and instant(then) is not None and instant(now) is not None:
            same = not after(then, now) and not after(now, then)
            message = f"created_at was {then} and is {now}"
            self.judge(same, "runs.created_at.stable", seen, message, *earlier)

    def _webhook(self, seen: Observation, row: dict[str, Any], run: RunRow, earlier: tuple[Trace, ...]) -> None:
        assert run.request is not None
        assert run.operation is not None
        if "webhook_url" not in row:
            return
        if "webhook_url" not in run.request:
            message = f"no webhook was sent and {shown(row['webhook_url'])} is shown"
            self.judge(row["webhook_url"] is None, "runs.webhook_url.none", seen, message, *earlier)
        elif comparable(self.contract, run.operation, "webhook_url", run.request["webhook_url"]):
            sent = run.request["webhook_url"]
            message = f"webhook {sent!r} was sent and {shown(row['webhook_url'])} is shown"
            self.judge(row["webhook_url"] == sent, "runs.webhook_url", seen, message, *earlier)

    # Polls

    def _polled(self, seen: Observation) -> None:
        id = seen.parameters["run_id"]
        known = self.memory.runs.get((seen.org or "", id))
        if not seen.is_success:
            start = known.started_by or (known.shown[1] if known.shown else None) if known else None
            if (
                seen.exchange.status_and_code == (404, "RUN_NOT_FOUND")
                and start is not None
                and start.before(seen.trace)
            ):
                message = f"{seen.exchange.summary}, and the run was answered before"
                polled = known.shown is not None and known.shown[1].before(seen.trace) if known else False
                self.judge(False, "runs.poll.same_run" if polled else "acknowledged.run", seen, message, start)
            return
        if known is not None and known.started_by is not None:
            self.tally.hold("acknowledged.run")
        row = seen.answer
        self._row(seen, row)
        self.names(seen, "runs.poll.same_run", "run", id, row.get("run_id"))
        if row.get("run_id") != id:
            return
        run = self._run(seen, id)
        if run.started_by is None or run.started_by.before(seen.trace):
            self._as_started(seen, row, run, False)
        self._went_on(seen, row, run)

    def _went_on(self, seen: Observation, row: dict[str, Any], run: RunRow) -> None:
        status = row.get("status")
        if run.left_queue is not None and run.left_queue.before(seen.trace):
            message = "the run is queued, and it had left the queue"
            self.judge(status != "queued", "runs.status.forward", seen, message, run.left_queue)
        if run.ended is not None and run.ended[1].before(seen.trace):
            end, trace = run.ended
            message = f"status {shown(status)} of a run that had ended as {end.get('status')!r}"
            self.judge(status == end.get("status"), "runs.terminal.final", seen, message, trace)
            changed = [name for name in FROZEN if name in end and end[name] != row.get(name)]
            message = f"{', '.join(changed)} changed after the run had ended"
            self.judge(not changed, "runs.terminal.frozen", seen, message, trace)
        if run.shown is not None and run.shown[1].before(seen.trace):
            before, trace = run.shown
            message = f"updated_at went back from {before.get('updated_at')} to {row.get('updated_at')}"
            back = after(before.get("updated_at"), row.get("updated_at"))
            self.judge(not back, "runs.times.updated", seen, message, trace)
            for name in COUNTERS:
                then, now = _counter(before, name), _counter(row, name)
                if then is not None and now is not None:
                    message = f"`{name}` went down from {then} to {now}"
                    self.judge(now >= then, "runs.progress.never_shrinks", seen, message, trace)
        self._odd_end(seen, row, run)
        for requirement, read in run.read_by:
            if read.before(seen.trace) and status not in TERMINAL and not row.get("terminal_at"):
                message = f"its matches were read by default before, and it is still {shown(status)}"
                self.tally.fail(requirement, read.id, message, seen.trace)
        run.read_by = []
        if isinstance(status, str) and status != "queued" and run.left_queue is None:
            run.left_queue = seen.trace
        if status in TERMINAL and run.ended is None:
            run.ended = (_kept(row), seen.trace)
        if run.shown is None or run.shown[1].before(seen.trace):
            run.shown = (_kept(row), seen.trace)
        self._counts(seen, row, run)

    def _odd_end(self, seen: Observation, row: dict[str, Any], run: RunRow) -> None:
        """Judge a run that says when it ended but has no final status, once it surely has ended."""
        if row.get("status") in TERMINAL or not isinstance(row.get("terminal_at"), str):
            run.odd = []
            return
        run.odd = [*run.odd, seen.trace][-SURELY_ENDED:]
        if len(run.odd) == SURELY_ENDED and run.odd[-1].began - run.odd[0].ended >= SURELY_ENDED_SECONDS:
            message = f"the run ended at {row['terminal_at']} and its status is {shown(row.get('status'))}"
            self.judge(False, "runs.terminal.documented", seen, message, run.odd[0])

    def _counts(self, seen: Observation, row: dict[str, Any], run: RunRow) -> None:
        """Judge what the progress of an ended run counts."""
        status = row.get("status")
        if status not in TERMINAL:
            return
        message = f"the run started at {row.get('started_at')} and was updated at {row.get('updated_at')}"
        self.judge(not after(row.get("started_at"), row.get("updated_at")), "runs.times.updated", seen, message)
        if run.operation == "createEnrichmentRun":
            progress = row.get("progress")
            missing = [name for name in ("total", *COUNTERS) if _counter(row, name) is None]
            holds = not missing and isinstance(progress, dict) and isinstance(progress.get("errors"), list)
            message = f"the progress of an ended enrichment is {shown(progress)}"
            self.judge(holds, "runs.progress.enrichment", seen, message)
        rows = run.request.get("attendees") if run.operation == "importAttendees" and run.request else None
        total, processed = _counter(row, "total"), _counter(row, "processed")
        if isinstance(rows, int) and total is not None:
            message = f"the import had {rows} attendees and counts a total of {total}"
            self.judge(total == rows, "runs.progress.as_sent", seen, message)
            if status == "succeeded" and processed is not None:
                message = f"the import succeeded with {processed} of {rows} processed"
                self.judge(processed == rows, "runs.progress.as_sent", seen, message)

    # Any row that shows a run

    def _row(self, seen: Observation, row: dict[str, Any]) -> None:
        """Judge what a run shows by itself."""
        status, started, ended = row.get("status"), row.get("started_at"), row.get("terminal_at")
        if not isinstance(status, str):
            return
        if status in TERMINAL:
            self.tally.hold("runs.terminal.documented")
        if status not in ("partial", "failed") and "error" in row:
            message = f"a run that is {status!r} has error {shown(row['error'])}"
            self.judge(row["error"] is None, "runs.error.none", seen, message)
        for first, second in (*ENDS, ("created_at", "updated_at")):
            if instant(row.get(first)) is not None and instant(row.get(second)) is not None:
                message = f"`{first}` {row[first]} lies after `{second}` {row[second]}"
                self.judge(not after(row[first], row[second]), "runs.times.ordered", seen, message)
        if "started_at" in row and "terminal_at" in row and row.get("event_id") is not None:
            wrong = ""
            if status == "queued" and started is not None:
                wrong = f"a queued run started at {started}"
            elif status not in TERMINAL and ended is not None:
                wrong = f"a run that is {status!r} ended at {ended}"
            elif status in TERMINAL and (ended is None or (started is None and status != "failed")):
                wrong = f"a run that is {status!r} has started_at {started!r} and terminal_at {ended!r}"
            self.judge(not wrong, "runs.times.follow_status", seen, wrong)
        total, processed = _counter(row, "total"), _counter(row, "processed")
        if total and processed is not None and row.get("event_id") is not None:
            message = f"{processed} of {total} are processed"
            self.judge(processed <= total, "runs.progress.within_total", seen, message)

    def _listed(self, seen: Observation) -> None:
        kind = seen.argument("kind")
        for row in seen.rows:
            if kind in KINDS.values() and "kind" in row:
                message = f"the list of {kind} runs shows a run of kind {shown(row['kind'])}"
                for name in ("runs.list.by_kind", "lists.runs.kind_filter"):
                    self.judge(row["kind"] == kind, name, seen, message)
            id = row.get("run_id")
            run = self.memory.runs.get((seen.org or "", id)) if isinstance(id, str) else None
            if run is None or run.answer is None or run.started_by is None or not run.started_by.before(seen.trace):
                continue
            for name in SAME_RUN:
                if name not in row:
                    continue
                then, now = run.answer.get(name), row[name]
                same = then == now
                if name == "created_at":
                    same = not after(then, now) and not after(now, then)
                message = f"the list shows `{name}` {shown(now)} of run {id!r}; its first answer {shown(then)}"
                self.judge(same, "runs.list.same_run", seen, message, run.started_by)
                if name == "event_id":
                    which = "runs.event_id" if run.event_id is not None else "runs.event_id.none"
                    self.judge(now == run.event_id, which, seen, message, run.started_by)

    def _run(self, seen: Observation, id: str) -> RunRow:
        key = (seen.org or "", id)
        run = self.memory.runs.get(key)
        if run is None:
            run = RunRow(id)
            self.memory.runs.put(key, run)
        return run


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    """Keep a row as far as it is remembered: of an import's attendees their number."""
    rows = row.get("attendees")
    return {**row, "attendees": len(rows)} if isinstance(rows, list) else dict(row)


def _counter(row: dict[str, Any], name: str) -> int | float | None:
    progress = row.get("progress")
    value = progress.get(name) if isinstance(progress, dict) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

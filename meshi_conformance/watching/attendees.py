"""Attendees: what an import named is listed, mapped, and read with the values that it was given."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .expectation import ID
from .memory import AttendeeRow, RunRow
from .observation import Observation, Trace
from .rule import Rule, comparable, shown

MEMBERS = (("name", "display_name"), ("title", "title"), ("company", "company"))

LISTED_WITHIN = 5.0
"""Seconds within which a list shows what a run that has ended wrote."""

MOST_ROWS = 5_000
"""Rows of one import that are remembered."""

KEPT = 6


class Attendees(Rule):
    """Attendees by event. Whether an import replaces earlier rows is open, and so is what a decision does to two."""

    def see(self, seen: Observation) -> None:
        if seen.operation is None or seen.org is None or not seen.coverage.answer_body:
            return
        name = seen.operation.id
        if name == "importAttendees":
            self._imported(seen)
        elif name == "listAttendees" and seen.accepted:
            for row in seen.rows:
                self._listed(seen, row)
            self._missing(seen)
        elif name == "getIdMapping" and seen.parameters["kind"] == "attendee" and seen.accepted and seen.answer:
            self.names(seen, "id_map.attendee.echo", "ID", seen.parameters["partner_id"], seen.answer.get("partner_id"))
            self.names(seen, "id_map.attendee.echo", "kind", "attendee", seen.answer.get("kind"))
        elif name == "listAttendeeIdentity" and seen.accepted and seen.answer:
            for member in ("event_id", "attendee_id"):
                said = seen.answer.get(member)
                self.names(seen, "identity.history.asked_for", member, seen.parameters[member], said)

    def _imported(self, seen: Observation) -> None:
        run_id, rows = seen.answer.get("run_id"), seen.sent("attendees")
        if not seen.accepted or seen.status == 200 or not isinstance(run_id, str) or not isinstance(rows, list):
            return
        event_id = seen.parameters["event_id"]
        named = {str(row.get("attendee_id")) for row in rows[:MOST_ROWS] if isinstance(row, dict)}
        place = (seen.org or "", event_id)
        self.memory.imports.put(place, [*(self.memory.imports.get(place) or [])[-3:], (run_id, named, seen.trace)])
        for row in rows[:MOST_ROWS]:
            id = row.get("attendee_id") if isinstance(row, dict) else None
            if isinstance(id, str) and ID.fullmatch(id):
                key = (seen.org or "", event_id, id)
                known = self.memory.attendees.get(key) or AttendeeRow()
                values = {name: row[name] for name, _ in MEMBERS if name in row}
                known.imports = [*known.imports, (values, run_id, seen.trace)][-KEPT:]
                self.memory.attendees.put(key, known)

    def _listed(self, seen: Observation, row: dict[str, Any]) -> None:
        event_id, id = seen.parameters["event_id"], row.get("attendee_id")
        if "event_id" in row:
            message = f"the list of {event_id!r} shows a row of event {shown(row['event_id'])}"
            self.judge(row["event_id"] == event_id, "attendees.event_id", seen, message)
        identity = row.get("identity")
        if isinstance(identity, dict) and isinstance(identity.get("review_required"), bool):
            count = identity.get("open_review_count")
            if isinstance(count, int):
                message = f"review_required is {identity['review_required']}, and open_review_count is {count}"
                holds = identity["review_required"] is (count > 0)
                self.judge(holds, "identity.counts.consistent", seen, message)
        known = self.memory.attendees.get((seen.org or "", event_id, id)) if isinstance(id, str) else None
        if known is None or not self.memory.complete:
            return
        ended = self._ended(seen, known.imports[-1][1])
        if ended is None or not ended[1].before(seen.trace) or ended[0].get("status") != "succeeded":
            return
        if self._others(seen, known):
            return
        values, _, trace = known.imports[-1]
        again = len(known.imports) > 1
        for name, shown_as in MEMBERS:
            sent = values.get(name)
            if shown_as not in row or not comparable(self.contract, "importAttendees", name, sent, "row"):
                continue
            message = f"`{shown_as}` of {id!r} is {shown(row[shown_as])}; {shown(sent)} was imported"
            requirement = "attendees.reimport.updates" if again else f"attendees.{shown_as}"
            self.judge(row[shown_as] == sent, requirement, seen, message, trace)
            if not again and not str(sent).isascii():
                self.judge(row[shown_as] == sent, "attendees.text", seen, message, trace)
        for name in ("title", "company"):
            if not again and name not in values and name in row:
                message = f"`{name}` of {id!r} is {shown(row[name])} and was never given"
                self.judge(row[name] is None, "attendees.optional", seen, message, trace)

    def _others(self, seen: Observation, known: AttendeeRow) -> bool:
        """Tell whether something else may have changed the row: an import under way, an enrichment, a decision."""
        scope = (seen.org, "attendees", seen.parameters["event_id"])
        ended = self._ended(seen, known.imports[-1][1])
        assert ended is not None
        since = ended[1].ended + 1e-6
        for before, after in pairwise(known.imports):
            over = self._ended(seen, before[1])
            if over is None or not over[1].before(after[2]):
                return True
        return self.memory.changed(scope, since, seen.trace.ended) or self.memory.changed(
            (seen.org, "decisions", None), since, seen.trace.ended
        )

    def _missing(self, seen: Observation) -> None:
        """Judge a list on one page that lacks what the event's only import gave it."""
        event_id = seen.parameters["event_id"]
        if not self.memory.complete or seen.query.keys() - {"limit"} or seen.answer.get("next_cursor") is not None:
            return
        imports = self.memory.imports.get((seen.org or "", event_id)) or []
        if len(imports) != 1:
            return
        run_id, ids, trace = imports[0]
        ended = self._ended(seen, run_id)
        if ended is None or ended[0].get("status") != "succeeded" or ended[1].ended + LISTED_WITHIN > seen.trace.began:
            return
        scope = (seen.org, "attendees", event_id)
        if self.memory.changed(scope, ended[1].ended + 1e-6, seen.trace.ended):
            return
        shown_ids = {row.get("attendee_id") for row in seen.rows}
        missing = sorted(ids - shown_ids)
        self.judge(not missing, "attendees.listed", seen, f"the list lacks the imported {missing[:3]}", trace)

    def _ended(self, seen: Observation, run_id: str) -> tuple[dict[str, Any], Trace] | None:
        run: RunRow | None = self.memory.runs.get((seen.org or "", run_id))
        return run.ended if run is not None else None

"""Attendees: what an import named is listed, mapped, and read with the values that it was given."""

from __future__ import annotations

from typing import Any

from ..expectations.expectation import ID
from ..expectations.unusual import likeness, lost, narrowed
from ..rule import Rule, kept_by, shown
from ..state.memory import AttendeeRow, Memory, Roster
from ..state.observation import Observation, Trace

MEMBERS = (("name", "display_name"), ("title", "title"), ("company", "company"))

LISTED_WITHIN = 5.0
"""Seconds within which a list shows what a run that has ended wrote."""

MOST_ROWS = 5_000
"""Rows of one import that are remembered."""

MOST_NAMED = 20_000
"""IDs of one event that are told apart."""

KEPT = 6
KEPT_IMPORTS = 8

CONFLICT = (409, "IDEMPOTENCY_KEY_CONFLICT")


def settled(memory: Memory, org: str, event_id: str, now: Trace) -> Trace | None:
    """Return when the last import into an event was seen to have succeeded; None where that is not sure.

    Not sure either where another import may have been at work at the same time, or a decision changed somebody.
    """
    roster = memory.rosters.get((org, event_id))
    if not memory.complete or roster is None or roster.unknown or not roster.imports:
        return None
    *earlier, (run_id, _, began) = roster.imports
    for before in earlier:
        over = _ended(memory, org, before[0])
        if over is None or not over[1].before(began):
            return None
    ended = _ended(memory, org, run_id)
    if ended is None or not ended[1].before(now) or ended[0].get("status") != "succeeded":
        return None
    return None if memory.changed((org, "decisions", None), began.began, now.ended) else ended[1]


def there(memory: Memory, org: str, event_id: str, id: str, now: Trace) -> Trace | None:
    """Return the import that brought an attendee into an event, where that is surely there now.

    An enrichment may settle look-alikes itself, and what becomes of an ID that it merges is open.
    """
    roster = memory.rosters.get((org, event_id))
    if roster is None or not roster.imports or id not in roster.imports[-1][1]:
        return None
    since = roster.imports[-1][2]
    if memory.changed((org, "enriched", None), since.began, now.ended):
        return None
    return since if settled(memory, org, event_id, now) is not None else None


def _ended(memory: Memory, org: str, run_id: str) -> tuple[dict[str, Any], Trace] | None:
    run = memory.runs.get((org, run_id))
    return run.ended if run is not None else None


class Attendees(Rule):
    """Attendees by event. Whether an import replaces earlier rows is open, and so is what a decision does to two."""

    def see(self, seen: Observation) -> None:
        if seen.operation is None or seen.org is None or not seen.coverage.answer_body:
            return
        name = seen.operation.id
        if name == "importAttendees":
            self._imported(seen)
        elif name == "listAttendees" and seen.is_success:
            for row in seen.rows:
                self._listed(seen, row)
        elif name == "getIdMapping" and seen.parameters["kind"] == "attendee":
            self._mapping(seen)
        elif name == "listAttendeeIdentity":
            self._history(seen)

    # Imports

    def _imported(self, seen: Observation) -> None:
        key = (seen.org or "", seen.parameters["event_id"])
        roster = self.memory.rosters.get(key) or Roster()
        self.memory.rosters.put(key, roster)
        rows, run_id = seen.sent("attendees"), seen.answer.get("run_id")
        if not isinstance(rows, list):
            roster.unknown = roster.unknown or seen.is_success or seen.status >= 500
            return
        named = {str(row["attendee_id"]) for row in rows if isinstance(row, dict) and "attendee_id" in row}
        if not seen.is_success or seen.status == 200:
            self._imports_nothing(seen, roster, named)
            return
        if len(rows) > MOST_ROWS or len(roster.named) > MOST_NAMED or not isinstance(run_id, str):
            roster.unknown = True
            return
        roster.named |= named
        roster.imports = [*roster.imports, (run_id, frozenset(named), seen.trace)][-KEPT_IMPORTS:]
        for row in rows:
            id = row.get("attendee_id") if isinstance(row, dict) else None
            if isinstance(id, str) and ID.fullmatch(id):
                known = self.memory.attendees.get((*key, id)) or AttendeeRow()
                known.imports = [*known.imports, (_values(row), run_id, seen.trace)][-KEPT:]
                self.memory.attendees.put((*key, id), known)
                self.memory.events_of.put((key[0], id), key[1])

    def _imports_nothing(self, seen: Observation, roster: Roster, named: set[str]) -> None:
        """Remember the rows of a refusal and of a replay: neither imports them."""
        if seen.status >= 500:
            roster.unknown = True
        elif len(roster.refused) < MOST_NAMED:
            requirement = "imports.refused.changes_nothing"
            if seen.status == 200:
                requirement = "imports.replay.imports_nothing"
            elif seen.exchange.status_and_code == CONFLICT:
                requirement = "refused.leaves_nothing.importAttendees"
            roster.refused |= {id: (requirement, seen.trace) for id in named}

    # What is there

    def _mapping(self, seen: Observation) -> None:
        id, answer = seen.parameters["partner_id"], seen.answer
        event_id = self.memory.events_of.get((seen.org or "", id))
        since = there(self.memory, seen.org or "", event_id, id, seen.trace) if event_id is not None else None
        if seen.is_success and answer:
            said, kind = answer.get("partner_id"), answer.get("kind")
            self.names(seen, narrowed("attendees", id, str(said), "id_map.attendee.echo"), "ID", id, said)
            self.names(seen, "id_map.attendee.echo", "kind", "attendee", kind)
            says = answer.get("mapped")
            if since is not None:
                message = f"`mapped` is {shown(says)}, and the attendee was imported before"
                self.judge(says is True, "id_map.attendee.mapped", seen, message, since)
            elif says is False:
                message = "an ID that is not mapped is answered 200 with `mapped` false"
                self.judge(False, "id_map.attendee.unmapped", seen, message)
        elif seen.status == 404 and since is not None and event_id is not None:
            message = f"{seen.exchange.summary}, and the attendee was imported before"
            requirement = self._lost(seen, event_id, id, "id_map.attendee.mapped")
            self.judge(False, requirement, seen, message, since)
        elif seen.status == 404 and event_id is None and seen.exchange.code is not None and ID.fullmatch(id):
            message = f"{seen.exchange.summary}; documented is PARTNER_ID_NOT_FOUND"
            holds = seen.exchange.code == "PARTNER_ID_NOT_FOUND"
            self.judge(holds, "id_map.attendee.unmapped", seen, message)

    def _history(self, seen: Observation) -> None:
        event_id, id = seen.parameters["event_id"], seen.parameters["attendee_id"]
        if seen.is_success and seen.answer:
            self.names(seen, "identity.history.asked_for", "event_id", event_id, seen.answer.get("event_id"))
            said = seen.answer.get("attendee_id")
            requirement = narrowed("attendees", id, str(said), "identity.history.asked_for")
            self.names(seen, requirement, "attendee_id", id, said)
        elif seen.status == 404 and seen.exchange.code != "EVENT_NOT_FOUND":
            since = there(self.memory, seen.org or "", event_id, id, seen.trace)
            if since is not None:
                message = f"{seen.exchange.summary}, and the attendee was imported before"
                requirement = self._lost(seen, event_id, id, "generated.accepts.listAttendeeIdentity")
                self.judge(False, requirement, seen, message, since)

    def _lost(self, seen: Observation, event_id: str, id: str, default: str) -> str:
        """Return the requirement that an answer breaks which does not know an attendee who is there."""
        roster = self.memory.rosters.get((seen.org or "", event_id))
        named = roster.named if roster is not None and len(roster.named) < MOST_COMPARED else set()
        like = {likeness(id, other) for other in named if other != id} - {""}
        if "case" in like:
            return "attendees.id.case"
        return "ids.number_like.attendees" if "number_like" in like else lost("attendees", id, default)

    # The list

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
                self._no_review(seen, event_id, identity)
        if not isinstance(id, str):
            return
        self._named(seen, event_id, id)
        self._values(seen, event_id, id, row)

    def _no_review(self, seen: Observation, event_id: str, identity: dict[str, Any]) -> None:
        """Nobody of an event is in need of review after its queue was seen to be empty."""
        empty = self.memory.no_reviews.get((seen.org or "", event_id))
        scope = (seen.org, "reviews", None)
        if empty is None or not self.memory.complete or not empty.ended + LISTED_WITHIN < seen.trace.began:
            return
        if self.memory.changed(scope, empty.began, seen.trace.ended):
            return
        decided = self.memory.changed((seen.org, "decisions", None), 0.0, empty.began)
        requirement = "identity.counts.resolved" if decided else "attendees.no_review"
        message = f"{shown(identity)} is shown, and no review of the event is open"
        self.judge(identity["review_required"] is False, requirement, seen, message, empty)

    def _named(self, seen: Observation, event_id: str, id: str) -> None:
        """Judge that an import named a listed attendee, where all imports of the event were seen."""
        event = self.memory.events.get((seen.org or "", event_id))
        roster = self.memory.rosters.get((seen.org or "", event_id))
        if not self.memory.complete or event is None or not event.trace.before(seen.trace):
            return
        if roster is None or roster.unknown or id in roster.named:
            return
        if self.memory.changed((seen.org, "decisions", None), event.trace.began, seen.trace.ended):
            return  # a decision may have minted somebody
        requirement, earlier = roster.refused.get(id, ("generated.model.attendees", event.trace))
        if requirement == "generated.model.attendees":
            requirement = self._taken_for(roster, id)
        message = f"{id!r} is listed, and no import that was accepted names it"
        self.judge(False, requirement, seen, message, earlier)

    def _taken_for(self, roster: Roster, id: str) -> str:
        for other in roster.named if len(roster.named) < MOST_COMPARED else ():
            requirement = narrowed("attendees", id, other, "")
            if requirement:
                return requirement
        return "generated.model.attendees"

    def _values(self, seen: Observation, event_id: str, id: str, row: dict[str, Any]) -> None:
        known = self.memory.attendees.get((seen.org or "", event_id, id))
        if known is None or settled(self.memory, seen.org or "", event_id, seen.trace) is None:
            return
        if self.memory.events_of.get((seen.org or "", id)) != event_id:
            return  # whether an attendee belongs to the org or to the event is open
        values, run_id, trace = known.imports[-1]
        ended = _ended(self.memory, seen.org or "", run_id)
        since = ended[1].ended + 1e-6 if ended else trace.began
        if self.memory.changed((seen.org, "attendees", event_id), since, seen.trace.ended):
            return  # an enrichment may have changed the row
        again = len(known.imports) > 1
        for name, shown_as in MEMBERS:
            sent, said = values.get(name), row.get(shown_as)
            requirement = kept_by(self.contract, "importAttendees", name, sent, f"attendees.{shown_as}", "row")
            if shown_as not in row or requirement is None:
                continue
            ordinary = requirement == f"attendees.{shown_as}"
            message = f"`{shown_as}` of {id!r} is {shown(said)}; {shown(sent)} was imported"
            self.judge(said == sent, "attendees.reimport.updates" if again else requirement, seen, message, trace)
            if not again and ordinary and not str(sent).isascii():
                self.judge(said == sent, "attendees.text", seen, message, trace)
        for name in ("title", "company"):
            if not again and name not in values and name in row:
                message = f"`{name}` of {id!r} is {shown(row[name])} and was never given"
                self.judge(row[name] is None, "attendees.optional", seen, message, trace)


class WholeRosters(Attendees):
    """The list of an event's attendees, once it has been walked to its end: nobody is missing."""

    def see(self, seen: Observation) -> None:
        walk = self.memory.walked
        if walk is None or walk.family != "attendees" or seen.org is None:
            return
        event_id = seen.parameters["event_id"]
        over = settled(self.memory, seen.org or "", event_id, seen.trace)
        roster = self.memory.rosters.get((seen.org, event_id))
        if roster is None or over is None or walk.first.began - over.ended < LISTED_WITHIN:
            return
        _, named, trace = roster.imports[-1]
        missing = sorted(named - walk.ids)
        requirement = self._why(seen, event_id, roster, missing) if missing else "attendees.listed"
        self.judge(not missing, requirement, seen, f"the list lacks the imported {missing[:3]}", trace)

    def _why(self, seen: Observation, event_id: str, roster: Roster, missing: list[str]) -> str:
        id, (run_id, named, _) = missing[0], roster.imports[-1]
        earlier = {one for _, ids, _ in roster.imports[:-1] for one in ids}
        ended = _ended(self.memory, seen.org or "", run_id)
        since = ended[1].ended + 1e-6 if ended else 0.0
        if self.memory.changed((seen.org, "attendees", event_id), since, seen.trace.began):
            return "enrichment.keeps_attendees"
        if earlier and not set(missing) & earlier:
            return "imports.later.adds"
        requirement = self._lost(seen, event_id, id, "")
        if requirement:
            return requirement
        row = self.memory.attendees.get((seen.org or "", event_id, id))
        values = row.imports[-1][0] if row is not None else {}
        if not values.keys() - {"name"}:
            return "imports.name_alone"
        for other in named - {id} if len(named) < MOST_COMPARED else ():
            like = self.memory.attendees.get((seen.org or "", event_id, other))
            if like is not None and "email" in values and like.imports[-1][0] == values:
                return "attendees.look_alikes"
        return "attendees.listed"


MOST_COMPARED = 3_000
"""IDs among which one is looked for that is like another one."""


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """Keep the values of a row that are shown again or tell people apart; of other members that they were given."""
    kept = {name: row[name] for name in ("name", "title", "company", "email") if row.get(name) is not None}
    return kept | {name: ... for name in ("linkedin_url", "raw_data") if row.get(name) is not None}

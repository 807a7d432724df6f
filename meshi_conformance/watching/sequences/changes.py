"""Which lists a write changes, and until when: the work of a run goes on after its answer."""

from __future__ import annotations

from ...client.polling import TERMINAL
from ..rule import Rule
from ..state.memory import FOREVER
from ..state.observation import Observation

WRITES = {"createEvent": ("events",), "createSession": ("sessions",), "createRun": ("runs",)}
RUNS = {
    "importAttendees": ("attendees", "reviews"),
    "createEnrichmentRun": ("attendees", "reviews", "enriched"),
    "createMatchRun": ("event_matches", "attendee_matches"),
}
DECISIONS = ("resolveReview", "mergeReview")
BELOW_EVENT = ("sessions", "attendees")


class Changes(Rule):
    """Remembers when lists may have changed."""

    def see(self, seen: Observation) -> None:
        name = seen.exchange.operation or ""
        if seen.org is None or not (seen.is_success or seen.status >= 500):
            return
        began, ended = seen.trace.began, seen.trace.ended
        event_id = seen.parameters.get("event_id")
        for family in WRITES.get(name, ()):
            self.memory.change((seen.org, family, event_id if family in BELOW_EVENT else None), began, ended)
        if name in RUNS and seen.status != 200:
            run_id = str(seen.answer.get("run_id"))
            self.memory.change((seen.org, "runs", None), began, ended)
            for family in RUNS[name]:
                below = event_id if family in BELOW_EVENT else None
                self.memory.change((seen.org, family, below), began, FOREVER, run_id)
        if name in DECISIONS:
            for family in ("reviews", "event_matches", "attendee_matches"):
                self.memory.change((seen.org, family, None), began, ended)
            self.memory.change((seen.org, "decisions", None), began, ended)
        if name == "getRun" and seen.answer.get("status") in TERMINAL:
            run_id, below = str(seen.answer.get("run_id")), seen.answer.get("event_id")
            for families in RUNS.values():
                for family in families:
                    scope = (seen.org, family, below if family in BELOW_EVENT else None)
                    self.memory.run_ended(scope, run_id, ended)

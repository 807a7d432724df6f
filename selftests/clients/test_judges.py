"""The judges on stories made by hand: what no good client may be blamed for, case by case, and what is close to it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from meshi_conformance.clients.duties import watch
from meshi_conformance.clients.duties.judge import Watch
from meshi_conformance.clients.duties.pauses import is_burst
from meshi_conformance.clients.story import End, Facts, Run, Step
from meshi_conformance.vocabulary import Verdict


class Story:
    """Builds the steps of one scenario: each request follows the answer before it, unless it is told otherwise."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.steps: list[Step] = []
        self.now = 0.0
        self._numbers = itertools.count(1)

    def add(self, operation: str, status: int = 200, *, wait: float = 0.5, **changes: Any) -> Step:
        """Add a request and its answer 10 ms later."""
        self.now += wait
        method = "GET" if operation.startswith(("get", "list")) else "PUT" if operation == "importAttendees" else "POST"
        number = next(self._numbers)
        values: dict[str, Any] = {
            "parameters": {"event_id": "e"} if operation != "createEvent" else {},
            "connection": number,
            "answered": self.now + 0.01,
            "delivered": True,
            "correlation_id": f"cor_{number}",
            "facts": Facts(
                key=changes.pop("key", None), content=changes.pop("content", operation), rows=changes.pop("people", "")
            ),
        }
        step = Step(
            f"x-{number}",
            1,
            method,
            f"/{operation}",
            operation,
            "current",
            arrived=self.now,
            status=status,
            **{**values, **changes},
        )
        self.steps.append(step)
        return step

    def run(self, operation: str, id: str, status: str = "queued", http: int = 202, **changes: Any) -> Step:
        """Add a run-creating write that is answered with a run."""
        kind = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}[operation]
        return self.add(operation, http, run=Run(id, kind, "e", status, changes.get("key")), **changes)

    def poll(self, id: str, status: str, kind: str = "import", **changes: Any) -> Step:
        """Add a poll."""
        return self.add("getRun", parameters={"run_id": id}, run=Run(id, kind, "e", status, None), **changes)

    def failed(self, code: int | None = 0) -> dict[str, str]:
        """Return the duties that the story breaks, with the reasons."""
        output = " ".join(str(step.correlation_id) for step in self.steps).encode()
        watched = Watch(self.scenario, self.steps, [End(1, self.now + 1, code, None, output)])
        return {name: one.reason for name, one in watch(watched).items() if one.verdict == Verdict.FAIL}


def begun(scenario: str = "plain") -> Story:
    """Return a story whose client has asked for its scopes and created its event."""
    story = Story(scenario)
    story.add("getAuth", parameters={}, scopes=("partner:read", "partner:write"))
    story.add("createEvent", 201, facts=Facts(names={"event": frozenset({"e"})}))
    return story


def test_two_imports_under_way_at_once_are_no_retries_of_each_other() -> None:
    story = begun("unavailable")
    first = story.add("importAttendees", 503, key="a", people="1", content="1", answered=9.0)
    story.run("importAttendees", "r2", key="b", people="2", content="2", overlaps=True)
    first.answered = story.now + 0.02
    story.now += 0.1
    story.run("importAttendees", "r1", key="a", people="1", content="1")
    story.poll("r1", "succeeded")
    story.poll("r2", "succeeded")
    assert story.failed() == {}


def test_a_new_key_after_a_503_is_a_breach_unless_the_client_has_looked() -> None:
    story = begun("unavailable")
    story.add("createEnrichmentRun", 503, key="a", content="e")
    story.run("createEnrichmentRun", "r", "succeeded", key="b", content="e")
    assert set(story.failed()) == {"client.idempotency.key_kept"}
    story = begun("unavailable")
    story.add("createEnrichmentRun", 503, key="a", content="e")
    story.add("listRuns", parameters={})
    story.run("createEnrichmentRun", "r", "succeeded", key="b", content="e")
    assert story.failed() == {}


def test_a_request_that_was_on_its_way_when_the_429_left_is_not_early() -> None:
    story = begun("rate_limited")
    story.add("listAttendees", 429, retry_after=2.0, code="PARTNER_RATE_LIMIT_EXCEEDED")
    story.add("listSessions", wait=0.05)
    story.add("listAttendees", wait=2.0)
    assert story.failed() == {}


@pytest.mark.parametrize("wait", [0.02, 0.5, 1.5])
def test_the_same_request_again_before_its_time_is_early(wait: float) -> None:
    story = begun("rate_limited")
    story.add("listAttendees", 429, retry_after=2.0, code="PARTNER_RATE_LIMIT_EXCEEDED")
    story.add("listAttendees", wait=wait)
    assert set(story.failed()) == {"client.rate_limit.waits"}


def test_another_thread_has_to_wait_too() -> None:
    story = begun("rate_limited")
    story.add("listAttendees", overlaps=True)
    story.add("listAttendees", 429, retry_after=2.0, code="PARTNER_RATE_LIMIT_EXCEEDED")
    story.add("listSessions", wait=0.4)
    assert set(story.failed()) == {"client.rate_limit.waits"}


def test_a_date_may_be_taken_in_whole_seconds() -> None:
    story = begun("rate_limited")
    story.add("listAttendees", 429, retry_after=3.0, retry_after_is_date=True, code="PARTNER_RATE_LIMIT_EXCEEDED")
    story.add("listAttendees", wait=2.2)
    assert story.failed() == {}


def test_giving_up_at_a_429_is_no_breach() -> None:
    story = begun("rate_limited")
    story.add("createMatchRun", 429, retry_after=2.0, key="m", code="PARTNER_RATE_LIMIT_EXCEEDED")
    assert story.failed(75) == {}
    assert set(story.failed(0)) == {"client.exit_code"}


def test_a_run_found_by_the_list_after_its_answer_was_lost_needs_no_retry() -> None:
    story = begun("lost_answer")
    story.run("importAttendees", "r", key="a", people="1", delivered=False, disturbance="lost")
    story.add("listRuns", parameters={}, runs=(Run("r", "import", "e", "succeeded", "a"),))
    story.run("createEnrichmentRun", "q", "succeeded", key="b")
    assert story.failed() == {}


def test_a_review_that_is_gone_after_a_lost_decision_is_no_trouble() -> None:
    story = begun("lost_answer")
    decision: dict[str, Any] = {"parameters": {"review_id": "v"}, "content": "v"}
    story.add("resolveReview", **decision, delivered=False, disturbance="lost")
    story.add("resolveReview", 404, **decision, code="REVIEW_NOT_FOUND")
    assert story.failed() == {}


def test_an_event_that_was_found_by_a_look_need_not_be_created() -> None:
    story = Story("event_exists")
    story.add("getAuth", parameters={}, scopes=("partner:write",))
    story.add("getIdMapping", parameters={"kind": "event", "partner_id": "e"})
    story.add("updateEventContext")
    assert story.failed() == {}


def test_a_client_may_stop_where_the_event_that_exists_is_another() -> None:
    story = Story("event_exists")
    story.add("getAuth", parameters={}, scopes=("partner:write",))
    names = {"event": frozenset({"e"})}
    story.add("createEvent", 409, code="PARTNER_ID_CONFLICT", facts=Facts(names=names, members={"title": "Ours"}))
    story.add("getEvent", shown={"title": "Theirs"})
    assert story.failed(1) == {}
    story.steps[-1].shown = {"title": "Ours"}
    assert set(story.failed(1)) == {"client.events.existing_used"}


def test_a_replay_that_shows_the_end_needs_no_poll() -> None:
    story = begun("rerun")
    story.run("importAttendees", "r", "succeeded", 200, key="a", people="1")
    story.run("createMatchRun", "m", "succeeded", 200, key="b")
    story.add("listEventMatches")
    assert story.failed() == {}


def test_a_failed_import_binds_its_own_event_alone() -> None:
    story = begun("failed_import")
    story.run("importAttendees", "r", key="a", people="1")
    story.poll("r", "failed")
    other: dict[str, Any] = {"parameters": {"event_id": "f"}, "run": Run("m", "match", "f", "succeeded", "m")}
    story.add("createMatchRun", 202, key="m", **other)
    assert story.failed(1) == {}
    story.run("createMatchRun", "n", "succeeded", key="n")
    assert set(story.failed(1)) == {"client.runs.failed_import"}


def test_an_import_that_replaces_the_failed_one_lifts_it() -> None:
    story = begun("failed_import")
    story.run("importAttendees", "r", key="a", people="1")
    story.poll("r", "failed")
    story.run("importAttendees", "s", key="b", people="1")
    story.poll("s", "succeeded")
    story.run("createMatchRun", "m", "succeeded", key="m")
    assert story.failed() == {}


def test_interleaved_walks_and_a_walk_that_begins_anew_are_whole() -> None:
    story = begun("small_pages")
    story.add("listAttendees", next_cursor="a", rows=1, content="")
    story.add("listEventMatches", next_cursor="m", rows=1)
    story.add("listAttendees", query={"cursor": "a"}, delivered=False)
    story.add("listAttendees", next_cursor="b", rows=1)
    story.add("listEventMatches", query={"cursor": "m"}, rows=1)
    story.add("listAttendees", query={"cursor": "b"}, rows=1)
    story.add("listReviews", query={"limit": "1"}, next_cursor="r", rows=1, parameters={})
    assert story.failed() == {}


PAUSES = {
    "doubling": ([0.1, 0.2, 0.4, 0.8, 1.6], False),
    "slow growth": ([0.2 * 1.15**number for number in range(12)], False),
    "full jitter": ([0.03, 0.15, 0.1, 0.7, 0.4, 1.1], False),
    "a cap under a second": ([0.02, 0.04, 0.08, 0.16, *[0.3] * 10], False),
    "a busy machine at the start": ([0.25, 0.22, 0.24, 0.4, 0.6, 0.9], False),
    "every second": ([1.0, 0.99, 1.01, 1.0, 1.0, 1.0, 1.0], False),
    "no pause": ([0.002] * 400, True),
    "a tenth of a second": ([0.1, 0.11, 0.1, 0.1, 0.12, 0.1, 0.11, 0.1] * 4, True),
    "half a second": ([0.5, 0.51, 0.5, 0.52, 0.5, 0.5, 0.51], True),
}


@pytest.mark.parametrize("name", PAUSES)
def test_pauses_that_grow_are_told_from_a_burst(name: str) -> None:
    pauses, burst = PAUSES[name]
    assert is_burst(pauses) is burst

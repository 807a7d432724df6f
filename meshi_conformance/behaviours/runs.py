"""Observers of runs and their idempotency keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .observer import Observer, Sightings, each
from .traffic import Observed, Traffic, is_terminal

EVENT_WRITES = ("importAttendees", "createEnrichmentRun", "createMatchRun")
WRITES = (*EVENT_WRITES, "createRun")
LONGEST_SAFE_KEY, LONGEST_TRIED_KEY = 64, 300
SETTLED = 1.0
"""Seconds after which a run outside events that still has not ended counts as one that stays."""


def _runs(traffic: Traffic) -> Iterator[tuple[Observed, dict[str, Any]]]:
    """Return every run that a read shows: polls and rows of the run list."""
    for one in traffic.run_reads:
        yield one, dict(one.answer)
    for one in traffic.of("listRuns"):
        yield from ((one, row) for row in one.rows)


def generic_end(traffic: Traffic) -> Sightings:
    """Tell whether a run of `POST /runs` has ended, or has not a second after its creation."""
    made = {run_id: one.ended for one, run_id in traffic.run_writes("createRun")}
    for one, run in _runs(traffic):
        run_id = str(run.get("run_id"))
        if run_id in made and is_terminal(run.get("status")):
            yield "ends", one
        elif run_id in made and one.started - made[run_id] > SETTLED:
            yield "stays", one


def progress(one: Observed) -> str | None:
    shown = one.answer.get("progress")
    if one.answer.get("kind") not in ("import", "match") or one.answer.get("event_id") is None:
        return None
    if not isinstance(shown, dict) or not is_terminal(one.answer.get("status")):
        return None
    if not shown:
        return "none"
    return "example" if {"total", "processed"} <= shown.keys() else "others"


def import_status(one: Observed) -> str | None:
    if one.answer.get("kind") != "import" or one.answer.get("event_id") is None:
        return None
    status = one.answer.get("status")
    return str(status) if status in ("succeeded", "partial") else None


def _counts(one: Observed) -> dict[str, int]:
    """Return the counters of an ended enrichment with rows that have codes; none for any other run."""
    shown = one.answer.get("progress")
    if one.answer.get("kind") != "enrichment" or not isinstance(shown, dict):
        return {}
    if one.answer.get("event_id") is None or not is_terminal(one.answer.get("status")):
        return {}
    counts = {name: value for name, value in shown.items() if isinstance(value, int)}
    return counts if counts.get("review_required") or counts.get("skipped") else {}


def row_codes_status(one: Observed) -> str | None:
    status = one.answer.get("status")
    return str(status) if _counts(one) and status in ("partial", "succeeded") else None


def row_codes_count(one: Observed) -> str | None:
    counts = _counts(one)
    if "error_count" not in counts:
        return None
    return "errors" if counts["error_count"] else "apart"


def partial_error(one: Observed) -> str | None:
    if one.answer.get("status") != "partial" or "error" not in one.answer:
        return None
    error = one.answer["error"]
    return "null" if error is None else "text" if isinstance(error, str) else "object"


def statuses(traffic: Traffic) -> Sightings:
    """Look for a status besides the queue and the ends; `running` alone where no read shows another one."""
    others, running = [], []
    for one in traffic.run_reads:
        status = one.answer.get("status")
        if status == "running":
            running.append(one)
        elif isinstance(status, str) and not is_terminal(status) and status != "queued":
            others.append(one)
    yield from (("others", one) for one in others)
    if not others:
        yield from (("running", one) for one in running)


def _key(one: Observed) -> str:
    key = one.body.get("idempotency_key")
    return key if isinstance(key, str) else ""


def _one_at_a_time(traffic: Traffic, operation: str) -> Iterator[Observed]:
    """Yield the calls with a key that overlap no other call with it, as a key in use may be refused."""
    by_key: dict[str, list[Observed]] = defaultdict(list)
    for one in traffic.of(operation):
        if _key(one):
            by_key[_key(one)].append(one)
    for same in by_key.values():
        for one in same:
            others = (other for other in same if other is not one)
            if not any(other.started <= one.ended and one.started <= other.ended for other in others):
                yield one


def key_other_kind(traffic: Traffic) -> Sightings:
    """Look for a key that `POST /runs` has seen with another kind."""
    used: dict[str, tuple[Any, Any]] = {}
    for one in _one_at_a_time(traffic, "createRun"):
        key, kind, run_id = _key(one), one.body.get("kind"), one.answer.get("run_id")
        if key in used and used[key][0] != kind:
            if one.code == "IDEMPOTENCY_KEY_CONFLICT":
                yield "conflict", one
            elif one.is_success:
                yield ("replay" if run_id == used[key][1] else "own_run"), one
        elif one.is_success and key:
            used[key] = (kind, run_id)


def key_space(traffic: Traffic) -> Sightings:
    """Look for a key of an event operation at `POST /runs`."""
    used = {_key(one): run_id for one, run_id in traffic.run_writes(*EVENT_WRITES)}
    seen: set[str] = set()
    for one in traffic.of("createRun"):
        if _key(one) in used and _key(one) not in seen:
            seen.add(_key(one))
            if one.code == "IDEMPOTENCY_KEY_CONFLICT":
                yield "shared", one
            elif one.is_success:
                yield ("shared" if one.answer.get("run_id") == used[_key(one)] else "apart"), one


def _repeats(traffic: Traffic) -> Iterator[tuple[Observed, Observed]]:
    """Write whose key the same operation has taken for the same event: the first call that was accepted, the repeat.

    A call that overlaps another one with its key is not a repeat.
    """
    for operation in WRITES:
        first: dict[tuple[str, str], Observed] = {}
        for one in _one_at_a_time(traffic, operation):
            mark = one.path, _key(one)
            if mark in first:
                yield first[mark], one
            elif one.is_success and _key(one):
                first[mark] = one


def replay_other_body(traffic: Traffic) -> Sightings:
    """Look for a repeat with another body: the first run, or a refusal because of the key, not of the body."""
    for first, one in _repeats(traffic):
        if one.sent is None or one.body == first.body or one.body.get("kind") != first.body.get("kind"):
            continue
        if one.status in (409, 422):
            yield "refused", one
        elif one.status == 200 and not _is_bad(one) and one.answer.get("run_id") == first.answer.get("run_id"):
            yield "replay", one


def _is_bad(one: Observed) -> bool:
    """Tell whether a body breaks a documented bound: `top_n` below its range."""
    return one.body.get("top_n") == 0


def replay_order(traffic: Traffic) -> Sightings:
    """Look for a repeat with a bad body."""
    for _, one in _repeats(traffic):
        if _is_bad(one):
            if one.status == 400:
                yield "refused", one
            elif one.status == 200:
                yield "replay", one


def replay_flag(one: Observed) -> str | None:
    if not one.is_success:
        return None
    return "shown" if "idempotent_replay" in one.answer else "left_out"


def key_in_flight(traffic: Traffic) -> Sightings:
    """Look for equal calls that were under way at the same moment."""
    for operation in WRITES:
        calls: dict[tuple[str, str], list[Observed]] = defaultdict(list)
        for one in traffic.of(operation):
            if _key(one):
                calls[one.path, _key(one)].append(one)
        for together in calls.values():
            first = together[0]
            beside = [one for one in together[1:] if one.started < first.ended and one.sent == first.sent]
            refused = [one for one in (first, *beside) if one.status in (409, 425)]
            if beside and refused:
                yield "refused", refused[0]
            elif beside and all(one.is_success for one in (first, *beside)):
                yield "accepted", beside[0]


def key_length(one: Observed) -> str | None:
    if not LONGEST_SAFE_KEY < len(_key(one)) <= LONGEST_TRIED_KEY:
        return None
    if one.is_success:
        return "long"
    return "short" if one.code == "INVALID_IDEMPOTENCY_KEY" else None


def key_characters(one: Observed) -> str | None:
    key = _key(one)
    if not 0 < len(key) <= LONGEST_SAFE_KEY or (key.isascii() and " " not in key):
        return None
    if one.is_success:
        return "any"
    return "plain" if one.code == "INVALID_IDEMPOTENCY_KEY" else None


def top_n_code(traffic: Traffic) -> Sightings:
    """Tell which code refuses a `top_n`."""
    listed = {code for operation in traffic.contract.operations.values() for _, code in operation.route_errors()}
    seen: set[str] = set()
    for one in traffic.of("createMatchRun"):
        top_n = one.body.get("top_n")
        if isinstance(top_n, int) and not 1 <= top_n <= 50 and one.status == 400 and one.code and one.code not in seen:
            seen.add(one.code)
            yield ("listed" if one.code in listed else "own"), one


OBSERVERS: dict[str, Observer] = {
    "runs.generic_end": generic_end,
    "runs.progress": each("getRun")(progress),
    "runs.import_status": each("getRun")(import_status),
    "runs.row_codes_status": each("getRun")(row_codes_status),
    "runs.row_codes_count": each("getRun")(row_codes_count),
    "runs.partial_error": each("getRun")(partial_error),
    "runs.statuses": statuses,
    "runs.key_other_kind": key_other_kind,
    "runs.key_space": key_space,
    "runs.replay_other_body": replay_other_body,
    "runs.replay_order": replay_order,
    "runs.replay_flag": each("createEnrichmentRun", "createMatchRun", "createRun")(replay_flag),
    "runs.key_in_flight": key_in_flight,
    "runs.key_length": each(*WRITES)(key_length),
    "runs.key_characters": each(*WRITES)(key_characters),
    "runs.top_n_code": top_n_code,
}

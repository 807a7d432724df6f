"""Observers of reading matches."""

from __future__ import annotations

import re
from collections import defaultdict

from .observer import Observer, Sightings, each
from .traffic import Observed, Traffic, is_terminal

PARTNER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
LISTS = ("listEventMatches", "listAttendeeMatches")


def _matched(traffic: Traffic) -> dict[str, list[tuple[str, float, float | None]]]:
    """Return the match runs of each event: ID, when it was asked for, and when it was first read as ended."""
    found: dict[str, list[tuple[str, float, float | None]]] = defaultdict(list)
    for one, run_id in traffic.run_writes("createMatchRun"):
        found[one.params["event_id"]].append((run_id, one.started, traffic.ended.get(run_id)))
    return found


def before_run(traffic: Traffic) -> Sightings:
    """Match lists of an event of ours before any match run of it was asked for."""
    made = {str(one.body.get("event_id")) for one in traffic.of("createEvent") if one.is_success}
    matched = _matched(traffic)
    for one in traffic.of(*LISTS):
        event_id = one.params["event_id"]
        early = all(one.ended < asked for _, asked, _ in matched[event_id])
        if event_id in made and early and one.asked("run_id") is None and one.asked("session_id") is None:
            if one.code == "MATCH_RUN_NOT_FOUND":
                yield "not_found", one
            elif one.is_page and not one.row_count:
                yield "empty_page", one


def _names_no_run(one: Observed, known: set[str]) -> bool:
    return one.asked("run_id") not in (None, "", *known)


def unknown_run(traffic: Traffic) -> Sightings:
    """Look for a well-formed ID that names no match run, in the list of an event that was matched."""
    matched = _matched(traffic)
    known = {run_id for runs in matched.values() for run_id, _, _ in runs}
    for one in traffic.of(*LISTS):
        if _names_no_run(one, known) and " " not in str(one.asked("run_id")) and matched[one.params["event_id"]]:
            if one.code == "MATCH_RUN_NOT_FOUND":
                yield "not_found", one
            elif one.is_page and not one.row_count:
                yield "empty_page", one


def malformed_run(one: Observed) -> str | None:
    if " " not in (one.asked("run_id") or ""):
        return None
    return {400: "malformed", 404: "not_found"}.get(one.status)


def pair_unknown_run(traffic: Traffic) -> Sightings:
    """Look for a pair that is read with an ID that names no match run."""
    known = {run_id for runs in _matched(traffic).values() for run_id, _, _ in runs}
    for one in traffic.of("getMatch"):
        if _names_no_run(one, known):
            if one.code == "MATCH_RUN_NOT_FOUND":
                yield "run", one
            elif one.code == "MATCH_NOT_FOUND":
                yield "match", one


def running_run(traffic: Traffic) -> Sightings:
    """Look for a list of a match run that a later poll shows as not ended yet."""
    unended: dict[str, float] = {}
    for poll in traffic.run_reads:
        if not is_terminal(poll.answer.get("status")):
            unended[str(poll.answer.get("run_id"))] = poll.started
    for one in traffic.of("listEventMatches"):
        run_id = one.asked("run_id") or ""
        if one.ended < unended.get(run_id, 0.0):
            if one.code == "MATCH_RUN_NOT_FOUND":
                yield "not_found", one
            elif one.is_page and one.answer.get("run_id") == run_id:
                yield "shown", one


def itself(one: Observed) -> str | None:
    principal = one.params["principal_partner_id"]
    if principal != one.params["target_partner_id"] or not PARTNER_ID.fullmatch(principal):
        return None
    if one.is_success:
        return "scored"
    if one.code == "MATCH_NOT_FOUND":
        return "not_found"
    missing = ("EVENT_NOT_FOUND", "ATTENDEE_NOT_FOUND", "MATCH_RUN_NOT_FOUND")
    return "refused" if one.refused and one.code not in missing else None


def _selects(traffic: Traffic, name: str, everything: str, nothing: str, refused: str | None) -> Sightings:
    """See what a parameter selects in the list of an event that has matches."""
    filled = {one.path for one in traffic.of("listEventMatches") if one.row_count and one.asked(name) is None}
    for one in traffic.of("listEventMatches"):
        if one.asked(name) is None or one.path not in filled:
            continue
        if one.is_page:
            yield (everything if one.row_count else nothing), one
        elif one.refused and refused is not None:
            yield refused, one


def goal(traffic: Traffic) -> Sightings:
    """See what a goal selects that no attendee has."""
    return _selects(traffic, "goal", "ignored", "filters", "refused")


def session(traffic: Traffic) -> Sightings:
    """See what a session of the event selects: an unknown one is refused."""
    return _selects(traffic, "session_id", "all", "none", None)


def items(one: Observed) -> str | None:
    if not one.rows:
        return None
    return "pair" if {"principal_attendee_id", "target_attendee_id"} <= one.rows[0].keys() else "others"


def scores(traffic: Traffic) -> Sightings:
    """Look for a score beyond 1; where none is, take any score."""
    shown = None
    for one in traffic.of(*LISTS):
        numbers = [row["final_score"] for row in one.rows if isinstance(row.get("final_score"), int | float)]
        if any(number > 1 for number in numbers):
            yield "other", one
            return
        shown = shown or (one if numbers else None)
    if shown is not None:
        yield "unit", shown


def later_run(traffic: Traffic) -> Sightings:
    """Look for a walk without a run ID, during which a later match run of the event ended."""
    matched = _matched(traffic)
    for one in traffic.of(*LISTS):
        before = traffic.issued.get((one.path, one.asked("cursor")))
        if before is None or before.asked("run_id") is not None or one.asked("run_id") is not None:
            continue
        own = before.answer.get("run_id")
        ends = [ended for run_id, _, ended in matched[one.params["event_id"]] if run_id != own and ended is not None]
        if any(before.ended < ended < one.started for ended in ends):
            if one.refused or (one.is_page and one.answer.get("run_id") != own):
                yield "moves", one
            elif one.is_page:
                yield "stays", one


OBSERVERS: dict[str, Observer] = {
    "matches.before_run": before_run,
    "matches.unknown_run": unknown_run,
    "matches.malformed_run": each(*LISTS)(malformed_run),
    "matches.pair_unknown_run": pair_unknown_run,
    "matches.running_run": running_run,
    "matches.itself": each("getMatch")(itself),
    "matches.goal": goal,
    "matches.session": session,
    "matches.items": each(*LISTS)(items),
    "matches.scores": scores,
    "matches.later_run": later_run,
}

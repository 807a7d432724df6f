"""Match runs and match scores (endpoint-reference, Matching).

Scores are deterministic: they depend on the two attendees and on the order of the pair, and on nothing else.
Goal texts have no source yet, so the goal scores come from a digest; similarity compares profiles.
"""

from __future__ import annotations

import bisect
import heapq
import json
import zlib
from dataclasses import dataclass
from typing import Any

from .. import clock, ids
from ..errors import ApiError
from ..rules import paging, presentation, validation
from ..services import Call, Services
from ..settings import Settings
from ..storage import Row
from ..wire.http import Response
from . import attendees, enrichment, events, runs, sessions

ALGORITHM_VERSION = "reference-1"
POLICY_VERSION = "policy-1"
CHUNK = 25
"""Principals in one step."""
LOAD = 1000
"""Attendees that are read together before a run begins."""
CANDIDATES = 100
"""Most targets that are scored for one principal, so that the work grows with the event, not its square."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What matching knows of one attendee."""

    seq: int
    attendee_id: str
    person: int
    words: frozenset[str]
    digest: str


# Scores


def profile(row: Row) -> Profile:
    """Return the profile of an attendee: what enrichment stored, or what it would store."""
    words = row["profile"] if row["profile"] is not None else enrichment.profile_of(row)
    return Profile(
        seq=row["seq"],
        attendee_id=row["attendee_id"],
        person=row["seq"] if row["person_seq"] is None else row["person_seq"],
        words=frozenset(words.split()),
        digest=ids.digest(row["attendee_id"], row["name"], words),
    )


def fraction(*parts: str) -> float:
    """Return a number from 0 to 1 that depends on the parts and their order."""
    return zlib.crc32("\0".join(parts).encode()) / 0xFFFFFFFF


def similarity(first: Profile, second: Profile) -> float:
    """Return the share of common words among all words of two profiles, 0 to 1; the same in both directions."""
    union = len(first.words | second.words)
    return len(first.words & second.words) / union if union else 0.0


def directed_score(giver: Profile, taker: Profile) -> float:
    """Return how much one attendee has to offer to another, 0 to 1."""
    chance = fraction(giver.attendee_id, taker.attendee_id)
    return round(0.7 * chance + 0.3 * similarity(giver, taker), 6)


def final_score(a_to_b: float, b_to_a: float) -> float:
    """Return the score of the ordered pair, 0 to 1; the principal's direction weighs more."""
    return round(0.6 * a_to_b + 0.4 * b_to_a, 6)


def sub_scores(principal: Profile, target: Profile) -> dict[str, float]:
    """Return all partial scores of an ordered pair, each from 0 to 1."""
    a, b = principal.digest, target.digest
    return {
        "goal_complementarity": round(fraction("complementarity", min(a, b), max(a, b)), 6),
        "goal_needs_to_offers": round(fraction("needs", a, b), 6),
        "goal_offers_to_needs": round(fraction("needs", b, a), 6),
        "value_alignment": round(fraction("values", min(a, b), max(a, b)), 6),
        "general_similarity": round(similarity(principal, target), 6),
        "score_a_to_b": directed_score(principal, target),
        "score_b_to_a": directed_score(target, principal),
    }


def candidates_of(index: int, population: list[Profile]) -> list[Profile]:
    """Return the attendees to score one principal against: all others, or those that follow it in a big event.

    Attendees who are known to be the same person are never candidates for each other.
    """
    principal = population[index]
    if len(population) <= CANDIDATES + 1:
        others = population
    else:
        others = [population[(index + step) % len(population)] for step in range(1, CANDIDATES + 1)]
    return [other for other in others if other.person != principal.person]


def rank_targets(index: int, population: list[Profile], top_n: int) -> list[tuple[float, Profile]]:
    """Return the best `top_n` targets of a principal, best first; equal scores in the order of their IDs."""
    principal = population[index]
    scored = (
        (final_score(directed_score(principal, other), directed_score(other, principal)), other)
        for other in candidates_of(index, population)
    )
    return heapq.nsmallest(top_n, scored, key=lambda pair: (-pair[0], pair[1].attendee_id))


# Runs


def context_snapshot_id(event: Row) -> str:
    """Name the context that a match run saw."""
    return "ctx_" + ids.digest(*(event[field] or "" for field in validation.CONTEXT_FIELDS))[:20]


async def create_match_run(call: Call) -> Response:
    """Answer POST /events/:event_id/match-runs (endpoint-reference)."""
    event, (common, top_n) = presentation.in_order(
        call,
        lambda: events.require_event(call),
        lambda: (runs.common_fields(call), validation.check_top_n(call.body.get("top_n"))),
    )
    new = runs.NewRun(
        org=call.org,
        kind="match",
        event=event,
        progress=initial_progress(enrichment.count_attendees(call.services, event["seq"])),
        options={"top_n": top_n},
        snapshot_metadata={"context_snapshot_id": context_snapshot_id(event), "top_n": top_n},
        version_metadata={"algorithm_version": ALGORITHM_VERSION, "policy_version": POLICY_VERSION},
        **common,
    )
    row, replay = runs.accept_run(call.services, new)
    return runs.accepted_response(row, replay, 202, call.services.settings)


def initial_progress(total: int) -> dict[str, Any]:
    """Build the progress of a match run that has not begun: it counts principals and the pairs stored for them."""
    return {"total": total, "processed": 0, "pairs": 0, "error_count": 0, "errors": []}


class MatchWork:
    """Scores every attendee of the event as a principal, in the order of their IDs."""

    chunk = CHUNK

    def __init__(self, services: Services, run: Row) -> None:
        self.services, self.run = services, run
        self._population: list[Profile] = []

    def prepare(self) -> bool:
        """Load a part of the population; whether there may be more."""
        if not self.services.settings.matches_enabled:
            return False
        rows = self.services.storage.all(
            "SELECT * FROM attendees WHERE event_seq = ? AND merged_into IS NULL AND attendee_id > ?"
            " ORDER BY attendee_id LIMIT ?",
            (self.run["event_seq"], self._population[-1].attendee_id if self._population else "", LOAD),
        )
        self._population += [profile(row) for row in rows]
        return len(rows) == LOAD

    def begin(self) -> int:
        """Set the initial progress; after a restart leave it as it is."""
        if self.run["status"] != "running":
            progress = initial_progress(len(self._population))
            runs.save_progress(self.services, self.run["seq"], progress, {"after": ""})
        return len(self._population)

    def step(self, size: int) -> bool:
        """Score the next principals."""
        run = runs.load_run(self.services, self.run["seq"])
        progress, checkpoint = json.loads(run["progress"]), json.loads(run["checkpoint"])
        top_n = json.loads(run["options"])["top_n"]
        start = bisect.bisect_right(self._population, checkpoint["after"], key=lambda one: one.attendee_id)
        waiting = range(start, min(start + size, len(self._population)))
        for index in waiting:
            progress["pairs"] += self._store(index, top_n)
            progress["processed"] += 1
            checkpoint["after"] = self._population[index].attendee_id
        if len(waiting) < size:
            # After a restart the population may be smaller than it was: a merge removed an attendee.
            progress["total"] = progress["processed"]
        runs.save_progress(self.services, run["seq"], progress, checkpoint)
        return bool(progress["processed"] >= progress["total"])

    def _store(self, index: int, top_n: int) -> int:
        principal = self._population[index]
        ranked = rank_targets(index, self._population, top_n)
        now = self.services.clock.now()
        self.services.storage.executemany(
            "INSERT INTO matches (run_seq, principal_seq, target_seq, principal_id, target_id, final_score,"
            " scores, input_hash, computed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self.run["seq"],
                    principal.seq,
                    target.seq,
                    principal.attendee_id,
                    target.attendee_id,
                    score,
                    json.dumps(sub_scores(principal, target)),
                    ids.digest(principal.digest, target.digest),
                    now,
                )
                for score, target in ranked
            ],
        )
        return len(ranked)

    def finish(self) -> str:
        """Drop matches with attendees that were merged away while the run was on its way."""
        merged = "SELECT seq FROM attendees WHERE event_seq = ? AND merged_into IS NOT NULL"
        self.services.storage.execute(
            f"DELETE FROM matches WHERE run_seq = ? AND (principal_seq IN ({merged}) OR target_seq IN ({merged}))",
            (self.run["seq"], self.run["event_seq"], self.run["event_seq"]),
        )
        return "succeeded"


# Reading


def match_id(run_id: str, principal_id: str, target_id: str) -> str:
    """Return the public ID of a match: the same pair of the same run always has the same."""
    return "match_" + ids.digest(run_id, principal_id, target_id)[:20]


def best_goal(scores: dict[str, float]) -> dict[str, Any]:
    """Return the stronger goal direction with its score; never a goal's ID (endpoint-reference, Matching)."""
    needs, offers = scores["goal_needs_to_offers"], scores["goal_offers_to_needs"]
    if needs >= offers:
        return {"score": needs, "direction": "needsToOffers"}
    return {"score": offers, "direction": "offersToNeeds"}


def serialize_match(row: Row, event_id: str, run: Row, settings: Settings) -> dict[str, Any]:
    """Build the match object (endpoint-reference, GET one ordered pair); list items have the same members."""
    scores = json.loads(row["scores"])
    computed_at = clock.format_timestamp(row["computed_at"], settings)
    return presentation.finish(
        {
            "event_id": event_id,
            "match_id": match_id(run["run_id"], row["principal_id"], row["target_id"]),
            "run_id": run["run_id"],
            "principal_attendee_id": row["principal_id"],
            "target_attendee_id": row["target_id"],
            "final_score": row["final_score"],
            "sub_scores": scores,
            "best_goal_match": best_goal(scores),
            "driving_goal_pair": best_goal(scores),
            "intent_strength": {"aToB": scores["score_a_to_b"], "bToA": scores["score_b_to_a"]},
            "input_hash": row["input_hash"],
            "algorithm_version": ALGORITHM_VERSION,
            "policy_version": POLICY_VERSION,
            "context_snapshot_id": json.loads(run["snapshot_metadata"])["context_snapshot_id"],
            "freshness": {"computed_at": computed_at},
            "computed_at": computed_at,
        },
        "match",
        settings,
    )


def latest_terminal_run(services: Services, event: Row) -> Row | None:
    """Return the match run of the event that ended last."""
    return services.storage.one(
        "SELECT * FROM runs WHERE event_seq = ? AND kind = 'match' AND terminal_at IS NOT NULL"
        " ORDER BY terminal_at DESC, seq DESC LIMIT 1",
        (event["seq"],),
    )


def find_match_run(services: Services, event: Row, run_id: str) -> Row | None:
    """Return the event's match run with that ID, once it has ended: until then its list would change."""
    return services.storage.one(
        "SELECT * FROM runs WHERE event_seq = ? AND kind = 'match' AND run_id = ? AND terminal_at IS NOT NULL",
        (event["seq"], run_id),
    )


def choose_run(call: Call, event: Row, pinned: str | None = None) -> Row | None:
    """Choose the run to read: the one asked for, the one that an earlier page read, or the latest that ended.

    Raise MATCH_RUN_NOT_FOUND. Return None where no run has ended and the settings answer with an empty list.
    """
    run_id = call.request.query.get("run_id") or pinned
    if run_id:
        run = find_match_run(call.services, event, run_id)
    else:
        run = latest_terminal_run(call.services, event)
        if run is None and call.services.settings.matches_before_run == "empty":
            return None
    if run is None:
        raise ApiError("MATCH_RUN_NOT_FOUND", "the event has no such match run that has ended")
    return run


def match_page(
    call: Call,
    list_name: str,
    scope: str,
    head: dict[str, Any],
    event: Row,
    where: str,
    parameters: list[Any],
) -> Response:
    """Build a page of matches. All pages of one walk read the same run, even when a newer one ends meanwhile."""
    scope = "|".join([event["event_id"], scope, call.request.query.get("run_id", "")])
    cursor = paging.read_cursor(call, list_name, scope)
    run = choose_run(call, event, None if cursor is None else cursor[1])
    if run is None:
        paging.parse_limit(call.request.query.get("limit"), call.services.settings)
        return presentation.page_response({**head, "run_id": None}, [], paging.Page([], None))
    page = paging.fetch_page(
        call,
        list_name,
        scope,
        "SELECT * FROM matches",
        f"run_seq = ?{where}",
        [run["seq"], *parameters],
        pin=run["run_id"],
    )
    settings = call.services.settings
    items = [serialize_match(row, event["event_id"], run, settings) for row in page.rows]
    return presentation.page_response({**head, "run_id": run["run_id"]}, items, page)


def check_session_filter(call: Call, event: Row) -> None:
    """Require that the event has the session of the query.

    A known session selects nothing: attendees have no sessions in this API.
    """
    session_id = call.request.query.get("session_id")
    if session_id is not None:
        sessions.require_session(call.services, event, validation.check_partner_id(session_id, "session_id"))


async def list_matches(call: Call) -> Response:
    """Answer GET /events/:event_id/matches (endpoint-reference). `goal` selects nothing: goals have no source yet."""
    event = events.require_event(call)
    check_session_filter(call, event)
    return match_page(call, "matches", "", {"event_id": event["event_id"]}, event, "", [])


async def list_attendee_matches(call: Call) -> Response:
    """Answer GET /events/:event_id/attendees/:attendee_id/matches (endpoint-reference)."""
    attendee_id = attendees.path_attendee_id(call)
    event = events.require_event(call)
    attendees.require_attendee(call.services, event, attendee_id)
    head = {"event_id": event["event_id"], "attendee_id": attendee_id}
    return match_page(call, "attendee_matches", attendee_id, head, event, " AND principal_id = ?", [attendee_id])


async def get_match(call: Call) -> Response:
    """Answer GET /events/:event_id/matches/:principal_partner_id/:target_partner_id (endpoint-reference)."""
    principal_id = attendees.path_attendee_id(call, "principal_partner_id")
    target_id = attendees.path_attendee_id(call, "target_partner_id")
    event = events.require_event(call)
    for attendee_id in (principal_id, target_id):
        attendees.require_attendee(call.services, event, attendee_id)
    run = choose_run(call, event)
    row = run and call.services.storage.one(
        "SELECT * FROM matches WHERE run_seq = ? AND principal_id = ? AND target_id = ?",
        (run["seq"], principal_id, target_id),
    )
    if run is None or row is None:
        raise ApiError("MATCH_NOT_FOUND", "the run has no score for this ordered pair")
    return Response(200, serialize_match(row, event["event_id"], run, call.services.settings))

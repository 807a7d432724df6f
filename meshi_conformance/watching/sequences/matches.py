"""Matches: which run a page is of, whom its rows pair, and that one run's lists agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...client.polling import TERMINAL
from ...contract.contract import Contract
from ...exchanges.checks import UUID
from ...exchanges.timestamps import after
from ..rule import Rule, shown
from ..state.bounded import Bounded
from ..state.memory import Memory, RunRow
from ..state.observation import Observation, Trace
from ..state.tally import Tally

READS = frozenset({"listAttendeeMatches", "listEventMatches", "getMatch"})
GOALS = ("best_goal_match", "driving_goal_pair")
MOST_PAIRS = 20_000


class Matches(Rule):
    """The three reads of matches."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._pairs: Bounded[tuple[str, str, str, str], tuple[Any, Any, Trace]] = Bounded(MOST_PAIRS)
        self._ranked: Bounded[tuple[str, str, str], set[str]] = Bounded(MOST_PAIRS)

    def see(self, seen: Observation) -> None:
        name = seen.exchange.operation or ""
        if name not in READS or not seen.is_success or not seen.coverage.answer_body or not seen.answer:
            return
        alone = name == "getMatch"
        rows = [seen.answer] if alone else seen.rows
        self._echo(seen, alone)
        self._which_run(seen, name)
        found = {path for row in rows for path in goal_ids(row)}
        if rows:
            message = f"{sorted(found)[:3]} identify a goal"
            self.judge(not found, f"matching.goal_ids.{name}", seen, message)
        if rows and name == "listEventMatches":
            self._once(seen, rows)
        for row in rows:
            self._row(seen, row, alone)

    def _echo(self, seen: Observation, alone: bool) -> None:
        answer = seen.answer
        if alone:
            asked = [seen.parameters[name] for name in ("event_id", "principal_partner_id", "target_partner_id")]
            said = [answer.get(name) for name in ("event_id", "principal_attendee_id", "target_attendee_id")]
            message = f"the match of {asked} was asked for, this is one of {said}"
            if all(isinstance(one, str) for one in said):
                self.judge(asked == said, "matching.pair.ordered", seen, message)
            return
        for name in ("event_id", "attendee_id"):
            if name in seen.parameters:
                self.names(seen, "matching.echo", name, seen.parameters[name], answer.get(name))

    def _which_run(self, seen: Observation, name: str) -> None:
        said, asked = seen.answer.get("run_id"), seen.argument("run_id")
        if asked is not None:
            self.names(seen, f"matching.run_id.{name}", "run", asked, said)
            return
        if "run_id" in seen.query or "cursor" in seen.query or seen.org is None or not isinstance(said, str):
            return  # whether a walk stays with its run is open
        event_id = seen.parameters["event_id"]
        of_event = self.memory.match_runs.get((seen.org, event_id)) or []
        runs = {id: run for id in of_event if (run := self.memory.runs.get((seen.org, id))) is not None}
        shown_run = runs.get(said)
        if shown_run is None:
            return
        self._ended_run(seen, name, shown_run)
        ended = [run for run in runs.values() if _well_ended(run, seen)]
        for run in ended:
            if run.id != said and self._later(run, shown_run):
                message = f"run {said!r} is read; {run.id!r} is a later one that had ended"
                assert run.ended is not None
                if self.known(f"matching.latest_run.{name}"):
                    self.judge(False, f"matching.latest_run.{name}", seen, message, run.ended[1])
                return
        if ended and self.known(f"matching.latest_run.{name}"):
            self.tally.hold(f"matching.latest_run.{name}")

    def _later(self, run: RunRow, other: RunRow) -> bool:
        """Tell whether a run was started after another one was answered, and ended after it, too."""
        if run.started_by is None or other.started_by is None or run.ended is None or other.ended is None:
            return False
        later_end = after(run.ended[0].get("terminal_at"), other.ended[0].get("terminal_at"))
        return other.started_by.before(run.started_by) and later_end

    def _ended_run(self, seen: Observation, name: str, run: RunRow) -> None:
        requirement = f"matching.ended_run.{name}"
        if not self.known(requirement):
            return
        if run.ended is not None and run.ended[1].before(seen.trace):
            self.tally.hold(requirement)
        self._watched(seen, requirement, run)

    def _watched(self, seen: Observation, requirement: str, run: RunRow) -> None:
        """Ask with the next poll of the run whether it was still under way."""
        if run.ended is None and len(run.read_by) < 20:
            run.read_by.append((requirement, seen.trace))

    def _row(self, seen: Observation, row: dict[str, Any], alone: bool) -> None:
        principal, target = row.get("principal_attendee_id"), row.get("target_attendee_id")
        page = seen.answer
        if not alone:
            for name in ("event_id", "run_id"):
                if name in row and name in page:
                    message = f"a row of {name} {shown(row[name])} on a page of {shown(page[name])}"
                    self.judge(row[name] == page[name], "matching.rows.run", seen, message)
                    family = "attendee_matches" if "attendee_id" in seen.parameters else "event_matches"
                    if name == "run_id" and "run_id" in seen.query:
                        self.judge(row[name] == page[name], f"lists.{family}.run_filter", seen, message)
                    if name == "event_id" and family == "event_matches":
                        holds = row[name] == seen.parameters["event_id"]
                        self.judge(holds, "lists.event_matches.own_event", seen, message)
        if not isinstance(principal, str) or not isinstance(target, str):
            return
        attendee = seen.parameters.get("attendee_id")
        if attendee is not None:
            message = f"the list of {attendee!r} holds the match of {principal!r} and {target!r}"
            self.judge(attendee in (principal, target), "matching.attendee.involved", seen, message)
            self.judge(attendee == principal, "matching.attendee.principal", seen, message)
        run_id = page.get("run_id")
        if isinstance(run_id, str) and seen.org is not None:
            self._agrees(seen, row, alone, (seen.org, run_id, principal, target))
            if not alone and not set(seen.query) - {"limit", "cursor", "run_id"}:
                self._capped(seen, (seen.org, run_id, principal), target)

    def _agrees(self, seen: Observation, row: dict[str, Any], alone: bool, key: tuple[str, str, str, str]) -> None:
        """Require that one pair has one score in a run, wherever it is read."""
        score, match_id, before = row.get("final_score"), row.get("match_id"), self._pairs.get(key)
        run = self.memory.runs.get(key[:2])
        settled = run is not None and run.ended is not None and run.ended[1].before(seen.trace)
        if before is None:
            if settled:
                self._pairs.put(key, (score, match_id, seen.trace))
            return
        same = score == before[0] and (match_id is None or before[1] is None or match_id == before[1])
        name = "matching.pair.same_as_listed" if alone else "matching.attendee.same_scores"
        message = (
            f"the pair {key[2:]} scores {shown(score)} (match {shown(match_id)}), and {shown(before[:2])} elsewhere"
        )
        self.judge(same, name, seen, message, before[2])

    def _once(self, seen: Observation, rows: list[dict[str, Any]]) -> None:
        """Require that a run scores an ordered pair once."""
        pairs = Counter((row.get("principal_attendee_id"), row.get("target_attendee_id")) for row in rows)
        twice = [pair for pair, count in pairs.items() if count > 1 and all(isinstance(one, str) for one in pair)]
        message = f"the page shows the match of {twice[:1]} more than once"
        self.judge(not twice, "matching.event.pair_once", seen, message)

    def _capped(self, seen: Observation, key: tuple[str, str, str], target: str) -> None:
        """Require that no principal has more matches than the run's `top_n`."""
        run = self.memory.runs.get(key[:2])
        most = run.request.get("top_n") if run is not None and run.request is not None else None
        if not isinstance(most, int) or isinstance(most, bool):
            return
        targets = self._ranked.get(key) or set()
        targets.add(target)
        self._ranked.put(key, targets)
        message = f"{key[2]!r} has {len(targets)} matches in a run with a top_n of {most}"
        self.judge(len(targets) <= most, "matching.top_n.cap", seen, message)


def _well_ended(run: RunRow, seen: Observation) -> bool:
    """Tell whether a run had ended, and not failed, before an exchange began."""
    return (
        run.ended is not None
        and run.ended[1].before(seen.trace)
        and run.ended[0].get("status") in TERMINAL - {"failed"}
    )


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def goal_ids(value: Any, inside: str = "") -> Iterator[str]:
    """Return the members of a match that say more of a goal than score and direction."""
    if isinstance(value, list):
        for one in value:
            yield from goal_ids(one, inside)
    if isinstance(value, dict):
        for name, member in value.items():
            path = f"{inside}.{name}".lstrip(".")
            if (_words(path) & {"goal", "goals"} and _words(name) & {"id", "ids", "uuid", "uuids", "guid"}) or (
                inside in GOALS and (name not in ("score", "direction") or UUID.search(str(member)))
            ):
                yield path
            else:
                yield from goal_ids(member, path)

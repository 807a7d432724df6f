"""Matches: which run they are read from, whom they pair, and what they never show.

On a server that finds no matches at all nothing here that needs one can be judged. The order of the lists and
their paging are in test_lists.py and test_paging.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.polling import look_until
from meshi_conformance.errors import Inconclusive, NothingThere
from meshi_conformance.exchanges.checks import UUID
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.shared_parts import DEFAULT_TOP_N, SMALL_TOP_N

LISTS = ("listAttendeeMatches", "listEventMatches")
READS = (*LISTS, "getMatch")
GOAL_MEMBERS = ("best_goal_match", "driving_goal_pair")


def each(operations: tuple[str, ...], *families: str) -> pytest.MarkDecorator:
    """One test case for each operation, judging `<family>.<operation>`; a family of errors ends with its code."""

    def judged(name: str) -> list[str]:
        return [
            f"error.{name}.{family.removeprefix('error.')}" if family.startswith("error.") else f"{family}.{name}"
            for family in families
        ]

    return pytest.mark.parametrize(
        "operation", [pytest.param(name, marks=requirement(*judged(name)), id=name) for name in operations]
    )


def reading(operation: str, event_id: str, principal: str, target: str, run_id: str | None = None) -> Call:
    """A call that reads matches: of the event, of the principal, or of the pair."""
    path = {"event_id": event_id}
    if operation == "listAttendeeMatches":
        path["attendee_id"] = principal
    elif operation == "getMatch":
        path |= {"principal_partner_id": principal, "target_partner_id": target}
    query: dict[str, Any] = {} if operation == "getMatch" else {"limit": 100}
    if run_id is not None:
        query["run_id"] = run_id
    return Call(operation, path=path, query=query)


def of_somebody(operation: str, world: World, run_id: str | None = None) -> Call:
    """A call that reads matches of the event with several match runs; a pair is one with a score in the latest."""
    event_id = world.rematched.event_id
    if operation == "getMatch":
        return reading(operation, event_id, world.pair.principal, world.pair.target, run_id)
    return reading(operation, event_id, world.people.ids[0], world.people.ids[1], run_id)


def ends(row: JsonObject) -> tuple[str, str] | None:
    """Principal and target of a listed match; None where the row does not name both."""
    principal, target = row.get("principal_attendee_id"), row.get("target_attendee_id")
    return (principal, target) if isinstance(principal, str) and isinstance(target, str) else None


def matches(given: Given, event_id: str, run_id: str, attendee_id: str | None = None) -> list[JsonObject]:
    """Every listed match of a run, or of one attendee in it, that names its pair. Raises where there is none."""
    operation = "listEventMatches" if attendee_id is None else "listAttendeeMatches"
    call = reading(operation, event_id, attendee_id or "", "", run_id)
    read = lambda: [row for row in given.list_all(call.replace(query={"run_id": run_id})) if ends(row)]  # noqa: E731
    found = look_until(given.api, operation, read, bool)
    if not found:
        raise NothingThere(f"run {run_id} left no listed match that names its pair", "matching left no matches")
    return found


def matches_in(exchange: Exchange) -> list[JsonObject]:
    """The matches of an answer: a page's rows, or the one pair."""
    return [exchange.json] if exchange.operation == "getMatch" else exchange.items


# Which run is read


@each(READS, "matching.run_id")
def test_a_run_can_be_asked_for(operation: str, api: Api, given: Given, world: World) -> None:
    event_id, latest = world.rematched.event_id, world.rematched.run_id
    for run_id in (world.matched.run_id, latest):
        principal, target = world.people.ids[:2]
        if operation == "getMatch":
            principal, target = ends(matches(given, event_id, run_id)[0]) or ("", "")
        answer = api.send(reading(operation, event_id, principal, target, run_id))
        assert answer.is_success, f"{answer.summary}; {run_id} is a match run of the event that has ended"
        assert answer["run_id"] == run_id, f"run {run_id} was asked for, {answer['run_id']} is shown"


@each(READS, "matching.latest_run")
def test_the_latest_run_is_read_by_default(operation: str, api: Api, given: Given, world: World) -> None:
    latest, older = world.rematched.run_id, world.matched.run_id
    read = partial(api.send, of_somebody(operation, world))
    shown = given.require_success(look_until(api, operation, read, lambda page: page.json.get("run_id") == latest))[
        "run_id"
    ]
    assert shown == latest, f"run {shown} is read; {latest} is the latest that has ended, {older} the one before it"


@each(LISTS, "matching.ended_run")
def test_a_run_is_not_read_by_default_before_it_has_ended(operation: str, api: Api, given: Given, world: World) -> None:
    spent = world.spent
    call = reading(operation, spent.event_id, spent.ids[0], spent.ids[1])
    given.require_success(api.send(call))
    newer = given.run_id(api.create_match_run(spent.event_id, given.run_request()))
    page = api.send(call)
    assert page.is_success, f"{page.summary} while run {newer} is on its way; an earlier match run has ended"
    shown = page["run_id"]
    assert isinstance(shown, str), f"run {shown!r} is read although a match run of the event has ended"
    status = given.require_success(api.get_run(shown))["status"]
    assert status in ("succeeded", "partial", "failed"), (
        f"run {shown} is read, and it is still {status!r}; the newest run is {newer}"
    )
    with suppress(Inconclusive):  # the next operation is asked of the same event, at rest: that judges nothing here
        given.wait_for(newer, "createMatchRun")


def with_unknown_runs(operation: str, api: Api, given: Given, world: World) -> list[Exchange]:
    """The answers to an operation that is given an import run, and a run that never was, after its accepted twin."""
    latest = world.rematched.run_id
    given.require_success(api.send(of_somebody(operation, world, latest)))
    runs = (world.people.run_id, given.unknown_id_like(latest))
    return [api.send(of_somebody(operation, world, run_id)) for run_id in runs]


@each(READS, "matching.unknown_run")
def test_a_run_that_is_no_match_run_is_not_found(operation: str, api: Api, given: Given, world: World) -> None:
    for answer in with_unknown_runs(operation, api, given, world):
        is_refused = answer.status_and_code == (404, "MATCH_RUN_NOT_FOUND") or answer.status == 400
        assert is_refused, f"{answer.summary}; it is not a match run"


@each(READS, "error.MATCH_RUN_NOT_FOUND")
def test_a_missing_match_run_earns_its_code(operation: str, api: Api, given: Given, world: World) -> None:
    # What the code is for is only implied. Two things can earn it: an unknown run, which a server may
    # also call malformed, and an event without any run, which it may also read as empty.
    unknown = with_unknown_runs(operation, api, given, world)
    never_matched = api.send(reading(operation, world.roster.event_id, *world.roster.ids))
    # A server that looks up the pair first reports MATCH_NOT_FOUND for an unknown run.
    codes = ("MATCH_RUN_NOT_FOUND", *(["MATCH_NOT_FOUND"] if operation == "getMatch" else []))
    for answer in unknown:
        assert answer.status != 404 or answer.code in codes, f"{answer.summary}; documented: {codes[0]}"
        assert answer.status < 500, f"{answer.summary}; documented: 404 {codes[0]}"
    answers = (*unknown, never_matched)
    is_earned = any(answer.status_and_code == (404, codes[0]) for answer in answers)
    assert is_earned or any(answer.status == 400 for answer in unknown), (
        "neither a run that is not a match run nor an event without any earns 404 MATCH_RUN_NOT_FOUND: "
        + "; ".join(answer.summary for answer in answers)
    )


@each(READS, "matching.run_of_another_event")
def test_the_run_of_another_event_shows_no_match(operation: str, api: Api, given: Given, world: World) -> None:
    given.require_success(api.send(of_somebody(operation, world, world.rematched.run_id)))
    answer = api.send(of_somebody(operation, world, world.second.run_id))
    shown = len(matches_in(answer)) if answer.is_success else 0
    assert not shown, f"{answer.summary} with {shown} matches; the run belongs to another event"
    assert answer.status < 500, f"{answer.summary}; the run belongs to another event"


# What is not there


@requirement("error.listAttendeeMatches.ATTENDEE_NOT_FOUND")
def test_matches_of_an_unknown_attendee_are_not_found(api: Api, given: Given, world: World) -> None:
    event_id, known = world.rematched.event_id, world.people.ids[0]
    given.require_success(api.list_attendee_matches(event_id, known))
    answer = api.list_attendee_matches(event_id, given.name("unknown"))
    assert answer.status_and_code == (404, "ATTENDEE_NOT_FOUND"), answer.summary


@requirement("error.getMatch.ATTENDEE_NOT_FOUND")
@pytest.mark.parametrize("end", ["principal", "target"])
def test_a_pair_with_an_unknown_attendee_is_not_found(end: str, api: Api, given: Given, world: World) -> None:
    call = of_somebody("getMatch", world)
    given.require_success(api.send(call))
    answer = api.send(call.with_path(**{f"{end}_partner_id": given.name("unknown")}))
    assert answer.status_and_code == (404, "ATTENDEE_NOT_FOUND"), f"{answer.summary} to an unknown {end}"


@requirement("error.listEventMatches.SESSION_NOT_FOUND")
def test_matches_of_an_unknown_session_are_not_found(api: Api, given: Given, world: World) -> None:
    event_id = world.rematched.event_id
    given.require_success(api.list_event_matches(event_id, query={"session_id": world.sessions.ids[0]}))
    for query in ({}, {"run_id": world.rematched.run_id}, {"limit": 10}):
        answer = api.list_event_matches(event_id, query={"session_id": given.name("unknown"), **query})
        assert answer.status_and_code == (404, "SESSION_NOT_FOUND"), answer.summary


@requirement("error.getMatch.MATCH_NOT_FOUND")
@pytest.mark.parametrize("end", ["principal", "target"])
def test_a_pair_without_a_score_is_not_found(end: str, api: Api, given: Given, world: World) -> None:
    ranked = world.ranked
    principal, target = ends(matches(given, ranked.event_id, ranked.spelt_out)[0]) or ("", "")
    for run_id in (None, ranked.spelt_out):
        scored = reading("getMatch", ranked.event_id, principal, target, run_id)
        given.require_success(api.send(scored))
        # An attendee of the event who joined it after its last match run.
        answer = api.send(scored.with_path(**{f"{end}_partner_id": ranked.late}))
        assert answer.status_and_code == (404, "MATCH_NOT_FOUND"), f"{answer.summary}; the {end} joined after the run"


@requirement("matching.pair.itself")
def test_a_match_with_oneself_is_no_server_error(api: Api, world: World) -> None:
    someone = world.people.ids[0]
    path = {"event_id": world.rematched.event_id, "principal_partner_id": someone, "target_partner_id": someone}
    answer = api.send(Call("getMatch", path=path, any_code=True))
    assert answer.status < 500, answer.summary


# Whom they pair


@requirement("matching.echo")
@pytest.mark.parametrize("operation", LISTS)
def test_a_page_of_matches_says_what_it_is_about(operation: str, api: Api, given: Given, world: World) -> None:
    page = given.require_success(api.send(of_somebody(operation, world)))
    assert page["event_id"] == world.rematched.event_id
    if operation == "listAttendeeMatches":
        assert page["attendee_id"] == world.people.ids[0]


@requirement("matching.rows.run")
@pytest.mark.parametrize("operation", LISTS)
def test_rows_belong_to_the_run_of_their_page(operation: str, api: Api, given: Given, world: World) -> None:
    for run_id in (world.matched.run_id, None):
        page = given.require_success(api.send(of_somebody(operation, world, run_id)))
        for row in page.items:
            for name in ("event_id", "run_id"):
                said = row.get(name, page[name])
                assert said == page[name], f"a row of {name} {said} on a page of {name} {page[name]}"


@requirement("matching.event.own_attendees")
def test_an_event_matches_its_own_attendees(given: Given, world: World) -> None:
    event_id, second = world.rematched.event_id, world.second
    found = [(row, world.people.ids) for row in matches(given, event_id, world.matched.run_id)]
    found += [(row, world.people.ids) for row in matches(given, event_id, world.rematched.run_id)]
    # An event that was matched while another one had attendees already.
    listed = given.list_all(reading("listEventMatches", second.event_id, "", "", second.run_id))
    found += [(row, second.ids) for row in listed]
    for row, ours in found:
        assert {*(ends(row) or ())} <= set(ours), f"{ends(row)} is matched; the event's attendees are {sorted(ours)}"


@requirement("matching.event.pair_once")
def test_a_run_scores_an_ordered_pair_once(given: Given, world: World) -> None:
    for run_id in (world.matched.run_id, world.rematched.run_id):
        times = Counter(ends(row) for row in matches(given, world.rematched.event_id, run_id))
        twice = [pair for pair, count in times.items() if count > 1]
        assert not twice, f"pairs that run {run_id} lists more than once: {twice}"


@requirement("matching.attendee.involved", "matching.attendee.principal", "matching.attendee.same_scores")
def test_an_attendees_list_holds_that_attendees_matches(given: Given, world: World, judge: Judge) -> None:
    event_id, run_id = world.rematched.event_id, world.matched.run_id
    of_event = {ends(row): row.get("final_score") for row in matches(given, event_id, run_id)}
    principals = list(dict.fromkeys(pair[0] for pair in of_event if pair))[:2]
    for attendee_id in principals:
        own = matches(given, event_id, run_id, attendee_id)
        with judge("matching.attendee.involved"):
            for row in own:
                assert attendee_id in (ends(row) or ()), f"the list of {attendee_id} holds the match of {ends(row)}"
        with judge("matching.attendee.principal"):
            for row in own:
                assert (ends(row) or "")[0] == attendee_id, f"the list of {attendee_id} has principal {ends(row)}"
        with judge("matching.attendee.same_scores"):
            for row in own:
                score = row.get("final_score")
                listed = of_event.get(ends(row), score)
                assert score == listed, f"{ends(row)} scores {score} for the attendee and {listed} for the event"


@requirement("matching.event.holds_attendees", "matching.attendee.holds_event")
def test_the_lists_of_event_and_attendees_hold_the_same_pairs(given: Given, world: World, judge: Judge) -> None:
    # The older run has the default `top_n`, which is more than the targets that any of its attendees has.
    event_id, run_id = world.rematched.event_id, world.matched.run_id
    calls = [reading("listAttendeeMatches", event_id, one, "", run_id) for one in world.people.ids]
    of_attendees = {
        attendee_id: {pair for row in given.list_all(call) if (pair := ends(row))}
        for attendee_id, call in zip(world.people.ids, calls, strict=True)
    }
    if not any(of_attendees.values()):
        raise NothingThere("no attendee's list names a pair", "matching left no matches")
    of_event = {
        pair for row in given.list_all(reading("listEventMatches", event_id, "", "", run_id)) if (pair := ends(row))
    }
    with judge("matching.event.holds_attendees"):
        # Whether a run scores both orders of a pair is open, so either order will do.
        shown = {frozenset(pair) for pair in of_event}
        for attendee_id, pairs in of_attendees.items():
            missing = sorted(pair for pair in pairs if frozenset(pair) not in shown)
            assert not missing, f"{missing} of {attendee_id}'s list are missing from the event's list of run {run_id}"
    with judge("matching.attendee.holds_event"):
        for pair in sorted(of_event):
            own = of_attendees.get(pair[0], set())
            assert pair in own or len(own) >= DEFAULT_TOP_N, f"{pair} is missing from the list of its principal"


@requirement("matching.pair.ordered", "matching.pair.same_as_listed")
def test_a_pair_is_read_as_it_is_listed(api: Api, given: Given, world: World, judge: Judge) -> None:
    event_id, run_id = world.rematched.event_id, world.matched.run_id
    listed = matches(given, event_id, run_id)
    # Best and worst, and the reverse of the best where it has a score too.
    reverse = [row for row in listed if ends(row) == (ends(listed[0]) or ())[::-1]]
    for row in (listed[0], listed[-1], *reverse):
        pair = ends(row) or ("", "")
        match = api.send(reading("getMatch", event_id, *pair, run_id))
        with judge("matching.pair.ordered"):
            given.require_success(match)
            shown = match["event_id"], match["principal_attendee_id"], match["target_attendee_id"]
            assert shown == (event_id, *pair), f"the match of {pair} was asked for, this is one of {shown}"
        with judge("matching.pair.same_as_listed"):
            assert match.is_success, f"{match.summary}; the pair is listed in run {run_id}"
            for name in ("match_id", "final_score"):
                said = row.get(name, match[name])
                assert match[name] == said, f"`{name}` of {pair} is {said!r} in the list and {match[name]!r} alone"


# How many


def most_of_a_principal(given: Given, event_id: str, run_id: str) -> int:
    """Matches of the principal who has the most of them in a run."""
    return max(Counter((ends(row) or "")[0] for row in matches(given, event_id, run_id)).values())


@requirement("matching.top_n.cap")
def test_top_n_caps_the_matches_of_each_principal(given: Given, world: World) -> None:
    most = most_of_a_principal(given, world.rematched.event_id, world.rematched.run_id)
    assert most <= SMALL_TOP_N, f"a principal has {most} matches in a run with a top_n of {SMALL_TOP_N}"


@requirement("matching.top_n.default")
def test_top_n_is_ten_by_default(given: Given, world: World) -> None:
    ranked = world.ranked
    left_out = most_of_a_principal(given, ranked.event_id, ranked.left_out)
    spelt_out = most_of_a_principal(given, ranked.event_id, ranked.spelt_out)
    assert left_out == spelt_out, (
        f"a principal has up to {spelt_out} matches with a top_n of {DEFAULT_TOP_N}, and {left_out} without any"
    )


# What they never show


def words(name: str) -> set[str]:
    """The words of a member's name or path in any notation, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def goal_ids(value: Any, inside: str = "") -> Iterator[str]:
    """The members of a match that tell of a goal more than score and direction, or identify one anywhere else."""
    if isinstance(value, list):
        for one in value:
            yield from goal_ids(one, inside)
    if isinstance(value, dict):
        for name, member in value.items():
            path = f"{inside}.{name}".lstrip(".")
            identifies = words(path) & {"goal", "goals"} and words(name) & {"id", "ids", "uuid", "uuids", "guid"}
            if identifies or (inside in GOAL_MEMBERS and name not in ("score", "direction")):
                yield path
            elif inside in GOAL_MEMBERS and UUID.search(str(member)):
                yield f"{path} (a UUID)"
            else:
                yield from goal_ids(member, path)


@each(READS, "matching.goal_ids")
def test_no_goal_id_is_shown(operation: str, api: Api, given: Given, world: World) -> None:
    answer = given.require_success(api.send(of_somebody(operation, world)))
    found = {path for match in matches_in(answer) for path in goal_ids(match)}
    if not matches_in(answer):
        raise NothingThere(f"{answer.summary} without a match", "matching left no matches")
    assert not found, f"members that tell of a goal more than its score and direction: {sorted(found)}"

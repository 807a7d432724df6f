"""The parts of the shared data, and how each is built."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from ..client.call import Call
from ..errors import NothingThere, SetupFailed
from ..exchanges.exchange import Exchange
from .arrange import Given
from .large_import import largest_import, largest_list
from .rate_limit_probe import exhausted_window
from .shared_data import World
from .webhook_listener import watched_webhook

ATTENDEES = 8


CROWD = 120
"""Attendees of the event whose list needs more than one page of any size."""


SMALL_TOP_N = 2


RANKED = 18
"""Attendees of the event that shows the default `top_n`: each has more possible targets than that."""


DEFAULT_TOP_N = 10
"""The value of an omitted `top_n` (endpoint-reference, POST /events/:event_id/match-runs)."""


WEBHOOK = "https://example.com/conformance?of=runs&page=1"
"""A webhook's URL with all that a URL may have; it is never called."""


LONGEST_ID = 128
"""Characters of the longest partner ID (identity-and-ids, Field patterns)."""


def _event(given: Given, world: World) -> dict[str, Any]:
    """Create an event with every member set."""
    request = given.event_request()
    answer = given.require_success(given.api.create_event(request))
    return {"id": request["event_id"], "request": request, "created": answer.json}


def _sessions(given: Given, world: World) -> dict[str, Any]:
    """Create five sessions of the event, out of order, two of them starting at the same moment."""
    event_id = world.event.id
    requests = []
    for hour in (11, 9, 12, 10, 9):
        request = given.session_request(
            start_timestamp=f"2031-03-10T{hour:02d}:00:00Z", end_timestamp=f"2031-03-10T{hour:02d}:45:00Z"
        )
        given.require_success(given.api.create_session(event_id, request))
        requests.append(request)
    ids = [one["session_id"] for one in requests]
    given.settle(Call("listSessions", path={"event_id": event_id}), "session_id", ids)
    return {"event_id": event_id, "requests": requests, "ids": ids}


def _people(given: Given, world: World) -> dict[str, Any]:
    """Import attendees into the event and wait for the end; every collation orders their IDs alike."""
    event_id = world.event.id
    base = given.name("person")
    rows = [given.attendee(attendee_id=f"{base}{number:03d}") for number in range(ATTENDEES)]
    # Sent in another order than listed, so that a list in order of arrival shows up.
    request = given.import_request([*rows[3:], *rows[:3]], webhook_url=WEBHOOK)
    return {
        "event_id": event_id,
        "rows": rows,
        "ids": [row["attendee_id"] for row in rows],
        **_imported(given, event_id, request),
    }


def _enriched(given: Given, world: World) -> dict[str, Any]:
    """Enrich the event's attendees and wait for the end."""
    event_id = world.people.event_id
    request = given.run_request()
    return {
        "event_id": event_id,
        **_run(given, request, given.api.create_enrichment_run(event_id, request)),
    }


def _matched(given: Given, world: World) -> dict[str, Any]:
    """Match the event with the default `top_n` and wait for the end: the older of two runs."""
    event_id = world.enriched.event_id
    return {"event_id": event_id, **_matched_run(given, event_id, given.run_request())}


def _rematched(given: Given, world: World) -> dict[str, Any]:
    """Match the same event later with a small `top_n` and wait for the end: the latest run."""
    event_id = world.matched.event_id
    return {"event_id": event_id, **_matched_run(given, event_id, given.run_request(top_n=SMALL_TOP_N))}


def _pair(given: Given, world: World) -> dict[str, Any]:
    """Find an ordered pair of attendees that has a score in the latest match run."""
    event_id = world.rematched.event_id
    page = given.require_success(given.api.list_event_matches(event_id, query={"limit": 1}))
    rows = page.items
    if rows and {"principal_attendee_id", "target_attendee_id"} <= set(rows[0]):
        principal, target = rows[0]["principal_attendee_id"], rows[0]["target_attendee_id"]
        return {"event_id": event_id, "principal": principal, "target": target}
    # The members of a listed row are only implied: ask for the pairs themselves.
    for principal, target in itertools.permutations(world.people.ids, 2):
        if given.api.get_match(event_id, principal, target).is_success:
            return {"event_id": event_id, "principal": principal, "target": target}
    raise NothingThere("no pair of attendees has a match", "matching left no matches")


def _second(given: Given, world: World) -> dict[str, Any]:
    """Create another event of the org with attendees and a match run of its own."""
    event_id = given.event(title="Second Conformance Summit")
    rows = [given.attendee() for _ in range(3)]
    given.import_and_wait(event_id, rows)
    return {
        "event_id": event_id,
        "ids": [row["attendee_id"] for row in rows],
        **_matched_run(given, event_id, given.run_request()),
    }


def _theirs(given: Given, world: World) -> dict[str, Any]:
    """Create an event of the other org, with attendees of the IDs that our org has matched."""
    theirs = given.as_key("other")
    event_id = theirs.event(title="Conformance Summit of Another Org")
    theirs.import_and_wait(event_id, [theirs.attendee(attendee_id=one) for one in world.people.ids])
    return {"event_id": event_id}


def _empty(given: Given, world: World) -> dict[str, Any]:
    """Create an event that nothing is ever added to."""
    return {"event_id": given.event(title="Empty Conformance Summit")}


def _scratch(given: Given, world: World) -> dict[str, Any]:
    """Create an event that any test may write into."""
    return {"event_id": given.event(title="Scratch Conformance Summit")}


def _imports(given: Given, world: World) -> dict[str, Any]:
    """Create an event to import into that no test matches: matching grows with the square of its attendees."""
    return {"event_id": given.event(title="Import Conformance Summit")}


def longest_id(given: Given, what: str) -> str:
    """Return an unused ID as long as allowed, with every mark in it."""
    return f"{given.name(what)}.A_z:0-9".ljust(LONGEST_ID, "x")


def _long_event(given: Given, world: World) -> dict[str, Any]:
    """Create an event whose ID is as long as allowed."""
    title = "Long-named Conformance Summit"
    return {"event_id": given.event(event_id=longest_id(given, "event"), url_slug=None, title=title)}


def _long_session(given: Given, world: World) -> dict[str, Any]:
    """Create a session of that event whose ID is as long as allowed."""
    event_id = world.long_event.event_id
    return {"event_id": event_id, "session_id": given.session(event_id, session_id=longest_id(given, "session"))}


def _long_people(given: Given, world: World) -> dict[str, Any]:
    """Import two attendees of that event whose IDs are as long as allowed."""
    event_id = world.long_event.event_id
    rows = [given.attendee(attendee_id=longest_id(given, "attendee")) for _ in range(2)]
    given.import_and_wait(event_id, rows)
    return {"event_id": event_id, "ids": [row["attendee_id"] for row in rows]}


def _plain_run(given: Given, world: World) -> dict[str, Any]:
    """Start a run outside event scope."""
    request = given.generic_run_request("enrichment", webhook_url=WEBHOOK)
    answer = given.api.create_run(request)
    return {"run_id": given.run_id(answer), "request": request, "created": answer.json}


def _generic(given: Given, world: World) -> dict[str, Any]:
    """Start a run outside event scope of each kind, with every member sent."""
    runs = {}
    for kind in ("import", "enrichment", "match"):
        request = given.generic_run_request(kind, webhook_url=WEBHOOK)
        answer = given.api.create_run(request)
        runs[kind] = {"request": request, "run_id": given.run_id(answer), "answer": answer.json}
    return {"runs": runs}


def _queue(given: Given, world: World) -> dict[str, Any]:
    """Create an event with open reviews that no test resolves."""
    return _reviews(given, pairs=3)


def _decisions(given: Given, world: World) -> dict[str, Any]:
    """Create an event with an open review for each of the three decisions."""
    return _reviews(given, pairs=3)


def _merge(given: Given, world: World) -> dict[str, Any]:
    """Create an event with one pair of look-alikes, to be merged by one test."""
    return _reviews(given, pairs=1)


def _refusals(given: Given, world: World) -> dict[str, Any]:
    """Create an event with one pair of look-alikes whose review stays open: calls on it must be refused."""
    return _reviews(given, pairs=1)


def _waves(given: Given, world: World) -> dict[str, Any]:
    """Create an event with open reviews, to which one test adds later ones; none is resolved."""
    return _reviews(given, pairs=4)


def _crowd(given: Given, world: World) -> dict[str, Any]:
    """Create an event with more attendees than the largest page holds; every collation orders their IDs alike."""
    event_id = given.event(title="Crowded Conformance Summit")
    base = given.name("crowd")
    rows = [given.attendee(attendee_id=f"{base}{number:03d}") for number in range(CROWD)]
    ids = [row["attendee_id"] for row in rows]
    run = given.import_and_wait(event_id, [*rows[50:], *rows[:50]])
    given.settle(Call("listAttendees", path={"event_id": event_id}), "attendee_id", ids)
    return {"event_id": event_id, "ids": ids, "run": run}


def _history(given: Given, world: World) -> dict[str, Any]:
    """Create three attendees who look alike, and read each identity history before and after every decision.

    `stranger` is the history of an attendee unlike them, before the first decision and after the last.
    """
    event_id = given.event(title="Look-alike Conformance Summit")
    one = given.attendee()
    people = [one, *({**one, "attendee_id": given.name("attendee")} for _ in range(2))]
    ids = [row["attendee_id"] for row in people]
    stranger = given.attendee()
    given.import_and_wait(event_id, [*people, stranger])
    given.enrich_and_wait(event_id)

    def history_of(attendee_id: str) -> list[Any]:
        return given.require_success(
            given.api.list_attendee_identity(event_id, attendee_id, query={"limit": 100})
        ).items

    def histories() -> dict[str, list[Any]]:
        return {one: history_of(one) for one in ids}

    reviews = given.open_reviews(event_id)
    before = history_of(stranger["attendee_id"])
    moments, seen = [time.time()], [histories()]
    for review in reviews:
        moments.append(time.time())
        # A decision may settle the next review too: whatever is left is decided.
        given.api.resolve_review(review, {"decision": "distinct", "reason": "Checked."})
        seen.append(histories())
    strange = [before, history_of(stranger["attendee_id"])]
    return {"event_id": event_id, "ids": ids, "histories": seen, "moments": moments, "stranger": strange}


def _spent(given: Given, world: World) -> dict[str, Any]:
    """Create an event with an ended run of each kind, whose idempotency keys any test may send again."""
    event_id = given.event(title="Repeated Conformance Summit")
    rows = [given.attendee() for _ in range(3)]
    requests = {
        "importAttendees": given.import_request(rows, webhook_url=WEBHOOK),
        "createEnrichmentRun": given.run_request(webhook_url=WEBHOOK),
        "createMatchRun": given.run_request(webhook_url=WEBHOOK, top_n=5),
    }
    path = {"event_id": event_id}
    runs = {
        operation: _run(given, request, given.api.send(Call(operation, path=path, body=request)))
        for operation, request in requests.items()
    }
    given.settle_matches(event_id, runs["createMatchRun"]["run_id"])
    return {"event_id": event_id, "ids": [row["attendee_id"] for row in rows], "runs": runs}


def _ranked(given: Given, world: World) -> dict[str, Any]:
    """Match an event twice, with `top_n` left out and spelt out; one more attendee joins it afterwards."""
    event_id = given.event(title="Ranked Conformance Summit")
    rows = [given.attendee() for _ in range(RANKED)]
    given.import_and_wait(event_id, rows)
    left_out = given.match_and_wait(event_id)["run_id"]
    spelt_out = given.match_and_wait(event_id, top_n=DEFAULT_TOP_N)["run_id"]
    given.settle_matches(event_id, spelt_out)
    late = given.attendee()
    # Sent along with all the others: whether an import could also remove attendees is not documented.
    given.import_and_wait(event_id, [*rows, late])
    return {
        "event_id": event_id,
        "ids": [row["attendee_id"] for row in rows],
        "late": late["attendee_id"],
        "left_out": left_out,
        "spelt_out": spelt_out,
    }


def _roster(given: Given, world: World) -> dict[str, Any]:
    """Import twice into an event that is never enriched or matched."""
    event_id = given.event(title="Roster Conformance Summit")
    one, other, added = (given.attendee() for _ in range(3))
    # Everybody is sent again: whether an import could also take people away is not documented.
    runs = [given.import_and_wait(event_id, rows) for rows in ([one, other], [one, other, added])]
    given.settle(Call("listAttendees", path={"event_id": event_id}), "attendee_id", [added["attendee_id"]])
    return {
        "event_id": event_id,
        "ids": [one["attendee_id"], other["attendee_id"]],
        "rows": [one, added],
        "added": added["attendee_id"],
        "ended": [run["status"] for run in runs],
    }


def _rejections(given: Given, world: World) -> dict[str, Any]:
    """Create an event with one pair of look-alikes, for senseless merges and, at the end, a good one."""
    return _reviews(given, pairs=1)


def _playground(given: Given, world: World) -> dict[str, Any]:
    """Create an event that generated calls write into and no test reads. Generated sessions lie inside its dates."""
    dates = {"start_date": "2031-06-01", "end_date": "2031-07-31"}
    return {"event_id": given.event(title="Generated Conformance Summit", **dates)}


def _generated_reviews(given: Given, world: World) -> dict[str, Any]:
    """Create an event with open reviews for generated decisions; the last is for those to be refused."""
    return _reviews(given, pairs=4)


def _generated_merge(given: Given, world: World) -> dict[str, Any]:
    """Create an event with one pair of look-alikes, for a generated merge."""
    return _reviews(given, pairs=1)


def _window(given: Given, world: World) -> dict[str, Any]:
    """Provoke the rate limit, wait for its end, and return what happened."""
    return exhausted_window(given)


def _largest(given: Given, world: World) -> dict[str, Any]:
    """Try the largest import, and one with one row more, and return what came of them."""
    return largest_import(given)


def _largest_list(given: Given, world: World) -> dict[str, Any]:
    """Return how the attendees of the largest import are listed."""
    return largest_list(given, world.largest)


def _webhook(given: Given, world: World) -> dict[str, Any]:
    """Return what came to a webhook on this machine."""
    return watched_webhook(given)


def _reviews(given: Given, pairs: int) -> dict[str, Any]:
    event_id = given.event(title="Look-alike Conformance Summit")
    look_alikes = [given.look_alikes() for _ in range(pairs)]
    stranger = given.attendee()
    rows = [stranger, *(row for pair in look_alikes for row in pair)]
    given.import_and_wait(event_id, rows)
    request = given.run_request()
    run = _run(given, request, given.api.create_enrichment_run(event_id, request))
    ids = [[row["attendee_id"] for row in pair] for pair in look_alikes]
    try:
        reviews = given.open_reviews(event_id, at_least=pairs)
    except NothingThere:
        _require_mapped(given, [one for pair in ids for one in pair])
        raise
    given.settle(Call("listReviews"), "review_id", reviews)
    return {
        "event_id": event_id,
        "rows": rows,
        "pairs": ids,
        "stranger": stranger["attendee_id"],
        "reviews": reviews,
        **run,
    }


def _require_mapped(given: Given, ids: list[str]) -> None:
    """Raise SetupFailed where look-alikes were lost on their way: then no review of them could appear."""
    calls = [Call("getIdMapping", path={"kind": "attendee", "partner_id": one}) for one in ids]
    lost = [one for one, answer in zip(ids, given.api.send_concurrently(calls), strict=True) if answer.status == 404]
    if lost:
        raise SetupFailed(
            f"{len(lost)} of {len(ids)} imported attendees who share an e-mail with another are not mapped, such as "
            f"{lost[0]}: no review of them can appear",
            "an import drops rows that share an e-mail with another row",
        )


def _imported(given: Given, event_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """Keep what is needed of an ended import; wait until its attendees are listed, as far as they will be."""
    run = _run(given, request, given.api.import_attendees(event_id, request))
    ids = [row["attendee_id"] for row in request["attendees"]]
    given.settle(Call("listAttendees", path={"event_id": event_id}), "attendee_id", ids)
    return run


def _matched_run(given: Given, event_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """Keep what is needed of an ended match run; wait until its matches are listed, as far as they will be."""
    run = _run(given, request, given.api.create_match_run(event_id, request))
    given.settle_matches(event_id, run["run_id"])
    return run


def _run(given: Given, request: dict[str, Any], answer: Exchange) -> dict[str, Any]:
    """Wait for a run and keep its request, the first answer and every poll until its end."""
    polls = given.wait_for_run(answer)
    return {
        "request": request,
        "answer": answer.json,
        "run_id": answer["run_id"],
        "polls": [poll.json for poll in polls],
    }


PARTS: dict[str, Callable[[Given, World], dict[str, Any]]] = {
    "event": _event,
    "sessions": _sessions,
    "people": _people,
    "enriched": _enriched,
    "matched": _matched,
    "rematched": _rematched,
    "pair": _pair,
    "second": _second,
    "theirs": _theirs,
    "empty": _empty,
    "scratch": _scratch,
    "imports": _imports,
    "long_event": _long_event,
    "long_session": _long_session,
    "long_people": _long_people,
    "plain_run": _plain_run,
    "generic": _generic,
    "queue": _queue,
    "decisions": _decisions,
    "merge": _merge,
    "refusals": _refusals,
    "waves": _waves,
    "crowd": _crowd,
    "history": _history,
    "spent": _spent,
    "ranked": _ranked,
    "roster": _roster,
    "rejections": _rejections,
    "playground": _playground,
    "generated_reviews": _generated_reviews,
    "generated_merge": _generated_merge,
    "window": _window,
    "largest": _largest,
    "largest_list": _largest_list,
    "webhook": _webhook,
}
"""Part by name. A builder may read other parts; no two read each other."""


GENERATED_PARTS = ("playground", "generated_reviews", "generated_merge")
"""Parts that only generated calls use."""


NEEDS = {
    "theirs": ("other",),
    # Without a key of its own the probe would use up the window of all the tests beside it.
    "window": ("rate_limit", "probe"),
    # A remote server may process runs serially; the largest import would block all others.
    "largest": ("large", "loopback"),
    "largest_list": ("large", "loopback"),
    "webhook": ("loopback",),
}
"""What a target has to have before a part is built ahead: keys and capabilities, as requirements name them."""

"""Identity reviews, provoked with attendees who look alike: queues, decisions, merges and what they leave behind.

Nothing in the API forces a review to appear. Where none does, nothing here can be judged. Which of two
look-alikes a review is about, and how many reviews a pair gets, is open: no test depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from meshi_conformance.client.api import Api
from meshi_conformance.client.call import Call
from meshi_conformance.client.pagination import steps
from meshi_conformance.client.polling import look_until
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import Inconclusive, NothingThere, SetupFailed
from meshi_conformance.exchanges.exchange import Exchange
from meshi_conformance.exchanges.strict_json import JsonObject
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World

DECISIONS = ("accept", "reject", "distinct")
MALFORMED = "-conf malformed-"
"""No partner ID, no kind, and nothing that a server would make up."""

GARBAGE = (MALFORMED, "~" * 300)
"""What no server would issue as a review ID. What else is malformed is not documented."""

NO_SUCH_REVIEW = ((400, "INVALID_REVIEW_ID"), (404, "REVIEW_NOT_FOUND"))
"""How garbage in place of a review ID may be refused: as malformed, or as the ID of no review."""

MOST_PAGES = 20
MOST_LEFT = 12
"""Reviews that may be left of three pairs of look-alikes after three decisions."""

Merge = dict[str, Any]


# Queues


def event_queue(given: Given, event_id: str) -> list[str]:
    """The open reviews of an event."""
    return given.open_reviews(event_id, at_least=0)


def org_queue(api: Api, given: Given) -> Iterator[set[Any]]:
    """The reviews on each page of the org's queue, as far as one is willing to walk."""
    fetch = lambda query: given.require_success(api.list_reviews(query=query))  # noqa: E731
    for page in steps(fetch, {"limit": 100}, most_pages=MOST_PAGES):
        yield {row.get("review_id") for row in page.items}


def page_in_org_queue(api: Api, given: Given, review_id: str) -> int | None:
    """The page of the org's queue, counted from 1, that lists a review; None where no page does.

    Raises Inconclusive where the queue is too long to say so.
    """
    return next((number for number, page in enumerate(org_queue(api, given), 1) if review_id in page), None)


def subject(api: Api, given: Given, event_id: str, review_id: str) -> Any:
    """The attendee that the event's queue says a review is about; None where it does not say."""
    page = given.require_success(api.list_event_reviews(event_id, query={"limit": 100}))
    return next((row.get("partner_id") for row in page.items if row.get("review_id") == review_id), None)


@requirement("identity.queue.event")
def test_an_open_review_stays_in_the_queue_of_its_event(given: Given, world: World) -> None:
    queue = world.queue
    missing = set(queue.reviews) - set(event_queue(given, queue.event_id))
    assert not missing, f"unresolved reviews that are no longer listed: {sorted(missing)}"


@requirement("identity.queue.org")
def test_the_queue_of_the_org_lists_the_reviews_of_its_events(api: Api, given: Given, world: World) -> None:
    # The newest event beside one that others came after: a queue may lag behind.
    newest = given.event()
    given.import_and_wait(newest, given.look_alikes())
    given.enrich_and_wait(newest)
    for review_id in (*world.queue.reviews, *given.open_reviews(newest)):
        page = look_until(api, "listReviews", partial(page_in_org_queue, api, given, review_id), bool)
        assert page, f"{review_id} is in its event's queue and not in the org's"


# What attendees show


def review_counts(given: Given, event_id: str) -> dict[str, tuple[bool, int]]:
    """What the attendee list says of each attendee: whether a review is needed, and how many are open."""
    found = {}
    for row in given.list_all(Call("listAttendees", path={"event_id": event_id})):
        identity = row.get("identity")
        if isinstance(identity, JsonObject):
            required, count = identity.get("review_required"), identity.get("open_review_count")
            if isinstance(required, bool) and isinstance(count, int):
                found[str(row.get("attendee_id"))] = required, count
    if not found:
        raise SetupFailed("no attendee is listed with its open reviews", "attendees are listed without identity")
    return found


@requirement("identity.counts.consistent")
def test_review_is_required_where_reviews_are_open(given: Given, world: World) -> None:
    fits = lambda shown: all(required == (count > 0) for required, count in shown.values())  # noqa: E731
    shown = look_until(given.api, "listAttendees", lambda: review_counts(given, world.queue.event_id), fits)
    for attendee_id, (required, count) in shown.items():
        assert required == (count > 0), f"{attendee_id} has {count} open reviews and review_required {required}"


@requirement("identity.counts.open")
def test_open_reviews_are_counted_on_attendees(given: Given, world: World) -> None:
    queue = world.queue
    count = lambda: sum(count for _, count in review_counts(given, queue.event_id).values())  # noqa: E731
    counted = look_until(given.api, "listAttendees", count, lambda counted: counted >= len(queue.reviews))
    assert counted >= len(queue.reviews), f"{len(queue.reviews)} reviews are open, the attendees count {counted}"


@requirement("identity.history.asked_for")
def test_a_history_names_whose_it_is(api: Api, given: Given, world: World) -> None:
    people = world.people
    page = given.require_success(api.list_attendee_identity(people.event_id, people.ids[0]))
    assert (page["event_id"], page["attendee_id"]) == (people.event_id, people.ids[0])


@requirement("identity.history.own")
def test_a_history_holds_no_decision_about_others(world: World) -> None:
    history = world.history
    first, last = history.histories[0], history.histories[-1]
    if all(len(first[one]) == len(last[one]) for one in history.ids):
        raise SetupFailed("no decision was added to any history", "decisions are not added to identity histories")
    before, after = history.stranger
    assert len(after) == len(before), (
        f"decisions about others made the history of an attendee unlike them grow from {len(before)} to {len(after)}"
    )


def history_size(api: Api, given: Given, event_id: str, attendee_id: str) -> int:
    """Entries on the first page of an attendee's history."""
    page = api.list_attendee_identity(event_id, attendee_id, query={"limit": 100})
    return len(given.require_success(page).items)


# Decisions

EVERY_ANSWER = ("json", "correlation", "content_type", "server_errors", "boundary")
"""The families that an accepted answer is judged by besides its status and its shape."""

ANSWERED = (
    *("status.resolveReview.200", "schema.resolveReview.200"),
    *(f"{family}.resolveReview" for family in EVERY_ANSWER),
)


@requirement(
    *ANSWERED,
    *(f"identity.decision.{decision}" for decision in DECISIONS),
    *(f"identity.resolve.{aspect}" for aspect in ("review", "subject", "leaves_event_queue", "leaves_org_queue")),
    "identity.resolve.refused",
    *(
        f"error.resolveReview.{code}"
        for code in ("INVALID_REVIEW_ID", "INVALID_JSON", "INVALID_REVIEW_DECISION", "REVIEW_NOT_FOUND")
    ),
    "identity.resolve.settled",
    "identity.history.grows",
    "identity.counts.resolved",
)
def test_a_decision_resolves_a_review(api: Api, given: Given, world: World, judge: Judge) -> None:
    event_id, pairs = world.decisions.event_id, world.decisions.pairs
    people = [attendee_id for pair in pairs for attendee_id in pair]
    sizes: dict[Any, int] = {}
    with judge("identity.history.grows"):
        sizes.update({one: history_size(api, given, event_id, one) for one in people})
    done: set[str] = set()
    first = an_open_review(given, event_id, done)
    refused = refused_decisions(api, first)
    open_still = first in event_queue(given, event_id)
    with judge("identity.resolve.refused"):
        assert open_still, f"{first} is no longer open after refused decisions"
    for decision in DECISIONS:
        with judge(f"identity.decision.{decision}"):
            while True:
                review_id = an_open_review(given, event_id, done)
                done.add(review_id)
                page = page_before(api, given, review_id)
                answer = api.resolve_review(review_id, decided(decision))
                if answer.status_and_code != (404, "REVIEW_NOT_FOUND") or not leaves_queue(given, event_id, review_id):
                    break
                # An earlier decision had settled this one too, and the queue lagged behind.
            judge_answer(judge, given, answer, review_id, people)
            judge_resolved(judge, api, given, event_id, review_id, answer, page, "resolve")
            if decision == DECISIONS[0]:
                judge_refusals(judge, given, "resolveReview", refused, answer, open_still)
            else:  # whom an acceptance leaves, and so whose history, is open
                judge_history(judge, api, given, event_id, answer, sizes)
                with judge("identity.resolve.settled"):
                    ends = pair_of(given.require_success(answer).json.get("partner_id"), pairs)
                    again = api.merge_review(review_id, merge_of(ends))
                    assert again.status_and_code == (404, "REVIEW_NOT_FOUND"), (
                        f"{again.summary}; the review is resolved"
                    )
            assert answer.is_success, f"{answer.summary} to {decision!r} on an open review"
            assert answer["decision"] == decision, f"{decision!r} was sent, {answer['decision']!r} is named"
    with judge("error.resolveReview.REVIEW_NOT_FOUND"):
        unknown = api.resolve_review(given.unknown_id_like(first), decided("distinct"))
        assert unknown.status_and_code in NO_SUCH_REVIEW, f"{unknown.summary}; there is no such review"
    with judge("identity.counts.resolved"):
        for left in [one for one in event_queue(given, event_id) if one not in done][:MOST_LEFT]:
            given.require_success(api.resolve_review(left, decided("distinct")))
        if event_queue(given, event_id):
            raise SetupFailed(f"reviews of {event_id} stay open", "resolved reviews stay in the queue")
        flagged = look_until(api, "listAttendees", partial(still_flagged, given, event_id), lambda seen: not seen)
        assert not flagged, f"no review is open, and attendees are shown as (review_required, count) {flagged}"


def leaves_queue(given: Given, event_id: str, review_id: str) -> bool:
    """Whether the event's queue no longer lists a review, as soon as it may not lag."""
    queue = look_until(
        given.api, "listEventReviews", partial(event_queue, given, event_id), lambda ids: review_id not in ids
    )
    return review_id not in queue


def still_flagged(given: Given, event_id: str) -> dict[str, tuple[bool, int]]:
    """The attendees that the list shows with an open review."""
    return {one: shown for one, shown in review_counts(given, event_id).items() if shown != (False, 0)}


def decided(decision: str) -> dict[str, Any]:
    """A request that decides a review."""
    return {"decision": decision, "reason": "Checked by a conformance run."}


def an_open_review(given: Given, event_id: str, done: set[str]) -> str:
    """A review that is open now and not among those done: a decision may settle more than its own review."""
    for review_id in given.open_reviews(event_id):
        if review_id not in done:
            return review_id
    raise NothingThere(f"no further review of {event_id} is open", "too few reviews for every decision")


def refused_decisions(api: Api, review_id: str) -> dict[str, list[Exchange]]:
    """Decisions that must be refused, by the code that each is to earn."""
    call = Call("resolveReview", path={"review_id": review_id}, body=decided("distinct"))
    wrong = [call.with_body(decision=value) for value in ("maybe", "", ["accept", "reject"], {"accept": True})]
    calls = {
        "INVALID_JSON": [call.replace(content=b'{"decision": "distinct"')],
        "INVALID_REVIEW_DECISION": [call.without("decision"), *wrong],
        "INVALID_REVIEW_ID": [call.with_path(review_id=garbage) for garbage in GARBAGE],
    }
    return {code: [api.send(one) for one in several] for code, several in calls.items()}


def pair_of(attendee_id: Any, pairs: list[list[str]]) -> tuple[str, str]:
    """An attendee and the one who looks like it."""
    for one, other in pairs:
        if attendee_id in (one, other):
            return attendee_id, other if attendee_id == one else one
    raise NothingThere(f"the review is about {attendee_id!r}, who is not a look-alike", "reviews about somebody else")


def page_before(api: Api, given: Given, review_id: str) -> int | None:
    """The page of the org's queue that lists a review before it is resolved; None where that cannot be told."""
    try:
        return page_in_org_queue(api, given, review_id)
    except (AssertionError, Inconclusive):
        return None


def judge_refusals(
    judge: Judge, given: Given, operation: str, refused: dict[str, list[Exchange]], twin: Exchange, open_still: bool
) -> None:
    """The calls that were to earn a code each, believed for the sake of their accepted twin."""
    listed = {code: status for status, code in load().operations[operation].route_errors()}
    for code, exchanges in refused.items():
        expected = NO_SUCH_REVIEW if code == "INVALID_REVIEW_ID" else ((listed[code], code),)
        with judge(f"error.{operation}.{code}"):
            wrong = [exchange for exchange in exchanges if exchange.status_and_code not in expected]
            if wrong and not open_still and not any(exchange.is_success for exchange in wrong):
                raise SetupFailed(
                    f"{wrong[0].summary} after another call that was to be refused had resolved the review",
                    f"{operation} accepts what it should refuse",
                )
            assert not wrong, f"{wrong[0].summary}; documented: {' '.join(map(str, expected[0]))}"
            given.require_success(twin)


def judge_history(judge: Judge, api: Api, given: Given, event_id: str, answer: Exchange, sizes: dict[Any, int]) -> None:
    """Whether the history of the attendee that a decision was about is longer than before."""
    with judge("identity.history.grows"):
        about: Any = given.require_success(answer).json.get("partner_id")
        if about not in sizes:
            raise SetupFailed(f"the history of {about!r} before the decision is not known", "unknown subject")
        look = partial(history_size, api, given, event_id, about)
        now = look_until(api, "listAttendeeIdentity", look, lambda size: size > sizes[about])
        assert now > sizes[about], f"the history of {about} had {sizes[about]} entries before {answer.summary}"
        sizes[about] = now


def judge_success(judge: Judge, given: Given, answer: Exchange) -> None:
    """What holds for every answer, on one that used a review up."""
    for family in EVERY_ANSWER:
        name = f"{family}.{answer.operation}"
        with judge(name):
            broken = given.require_success(answer).violations_of(name)
            assert not broken, broken[0]


def judge_answer(judge: Judge, given: Given, answer: Exchange, review_id: str, people: list[str]) -> None:
    """The answer to a valid decision on an open review."""
    with judge("status.resolveReview.200"):
        assert answer.status == 200, f"{answer.summary}, documented is 200"
    with judge("schema.resolveReview.200"):
        given.require_success(answer)
        assert not answer.violations_of("schema.resolveReview.200"), answer.violations_of("schema.resolveReview.200")[0]
    judge_success(judge, given, answer)
    with judge("identity.resolve.review"):
        given.require_success(answer)
        assert answer["review_id"] == review_id, f"{review_id} was decided, {answer['review_id']!r} is named"
        assert answer["logged"] is True, f"`logged` is {answer['logged']!r}"
    with judge("identity.resolve.subject"):
        given.require_success(answer)
        assert answer["kind"] == "attendee", f"the review is about attendees, `kind` is {answer['kind']!r}"
        assert answer["partner_id"] in people, f"{answer['partner_id']!r} is not a look-alike of the event"


def judge_resolved(
    judge: Judge,
    api: Api,
    given: Given,
    event_id: str,
    review_id: str,
    answer: Exchange,
    page: int | None,
    how: str,
) -> None:
    """What must hold of a review after it was resolved; `page` is where the org's queue listed it before."""
    with judge(f"identity.{how}.leaves_event_queue"):
        given.require_success(answer)
        assert leaves_queue(given, event_id, review_id), f"{answer.summary}, and the event's queue still lists it"
    with judge(f"identity.{how}.leaves_org_queue"):
        given.require_success(answer)
        if page is None:
            raise SetupFailed(f"the org's queue did not list {review_id}", "the org's queue lacks open reviews")
        # Where it was, and one page on for the reviews that others have opened since.
        look = lambda: any(review_id in one for one in islice(org_queue(api, given), page + 1))  # noqa: E731
        listed = look_until(api, "listReviews", look, lambda listed: not listed)
        assert not listed, f"{answer.summary}, and the org's queue still lists it"
    with judge("identity.resolve.settled"):
        # The same decision sent again may be answered as before: another one is sent.
        taken = given.require_success(answer).json.get("decision")
        again = api.resolve_review(review_id, decided("reject" if taken == "distinct" else "distinct"))
        assert again.status_and_code == (404, "REVIEW_NOT_FOUND"), f"{again.summary}; the review is resolved"


# Merges


def merge_of(pair: tuple[str, str]) -> Merge:
    """A request to merge the first of two attendees into the second."""
    return {
        "source_kind": "attendee",
        "source_partner_id": pair[0],
        "target_kind": "attendee",
        "target_partner_id": pair[1],
        "reason": "Checked by a conformance run.",
    }


def reading_order(api: Api, given: Given, event_id: str, review_id: str, pair: list[str]) -> tuple[str, str]:
    """A pair with the attendee first that the queue says the review is about."""
    one, other = pair
    return (other, one) if subject(api, given, event_id, review_id) == other else (one, other)


def either_way(send: Callable[[tuple[str, str]], Exchange], pair: tuple[str, str]) -> Exchange:
    """The answer about a pair, or about the reverse pair where this server refuses the first one as a source.

    Which of two look-alikes a review is about, and so which one can be the source, is not documented.
    """
    answer = send(pair)
    if answer.code == "REVIEW_SOURCE_MISMATCH":
        return send((pair[1], pair[0]))
    return answer


MERGE_REFUSALS = (
    "INVALID_REVIEW_ID",
    "INVALID_JSON",
    "INVALID_PARTNER_KIND",
    "INVALID_PARTNER_ID",
    "REVIEW_SOURCE_MISMATCH",
    "PARTNER_ID_NOT_FOUND",
)


@requirement(
    *(f"{family}.mergeReview.200" for family in ("status", "schema", "shape")),
    *(f"{family}.mergeReview" for family in EVERY_ANSWER),
    *(f"error.mergeReview.{code}" for code in MERGE_REFUSALS),
    *(f"identity.merge.{aspect}" for aspect in ("review", "ends", "leaves_event_queue", "leaves_org_queue")),
    *(f"identity.merge.{aspect}" for aspect in ("refused", "target_stays")),
    "identity.resolve.settled",
    "error.mergeReview.REVIEW_NOT_FOUND",
)
def test_a_merge_resolves_a_review(api: Api, given: Given, world: World, judge: Judge) -> None:
    part = world.merge
    event_id, review_id = part.event_id, part.reviews[0]
    pair = reading_order(api, given, event_id, review_id, part.pairs[0])
    refused = refused_merges(api, given, review_id, pair, part.stranger)
    nowhere = api.merge_review(given.unknown_id_like(review_id), merge_of(pair))
    open_still = review_id in event_queue(given, event_id)
    with judge("identity.merge.refused"):
        assert open_still, f"{review_id} is no longer open after refused merges"
    page = page_before(api, given, review_id)
    sent: list[Merge] = []

    def merge(ends: tuple[str, str]) -> Exchange:
        sent.append(merge_of(ends))
        return api.merge_review(review_id, sent[-1])

    answer = either_way(merge, pair)
    with judge("status.mergeReview.200"):
        if not open_still:
            raise SetupFailed(f"{review_id} is not open", "mergeReview accepts what it should refuse")
        assert answer.status == 200, f"{answer.summary}, documented is 200"
    judge_success(judge, given, answer)
    for family in ("schema", "shape"):
        with judge(f"{family}.mergeReview.200"):
            broken = given.require_success(answer).violations_of(f"{family}.mergeReview.200")
            assert not broken, broken[0]
    judge_refusals(judge, given, "mergeReview", refused, answer, open_still)
    with judge("error.mergeReview.REVIEW_NOT_FOUND"):
        assert nowhere.status_and_code in NO_SUCH_REVIEW, f"{nowhere.summary}; there is no such review"
        given.require_success(answer)
    with judge("identity.merge.review"):
        given.require_success(answer)
        assert answer["review_id"] == review_id, f"{review_id} was merged, {answer['review_id']!r} is named"
        assert answer["merged"] is True, f"`merged` is {answer['merged']!r}"
    with judge("identity.merge.ends"):
        given.require_success(answer)
        for end in ("source", "target"):
            expected_end = {name: sent[-1][f"{end}_{name}"] for name in ("kind", "partner_id")}
            named = answer[end]
            assert isinstance(named, JsonObject), f"`{end}` is {named!r}"
            shown = {name: named[name] for name in expected_end}
            assert shown == expected_end, f"{end} {expected_end} was sent, {shown} is named"
    judge_resolved(judge, api, given, event_id, review_id, answer, page, "merge")
    with judge("error.mergeReview.REVIEW_NOT_FOUND"):
        # Both ends are attendees of the event: the review alone is what is missing.
        given.require_success(answer)
        ends = (part.stranger, sent[-1]["target_partner_id"])
        unknown = api.merge_review(given.unknown_id_like(review_id), merge_of(ends))
        assert unknown.status_and_code in NO_SUCH_REVIEW, f"{unknown.summary}; there is no such review"
    with judge("identity.merge.target_stays"):
        given.require_success(answer)
        target = sent[-1]["target_partner_id"]
        call = Call("listAttendees", path={"event_id": event_id})
        listed = given.list_until_shown(call, "attendee_id", [target])
        assert target in {row.get("attendee_id") for row in listed}, f"{target}, the target, is no longer listed"


def refused_merges(
    api: Api, given: Given, review_id: str, pair: tuple[str, str], stranger: str
) -> dict[str, list[Exchange]]:
    """Merges that must be refused, by the code that each is to earn."""
    call = Call("mergeReview", path={"review_id": review_id})

    def spoilt(**members: Any) -> Exchange:
        return either_way(lambda ends: api.send(call.replace(body={**merge_of(ends), **members})), pair)

    def spoilt_source(**members: Any) -> list[Exchange]:
        # A malformed source is also another one than the review's: either refusal is right.
        exchange = spoilt(**members)
        return [] if exchange.status_and_code == (400, "REVIEW_SOURCE_MISMATCH") else [exchange]

    refused = {
        "INVALID_JSON": [api.send(call.replace(content=b'{"source_kind": "attendee"'))],
        "INVALID_REVIEW_ID": [
            api.send(call.with_path(review_id=garbage).replace(body=merge_of(pair))) for garbage in GARBAGE
        ],
        "INVALID_PARTNER_KIND": [*spoilt_source(source_kind=MALFORMED), spoilt(target_kind=MALFORMED)],
        "INVALID_PARTNER_ID": [
            *spoilt_source(source_partner_id=MALFORMED),
            spoilt(target_partner_id=MALFORMED),
        ],
        "PARTNER_ID_NOT_FOUND": [spoilt(target_partner_id=given.name("unknown"))],
    }
    # Whether the target may be the attendee under review is as open as which of the two that is.
    strange = api.send(call.replace(body=merge_of((stranger, pair[1]))))
    if not strange.is_success and strange.code != "REVIEW_SOURCE_MISMATCH":
        strange = api.send(call.replace(body=merge_of((stranger, pair[0]))))
    return {**refused, "REVIEW_SOURCE_MISMATCH": [strange]}


@requirement("error.mergeReview.MERGE_REJECTED", "identity.merge.into_itself")
def test_a_merge_that_makes_no_sense_is_rejected(api: Api, given: Given, world: World, judge: Judge) -> None:
    part = world.rejections
    event_id, review_id = part.event_id, part.reviews[0]
    pair = reading_order(api, given, event_id, review_id, part.pairs[0])
    an_event = {"target_kind": "event", "target_partner_id": world.scratch.event_id}
    into_an_event = either_way(lambda ends: api.merge_review(review_id, {**merge_of(ends), **an_event}), pair)
    into_itself = either_way(lambda ends: api.merge_review(review_id, merge_of((ends[0], ends[0]))), pair)
    sensible = either_way(lambda ends: api.merge_review(review_id, merge_of(ends)), pair)
    with judge("identity.merge.into_itself"):
        if into_an_event.is_success:
            raise SetupFailed(f"{into_an_event.summary} into an event", "an attendee is merged into an event")
        assert into_itself.status_and_code in ((400, "MERGE_REJECTED"), (400, "REVIEW_SOURCE_MISMATCH")), (
            into_itself.summary
        )
        given.require_success(sensible)
    with judge("error.mergeReview.MERGE_REJECTED"):
        # What the code covers is open. A server may refuse these two with other codes that the pages list, and
        # then nothing is known that earns this one; it breaks the row by making up a refusal, or by carrying
        # out such a merge while it rejects none.
        rows = set(load().operations["mergeReview"].route_errors())
        answers = (into_an_event, into_itself)
        for answer in answers:
            assert answer.is_success or answer.status_and_code in rows, (
                f"{answer.summary}; documented: 400 MERGE_REJECTED"
            )
        if not any(answer.status_and_code == (400, "MERGE_REJECTED") for answer in answers):
            done = [answer.summary for answer in answers if answer.is_success]
            assert not done, f"{done[0]}: a merge into itself or into an event; documented: 400 MERGE_REJECTED"
            raise NothingThere(
                "neither a merge into itself nor one into an event earned MERGE_REJECTED: "
                + "; ".join(answer.summary for answer in answers),
                "what MERGE_REJECTED covers is not documented",
            )
        given.require_success(sensible)

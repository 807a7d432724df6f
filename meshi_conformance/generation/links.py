"""Walks along the links of the OpenAPI file: what one answer names, another operation must know.

A walker of our own rather than schemathesis' state machine: it follows every link in a few requests, calls each
operation once before a link starts from it, waits for runs where a link needs their result, never touches
strangers' reviews, and what it sends depends on the seed alone. docs/generated-tests.md gives the reasons.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..client.api import Api
from ..client.call import NOTHING, Call
from ..client.polling import poll_to_end
from ..contract.contract import Contract
from ..exchanges.exchange import Exchange
from ..testing.arrange import Given
from ..testing.valid_calls import Calls, check_baseline_call
from .budget import Meter, Plan


@dataclass(frozen=True)
class Link:
    """A link of the OpenAPI file: from an answer of `source` with `status` to the operation `target`."""

    source: str
    status: int
    name: str
    target: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def requirement(self) -> str:
        return f"generated.links.{self.source}"

    def __str__(self) -> str:
        return f"{self.source} {self.status} -> {self.name} -> {self.target}"


def links(contract: Contract) -> Iterator[Link]:
    """Return every link of the contract."""
    for entry in contract.document["paths"].values():
        for method in ("get", "post", "put"):
            for status, response in entry.get(method, {}).get("responses", {}).items():
                for name, link in response.get("links", {}).items():
                    yield Link(
                        entry[method]["operationId"],
                        int(status),
                        name,
                        link["operationId"],
                        tuple(link["parameters"].items()),
                    )


UNFOLLOWED = {
    ("listReviews", "resolveReview"): "the first review of the org may be a stranger's",
    ("listReviews", "mergeReview"): "the first review of the org may be a stranger's",
}
"""Links that a shared org forbids to follow, with the reason."""

MAY_BE_MISSING: dict[str, tuple[str, ...]] = {
    "listEventMatches": ("MATCH_RUN_NOT_FOUND",),
    "listAttendeeMatches": ("MATCH_RUN_NOT_FOUND",),
    "mergeReview": ("REVIEW_SOURCE_MISMATCH", "MERGE_REJECTED"),
}
"""Refusals of a link's target that break nothing: no match run has ended yet, or the merge is the wrong way round."""


GONE_WITH_A_MERGE = ("ATTENDEE_NOT_FOUND", "PARTNER_ID_NOT_FOUND", "MATCH_NOT_FOUND")
"""Refusals that name an attendee whom a merge of the walk may have given up."""


class Missing(Exception):
    """The answer names nothing that the link could follow: an empty page, say."""


def evaluate(expression: str, call: Call, exchange: Exchange) -> str:
    """Evaluate a runtime expression (OpenAPI 3.1, Runtime Expressions) in an exchange. Raise Missing."""
    if not expression.startswith("$"):
        return expression
    place, _, pointer = expression.partition("#")
    if place.startswith("$request.path."):
        return call.path[place.removeprefix("$request.path.")]
    value: Any = exchange.json if place == "$response.body" else call.body
    for step in filter(None, pointer.split("/")):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and value.get(step) is not None:
            value = value[step]
        else:
            raise Missing(f"{exchange.summary} has no {pointer}")
    if not isinstance(value, str):
        raise Missing(f"{pointer} of {exchange.summary} is not a text")
    return value


@dataclass(frozen=True)
class Broken:
    """A link whose target did not know what the source named."""

    link: Link
    exchange: Exchange
    what: str

    def __str__(self) -> str:
        return f"{self.link}: {self.what} (exchange {self.exchange.id})"


class Walk:
    """Follows links until all were followed or the budget is spent."""

    def __init__(self, api: Api, given: Given, calls: Calls, contract: Contract, plan: Plan) -> None:
        self._api = api
        self._calls = calls
        self._given = given
        self._contract = contract
        self._random = random.Random(f"{plan.seed}/links")
        # One walk needs six runs one after another, however slow they are.
        self._meter = Meter(plan.profile.walks, 6 * plan.profile.seconds)
        self._pairs: list[list[str]] = []
        self._rows: list[dict[str, Any]] = []
        self._decided: set[str] = set()
        self.links = [link for link in links(contract) if (link.source, link.target) not in UNFOLLOWED]
        self.followed: dict[Link, int] = {}
        self.broken: list[Broken] = []

    @property
    def requests(self) -> int:
        return self._meter.sent

    def run(self) -> None:
        """Make one walk after another, each through an event of its own."""
        while not self._meter.spent and not self.broken:
            self._through_an_event()
            if len(self.followed) == len(self.links) and self._meter.left < self._meter.sent:
                return

    def _through_an_event(self) -> None:
        """Make everything that a link can start from, in an order that the pages suggest, and follow on."""
        given, send = self._given, self._source
        pairs = [given.look_alikes(), given.look_alikes()]
        self._rows = [*pairs[0], *pairs[1]]
        self._pairs = [[row["attendee_id"] for row in pair] for pair in pairs]
        self._decided = set()
        event = self._follow_from(send(Call("createEvent", body=given.event_request())))
        event_id = event.call.path.get("event_id") or event.call.body["event_id"]
        path = {"event_id": event_id}
        steps: list[Callable[[], Call]] = [
            lambda: Call("createSession", path=path, body=given.session_request()),
            lambda: Call("updateEventContext", path=path, body={"objectives": f"Meet {given.name('walk')}."}),
            lambda: Call("getEvent", path=path),
            lambda: Call("getEventContext", path=path),
            lambda: Call("listSessions", path=path),
            lambda: Call("listEvents"),
            lambda: Call("listRuns"),
            lambda: Call("createRun", body=given.generic_run_request()),
        ]
        self._random.shuffle(steps)
        chain: list[Callable[[], Call]] = [
            lambda: Call("importAttendees", path=path, body=given.import_request(list(self._rows))),
            lambda: Call("createEnrichmentRun", path=path, body=given.run_request()),
            lambda: Call("createMatchRun", path=path, body=given.run_request(top_n=5)),
        ]
        # Two pages of reviews: the first review of the one is decided, that of the other merged.
        pages = ("listAttendees", "listEventMatches", "listEventReviews", "listEventReviews")
        reads = [Call(name, path=path) for name in pages]
        for make in chain:
            # The unhurried steps come at another place between the runs each time.
            for _ in range(self._random.randrange(4)):
                if steps:
                    self._step(steps.pop()())
            step = send(make())
            self._wait(step.exchange)
            self._follow_from(step)
            # The same call again is a replay, with links of its own.
            self._follow_from(send(step.call))
        while steps:
            self._step(steps.pop()())
        for call in reads:
            self._follow_from(send(call), every=True)

    def _step(self, call: Call) -> None:
        step = self._follow_from(self._source(call))
        if call.operation == "createRun":
            self._follow_from(self._source(step.call))

    def _source(self, call: Call) -> Step:
        """Make an accepted exchange to start from. Raise SetupFailed where it is refused."""
        exchange = self._send(call)
        self._given.require_success(exchange)
        return Step(call, exchange)

    def _send(self, call: Call) -> Exchange:
        self._meter.count()
        return self._api.send(call)

    def _wait(self, exchange: Exchange) -> None:
        polls = poll_to_end(self._api, self._given.run_id(exchange))
        self._meter.count(len(polls))

    def _follow_from(self, step: Step, depth: int = 0, every: bool = False) -> Step:
        """Follow the links of an accepted answer, least followed first; three links in a row at most.

        Those that were followed before are followed again now and then; with `every`, all of them.
        """
        call, exchange = step.call, step.exchange
        mine = [one for one in self.links if (one.source, one.status) == (call.operation, exchange.status)]
        self._random.shuffle(mine)
        mine.sort(key=lambda one: self.followed.get(one, 0))
        for link in mine:
            if self._meter.spent:
                return step
            again = every or not (depth or link.target in RUNS or self._random.random() < 0.7)
            if self.followed.get(link) and not again:
                continue
            if link.target in DECISIONS and (link.target in self._decided or exchange.id in self._decided):
                continue
            try:
                target = self._call(link, call, exchange)
            except Missing:
                continue
            answer = self._merged(target) if link.target == "mergeReview" else self._send(target)
            if link.target in DECISIONS:
                self._decided |= {link.target, exchange.id}
            if answer.is_success:
                self.followed[link] = self.followed.get(link, 0) + 1
            problem = self._problem(link, target, answer)
            if problem and not answer.is_success:
                check_baseline_call(self._api, self._calls, link.target)
            if problem:
                self.broken.append(Broken(link, answer, problem))
            elif answer.is_success and depth < 2 and link.target != "mergeReview":
                if link.target in RUNS:
                    # Rows of an import are there, and matches can be read, once the run has ended.
                    self._wait(answer)
                self._follow_from(Step(target, answer), depth + 1, every)
        return step

    def _call(self, link: Link, call: Call, exchange: Exchange) -> Call:
        values = {name: evaluate(expression, call, exchange) for name, expression in link.parameters}
        operation = self._contract.operations[link.target]
        names = {one["name"] for one in operation.path_parameters()}
        path = {name: value for name, value in values.items() if name in names}
        query = {name: value for name, value in values.items() if name not in names}
        return Call(link.target, path=path, query=query, body=self._body(link.target))

    def _body(self, target: str) -> Any:
        given = self._given
        bodies: dict[str, Callable[[], Any]] = {
            "updateEventContext": lambda: {"event_details": given.name("context")},
            "createSession": given.session_request,
            "importAttendees": self._import,
            "createEnrichmentRun": given.run_request,
            "createMatchRun": given.run_request,
            "resolveReview": lambda: {"decision": "distinct", "reason": "Checked."},
        }
        return bodies[target]() if target in bodies else NOTHING

    def _import(self) -> dict[str, Any]:
        """Import one more attendee along with all earlier ones: an import may replace those who are there."""
        self._rows.append(self._given.attendee())
        return self._given.import_request(list(self._rows))

    def _merged(self, call: Call) -> Exchange:
        """Return the answer to the first merge that fits the review: its pair and source are not known beforehand."""
        for source, target in [(one, other) for pair in self._pairs for one, other in (pair, pair[::-1])]:
            body = {
                "source_kind": "attendee",
                "source_partner_id": source,
                "target_kind": "attendee",
                "target_partner_id": target,
                "reason": "Checked.",
            }
            answer = self._send(call.replace(body=body))
            if answer.code not in MAY_BE_MISSING["mergeReview"]:
                if answer.is_success:
                    self._follow_from(Step(call.replace(body=body), answer), depth=1)
                return answer
        return answer

    def _problem(self, link: Link, call: Call, answer: Exchange) -> str:
        if not answer.is_success:
            if answer.status == 429 or answer.code in MAY_BE_MISSING.get(link.target, ()):
                return ""
            if (link.source, link.target) == ("resolveReview", "getIdMapping"):
                return ""  # what a decision does to its subject's mapping is open
            if "mergeReview" in self._decided and answer.code in GONE_WITH_A_MERGE:
                return ""  # what becomes of the attendee that was given up is open
            return f"{answer.summary}, though {link.source} named it"
        for name, value in call.path.items():
            shown = answer.json.get(name, value)
            if shown != value:
                return f"{answer.summary} is about {name} {shown!r}, asked for was {value!r}"
        return ""


@dataclass(frozen=True)
class Step:
    """A call with its answer."""

    call: Call
    exchange: Exchange


RUNS = frozenset({"importAttendees", "createEnrichmentRun", "createMatchRun"})
DECISIONS = frozenset({"resolveReview", "mergeReview"})


def summary(walk: Walk) -> dict[str, Any]:
    """Return the numbers of the report."""
    unfollowed = sorted(str(link) for link in walk.links if link not in walk.followed)
    return {
        "test": "links",
        "requests": walk.requests,
        "links": len(walk.links),
        "followed": len(walk.followed),
        "not_followed": unfollowed,
        "findings": [str(one) for one in walk.broken],
    }

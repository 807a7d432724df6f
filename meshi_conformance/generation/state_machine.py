"""Walks through the model that Hypothesis chooses, and the script that repeats one of them."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..client.api import Api
from ..contract.contract import Contract
from ..errors import Inconclusive, ServersFault, SetupFailed
from ..testing.arrange import Given
from ..testing.valid_calls import Calls
from .budget import Meter, Plan
from .model import BudgetExhausted, Disagreement, KnownDisagreement, Model, Run, Step, read_everything, smoke_walk
from .strategies import members_of_event, members_of_session, text

STEPS = 60
"""The longest walk, in rules."""
EVENTS = 2
"""The most events of one walk: what happens to one of them must not be spread too thin."""
MOST_FINDINGS = 4
SHRINK_REQUESTS = 400
"""What shortening one walk may cost beside the budget."""

Trace = list[tuple[str, dict[str, Any]]]
"""A walk as its rules with what was drawn for them."""


@dataclass
class Found:
    """A walk on which an answer differed from the model's, as short as it was found."""

    requirement: str
    message: str
    steps: list[Step]

    @property
    def exchange(self) -> str:
        return self.steps[-1].exchange.id


@dataclass
class Outcome:
    """What all walks found and did."""

    findings: list[Found]
    checked: set[str]
    walks: int
    requests: int
    longest: int
    trouble: Inconclusive | None = None


def explore(api: Api, given: Given, calls: Calls, contract: Contract, plan: Plan) -> Outcome:
    """Walk until the budget is spent. Each disagreement is shrunk, kept and left out of the walks after it."""
    meter = Meter(plan.profile.model, plan.profile.seconds)
    outcome = Outcome([], set(), 0, 0, 0)
    first = _first_walk(Model(api, given, calls, contract, meter), outcome)
    if first:
        outcome.findings.append(first)
    while not meter.spent and outcome.trouble is None and len(outcome.findings) < MOST_FINDINGS:
        muted = frozenset(one.requirement for one in outcome.findings)
        found = _search(api, given, calls, contract, plan, meter, muted, outcome)
        if found is None:
            break
        outcome.findings.append(found)
    outcome.requests = meter.sent
    return outcome


def _first_walk(model: Model, outcome: Outcome) -> Found | None:
    """Walk once through every part of the model, so that each was asked however small the budget is."""
    outcome.walks += 1
    try:
        smoke_walk(model)
    except Disagreement as problem:
        return Found(problem.requirement, problem.message, model.steps)
    except ServersFault as problem:
        outcome.trouble = SetupFailed(str(problem), "answers of another shape than documented")
    except Inconclusive as problem:
        outcome.trouble = problem
    except (BudgetExhausted, KnownDisagreement):
        pass
    finally:
        outcome.checked |= model.checked
        outcome.longest = max(outcome.longest, len(model.steps))
    return None


def _search(
    api: Api,
    given: Given,
    calls: Calls,
    contract: Contract,
    plan: Plan,
    meter: Meter,
    muted: frozenset[str],
    outcome: Outcome,
) -> Found | None:
    """Find the shortest walk on which the server disagrees with the model; None where there is none."""
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    failures: list[tuple[Found, Trace]] = []

    def failed(requirement: str, message: str, model: Model, trace: Trace) -> None:
        failures.append((Found(requirement, message, list(model.steps)), list(trace)))

    def make() -> Model:
        outcome.walks += 1
        return Model(api, given, calls, contract, meter, muted)

    machine = hypothesis.seed(plan.seed + len(muted))(_machine(make, failed, outcome))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=100_000,
                    stateful_step_count=STEPS,
                    database=None,
                    deadline=None,
                    print_blob=False,
                    report_multiple_bugs=False,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
    except BudgetExhausted as end:
        if isinstance(end.__cause__, Inconclusive):
            outcome.trouble = end.__cause__
    except (Disagreement, hypothesis.errors.Flaky):
        pass  # the first answer was wrong, whether or not it is wrong again: `failures` holds what was seen
    return _shortened(machine, failures, meter) if failures else None


def _shortened(machine: Any, failures: list[tuple[Found, Trace]], meter: Meter) -> Found:
    """Find the shortest walk that still breaks the same requirement.

    Hypothesis would shrink what it drew, a few choices at a time, and every try is a walk on the target: leaving
    out whole rules, half of them at once at first, gets there with fewer requests. They are outside the budget.
    """
    best, trace = failures[0]
    left, meter.left = meter.left, SHRINK_REQUESTS
    size = len(trace) // 2
    try:
        while size:
            start = 1  # the first rule makes the event that all others need
            while start < len(trace):
                shorter = trace[:start] + trace[start + size :]
                known = len(failures)
                _walk(machine, shorter)
                again = [one for one in failures[known:] if one[0].requirement == best.requirement]
                if again:
                    best, trace = again[0]
                else:
                    start += size
            size //= 2
    except BudgetExhausted:
        pass
    meter.left = left
    return best


def _walk(machine: Any, trace: Trace) -> None:
    """Take the rules of a trace once more, as far as they apply."""
    walker = machine()
    try:
        for name, arguments in trace:
            getattr(walker, name)(**arguments)
        walker.teardown()
    except Disagreement:
        pass


def _machine(make: Callable[[], Model], failed: Callable[[str, str, Model, Trace], None], outcome: Outcome) -> type:
    """Build the rules as Hypothesis knows them. Each draws from what the model holds and calls one of its methods."""
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

    pick = st.integers(0, 10_000)
    fields = st.dictionaries(
        st.sampled_from(("event_details", "objectives", "welcome_instructions")), text(300), min_size=1, max_size=3
    )
    long_context = st.sampled_from(("event_details", "objectives", "welcome_instructions")).map(
        lambda name: {name: "x" * 4001}
    )
    bad_event = st.sampled_from(
        [
            ("title", "", "INVALID_TITLE"),
            ("title", "x" * 201, "INVALID_TITLE"),
            ("title", None, "INVALID_TITLE"),
            ("description", "x" * 4001, "INVALID_DESCRIPTION"),
            ("start_date", "someday", "INVALID_START_DATE"),
            ("end_date", "someday", "INVALID_END_DATE"),
            ("timezone", "x" * 129, "INVALID_TIMEZONE"),
            ("visibility", "x" * 33, "INVALID_VISIBILITY"),
            ("url_slug", "x" * 129, "INVALID_URL_SLUG"),
        ]
    )
    bad_session = st.sampled_from(
        [
            ("title", "", "INVALID_TITLE"),
            ("title", None, "INVALID_TITLE"),
            ("start_timestamp", "some time", "INVALID_START_TIMESTAMP"),
            ("end_timestamp", "some time", "INVALID_END_TIMESTAMP"),
        ]
    )
    row = st.fixed_dictionaries({"name": text(60)}, optional={"title": text(80), "company": text(80)})
    bad_row = st.sampled_from(
        [
            ({"name": ""}, "INVALID_ATTENDEE_NAME"),
            ({"name": "x" * 241}, "INVALID_ATTENDEE_NAME"),
            ({"title": "x" * 513}, "INVALID_ATTENDEE_TITLE"),
            ({"company": "x" * 513}, "INVALID_ATTENDEE_COMPANY"),
            ({"raw_data": "no object"}, "INVALID_ATTENDEE_RAW_DATA"),
            ({"attendee_id": "-malformed"}, "INVALID_PARTNER_ID"),
        ]
    )
    event_runs = st.sampled_from(("createEnrichmentRun", "createMatchRun"))
    run_members = st.sampled_from(({}, {"webhook_url": "https://hooks.example.com/conformance"}))

    def kept(guard: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
        """Keep a rule and its arguments in the trace; where a shortened walk has nothing for it, it does nothing."""

        def decorate(function: Any) -> Any:
            @functools.wraps(function)
            def take(self: Any, **arguments: Any) -> None:
                if not self.over and (guard is None or guard(self)):
                    self.trace.append((function.__name__, arguments))
                    function(self, **arguments)

            return precondition(guard)(take) if guard else take

        return decorate

    class Machine(RuleBasedStateMachine):
        """One walk."""

        def __init__(self) -> None:
            super().__init__()
            self.model = make()
            self.trace: Trace = []
            self.over = False

        def do(self, action: Callable[..., Any], *arguments: Any) -> Any:
            """Do one thing; an answer that cannot be read is checks.py's finding and ends the walk."""
            model = self.model
            if self.over:
                return None
            try:
                return action(*arguments)
            except KnownDisagreement:
                self.over = True
            except Disagreement as problem:
                failed(problem.requirement, problem.message, model, self.trace)
                raise
            except (ServersFault, TypeError, AttributeError, KeyError) as problem:
                if model.steps and model.steps[-1].exchange.violations:
                    raise BudgetExhausted from SetupFailed(str(problem), "answers of another shape than documented")
                if isinstance(problem, ServersFault):
                    raise BudgetExhausted from SetupFailed(str(problem), "answers of another shape than documented")
                raise
            except Inconclusive as problem:
                raise BudgetExhausted from problem
            finally:
                outcome.checked |= model.checked
                outcome.longest = max(outcome.longest, len(model.steps))

        def event(self, number: int) -> Any:
            events = list(self.model.events.values())
            # Two picks of three fall on the latest event, so that more happens to one of them.
            return events[min(number % 3, len(events) - 1)]

        def teardown(self) -> None:
            """Read everything once more at the end of a walk, also what no rule came back to."""
            if sys.exc_info()[1] is None and not self.over:
                self.do(read_everything, self.model)

        @initialize(members=members_of_event())
        @kept()
        def begin(self, members: dict[str, Any]) -> None:
            model = self.model
            self.do(model.create_event, members)

        @rule()
        @kept()
        def rest(self) -> None:
            """Do nothing: Hypothesis begins with the walk that repeats its simplest rule, which should cost nothing."""

        @rule(members=members_of_event(), retry=st.booleans())
        @kept(lambda self: len(self.model.events) < EVENTS)
        def create_event(self, members: dict[str, Any], retry: bool) -> None:
            self.do(self.model.create_event, {**members, "_retry": retry})

        @rule(at=pick, members=members_of_event())
        @kept()
        def create_event_again(self, at: int, members: dict[str, Any]) -> None:
            event = self.event(at)
            self.do(self.model.create_event_again, event, members)
            self.do(self.model.read_event, event)

        @rule(members=members_of_event(), bad=bad_event)
        @kept()
        def create_bad_event(self, members: dict[str, Any], bad: tuple[str, Any, str]) -> None:
            self.do(self.model.create_bad_event, members, *bad)

        @rule(at=pick, values=fields)
        @kept()
        def update_context(self, at: int, values: dict[str, str]) -> None:
            self.do(self.model.update_context, self.event(at), values)

        @rule(at=pick, body=st.one_of(st.just({}), long_context), then=st.one_of(st.none(), fields))
        @kept()
        def update_context_badly(self, at: int, body: dict[str, Any], then: dict[str, str] | None) -> None:
            event = self.event(at)
            self.do(self.model.update_context_badly, event, body)
            if then:
                self.do(self.model.update_context, event, then)
            self.do(self.model.read_context, event)

        @rule(at=pick, members=members_of_session(), retry=st.booleans())
        @kept()
        def create_session(self, at: int, members: dict[str, Any], retry: bool) -> None:
            self.do(self.model.create_session, self.event(at), {**members, "_retry": retry})

        @rule(at=pick, other=pick, members=members_of_session())
        @kept(lambda self: any(one.sessions for one in self.model.events.values()))
        def create_session_again(self, at: int, other: int, members: dict[str, Any]) -> None:
            owner, session_id = self.session(at)
            self.do(self.model.create_session_again, self.event(other), owner, session_id, members)
            self.do(self.model.read_session, owner, session_id)

        @rule(at=pick, members=members_of_session(), bad=bad_session)
        @kept()
        def create_bad_session(self, at: int, members: dict[str, Any], bad: tuple[str, Any, str]) -> None:
            self.do(self.model.create_bad_session, self.event(at), members, *bad)

        def session(self, number: int) -> Any:
            all_of_them = [(event, one) for event in self.model.events.values() for one in event.sessions]
            return all_of_them[number % len(all_of_them)]

        @rule(what=st.sampled_from(("event", "context", "sessions", "attendees", "mapping", "session", "run")), at=pick)
        @kept()
        def look(self, what: str, at: int) -> None:
            """Read one thing; all the others are read at the end."""
            model, event = self.model, self.event(at)
            if what == "mapping":
                self.do(model.read_mapping, *self.mapped(at))
            elif what == "session" and event.sessions:
                ids = list(event.sessions)
                self.do(model.read_session, event, ids[at % len(ids)])
                for other in model.events.values():
                    if other is not event:
                        self.do(model.read_session_elsewhere, other, ids[at % len(ids)])
            elif what == "run" and model.runs:
                run = self.run(at)
                self.do(model.wait if at % 2 and run.event else model.read_run, run)
            else:
                reads = {
                    "event": model.read_event,
                    "context": model.read_context,
                    "attendees": model.list_attendees,
                }
                self.do(reads.get(what, model.list_sessions), event)

        def mapped(self, number: int) -> tuple[str, str]:
            events = self.model.events.values()
            ids = [("event", one.id) for one in events]
            ids += [("session", one) for event in events for one in event.sessions]
            ids += [
                ("attendee", id)
                for event in events
                for id, one in event.attendees.items()
                if one.sure and not (event.decided or event.enriched)
            ]
            return ids[number % len(ids)]

        @rule(at=pick, rows=st.lists(row, min_size=1, max_size=4), again=st.lists(pick, max_size=2))
        @kept()
        def import_rows(self, at: int, rows: list[dict[str, Any]], again: list[int]) -> None:
            event = self.event(at)
            known = list(event.attendees)
            ids = list(dict.fromkeys(known[one % len(known)] for one in again)) if known else []
            ids = (ids + [self.model.given.name("attendee") for _ in rows])[: len(rows)]
            self.do(
                self.model.import_rows, event, [{"attendee_id": id, **one} for id, one in zip(ids, rows, strict=True)]
            )
            self.do(self.model.list_attendees, event)

        @rule(at=pick, bad=st.one_of(st.none(), bad_row), first=st.booleans())
        @kept()
        def import_badly(self, at: int, bad: tuple[dict[str, Any], str] | None, first: bool) -> None:
            good = self.model.given.attendee()
            members, code = bad or ({"attendee_id": good["attendee_id"]}, "DUPLICATE_ATTENDEE_ID")
            spoilt = {**self.model.given.attendee(), **members}
            self.do(self.model.import_badly, self.event(at), [spoilt, good] if first else [good, spoilt], code)

        @rule(at=pick, operation=event_runs, members=run_members)
        @kept()
        def start(self, at: int, operation: str, members: dict[str, Any]) -> None:
            self.do(self.model.start, operation, self.event(at), members)

        @rule(kind=st.sampled_from(("import", "enrichment", "match")), members=run_members)
        @kept()
        def start_outside(self, kind: str, members: dict[str, Any]) -> None:
            self.do(self.model.start, "createRun", None, {"kind": kind, **members})

        def run(self, number: int) -> Run:
            return self.model.runs[number % len(self.model.runs)]

        @rule(at=pick, changed=st.booleans())
        @kept(lambda self: self.model.runs)
        def replay(self, at: int, changed: bool) -> None:
            run = self.run(at)
            body = None
            if changed and run.operation == "importAttendees":
                body = {"attendees": [self.model.given.attendee()]}
            self.do(self.model.replay, run, body)
            if body:
                # What a replay brings along is not imported: the run is the first call's.
                event = self.model.events[str(run.event)]
                self.do(self.model.list_attendees, event, "imports.replay.imports_nothing")

        @rule(
            at=pick, other=pick, operation=st.sampled_from(("importAttendees", "createEnrichmentRun", "createMatchRun"))
        )
        @kept(lambda self: any(one.event for one in self.model.runs))
        def misuse(self, at: int, other: int, operation: str) -> None:
            runs = [one for one in self.model.runs if one.event]
            run, event = runs[at % len(runs)], self.event(other)
            if (run.operation, run.event) != (operation, event.id):
                self.do(self.model.misuse, run, operation, event)

        @rule(at=pick, more=st.booleans())
        @kept(lambda self: len(self.model.reviews) < 2)
        def open_reviews(self, at: int, more: bool) -> None:
            """Enrich two rows of one person: a review may appear, and need not."""
            event = self.event(at)
            if event.decided and not more:
                return
            rows = self.model.given.look_alikes()
            self.do(self.model.import_rows, event, rows)
            run = self.do(self.model.start, "createEnrichmentRun", event, {})
            self.do(self.model.wait, run)
            self.do(self.model.find_reviews, event)

        @rule(
            at=pick,
            decision=st.sampled_from(("accept", "reject", "distinct")),
            again=st.sampled_from(("accept", "reject", "distinct")),
        )
        @kept(lambda self: self.model.reviews)
        def decide(self, at: int, decision: str, again: str) -> None:
            reviews = sorted(self.model.reviews)
            review_id = reviews[at % len(reviews)]
            event = self.model.events[self.model.reviews[review_id]]
            if at % 2:
                self.do(self.model.decide_badly, review_id, "perhaps")
            self.do(self.model.decide, review_id, decision)
            self.do(self.model.find_reviews, event)
            self.do(self.model.decide_again, review_id, again, decision)

    return Machine


# The script

"""Overlapping calls from several clients on the same few rows, and the check that some legal order explains them.

A history is a list of operations with the moments between which each took effect. A read may show what was
written before it began, or what was written while it was under way; it may not show less than what was
acknowledged before it began, nor less than what an earlier read has shown.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..client.polling import TERMINAL, look_until, poll_to_end
from ..errors import Inconclusive, NothingThere, SetupFailed
from ..exchanges.exchange import Exchange
from ..testing.arrange import Given
from .budget import Meter, Plan

CLIENTS = 6
"""How many clients call at once."""

UNWRITTEN = 10_000
"""Version of a text that was never written: it sorts after every real version."""


@dataclass(frozen=True)
class Moment:
    """One operation of a history: when it began and ended, in seconds, and what it wrote or showed."""

    began: float
    ended: float
    value: int
    exchange: Exchange


@dataclass(frozen=True)
class Illegal:
    """No order explains what was seen. `requirement` is what that breaks."""

    requirement: str
    message: str
    exchange: Exchange


def timed(send: Callable[[], Exchange], value: Callable[[Exchange], int]) -> Moment:
    """Make one call and keep when it began and ended."""
    began = time.monotonic()
    exchange = send()
    return Moment(began, time.monotonic(), value(exchange), exchange)


def went_back(writes: list[Moment], reads: list[Moment]) -> tuple[Moment, str] | None:
    """Return the first read that shows less than was acknowledged, or shown, before it began, or None."""
    for read in reads:
        written = max((one.value for one in writes if one.ended < read.began), default=0)
        if read.value < written:
            return read, f"it shows version {read.value}, though version {written} was acknowledged before it began"
        shown = max((one.value for one in reads if one.ended < read.began), default=0)
        if read.value < shown:
            return read, f"it shows version {read.value}, though an earlier read had shown version {shown}"
        begun = max((one.value for one in writes if one.began < read.ended), default=0)
        if read.value > begun:
            what = "a text" if read.value == UNWRITTEN else f"version {read.value}"
            return read, f"it shows {what}, although no write of it had begun"
    return None


class Histories:
    """Makes histories until the budget is spent; every kind at least once."""

    def __init__(self, api: Api, given: Given, plan: Plan) -> None:
        self._api = api
        self._given = given
        self._random = random.Random(f"{plan.seed}/histories")
        self._meter = Meter(plan.profile.histories, plan.profile.seconds)
        self.illegal: list[Illegal] = []
        self.judged: set[str] = set()
        self.trouble: dict[str, Inconclusive] = {}
        self.made = 0

    @property
    def requests(self) -> int:
        return self._meter.sent

    def run(self) -> None:
        """Run each kind of history once, then again in an order that the seed decides."""
        kinds = [
            self._event_once,
            self._session_once,
            self._one_run,
            self._context,
            self._two_writers,
            self._found_at_once,
            self._imports,
            self._decisions,
        ]
        for history in kinds:
            self._make(history)
        while not self._meter.spent:
            self._make(self._random.choice(kinds))

    def _make(self, history: Callable[[], None]) -> None:
        self.made += 1
        try:
            history()
        except (SetupFailed, NothingThere) as problem:
            self.trouble[history.__name__] = problem
            self._meter.count(5)

    # Tools

    def _send(self, call: Call) -> Exchange:
        self._meter.count()
        return self._api.send(call)

    def _together(self, calls: list[Call]) -> list[Exchange]:
        """Make the calls, begun at the same moment as nearly as threads allow."""
        gate = threading.Barrier(len(calls))

        def one(call: Call) -> Exchange:
            gate.wait(timeout=30)
            return self._send(call)

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(one, calls))

    def _listed(self, operation: str, event_id: str, holds: Callable[[set[Any]], bool]) -> Exchange:
        """Read the first page of a list again until it holds, as long as it may lag behind a write."""
        call = Call(operation, path={"event_id": event_id}, query={"limit": 100})

        def enough(page: Exchange) -> bool:
            return not page.is_success or page.next_cursor is not None or holds(_ids(page))

        return look_until(self._api, operation, partial(self._send, call), enough)

    def _event(self) -> str:
        self._meter.count()
        return self._given.event(title="Concurrent Conformance Summit")

    def _judge(self, requirement: str, holds: bool, message: Callable[[], str], exchange: Exchange) -> None:
        self.judged.add(requirement)
        if not holds and requirement not in {one.requirement for one in self.illegal}:
            self.illegal.append(Illegal(requirement, message(), exchange))

    # Created once

    def _event_once(self) -> None:
        event_id = self._given.name("event")
        calls = [
            Call("createEvent", body=self._given.event_request(event_id=event_id, title=f"Version {number}"))
            for number in range(CLIENTS)
        ]
        answers = self._together(calls)
        winners = [(call, answer) for call, answer in zip(calls, answers, strict=True) if answer.is_success]
        self._one_of("events.create.once", answers)
        if len(winners) == 1:
            shown = self._send(Call("getEvent", path={"event_id": event_id}))
            title = winners[0][0].body["title"]
            self._judge(
                "generated.histories.winner",
                shown.is_success and shown.json.get("title") == title,
                lambda: (
                    f"{shown.summary} with title {shown.json.get('title')!r}; the creation of {title!r} was accepted"
                ),
                shown,
            )

    def _session_once(self) -> None:
        """Create one session ID in two events of the org at once."""
        events = [self._event(), self._event()]
        session_id = self._given.name("session")
        calls = [
            Call(
                "createSession",
                path={"event_id": events[number % 2]},
                body=self._given.session_request(session_id=session_id, title=f"Version {number}"),
            )
            for number in range(CLIENTS)
        ]
        answers = self._together(calls)
        for event in events:
            own = [one for call, one in zip(calls, answers, strict=True) if call.path["event_id"] == event]
            accepted = [one for one in own if one.is_success]
            self._judge(
                "sessions.create.once",
                len(accepted) < 2,
                partial(_too_many, len(accepted)),
                own[0],
            )
        self._one_of("generated.histories.session_org_wide", answers)

    def _one_of(self, requirement: str, answers: list[Exchange]) -> None:
        accepted = self._some_accepted(answers)
        self._judge(
            requirement,
            len(accepted) == 1,
            lambda: f"{len(accepted)} of {len(answers)} simultaneous calls were accepted, one must be",
            answers[0],
        )

    def _some_accepted(self, answers: list[Exchange]) -> list[Exchange]:
        """Return the accepted ones. If there is none, the overlap may not be why: others judge plain calls."""
        accepted = [one for one in answers if one.is_success]
        if not accepted:
            self._given.require_success(answers[0])
        return accepted

    # One run for a key

    def _one_run(self) -> None:
        """Send one key for two events and two operations at once: one run in all, whichever comes first."""
        events = [self._event(), self._event()]
        key = self._given.idempotency_key()
        operations = ["createEnrichmentRun", "createMatchRun", "importAttendees"]
        calls = []
        for number in range(CLIENTS):
            operation = operations[self._random.randrange(3)]
            body: dict[str, Any] = {"idempotency_key": key}
            if operation == "importAttendees":
                body["attendees"] = [self._given.attendee()]
            # A key may be refused while its first call is worked on, with a code of the server's own.
            calls.append(Call(operation, path={"event_id": events[number % 2]}, body=body, any_code=True))
        answers = self._together(calls)
        accepted = [(call, one) for call, one in zip(calls, answers, strict=True) if one.is_success]
        self._some_accepted(answers)
        runs = {one.json.get("run_id") for _, one in accepted}
        meanings = {(call.operation, call.path["event_id"]) for call, _ in accepted}
        self._judge(
            "generated.histories.one_run",
            len(runs) == 1 and len(meanings) == 1,
            lambda: f"one key started {len(runs)} runs for {len(meanings)} pairs of operation and event",
            answers[0],
        )

    # Reads and writes

    def _context(self) -> None:
        """Let one writer count up while readers look on through two operations."""
        event_id = self._event()
        path = {"event_id": event_id}
        writes: list[Moment] = []
        reads: dict[str, list[Moment]] = {"getEventContext": [], "getEvent": []}
        done = threading.Event()
        lock = threading.Lock()

        def write() -> None:
            try:
                for number in range(1, 9):
                    call = Call("updateEventContext", path=path, body={"objectives": f"version {number}"})
                    began = time.monotonic()
                    with lock:
                        # Until it is answered the write may take effect at any moment.
                        writes.append(Moment(began, float("inf"), number, None))  # type: ignore[arg-type]
                    answer = self._given.require_success(self._send(call))
                    with lock:
                        writes[-1] = Moment(began, time.monotonic(), number, answer)
            finally:
                done.set()

        def read(operation: str) -> None:
            for _ in range(20):
                moment = timed(lambda: self._send(Call(operation, path=path)), _version)
                with lock:
                    reads[operation].append(moment)
                if done.is_set():
                    return

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(write), *(pool.submit(read, one) for one in (*reads, "getEventContext"))]
            for future in futures:
                future.result()
        both = sorted((one for seen in reads.values() for one in seen), key=lambda one: one.began)
        back = went_back(writes, both)
        self._judge(
            "generated.histories.context",
            back is None,
            lambda: f"{back[0].exchange.summary}: {back[1]}" if back else "",
            back[0].exchange if back else writes[-1].exchange,
        )

    def _two_writers(self) -> None:
        """Let two writers set a field each, and read after every write: neither may undo the other's."""
        event_id = self._event()
        path = {"event_id": event_id}
        names = ("event_details", "welcome_instructions")
        lost: list[tuple[str, Exchange]] = []

        def write(name: str) -> None:
            for number in range(1, 5):
                call = Call("updateEventContext", path=path, body={name: f"version {number}"})
                self._given.require_success(self._send(call))
                seen = self._given.require_success(self._send(Call("getEventContext", path=path)))
                context = seen.json["context"]
                if isinstance(context, dict) and context.get(name) != f"version {number}":
                    lost.append((f"{name} is {context.get(name)!r}, its only writer had written {number}", seen))

        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(write, name) for name in names]:
                future.result()
        last = self._given.require_success(self._send(Call("getEventContext", path=path)))
        context = last.json["context"]
        lost += [
            (f"{name} is not what its only writer wrote last", last)
            for name in names
            if isinstance(context, dict) and context.get(name) != "version 4"
        ]
        self._judge(
            "generated.histories.lost_update",
            not lost,
            lambda: f"{lost[0][1].summary}: {lost[0][0]}",
            lost[0][1] if lost else last,
        )

    def _found_at_once(self) -> None:
        """Create sessions side by side: each must be found once it was acknowledged, and all be listed."""
        event_id = self._event()
        path = {"event_id": event_id}
        requests = [self._given.session_request() for _ in range(CLIENTS)]
        missing: list[Exchange] = []

        def create(request: dict[str, Any]) -> None:
            self._given.require_success(self._send(Call("createSession", path=path, body=request)))
            seen = self._send(Call("getSession", path={**path, "session_id": request["session_id"]}))
            if not seen.is_success:
                missing.append(seen)

        with ThreadPoolExecutor(CLIENTS) as pool:
            for future in [pool.submit(create, request) for request in requests]:
                future.result()
        ids = {one["session_id"] for one in requests}
        page = self._listed("listSessions", event_id, lambda shown: ids <= shown)
        self._judge(
            "generated.histories.found",
            not missing,
            lambda: f"{missing[0].summary} after its creation was acknowledged",
            missing[0] if missing else page,
        )
        if page.is_success and page.next_cursor is None:
            listed = [row.get("session_id") for row in page.items]
            lost = sorted(ids - set(map(str, listed)))
            self._judge(
                "generated.histories.found",
                not lost and len(listed) == len(set(map(str, listed))),
                lambda: f"{page.summary} without {lost}, or with a session twice: {listed}",
                page,
            )

    def _imports(self) -> None:
        """Import side by side, each with rows of its own: in the end the event has them all, or those of one."""
        event_id = self._event()
        batches = [[self._given.attendee() for _ in range(3)] for _ in range(4)]
        answers = self._together(
            [
                Call("importAttendees", path={"event_id": event_id}, body=self._given.import_request(rows))
                for rows in batches
            ]
        )
        for answer in answers:
            polls = poll_to_end(self._api, self._given.run_id(answer))
            self._meter.count(len(polls))
            if polls[-1]["status"] != "succeeded":
                raise SetupFailed("an import did not succeed", "imports that end otherwise than succeeded")
        later = self._send(Call("getRun", path={"run_id": self._given.run_id(answers[0])}))
        self._judge(
            "generated.histories.ended",
            later.is_success and later.json.get("status") in TERMINAL,
            lambda: f"{later.summary} with status {later.json.get('status')!r} of a run that had ended",
            later,
        )
        sent = [{row["attendee_id"] for row in rows} for rows in batches]
        everybody = set().union(*sent)

        def holds(listed: set[Any]) -> bool:
            return everybody <= listed or any(listed & everybody == ids for ids in sent)

        page = self._listed("listAttendees", event_id, holds)
        if page.is_success and page.next_cursor is None:
            listed = _ids(page)
            lost = sorted(everybody - listed)
            self._judge(
                "generated.histories.imports",
                holds(listed),
                lambda: f"{page.summary} without {lost}, whose imports succeeded, and with rows of others",
                page,
            )

    # Decisions

    def _decisions(self) -> None:
        """Decide one review from several clients at once: one decision must be taken."""
        event_id = self._event()
        rows = self._given.look_alikes()
        self._given.import_and_wait(event_id, rows)
        self._given.enrich_and_wait(event_id)
        self._meter.count(8)
        review = self._given.open_reviews(event_id)[0]
        calls = [
            Call("resolveReview", path={"review_id": review}, body={"decision": decision, "reason": "Checked."})
            for decision in ("distinct", "reject", "distinct", "reject")
        ]
        answers = self._together(calls)
        # The same decision sent again may be answered as before.
        taken = {call.body["decision"] for call, one in zip(calls, answers, strict=True) if one.is_success}
        self._some_accepted(answers)
        self._judge(
            "generated.histories.one_decision",
            len(taken) == 1,
            lambda: f"of simultaneous decisions on one review {sorted(taken)} were accepted, one must be",
            answers[0],
        )


def _ids(page: Exchange) -> set[Any]:
    """Return the partner IDs of a page's rows."""
    return {row.get("session_id", row.get("attendee_id")) for row in page.items}


def _too_many(number: int) -> str:
    return f"{number} simultaneous creations of one session in one event were accepted"


def _version(exchange: Exchange) -> int:
    """Return the number that a read shows: 0 before the first write, UNWRITTEN for a text that we never wrote."""
    if not exchange.is_success:
        raise SetupFailed(f"could not read: {exchange.summary}", f"{exchange.operation} answered {exchange.status}")
    holder = exchange.json["context"] if exchange.operation == "getEventContext" else exchange.json
    text = holder.get("objectives") if isinstance(holder, dict) else None
    if text is None:
        return 0
    numbered = re.fullmatch(r"version ([0-9]{1,3})", text) if isinstance(text, str) else None
    return int(numbered[1]) if numbered else UNWRITTEN

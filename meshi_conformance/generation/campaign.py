"""Sends the generated calls to one operation, judges the answers and shrinks what it finds."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..client.api import Api
from ..client.call import NOTHING, Call
from ..contract.contract import Contract
from ..errors import ConnectionBroken
from ..exchanges.exchange import Exchange
from ..testing.arrange import Given
from ..testing.shared_data import World
from ..testing.valid_calls import Calls, check_baseline_call
from ..watching.expectations.expectation import Expectation, Reader
from . import cases
from .budget import Meter, Plan
from .resources import Resources

BATCH = 8
MERGE_ORDER = ("REVIEW_SOURCE_MISMATCH", "MERGE_REJECTED")
SHRINK_REQUESTS = 40
"""How many requests a finding may cost beyond the budget, to become small."""
MOST_FINDINGS = 4
"""After so many different findings of one operation nothing more is looked for."""


@dataclass(frozen=True)
class Finding:
    """An answer that breaks a requirement: `call` is the request made as small as could be."""

    requirement: str
    what: str
    call: Call
    exchange: Exchange
    requests: int

    def __str__(self) -> str:
        return f"{self.what}: {self.exchange.summary}"


@dataclass
class Campaign:
    """What came of one operation's generated calls."""

    operation: str
    accepted: int = 0
    refused: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    left_open: Counter[str] = field(default_factory=Counter)
    real: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        """How many answers came, those of shrinking left out."""
        return sum(self.statuses.values())

    def record(self) -> dict[str, Any]:
        """Return the numbers of the report: shares of all answers, and why calls were left open."""
        number = max(1, self.requests)
        return {
            "operation": self.operation,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "requests_per_second": round(self.requests / self.seconds, 1) if self.seconds else None,
            "share_2xx": round(sum(n for status, n in self.statuses.items() if status < 300) / number, 3),
            "share_4xx": round(sum(n for status, n in self.statuses.items() if 400 <= status < 500) / number, 3),
            "share_404": round(self.statuses[404] / number, 3),
            "share_real_resources": round(self.real / number, 3),
            "accepted": self.accepted,
            "refused": self.refused,
            "kinds": dict(sorted(self.kinds.items())),
            "left_open": dict(sorted(self.left_open.items())),
        }


class Runner:
    """Runs the campaign of one operation."""

    def __init__(
        self, operation: str, api: Api, given: Given, world: World, calls: Calls, contract: Contract, plan: Plan
    ) -> None:
        self._api = api
        self._calls = calls
        self._plan = plan
        self._contract = contract
        self._resources = Resources(operation, given, world, contract)
        self._read_anew()
        self.result = Campaign(operation)

    def _read_anew(self) -> None:
        self._reader = Reader(self._contract, self._resources.known())

    def run(self) -> Campaign:
        """Send good and bad calls in turn until the budget is spent, several at once."""
        waiting = list(self._ordered())
        started = time.monotonic()
        self._meter = Meter(self._plan.profile.calls, self._plan.profile.seconds)
        while waiting and not self._meter.spent and len(self.result.findings) < MOST_FINDINGS:
            batch: list[tuple[Call, Expectation]] = []
            size = 1 if self._resources.decides or not self.result.requests else BATCH
            while waiting and len(batch) < min(size, self._meter.left):
                batch.append(waiting.pop(0))
            self._send(batch)
        self.result.seconds = time.monotonic() - started
        return self.result

    def _ordered(self) -> Iterator[tuple[Call, Expectation]]:
        """Order dressed calls: good, bad and open ones in turn, each kind in the order that the seed decides."""
        operation = self.result.operation
        groups: dict[str, list[tuple[Call, Expectation]]] = {"good": [], "bad": [], "open": []}
        for draft in cases.shuffled(cases.drafts(operation, self._plan), self._plan, operation):
            call = self._resources.dressed(draft.call, draft.source == "good")
            expected = self._reader.read(call)
            self.result.kinds[expected.kind] += 1
            if expected.kind != "unsent":
                groups[expected.kind].append((call, expected))
            for freedom in expected.freedoms:
                self.result.left_open[freedom] += 1
        if not groups["good"]:
            # Chance left none within the bounds: the plain call keeps the operation from going unjudged.
            plain = self._calls.of(operation)
            groups["good"] = [(plain, self._reader.read(plain))]
        groups["open"] = groups["open"][: max(1, self._plan.profile.calls // 5)]
        while any(groups.values()):
            for kind in ("good", "bad", "bad", "open"):
                if groups[kind]:
                    yield groups[kind].pop(0)

    def _send(self, batch: list[tuple[Call, Expectation]]) -> None:
        if self._resources.decides:
            # An accepted decision uses its review up: the next call gets another one, and is read anew.
            self._read_anew()
            calls = [self._resources.redirected(call, expected.kind) for call, expected in batch]
            batch = [(call, self._reader.read(call)) for call in calls if call is not None]
        batch = [(call.replace(any_code=bool(expected.freedoms)), expected) for call, expected in batch]
        self._meter.count(len(batch))
        try:
            exchanges = self._api.send_concurrently([call for call, _ in batch])
        except ConnectionBroken:
            return  # reported where it happened; the other answers of the batch are not read
        if exchanges and batch[0][1].kind == "good" and exchanges[0].code in MERGE_ORDER:
            # Which of the two may be the source is open: the merge the other way round is as good.
            body = batch[0][0].body
            swapped = {"source_partner_id": body["target_partner_id"], "target_partner_id": body["source_partner_id"]}
            batch = [(batch[0][0].with_body(**swapped), batch[0][1])]
            exchanges = [self._api.send(batch[0][0])]
        for (call, expected), exchange in zip(batch, exchanges, strict=True):
            result = self.result
            result.statuses[exchange.status] += 1
            result.real += call.path in self._reader.known.paths[result.operation] or not call.path
            result.accepted += expected.kind == "good" and exchange.is_success
            result.refused += expected.kind == "bad" and not exchange.is_success
            found = self._judge(call, expected, exchange)
            if exchange.is_success:
                self._resources.used(call)
            elif found and expected.kind == "good" and not exchange.violations:
                # A call that is refused whatever its data is, is for the scripted tests to judge.
                check_baseline_call(self._api, self._calls, operation=result.operation)
            if found and found[0] not in {one.requirement for one in result.findings}:
                result.findings.append(self._shrunk(found, call, exchange))

    def _judge(self, call: Call, expected: Expectation, exchange: Exchange) -> tuple[str, str] | None:
        """Return the requirement that an answer breaks, and how; None where it is right."""
        operation = call.operation
        if exchange.violations:
            return exchange.violations[0]
        if expected.kind == "good" and not exchange.is_success:
            return self._refused_good(call, exchange)
        if expected.kind == "bad":
            what = "; ".join(one.what for one in expected.faults)
            requirement = expected.faults[0].requirement
            if len(expected.faults) > 1 or expected.freedoms:
                requirement = f"generated.refuses.{operation}"
            if exchange.is_success:
                return requirement, f"accepted, though {what}"
            answers = {pair for one in expected.faults for pair in one.answers}
            fits = exchange.status_and_code in answers or (exchange.status, None) in answers
            if not fits and not expected.freedoms:
                wanted = ", ".join(sorted(f"{status} {code or 'with any code'}" for status, code in answers))
                return requirement, f"refused with {exchange.status} {exchange.code}, not {wanted}, though {what}"
        return None

    def _refused_good(self, call: Call, exchange: Exchange) -> tuple[str, str] | None:
        """Blame a refused good call on the bound of the one member whose code came, else on the family."""
        requirement = f"generated.accepts.{call.operation}"
        if isinstance(call.body, dict):
            bounds = [
                one.requirement
                for one in self._contract.limits()
                if one.operation == call.operation and one.code == exchange.code and one.name in call.body
            ]
            if len(bounds) == 1 and bounds[0] in self._contract.requirements:
                requirement = bounds[0]
        return requirement, "refused, though everything in it is within its documented bounds"

    # Shrinking

    def _shrunk(self, found: tuple[str, str], call: Call, exchange: Exchange) -> Finding:
        """Find the smallest call that still breaks the same requirement; its requests are outside the budget."""
        sent = 0
        # An accepted decision uses up its review, and with it what later calls are judged on.
        progress = not (self._resources.decides and exchange.is_success)
        while progress and sent < SHRINK_REQUESTS:
            progress = False
            for smaller in _smaller(call):
                candidate = self._resources.fresh(smaller)
                expected = self._reader.read(candidate)
                if expected.kind not in ("good", "bad") and not exchange.violations:
                    continue
                if self._resources.decides and expected.kind != "bad":
                    continue
                candidate = candidate.replace(any_code=bool(expected.freedoms))
                sent += 1
                try:
                    answer = self._api.send(candidate)
                except ConnectionBroken:
                    continue
                again = self._judge(candidate, expected, answer)
                if self._resources.decides and answer.is_success:
                    self._resources.used(candidate)
                    self._read_anew()
                    return Finding(found[0], found[1], call, exchange, sent)
                if again and again[0] == found[0]:
                    call, exchange, found, progress = candidate, answer, again, True
                    break
                if sent >= SHRINK_REQUESTS:
                    break
        return Finding(found[0], found[1], call, exchange, sent)


def _smaller(call: Call) -> Iterator[Call]:
    """Return calls with less in them, the boldest cuts first."""
    for name in call.query:
        yield call.replace(query={other: value for other, value in call.query.items() if other != name})
    if call.body is NOTHING or not isinstance(call.body, dict):
        return
    for body in _smaller_values(call.body):
        yield call.replace(body=body)


def _smaller_values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name in value:
            yield {other: member for other, member in value.items() if other != name}
        for name, member in value.items():
            if not name.endswith("_id") and name != "idempotency_key":
                for smaller in _smaller_values(member):
                    yield {**copy.copy(value), name: smaller}
    elif isinstance(value, list):
        for index in range(len(value)):
            if len(value) > 1:
                yield value[:index] + value[index + 1 :]
        for index, member in enumerate(value):
            for smaller in _smaller_values(member):
                yield [*value[:index], smaller, *value[index + 1 :]]
    elif isinstance(value, str) and len(value) > 1:
        yield "a" * len(value) if value != "a" * len(value) else value[: len(value) // 2]
        yield value[: len(value) // 2]
        yield value[len(value) // 2 :]
        if len(value) <= 12:
            yield from (value[:index] + value[index + 1 :] for index in range(len(value)))


def message(finding: Finding, plan: Plan) -> str:
    """Write one line for the report: what is wrong, the smallest request, how to make it again."""
    body = "" if finding.call.body is NOTHING else f" {json.dumps(finding.call.body, ensure_ascii=False)[:300]}"
    return f"{finding}; smallest request found:{body} ({plan.repeat})"

"""Exchanges in, verdicts out: one pass, bounded state."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field

from ..contract.contract import Contract
from ..exchanges.exchange import Exchange
from ..verdicts.verdicts import Judgement, RequirementVerdict
from ..vocabulary import Verdict
from .rule import Rule
from .sequences.access import Access
from .sequences.attendees import Attendees, WholeRosters
from .sequences.changes import Changes
from .sequences.contexts import Contexts
from .sequences.keys import Keys
from .sequences.lists import Lists
from .sequences.matches import Matches
from .sequences.reviews import Reviews
from .sequences.rows import CreatedRows
from .sequences.runs import Runs
from .single.deserved import Deserved
from .single.every_exchange import (
    BARE_METHODS,
    BareMethods,
    CorrelationIds,
    SingleExchange,
    UnnamedRoutes,
    is_about_the_path,
)
from .state.bounded import Bounded
from .state.memory import Memory
from .state.observation import READ_ONLY_METHODS, WHOLE, Coverage, Observation, Router, Trace
from .state.tally import Tally, Violation

RULES: tuple[type[Rule], ...] = (
    Deserved,
    SingleExchange,
    CorrelationIds,
    UnnamedRoutes,
    Access,
    CreatedRows,
    Contexts,
    Changes,
    Keys,
    Runs,
    Attendees,
    Matches,
    Reviews,
    Lists,
    WholeRosters,
)
"""What judges each exchange, in this order: the others ask what the call deserved."""

NEVER_AT_STAKE = "never at stake in what was observed"

SAME_ORG = {"main": "main", "read": "main", "probe": "main"}
"""Roles of keys that the suite's own recordings name, and the org that each belongs to where `/auth` does not say."""

REMEMBERED = 50_000
"""Exchanges among which one that was recorded twice is noticed."""

MOST_EVIDENCE = 1_000
"""Exchanges that are kept whole because they break something."""

MOST_DRIFT = 500
"""Undocumented members that are told apart."""


@dataclass
class Traffic:
    """Numbers of what was seen, for the report."""

    count: int = 0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    milliseconds: dict[str, array[float]] = field(default_factory=dict)
    drift: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    rate_limited: int = 0
    began: float | None = None
    ended: float | None = None


class Watcher:
    """Judges exchanges as they come, each in the light of those that came before.

    Give them in the order in which they ended. `complete` says that no request to the same orgs is missing between
    the first and the last one; without it nothing is concluded from what was not seen. `one_org` says that exchanges
    whose key is unknown belong to one org. Each other key is an org of its own, until `GET /auth` names the org.
    """

    def __init__(self, contract: Contract, *, complete: bool = False, one_org: bool = False) -> None:
        self.contract = contract
        self.complete = complete
        self._one_org = one_org
        self.tally = Tally(contract)
        self.traffic = Traffic()
        self.evidence: dict[str, Exchange] = {}
        self._memory = Memory(complete)
        self._router = Router(contract)
        self._bare_methods = BareMethods(contract, self._memory, self.tally)
        self._rules = [rule(contract, self._memory, self.tally) for rule in RULES]
        self._orgs: dict[str, str] = {}
        self._seen: Bounded[bytes, Trace] = Bounded(REMEMBERED)

    def see(self, exchange: Exchange, coverage: Coverage = WHOLE) -> list[tuple[str, Violation]]:
        """Judge an exchange; return the requirements that it is the first to break in this way."""
        seen = self._observed(exchange, coverage)
        if self._again(seen):
            self.tally.leave("it was recorded twice")
            return []
        self._count(seen)
        if exchange.method in BARE_METHODS:
            self.tally.muted = exchange.other_base is not None
            self._bare_methods.see(seen)
        reason = _unfit(seen)
        if reason:
            self.tally.leave(reason)
            if exchange.method not in READ_ONLY_METHODS:
                self._memory.complete = False  # whether the write took effect is not known
            return []
        self.tally.muted = exchange.other_base is not None
        self.tally.new = []
        for rule in self._rules:
            rule.see(seen)
        self._learn_org(seen)
        new = self.tally.new
        if new:
            exchange.violations = [(name, str(one)) for name, one in new if one.exchange == exchange.id]
            if exchange.violations and len(self.evidence) < MOST_EVIDENCE:
                self.evidence[exchange.id] = exchange
        for member in exchange.drift:
            self._drift(exchange, member)
        return new

    def unanswered(self, method: str) -> None:
        """Take note of a request that got no answer: whether a write took effect is then unknown."""
        self.tally.leave("no answer was recorded")
        if method.upper() not in READ_ONLY_METHODS:
            self._memory.complete = False

    def verdicts(self) -> list[RequirementVerdict]:
        """Return every verdict: fail, pass with how often it held, or not_run where it was not at stake."""
        for rule in self._rules:
            rule.settle()
        return [self._verdict(name) for name in self.contract.requirements]

    def _verdict(self, name: str) -> RequirementVerdict:
        requirement = self.contract.requirements[name]
        held, broken = self.tally.held[name], self.tally.broken[name]
        if broken:
            violations = [(one.exchange, str(one)) for one in self.tally.violations[name]]
            first = self.tally.violations[name][0]
            more = f" (and {broken - 1} more times)" if broken > 1 else ""
            held_too = f"; it held {held} times" if held else ""
            reason = f"{first}, in exchange {first.exchange}{more}{held_too}"
            return RequirementVerdict(requirement, Verdict.FAIL, reason, violations=violations)
        if held:
            reason = f"seen to hold {held} times" if held > 1 else "seen to hold once"
            return RequirementVerdict(
                requirement, Verdict.PASS, reason, judgements=[Judgement(name, OBSERVED, Verdict.PASS)]
            )
        return RequirementVerdict(requirement, Verdict.NOT_RUN, NEVER_AT_STAKE)

    # One exchange

    def _observed(self, exchange: Exchange, coverage: Coverage) -> Observation:
        operation, parameters, named = self._router.find(exchange.method, exchange.path)
        exchange.operation = operation.id if operation else None
        party = coverage.party if coverage.party is not None else exchange.key
        org = UNKNOWN_ORG if self._one_org and not coverage.party_known else None
        if coverage.party_known and party is not None:
            org = self._orgs.get(party) or SAME_ORG.get(party, party)
        nearly = operation is None and not named and self._router.nearly(exchange.path)
        return Observation(exchange, coverage, operation, parameters, party, org, named, nearly)

    def _learn_org(self, seen: Observation) -> None:
        """Learn the org of the key that asks `/auth`."""
        org = seen.answer.get("org_id") if seen.exchange.operation == "getAuth" and seen.is_success else None
        if isinstance(org, str) and seen.party is not None and seen.party not in SAME_ORG:
            self._orgs.setdefault(seen.party, org)

    def _again(self, seen: Observation) -> bool:
        """Tell whether two recorders, or two files, hold the same exchange."""
        one = seen.exchange
        if not one.correlation_id:
            return False
        parts = (one.method, one.path, str(one.status), one.correlation_id, seen.party or "")
        digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(one.request_body or b"")
        digest.update(one.body)
        key = digest.digest()
        before = self._seen.get(key)
        self._seen.put(key, seen.trace)
        return before is not None and abs(before.began - seen.trace.began) < SAME_MOMENT

    def _count(self, seen: Observation) -> None:
        traffic, one = self.traffic, seen.exchange
        traffic.count += 1
        traffic.rate_limited += one.status == 429
        traffic.began = min(traffic.began or one.started, one.started)
        traffic.ended = max(traffic.ended or 0.0, one.started + one.elapsed)
        if one.operation:
            traffic.statuses.setdefault(one.operation, Counter())[one.status] += 1
            traffic.milliseconds.setdefault(one.operation, array("f")).append(one.elapsed * 1000)

    def _drift(self, exchange: Exchange, member: str) -> None:
        key = (exchange.operation or "", member[:200])
        first, count = self.traffic.drift.get(key, (exchange.id, 0))
        if count or len(self.traffic.drift) < MOST_DRIFT:
            self.traffic.drift[key] = (first, count + 1)


UNKNOWN_ORG = "the one org"

OBSERVED = "observed traffic"
"""What a report shows where a run names its test."""

SAME_MOMENT = 10.0
"""Seconds between the beginnings that two recorders note of one exchange, at most."""


def _unfit(seen: Observation) -> str | None:
    """Why an exchange is none that the API answered; None where it can be judged."""
    if 300 <= seen.status < 400 and not (seen.nearly_named and is_about_the_path(seen.exchange)):
        return "the answer is a redirect or tells a cache that nothing changed"
    if seen.exchange.method in ("HEAD", "OPTIONS", "CONNECT"):
        return f"{seen.exchange.method} is not an operation"
    if seen.exchange.is_gateway_page:
        return "a gateway answered in the API's place"
    return None

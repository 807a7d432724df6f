"""Keys: calls without one, and keys that are refused on some operations and accepted on others meanwhile."""

from __future__ import annotations

from ...contract.contract import Contract
from ..expectations.expectation import EXISTENCE
from ..rule import Rule
from ..state.bounded import Bounded
from ..state.memory import Memory
from ..state.observation import READ_ONLY_METHODS, Observation, Trace
from ..state.tally import Tally

TOGETHER = 60.0
"""Seconds within which a key does not change what it is."""

KEPT = 200

FAMILIES = {
    (401, "UNAUTHORIZED"): "auth",
    (401, "ACCOUNT_DISABLED"): "account",
    (403, "SERVICE_ACCOUNT_REQUIRED"): "principal",
    (403, "PARTNER_ORG_REQUIRED"): "org",
    (403, "INSUFFICIENT_SCOPE"): "scope",
}
"""What a refused key is refused with, and the family of requirements that this is about."""


def _is_good(seen: Observation) -> bool:
    """Tell whether nothing but its key is wrong with a call."""
    return seen.expected is not None and not seen.expected.faults and not seen.expected.freedoms - {EXISTENCE}


class Access(Rule):
    """A key that is refused before and after a call was refused then, too."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        super().__init__(contract, memory, tally)
        self._refused: Bounded[tuple[str, str, bool], Trace] = Bounded(10_000)
        self._between: Bounded[tuple[str, bool], list[tuple[str, int, Trace]]] = Bounded(2_000)

    def see(self, seen: Observation) -> None:
        operation = seen.operation
        if operation is None or not seen.coverage.party_known:
            return
        if seen.party is None:
            if seen.is_success:
                self.judge(False, f"auth.{operation.id}", seen, "accepted without a bearer header")
            elif seen.exchange.status_and_code == (401, "UNAUTHORIZED"):
                self.tally.hold(f"auth.{operation.id}")
            elif seen.status in (401, 403) or (seen.status in (400, 422) and _is_good(seen)):
                message = f"refused with {seen.status} {seen.exchange.code} without a bearer header"
                self.judge(False, f"auth.{operation.id}", seen, message)
            return
        reads = operation.method in READ_ONLY_METHODS
        family = FAMILIES.get((seen.status, seen.exchange.code or ""))
        if family and self.known(f"{family}.{operation.id}"):
            self._was_refused(seen, family, reads)
        elif seen.is_success:
            between = self._between.get((seen.party, reads)) or []
            self._between.put((seen.party, reads), [*between[-KEPT:], (operation.id, seen.status, seen.trace)])

    def _was_refused(self, seen: Observation, family: str, reads: bool) -> None:
        assert seen.party is not None
        assert seen.operation is not None
        groups = [reads] if family == "scope" else [True, False]
        if family == "scope" and reads:
            self._read_refused(seen)
            return
        self.tally.hold(f"{family}.{seen.operation.id}")
        before = self._refused.get((seen.party, family, reads)) or (
            None if family == "scope" else self._refused.get((seen.party, family, not reads))
        )
        if before is not None and seen.trace.began - before.ended < TOGETHER:
            for group in groups:
                for operation, status, one in self._between.get((seen.party, group)) or ():
                    name = f"{family}.{operation}"
                    if before.before(one) and one.before(seen.trace) and self.known(name):
                        message = f"accepted with {status}, and the key was refused right before and after"
                        self.tally.fail(name, one.id, message, before, seen.trace)
                self._between.drop((seen.party, group))
        self._refused.put((seen.party, family, reads), seen.trace)

    def _read_refused(self, seen: Observation) -> None:
        """Fail a refused read of a key that reads elsewhere: it has partner:read, or partner:write."""
        assert seen.party is not None
        assert seen.operation is not None
        for _, _, one in reversed(self._between.get((seen.party, True)) or []):
            if one.before(seen.trace) and seen.trace.began - one.ended < TOGETHER:
                message = "refused for its scope, and the key reads elsewhere"
                self.judge(False, f"scope.{seen.operation.id}", seen, message, one)
                return

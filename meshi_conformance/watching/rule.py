"""What the rules of the watcher have in common."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..contract.contract import Contract
from ..contract.operations import Limit
from .expectations.expectation import MODEST, is_ordinary, judge_member
from .expectations.unusual import kind_of_text
from .state.memory import Memory
from .state.observation import Observation, Trace
from .state.tally import Tally


class Rule:
    """Looks at each exchange once, and says what holds and what is broken."""

    def __init__(self, contract: Contract, memory: Memory, tally: Tally) -> None:
        self.contract = contract
        self.memory = memory
        self.tally = tally

    def see(self, seen: Observation) -> None:
        """Judge an exchange, and remember what later ones are judged by."""
        raise NotImplementedError

    def settle(self) -> None:
        """Judge what could not be judged before every exchange of the same time was seen."""

    def judge(self, holds: bool, requirement: str, seen: Observation, message: str, *earlier: Trace) -> None:
        """Count that a requirement held in an exchange, or fail it."""
        self.tally.judge(holds, requirement, seen.exchange.id, message, *earlier)

    def names(self, seen: Observation, requirement: str, what: str, asked: Any, said: Any) -> None:
        """Require that an answer names what was asked for. Where it names nothing at all, its schema says so."""
        if isinstance(said, str):
            message = f"{what} {asked!r} was asked for, and {said[:100]!r} is shown"
            self.judge(said == asked, requirement, seen, message)

    def known(self, requirement: str) -> bool:
        """Tell whether the contract has the requirement: some families leave operations out."""
        return requirement in self.contract.requirements


def shown(value: object) -> str:
    """Show a value to people, shortened."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:90]}… ({len(text)} characters)"


MOST_KEY = 255
"""Characters of the longest idempotency key that is told apart."""


@cache
def _limits(contract: Contract) -> dict[tuple[str, str, str], Limit]:
    return {(one.operation, one.place, one.name): one for one in contract.limits()}


def is_usable_key(key: Any) -> bool:
    """Tell whether a text is surely taken literally as an idempotency key, where a server accepted it."""
    return isinstance(key, str) and 0 < len(key) <= MOST_KEY and key == key.strip() and is_ordinary(key)


def limits_of(contract: Contract, operation: str, code: str | None) -> list[Limit]:
    """Return the bounds of an operation's members that are refused with a code."""
    return [one for one in _limits(contract).values() if one.operation == operation and one.code == code]


TEXTS = {
    ("createEvent", "title"): "event",
    ("createEvent", "description"): "event",
    ("updateEventContext", "event_details"): "context",
    ("updateEventContext", "objectives"): "context",
    ("updateEventContext", "welcome_instructions"): "context",
    ("createSession", "title"): "session",
    ("createSession", "description"): "session",
    ("importAttendees", "title"): "attendee",
    ("importAttendees", "company"): "attendee",
    ("importAttendees", "name"): "name",
}
"""Members that are plain text, and the place by which `texts.*` names them."""


def kept_by(contract: Contract, operation: str, name: str, sent: Any, default: str, place: str = "body") -> str | None:
    """Return the requirement that a text which was accepted is read as it was sent.

    `default` for an ordinary text; None where the pages leave open what becomes of it.
    """
    limit = _limits(contract).get((operation, place, name))
    if not isinstance(sent, str) or limit is None:
        return None
    if (operation, name) in TEXTS:
        kind = kind_of_text(sent) if len(sent) <= limit.schema.get("maxLength", MODEST) else None
        if kind:
            return f"texts.{kind}.{TEXTS[operation, name]}"
    return default if not list(judge_member(name, sent, limit)) else None


def comparable(contract: Contract, operation: str, name: str, sent: Any, place: str = "body") -> bool:
    """Tell whether the pages leave no freedom about a text that was sent, so that it is read as it was sent."""
    limit = _limits(contract).get((operation, place, name))
    return isinstance(sent, str) and limit is not None and not list(judge_member(name, sent, limit))

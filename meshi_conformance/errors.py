"""What can stop a check from judging, and what can stop a run."""

from __future__ import annotations

from .vocabulary import CauseClass, Verdict


class Inconclusive(Exception):
    """A requirement could not be judged. The message says why.

    `cause` is the same text for everything that one origin holds up, so that a report names it once;
    `cause_class` says what kind of origin it is: each subclass has its own, and only subclasses are raised.
    """

    verdict = Verdict.INCONCLUSIVE
    cause_class: CauseClass | None = None

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause or message
        if self.verdict == Verdict.INCONCLUSIVE and self.cause_class is None:
            raise TypeError("raise a subclass of Inconclusive: it says what class of cause this is")


class SetupFailed(Inconclusive):
    """The target refused or broke a precondition of the check; the check itself was never made."""

    cause_class = CauseClass.SETUP


class TransportTrouble(Inconclusive):
    """No usable HTTP answer came: a network fault, a gateway's page, a rate limit that did not lift."""

    cause_class = CauseClass.TRANSPORT


class AnswerLost(TransportTrouble):
    """A write that must not be sent again had no answer: whether it took effect is unknown."""


class PollTimeout(Inconclusive):
    """A condition that was waited for did not come true in time."""

    cause_class = CauseClass.DEADLINE


class CeilingReached(Inconclusive):
    """A ceiling of the run (`--max-requests`, `--max-created`, `--budget`) or of the suite came first."""

    cause_class = CauseClass.LIMIT


class NothingThere(Inconclusive):
    """The target legally holds nothing to judge: no review appeared, matching left no pair, a list has no row."""

    cause_class = CauseClass.ABSENT


class KeyRefused(Inconclusive):
    """The target refuses a key that it should accept."""

    cause_class = CauseClass.CREDENTIALS


BY_CLASS: dict[CauseClass, type[Inconclusive]] = {
    kind.cause_class: kind
    for kind in (SetupFailed, TransportTrouble, PollTimeout, CeilingReached, NothingThere, KeyRefused)
    if kind.cause_class
}
"""The exception of each cause class; the suite's own errors have none."""


class NotPermitted(Inconclusive):
    """The check needs something that must not be done to this target, such as a write; nothing was sent."""

    verdict = Verdict.NOT_RUN


class UnknownTerminalStatus(SetupFailed):
    """A run has a `terminal_at` but no terminal status."""


class NotAJsonObject(SetupFailed):
    """The body is not a JSON object. checks.py reports this once; a test that reads the body is inconclusive."""


class ServersFault(AssertionError):
    """What came is wrong whatever was asked: it counts as a failed assertion."""


class MissingMember(ServersFault):
    """An answer lacks a member that a check reads."""


class ConnectionBroken(ServersFault):
    """The target breaks the connection on one request, again and again, while it answers others."""


class CheckFailed(AssertionError):
    """A check outside the test modules found a violation. It is raised: `python -O` drops an assert."""


class UsageError(Exception):
    """The run cannot start as asked for. The message says what happened, why, and what to do."""

"""What can stop a check from judging, and what can stop a run."""

from __future__ import annotations


class Inconclusive(Exception):
    """A requirement could not be judged. The message says why; `cause` groups equal reasons in a report.

    `verdict` is what the requirement gets: `inconclusive`, or `not_run` where the check was never to be made.
    """

    verdict = "inconclusive"

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause or message


class CouldNotArrange(Inconclusive):
    """A set-up call was not answered as the check needs it; the check itself was never made."""


class TransportTrouble(Inconclusive):
    """No usable HTTP answer came: a network fault, a gateway's page, a rate limit that did not lift."""


class DeadlinePassed(Inconclusive):
    """A condition that was waited for did not come true in time."""


class CeilingReached(Inconclusive):
    """The run has sent as many requests, or created as many rows, as it was allowed to."""


class NotPermitted(Inconclusive):
    """The check needs something that must not be done to this target, such as a write; nothing was sent."""

    verdict = "not_run"


class EndedOtherwise(CouldNotArrange):
    """A run says when it ended and has none of the three statuses in which a run can have ended."""


class Unreadable(Inconclusive):
    """An answer is no JSON object. The checks on that exchange charge it, once; no other check can read it."""


class MissingMember(AssertionError):
    """An answer lacks a member that a check reads: the server's fault, so it counts as a failed assertion."""


class UsageError(Exception):
    """The run cannot start as asked for. The message says what happened, why, and what to do."""

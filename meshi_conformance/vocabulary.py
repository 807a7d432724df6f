"""The words of a result: levels, verdicts, causes and outcomes, each written down once.

The values of every enumeration are in the order of severity, the most serious first; no other place repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar


class Level(StrEnum):
    """How much weight a requirement carries."""

    DOCUMENTED = "documented"
    """The pages say it. A violation is nonconformance."""

    IMPLIED = "implied"
    """It follows from an example, the wording or common sense. A violation is a deviation."""


class Verdict(StrEnum):
    """What a run says of one requirement, or one test of it."""

    FAIL = "fail"
    """The target broke it."""

    INCONCLUSIVE = "inconclusive"
    """A test asked, and something kept it from an answer; the cause class says what."""

    NOT_RUN = "not_run"
    """No test asked: it was deselected, or the target was not given what it takes."""

    WAIVED = "waived"
    """The target broke it in a way that the team has accepted for a time."""

    PASS = "pass"
    """All of it was asked, and seen to hold."""


class CauseClass(StrEnum):
    """What kept a requirement from being judged."""

    SUITE = "suite"
    """The suite itself erred."""

    CREDENTIALS = "credentials"
    """The target refuses a key that it should accept, or accepted before."""

    TRANSPORT = "transport"
    """No usable answer came: a network fault, a gateway's page, a rate limit that did not lift."""

    SETUP = "setup"
    """The target refused or broke a precondition of the test, or gave an answer that cannot be read."""

    DEADLINE = "deadline"
    """A condition that the test waited for did not come true in time."""

    LIMIT = "limit"
    """A ceiling of the run or of the suite came first."""

    ABSENT = "absent"
    """The target legally holds nothing to judge: no review appeared, matching left no pair, a list has no row."""


UNDECIDED_CLASSES = frozenset({CauseClass.CREDENTIALS, CauseClass.TRANSPORT, CauseClass.SETUP, CauseClass.DEADLINE})
"""What the target did to prevent a judgement: a documented requirement that stays open for it makes a run undecided."""


class Outcome(StrEnum):
    """What a whole run says of the target."""

    INVALID = "invalid"
    """No verdict to trust: the suite erred, the target was lost, a key ended, nothing was judged."""

    NONCONFORMANT = "nonconformant"
    """At least one documented requirement fails."""

    UNDECIDED = "undecided"
    """No documented requirement fails; the target kept at least one from being judged."""

    PARTIAL = "partial"
    """No documented requirement fails; some were not offered, are legally absent or came to a ceiling of ours."""

    CONFORMANT = "conformant"
    """Every documented requirement passes or is waived."""


Word = TypeVar("Word", Level, Verdict, CauseClass, Outcome)


def worst(words: Iterable[Word]) -> Word:
    """Return the most serious of some words of one enumeration. Raise ValueError without any."""
    return min(words, key=lambda word: list(type(word).__members__.values()).index(word))

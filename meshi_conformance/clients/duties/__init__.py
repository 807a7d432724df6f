"""The duties of a client. One judge for each watches a scenario in the order of the server's clock.

A judge keeps what it needs and no more. It never looks ahead, and it never asks which client it judges.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import answers, idempotency, pages, pauses, requests, retries, runs, steps
from .judge import Finding, Judge, Watch

JUDGES: tuple[type[Judge], ...] = (
    steps.ScopeConfirmed,
    steps.ScopeRespected,
    steps.ExistingEventFetched,
    steps.ExistingEventUsed,
    steps.StableIds,
    requests.WithinBounds,
    requests.DocumentedValues,
    requests.DocumentedOperations,
    requests.CurrentBase,
    requests.PageSize,
    requests.KeyInHeader,
    requests.KeyNowhereElse,
    idempotency.OwnKey,
    idempotency.KeyKept,
    idempotency.EqualBody,
    retries.OneEffect,
    retries.AfterLostAnswer,
    retries.AfterUnavailable,
    retries.RetryAfter,
    runs.Polled,
    runs.UnknownStatus,
    runs.EndRecognised,
    runs.FailedImport,
    pauses.NoBurst,
    pauses.Growing,
    pages.Verbatim,
    pages.SameFilters,
    pages.ToTheEnd,
    answers.CorrelationLogged,
    answers.UndocumentedMembers,
    answers.ExitCode,
)
"""Every judge. The last of them judge only what the ones before did not explain."""


def watch(watched: Watch, judges: Iterable[type[Judge]] = JUDGES) -> dict[str, Finding]:
    """Return what each judge says of one scenario, by the duty's ID."""
    found: dict[str, Finding] = {}
    seated = [(one, one(watched.scenario)) for one in judges]
    for what, moment in watched.moments():
        for _, judge in seated:
            judge.take(what, moment)
    for kind, judge in seated:
        judge.conclude(found, watched)
        found[kind.duty] = judge.finding()
    return found

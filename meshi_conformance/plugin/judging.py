"""What a test says of each requirement that it cites."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from ..errors import Inconclusive
from ..exchanges.recorder import Recorder
from ..testing.failing_exchange import exchange_of
from ..testing.marks import Judge, Said
from ..verdicts.verdicts import Judgement
from ..vocabulary import CauseClass, Verdict, worst

PROPERTY = "meshi"


def cited_by(item: pytest.Item) -> list[str]:
    """Return the requirements that a test judges, in the order of its marks."""
    return list(dict.fromkeys(str(name) for mark in item.iter_markers("requirement") for name in mark.args))


def is_generated(item: pytest.Item) -> bool:
    """Return whether the calls of a test are made up, as much of them as the profile says."""
    return "plan" in getattr(item, "fixturenames", ())


def judged_property(report: pytest.TestReport) -> dict[str, Any] | None:
    for name, value in getattr(report, "user_properties", ()):  # reports of collecting have none
        if name == PROPERTY:
            found: dict[str, Any] = json.loads(str(value))
            if found["when"] == report.when:  # properties stay on the item, so later phases repeat them
                return found
    return None


def verdict_of(judged: dict[str, Any]) -> Verdict:
    """Return the most serious verdict of a test's judgements."""
    return worst([Verdict(one["verdict"]) for one in judged["judgements"]] or [Verdict.PASS])


def judgements_of(
    item: pytest.Item, call: pytest.CallInfo[None], recorder: Recorder, clean: Callable[[str], str]
) -> dict[str, Any] | None:
    """Return what a phase of a test says of each requirement that the test cites; None while that is open."""
    problem = call.excinfo.value if call.excinfo else None
    if call.when != "call" and problem is None:
        return None
    cited = cited_by(item)
    judge = item.funcargs.get("judge") if isinstance(item, pytest.Function) else None
    found = dict(judge.found) if isinstance(judge, Judge) else {}
    error = ""
    if problem is None:
        rest = Said(Verdict.PASS)
        if isinstance(judge, Judge):
            unsaid = [name for name in cited if name not in found]
            rest = _of_the_suite("the test ended without judging it")
            if unsaid:
                error = f"it ended without judging {unsaid}, which it cites"
            if set(found) - set(cited):
                error = f"it judges {sorted(set(found) - set(cited))}, which it does not cite"
    elif isinstance(problem, KeyboardInterrupt):
        return None
    elif isinstance(problem, Inconclusive):
        rest = Said.of(problem)
    elif isinstance(problem, pytest.skip.Exception):
        rest = Said(Verdict.NOT_RUN, str(problem.msg), str(problem.msg))
    elif isinstance(problem, AssertionError) and call.when == "call":
        rest = Said(Verdict.FAIL, _assertion(call), exchange=exchange_of(problem))
    else:
        what = f"{type(problem).__name__}: {str(problem)[:200]}"
        if any(one.violations for one in recorder.of_test):
            rest = Said(
                Verdict.INCONCLUSIVE,
                f"an answer has another shape than documented, and the test could not read it: {what}",
                "answers of another shape than documented",
                CauseClass.SETUP,
            )
        else:
            rest, error = _of_the_suite(f"the test itself erred: {what}"), what
    if problem is not None:
        found = {name: _cut_short(said, rest) for name, said in found.items()}
    ids = [*recorder.evidence, *(one.id for one in recorder.of_test)]
    return {
        "judgements": [asdict(_judgement(name, found.get(name, rest), item, ids[-50:], clean)) for name in cited],
        "when": call.when,
        "error": error,
        "seconds": call.duration,
    }


def _of_the_suite(reason: str) -> Said:
    return Said(Verdict.INCONCLUSIVE, reason, "the test itself erred", CauseClass.SUITE)


def _cut_short(said: Said, rest: Said) -> Said:
    """Return what remains of a judgement when the test ended before its end: a pass may have been one of many."""
    if said.verdict != Verdict.PASS:
        return said
    if rest.verdict != Verdict.FAIL:
        return rest
    reason = f"the test was cut short by a failed assertion: {rest.reason}"
    return Said(Verdict.INCONCLUSIVE, reason, "a test was cut short by a failed assertion", CauseClass.SETUP)


def _judgement(name: str, said: Said, item: pytest.Item, ids: list[str], clean: Callable[[str], str]) -> Judgement:
    return Judgement(
        name,
        item.nodeid,
        said.verdict,
        clean(said.reason),
        clean(said.cause),
        said.cause_class,
        tuple(ids),
        said.exchange,
    )


def _assertion(call: pytest.CallInfo[None]) -> str:
    assert call.excinfo is not None
    text = str(call.excinfo.value) or "the assertion does not hold"
    return text[:2000]

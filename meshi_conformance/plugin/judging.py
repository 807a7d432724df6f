"""What a test says of each requirement that it cites."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from ..errors import Inconclusive
from ..exchanges.recorder import Recorder
from ..testing.marks import Judge
from ..verdicts.verdicts import FAIL, INCONCLUSIVE, NOT_RUN, PASS, Judgement

PROPERTY = "meshi"


def cited_by(item: pytest.Item) -> list[str]:
    """The requirements that a test judges, in the order of its marks."""
    return list(dict.fromkeys(str(name) for mark in item.iter_markers("requirement") for name in mark.args))


def judged_property(report: pytest.TestReport) -> dict[str, Any] | None:
    for name, value in getattr(report, "user_properties", ()):  # reports of collecting have none
        if name == PROPERTY:
            found: dict[str, Any] = json.loads(str(value))
            if found["when"] == report.when:  # properties stay on the item, so later phases repeat them
                return found
    return None


def worst(verdicts: list[str]) -> str:
    return next((one for one in (FAIL, INCONCLUSIVE, NOT_RUN) if one in verdicts), PASS)


def judgements_of(
    item: pytest.Item, call: pytest.CallInfo[None], recorder: Recorder, clean: Callable[[str], str]
) -> dict[str, Any] | None:
    """What a phase of a test says of each requirement that the test cites; None while that is open."""
    problem = call.excinfo.value if call.excinfo else None
    if call.when != "call" and problem is None:
        return None
    cited = cited_by(item)
    judge = item.funcargs.get("judge") if isinstance(item, pytest.Function) else None
    found: dict[str, tuple[str, str, str]] = dict(judge.found) if isinstance(judge, Judge) else {}
    error = ""
    if problem is None:
        rest = (PASS, "", "")
        if isinstance(judge, Judge):
            rest = (INCONCLUSIVE, "the test ended without judging it", "")
            if set(found) - set(cited):
                error = f"it judges {sorted(set(found) - set(cited))}, which it does not cite"
    elif isinstance(problem, Inconclusive):
        rest = (problem.verdict, str(problem), problem.cause)
    elif isinstance(problem, pytest.skip.Exception):
        rest = (NOT_RUN, str(problem.msg), str(problem.msg))
    elif isinstance(problem, AssertionError) and call.when == "call":
        rest = (FAIL, _assertion(call), "")
    elif isinstance(problem, KeyboardInterrupt):
        return None
    else:
        what = f"{type(problem).__name__}: {str(problem)[:200]}"
        rest = (INCONCLUSIVE, f"the test itself erred: {what}", "the test itself erred")
        if not any(one.violations for one in recorder.of_test):
            error = what
        else:
            rest = (
                INCONCLUSIVE,
                f"an answer has another shape than documented, and the test could not read it: {what}",
                "answers of another shape than documented",
            )
    ids = [*recorder.quoted, *(one.id for one in recorder.of_test)]
    said = {
        name: (verdict, clean(reason), clean(cause))
        for name, (verdict, reason, cause) in ((name, found.get(name, rest)) for name in cited)
    }
    return {
        "judgements": [asdict(Judgement(name, item.nodeid, *said[name], exchanges=tuple(ids[-50:]))) for name in cited],
        "when": call.when,
        "error": error,
        "seconds": call.duration,
    }


def _assertion(call: pytest.CallInfo[None]) -> str:
    assert call.excinfo is not None
    text = str(call.excinfo.value) or "the assertion does not hold"
    return text[:2000]

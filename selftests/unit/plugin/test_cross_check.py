# ruff: noqa: F811 - fixtures of another module are parameters here
"""Where pytest's own count and the judgements disagree, a run is invalid: something kept one from the other."""

from __future__ import annotations

import pytest

from .test_plugin import Run, base, run  # noqa: F401 - the last two are fixtures

pytest_plugins = ["pytester"]

TWO_TESTS = """
@requirement("auth.getAuth")
def test_holds(api):
    assert api.get_auth().status == 200


@requirement("status.getAuth.200")
def test_fails(api):
    assert api.get_auth().status == 418
"""

SWALLOWS_FAILURES = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    report.outcome = "passed"
"""

RUNS_NOTHING = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    return True
"""

FAILS_AFTER_THE_JUDGEMENT = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.name == "test_holds" and call.when == "call":
        report.outcome = "failed"
        report.longrepr = "changed"
    return report
"""


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (SWALLOWS_FAILURES, "judged to fail and pytest was told otherwise"),
        (RUNS_NOTHING, "never ended"),
        (FAILS_AFTER_THE_JUDGEMENT, "failed without a judgement that fails"),
    ],
    ids=["swallows failures", "runs nothing", "fails after the judgement"],
)
def test_a_disagreement_makes_the_run_invalid(
    plugin: str,
    said: str,
    run: Run,
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(meddler=plugin)
    pytester.syspathinsert()
    ended = run(TWO_TESTS, "-p", "meddler")
    assert ended.code == 3, ended.output
    assert ended.document["outcome"] == "invalid"
    assert any(said in problem for problem in ended.document["problems"]), ended.document["problems"]


def test_without_a_meddler_the_failure_counts(run: Run) -> None:
    ended = run(TWO_TESTS)
    assert ended.code == 1
    assert not ended.document["problems"]

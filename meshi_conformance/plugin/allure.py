"""What a run adds to allure-pytest's results: labels, links to the documentation, evidence (docs/reports.md).

Works only where `--alluredir` was given. Allure counts tests, this suite judges requirements: a test's result
gets the labels of all requirements that it judges, and the worst of its verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ..contract.contract import Contract
from ..contract.requirements import Requirement
from ..exchanges.exchange import Exchange
from ..vocabulary import Verdict

DOCUMENTATION = "documentation"
"""Type of the links. Their addresses are `page#section`; --allure-link-pattern puts the site before them."""

SHOWN_EXCHANGES = 6


def listener(config: pytest.Config) -> Any:
    """Return allure-pytest's listener; None where no Allure results are asked for."""
    return config.pluginmanager.get_plugin("allure_listener")


def describe(contract: Contract, requirements: Sequence[Requirement]) -> None:
    """Labels the test that starts now."""
    import allure  # here, because most runs want no Allure results

    documented = any(one.level == "documented" for one in requirements)
    dynamic: Any = allure.dynamic  # its methods carry no types
    dynamic.epic("Meshi Partner API")
    dynamic.severity(allure.severity_level.CRITICAL if documented else allure.severity_level.MINOR)
    dynamic.description("\n\n".join(f"{one.id} ({one.level}): {one.statement} [{one.source}]" for one in requirements))
    operations = dict.fromkeys(name for one in requirements for name in one.operations)
    for name in dict.fromkeys(_resources(contract)[operation] for operation in operations):
        dynamic.feature(name)
    for one in requirements:
        dynamic.story(one.id)
        dynamic.link(f"{one.page}#{anchor(one.section)}", link_type=DOCUMENTATION, name=one.source)
    for level in dict.fromkeys(one.level for one in requirements):
        dynamic.label("level", level)


def conclude(
    listener: Any,
    report: pytest.TestReport,
    judgements: Sequence[dict[str, Any]],
    requirements: Sequence[Requirement],
    exchanges: Sequence[Exchange],
    show: Callable[[Exchange], str],
) -> None:
    """Give the test's Allure result the verdict of the suite, its reasons and its exchanges.

    allure-pytest sees an exception; the suite tells failures from deviations and from what could not be
    judged. A deviation is `broken` in Allure's words (yellow, not red), what was not judged is `skipped`.
    """
    import allure
    from allure_commons.model2 import Status, StatusDetails

    result = listener.allure_logger.get_test(None)
    by_verdict = {verdict: [one for one in judgements if one["verdict"] == verdict] for verdict in _TOLD}
    verdict = next((one for one in _TOLD if by_verdict[one]), None)
    if result is None or verdict is None:
        return
    levels = {one.id: one.level for one in requirements}
    if verdict != Verdict.FAIL:
        result.status = Status.SKIPPED
    elif any(levels[one["requirement"]] == "documented" for one in by_verdict[Verdict.FAIL]):
        result.status = Status.FAILED
    else:
        result.status = Status.BROKEN
    word = "deviation" if result.status == Status.BROKEN else verdict.replace("_", " ")
    # Texts of the plugin, not of the exception: they hold no key and nothing invisible.
    result.statusDetails = StatusDetails(
        message="\n".join(f"{word}: {one['requirement']}: {one['reason']}" for one in by_verdict[verdict]),
        trace=report.longreprtext if verdict == Verdict.FAIL else None,
    )
    if verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        for exchange in exchanges[-SHOWN_EXCHANGES:]:
            title = f"{exchange.method} {exchange.operation or 'request'} {exchange.status}, {exchange.id}"
            allure.attach(show(exchange), name=title, attachment_type=allure.attachment_type.TEXT)


_TOLD = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_RUN)


def anchor(section: str) -> str:
    """Turn a section's title into its address in a page, as GitHub and most documentation sites do."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", section.strip().lower()))


def _resources(contract: Contract) -> dict[str, str]:
    """Return the resource of each operation: its tag in the OpenAPI file."""
    return {
        said["operationId"]: said["tags"][0]
        for entry in contract.document["paths"].values()
        for said in entry.values()
        if isinstance(said, dict) and "operationId" in said
    }

"""From what each scenario shows to one judgement for each duty and scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..contract.contract import Contract
from ..report.document.advice import SCENARIO_LEFT_OUT
from ..verdicts.verdicts import Judgement
from ..vocabulary import CauseClass, Verdict
from .duties import JUDGES, watch
from .duties.judge import Finding, Watch

SHOWN_IN: dict[str, tuple[str, ...]] = {one.duty: one.shown_in for one in JUDGES}
"""The scenarios that give a client the occasion to do what a duty is about."""

Findings = dict[str, dict[str, Finding]]
"""What each scenario shows of each duty."""


def test_name(scenario: str) -> str:
    """Return the name that a scenario has where a server run names a test."""
    return f"scenario {scenario}"


def findings(watched: Sequence[Watch]) -> Findings:
    """Judge every scenario."""
    found = {one.scenario: watch(one) for one in watched}
    plain, grown = found.get("plain", {}), found.get("grown", {})
    duty = "client.answers.undocumented_members"
    ended_badly = plain.get("client.exit_code", Finding()).verdict == Verdict.FAIL
    if ended_badly and grown.get(duty, Finding()).verdict == Verdict.FAIL:
        # It does not get through where answers are as the pages show them either.
        grown[duty] = Finding(
            Verdict.INCONCLUSIVE, "the client ends with an error in the scenario plain too", CauseClass.SETUP
        )
    return found


def judgements(contract: Contract, found: Findings) -> Iterator[Judgement]:
    """Yield what each scenario says of each duty, and why a duty that no scenario showed was not run."""
    for duty in contract.duties:
        seen = 0
        for scenario, by_duty in found.items():
            finding = by_duty[duty]
            if finding.verdict is not None:
                seen += 1
                yield Judgement(
                    duty,
                    test_name(scenario),
                    finding.verdict,
                    finding.reason,
                    finding.reason if finding.cause_class else "",
                    finding.cause_class,
                    finding.exchanges,
                )
        if not seen:
            yield Judgement(duty, "no scenario", Verdict.NOT_RUN, _why_not(duty, found))


def _why_not(duty: str, found: Findings) -> str:
    if not set(SHOWN_IN[duty]) & set(found):
        return SCENARIO_LEFT_OUT
    return "this client never did what the duty is about"

"""Calls that overlap: whatever order they took effect in, some legal order explains every answer."""

from __future__ import annotations

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import CeilingReached
from meshi_conformance.generation.budget import Plan
from meshi_conformance.generation.concurrency import Histories
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement

FAMILIES = [one.id for one in load().matching("generated.histories.*")]


@requirement(*FAMILIES)
def test_overlapping_calls_have_a_legal_order(api: Api, given: Given, plan: Plan, judge: Judge) -> None:
    histories = Histories(api, given, plan)
    recorder = api.transport.recorder
    try:
        histories.run()
    finally:
        findings = {one.requirement: f"{one.message} ({plan.repeat})" for one in histories.illegal}
        for one in histories.illegal:
            recorder.violated(one.requirement, one.exchange.id, findings[one.requirement])
        recorder.generated(
            {
                "test": "histories",
                "requests": histories.requests,
                "histories": histories.made,
                "findings": list(findings.values()),
            }
        )
    trouble = next(iter(histories.trouble.values()), CeilingReached("no history came to it", "no history came to it"))
    for name in FAMILIES:
        with judge(name):
            assert name not in findings, findings[name]
            if name not in histories.judged:
                raise trouble

"""Calls that schemathesis and Hypothesis make up: good ones are accepted, bad ones refused for their mistake."""

from __future__ import annotations

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import Contract, load
from meshi_conformance.errors import CeilingReached
from meshi_conformance.generation.budget import Plan
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.valid_calls import Calls


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(name, marks=requirement(f"generated.accepts.{name}", f"generated.refuses.{name}"), id=name)
        for name in load().operations
    ],
)
def test_made_up_calls_are_answered_as_documented(
    operation: str, api: Api, given: Given, world: World, calls: Calls, contract: Contract, plan: Plan, judge: Judge
) -> None:
    from meshi_conformance.generation.campaign import Runner, message

    campaign = Runner(operation, api, given, world, calls, contract, plan).run()
    recorder = api.transport.recorder
    findings = {one.requirement: message(one, plan) for one in campaign.findings}
    for one in campaign.findings:
        recorder.violated(one.requirement, one.exchange.id, findings[one.requirement])
    recorder.generated({"test": "calls", **campaign.record(), "findings": list(findings.values())})
    for family, number, what in (
        ("accepts", campaign.accepted, "no good call was accepted"),
        ("refuses", campaign.refused, "no bad call was refused"),
    ):
        name = f"generated.{family}.{operation}"
        with judge(name):
            assert name not in findings, findings[name]
            if not number:
                raise CeilingReached(f"{what} of {campaign.requests} ({campaign.record()['kinds']})", what)

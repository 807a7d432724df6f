"""A model of the API: after any sequence of calls the server answers as the model does."""

from __future__ import annotations

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import Contract, load
from meshi_conformance.errors import CeilingReached
from meshi_conformance.generation.budget import Plan
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.valid_calls import Calls

FAMILIES = [one.id for one in load().matching("generated.model.*")]


@requirement(*FAMILIES)
def test_whatever_was_called_before_the_server_answers_as_the_model(
    api: Api, given: Given, calls: Calls, contract: Contract, plan: Plan, judge: Judge
) -> None:
    from meshi_conformance.generation.repro_script import script
    from meshi_conformance.generation.state_machine import explore

    recorder = api.transport.recorder
    outcome = explore(api, given, calls, contract, plan)
    findings = {}
    for one in outcome.findings:
        told = script(one, api.transport.run, contract, recorder.clean)
        findings[one.requirement] = f"{one.message} ({plan.repeat})\n{told}"
        recorder.violated(one.requirement, one.exchange, f"{one.message} ({plan.repeat})")
    recorder.generated(
        {
            "test": "model",
            "requests": outcome.requests,
            "walks": outcome.walks,
            "longest": outcome.longest,
            "findings": list(findings.values()),
        }
    )
    for name in FAMILIES:
        with judge(name):
            assert name not in findings, findings[name]
            if name not in outcome.checked:
                trouble = outcome.trouble or CeilingReached("no walk came to it", "the budget ended before")
                raise trouble

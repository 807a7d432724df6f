"""Walks along the links of the OpenAPI file: what one answer names, the next operation knows."""

from __future__ import annotations

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import Contract, load
from meshi_conformance.errors import NothingThere
from meshi_conformance.generation.budget import Plan
from meshi_conformance.generation.links import Walk, summary
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.valid_calls import Calls

SOURCES = [one.id for one in load().matching("generated.links.*")]


@requirement(*SOURCES)
def test_what_an_answer_names_is_known_where_its_links_lead(
    api: Api, given: Given, calls: Calls, contract: Contract, plan: Plan, judge: Judge
) -> None:
    walk = Walk(api, given, calls, contract, plan)
    try:
        walk.run()
    finally:
        api.transport.recorder.generated(summary(walk))
        broken = {one.link.requirement: str(one) for one in reversed(walk.broken)}
        followed = {link.requirement for link in walk.followed}
        for name in SOURCES:
            with judge(name):
                assert name not in broken, f"{broken[name]} ({plan.repeat})"
                if name not in followed:
                    raise NothingThere("no answer named anything to follow", "no link could be followed")

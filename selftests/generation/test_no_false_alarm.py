"""A right server is blamed for nothing, whatever it chooses where the pages are silent."""

from __future__ import annotations

import pytest

from meshi_conformance.generation.campaign import Runner
from meshi_conformance.generation.histories import Histories
from meshi_conformance.generation.links import Walk
from meshi_conformance.generation.machine import explore
from meshi_reference.settings import Settings

from .bench import Bench, bench, plan

SERVERS = {
    "default": Settings(),
    "strict": Settings(
        strict_formats=True,
        require_https_webhook=True,
        require_session_times=True,
        refuse_end_before_start=True,
        missing_attendee_id="INVALID_ATTENDEE",
        body_before_event=True,
    ),
    "lenient": Settings(
        limit_policy="clamp",
        cursor_policy="restart",
        non_object_body="empty_object",
        import_keeps_omitted=True,
        generic_runs_end=False,
        matches_before_run="empty",
        merged_id_mapped=True,
        review_subject="earlier",
        id_style="uuid",
        timestamp_style="offset-micros",
        extra_members=True,
        extra_statuses=True,
    ),
}


def findings(tools: Bench, seed: int) -> list[str]:
    """Everything that a run of the generated tests would report."""
    chosen = plan(seed, model=800, histories=200, walks=150, calls=40)
    found = []
    for operation in tools.contract.operations:
        runner = Runner(operation, tools.api, tools.given, tools.world, tools.calls, tools.contract, chosen)
        found += [str(one) for one in runner.run().findings]
    walk = Walk(tools.api, tools.given, tools.calls, tools.contract, chosen)
    walk.run()
    found += [str(one) for one in walk.broken]
    outcome = explore(tools.api, tools.given, tools.calls, tools.contract, chosen)
    found += [f"{one.requirement}: {one.message}" for one in outcome.findings]
    histories = Histories(tools.api, tools.given, chosen)
    histories.run()
    return found + [one.message for one in histories.illegal]


@pytest.mark.parametrize("name", list(SERVERS))
def test_a_right_server_is_blamed_for_nothing(name: str) -> None:
    with bench(settings=SERVERS[name]) as tools:
        assert findings(tools, seed=20) == []

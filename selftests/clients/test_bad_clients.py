"""Each duty has a client that breaks it: it is found, for that duty, and no unrelated duty is blamed."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from meshi_conformance.clients.duties import JUDGES
from meshi_conformance.clients.judging import SHOWN_IN
from meshi_conformance.clients.scenarios import SCENARIOS
from meshi_conformance.contract.contract import load

from .bad_clients import BAD_CLIENTS, BadClient
from .trial import Trial, python, tried_all


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """Every bad client in one scenario that shows its breach."""
    folder = tmp_path_factory.mktemp("bad")
    commands = []
    for number, one in enumerate(BAD_CLIENTS):
        program = folder / f"client_{number}.py"
        program.write_text(one.source(), encoding="utf-8")
        commands.append((python(program), one.scenarios[:1]))
    return dict(zip([one.name for one in BAD_CLIENTS], asyncio.run(tried_all(commands, at_once=6)), strict=True))


@pytest.mark.parametrize("one", BAD_CLIENTS, ids=lambda one: one.name)
def test_a_bad_client_is_found(one: BadClient, trials: dict[str, Trial]) -> None:
    trial = trials[one.name]
    assert one.duty in trial.failed(), f"{trial.failed()}\n{trial.output()}"


def test_no_unrelated_duty_is_charged_at_the_median(trials: dict[str, Trial]) -> None:
    unrelated = {
        one.name: {name: why for name, why in trials[one.name].failed().items() if name not in (one.duty, *one.also)}
        for one in BAD_CLIENTS
    }
    assert statistics.median(len(charged) for charged in unrelated.values()) == 0
    assert {name: charged for name, charged in unrelated.items() if charged} == {}


def test_the_books_of_the_duties_balance() -> None:
    duties = set(load().duties)
    assert {one.duty for one in JUDGES} == duties
    assert len(JUDGES) == len(duties)
    assert {one.duty for one in BAD_CLIENTS} == duties
    assert all(shown and set(shown) <= set(SCENARIOS) for shown in SHOWN_IN.values())
    assert all(set(one.scenarios) & set(SHOWN_IN[one.duty]) for one in BAD_CLIENTS if one.duty != "client.exit_code")


def test_only_implied_duties_explain_no_exit_code() -> None:
    from meshi_conformance.clients.duties.answers import IMPLIED

    assert set(IMPLIED) == {one.id for one in load().duties.values() if one.level == "implied"}

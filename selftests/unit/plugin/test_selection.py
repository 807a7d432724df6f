# ruff: noqa: F811 - fixtures of another module are parameters here
"""What a user selects: markers work, what cannot work is refused before anything is sent, and typos are noticed."""

from __future__ import annotations

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.errors import UsageError
from meshi_conformance.plugin.options import CACHED, unknown_marker
from meshi_conformance.target.target import resolve

from .test_plugin import EVERY_END, Answers, Run, base, run  # noqa: F401 - the last two are fixtures

pytest_plugins = ["pytester"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that the tiny server gets."""
    found: list[str] = []
    parse = Answers.parse_request

    def parse_request(self: Answers) -> bool:
        done: bool = parse(self)
        found.append(self.requestline)
        return done

    monkeypatch.setattr(Answers, "parse_request", parse_request)
    return found


@pytest.mark.parametrize("option", CACHED.values())
def test_options_that_need_a_cache_are_refused_before_anything_is_sent(
    option: str,
    run: Run,
    sent: list[str],
) -> None:
    ended = run(EVERY_END, option)
    assert ended.code == 4
    assert f"{option} needs pytest's cache" in ended.output
    assert "--requirements" in ended.output
    assert not sent


@pytest.mark.parametrize("expression", ["documentd", "documented and not getAuht", "(runs or getAuth) and nothing"])
def test_a_marker_that_marks_nothing_is_refused_before_anything_is_sent(
    expression: str,
    run: Run,
    sent: list[str],
) -> None:
    ended = run(EVERY_END, "-m", expression)
    assert ended.code == 4
    assert "which marks no test" in ended.output
    assert not sent


@pytest.mark.parametrize(
    ("expression", "judged"),
    [
        ("getRun", {"auth.getRun", "auth.listRuns"}),
        ("status", {"scope.getAuth", "status.getAuth.200"}),
        ("implied", set()),
        ("auth and getMatch and documented", {"auth.getMatch"}),
    ],
)
def test_tests_are_chosen_by_level_family_and_operation(
    expression: str,
    judged: set[str],
    run: Run,
) -> None:
    ended = run(EVERY_END, "-m", expression)
    assert {name for one in ended.document["tests"] for name in one["requirements"]} == judged


def test_near_names_are_suggested() -> None:
    assert unknown_marker("docmented", load().markers) is not None
    assert "Did you mean documented?" in str(unknown_marker("docmented", load().markers))
    assert unknown_marker("documented and (createEvent or not runs)", load().markers) is None
    for pattern, near in (("run.*", "runs.*"), ("error.createEvent.INVALID_TITEL", "error.createEvent.INVALID_TITLE")):
        with pytest.raises(UsageError, match=f"Did you mean .*{near.replace('*', '[*]')}"):
            load().select([pattern])
    with pytest.raises(UsageError, match=r"Did you mean staging\?"):
        resolve("stagign", {"MESHI_KEY": "k"}, frozenset())
    with pytest.raises(UsageError, match=r"^--requirements 'zzzz' fits no requirement\. Patterns"):
        load().select(["zzzz"])

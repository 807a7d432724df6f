"""Bundles hold every variation once, and never two that cannot hold on one server."""

from __future__ import annotations

from types import SimpleNamespace

from meshi_reference import variations
from meshi_reference.variations import Variation

from .bundles import SIZE, bundled, combined

PART = SimpleNamespace(first=1, second=2)


def sets(name: str, value: int) -> Variation:
    return Variation(f"{name} is {value}", "A sentence.", apply=lambda patch: patch(PART, name, value))


def doubles(name: str, family: str = "twice") -> Variation:
    return Variation(f"{family}.{name}", "A.", apply=lambda patch: patch.wrap(PART, name, lambda inner: inner * 2))


def names(groups: list[list[Variation]]) -> list[list[str]]:
    return [[one.name for one in group] for group in groups]


def test_every_variation_is_in_one_bundle() -> None:
    known = list(variations.load().values())
    groups = bundled(known)
    assert sorted(name for group in names(groups) for name in group) == sorted(one.name for one in known)
    assert max(map(len, groups)) == SIZE
    assert len(groups) < len(known) / 2


def test_what_replaces_the_same_part_stays_apart() -> None:
    assert names(bundled([sets("first", 5), sets("second", 6), sets("first", 7)])) == [
        ["first is 5", "second is 6"],
        ["first is 7"],
    ]
    assert names(bundled([sets("first", 5), doubles("first")])) == [["first is 5"], ["twice.first"]]
    assert names(bundled([doubles("first"), sets("first", 5)])) == [["twice.first"], ["first is 5"]]


def test_what_only_wraps_a_part_can_be_combined() -> None:
    groups = bundled([doubles("first", "one"), doubles("first", "other")])
    assert len(groups) == 1
    with combined(groups[0]).applied():
        assert PART.first == 4
    assert PART.first == 1


def test_one_question_and_one_setting_are_decided_once() -> None:
    one = Variation("one", "A.", settings={"run_seconds": 1.0})
    other = Variation("other", "A.", settings={"run_seconds": 2.0})
    assert len(bundled([one, other])) == 2
    one = Variation("one", "A.", makes=("lists.cursor=ignored",))
    other = Variation("other", "A.", makes=("lists.cursor=refused",))
    assert len(bundled([one, other])) == 2


def test_a_family_is_tried_apart() -> None:
    assert len(bundled([doubles("first"), doubles("second")])) == 2


def test_a_variation_with_other_clients_stays_alone() -> None:
    busy = Variation("busy", "A.", background=lambda address, stopping: None)
    assert len(bundled([busy, sets("first", 5)])) == len(bundled([sets("first", 5), busy])) == 2


def test_a_bundle_is_all_of_its_members() -> None:
    one = Variation("one", "First.", settings={"db": "x"}, unjudged=("a.*",), makes=("q=c",))
    other = Variation("other", "Second.", settings={"run_seconds": 1.0}, deviates=("b.c",), makes=("r=d",))
    both = combined([one, other])
    assert (both.name, both.sentence) == ("one + other", "First. Second.")
    assert both.settings == {"db": "x", "run_seconds": 1.0}
    assert (both.unjudged, both.deviates, both.makes) == (("a.*",), ("b.c",), ("q=c", "r=d"))
    assert combined([one]) is one


def test_a_probe_leaves_the_server_as_it_was() -> None:
    bundled([sets("first", 5), doubles("second")])
    assert (PART.first, PART.second) == (1, 2)

"""The targets file, and what a target may be asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshi_conformance.contract.contract import load as contract
from meshi_conformance.errors import UsageError
from meshi_conformance.plugin.start.preflight import announcement
from meshi_conformance.target.target import Preflight, Target, resolve, restricted
from meshi_conformance.target.targets_file import load

from .whole_runs.suite import ROOT

BASE = "https://api.example.com/api/v0/partner"


def written(folder: Path, text: str) -> Path:
    file = folder / "targets.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_can_be_used() -> None:
    entries = load(ROOT / "docs" / "targets.example.toml")
    keys = {
        "STAGING_EU_KEY": "k1",
        "STAGING_EU_OTHER_KEY": "k2",
        "STAGING_EU_GATEWAY_TOKEN": "t",
        "MESHI_READ_KEY": "of something else",
    }
    target = resolve("staging-eu", keys, frozenset({"large", "rate_limit"}), entries)
    assert target is not None
    assert target.keys == {"main": "k1", "other": "k2"}
    assert (target.rate, target.run_deadline, target.deadline("enrichment"), target.deadline("match")) == (
        10,
        300,
        900,
        300,
    )
    assert target.capabilities == {"large"}
    assert target.lacks("disabled") == "There is no disabled account on this system."
    assert target.lacks("read") == "STAGING_EU_READ_KEY is not set"
    assert target.lacks("other") is None
    assert target.waivers == str(ROOT / "docs" / "staging-eu.waivers.toml")
    production = resolve("production", {"PRODUCTION_READ_KEY": "k"}, frozenset(), entries)
    assert production is not None
    assert restricted(production).read_only


BAD = {
    "no TOML": ("[targets", "is not valid TOML"),
    "an unknown table": ("[servers.a]\nbase = 'x'", "unknown entry 'servers'"),
    "an unknown entry": (f"[targets.a]\nbase = '{BASE}'\nrat = 3", "unknown entry 'rat'"),
    "no base": ("[targets.a]\nrate = 3", "needs `base`"),
    "the name of the reference": (f"[targets.reference]\nbase = '{BASE}'", "cannot be used"),
    "a rate of nothing": (f"[targets.a]\nbase = '{BASE}'\nrate = 0", "above 0"),
    "a rate that is true": (f"[targets.a]\nbase = '{BASE}'\nrate = true", "above 0"),
    "a wait that is text": (f"[targets.a]\nbase = '{BASE}'\nwaits.run = 'long'", "number of seconds"),
    "an unknown wait": (f"[targets.a]\nbase = '{BASE}'\nwaits.lunch = 3", "unknown entry 'lunch'"),
    "an unknown role": (f"[targets.a]\nbase = '{BASE}'\nkeys.boss = 'X'", "unknown entry 'boss'"),
    "a key in place of its variable": (f"[targets.a]\nbase = '{BASE}'\nkeys.main = 'sk-live-12'", "never write a key"),
    "an unknown capability": (f"[targets.a]\nbase = '{BASE}'\ncannot.fly = 'no wings'", "unknown entry 'fly'"),
    "a capability without a reason": (f"[targets.a]\nbase = '{BASE}'\ncannot.large = ' '", "needs a reason"),
    "targets that are not a table": ("targets = 3", "is not a table"),
    "a header's value": (f"[targets.a]\nbase = '{BASE}'\nheaders.X-Gate = 'a-b'", "never write a value"),
    "a header of the suite's own": (f"[targets.a]\nbase = '{BASE}'\nheaders.Authorization = 'A'", "cannot be added"),
    "a header that is none": (f"[targets.a]\nbase = '{BASE}'\nheaders.'X Gate' = 'A'", "cannot be added"),
    "an unknown certificate": (f"[targets.a]\nbase = '{BASE}'\ntls.cert = 'x'", "unknown entry 'cert'"),
    "a key without its certificate": (f"[targets.a]\nbase = '{BASE}'\ntls.private_key = 'x'", "needs `certificate`"),
    "a passphrase in the file": (
        f"[targets.a]\nbase = '{BASE}'\ntls = {{certificate = 'x', passphrase = 'a b'}}",
        "never",
    ),
    "read_only that is text": (f"[targets.a]\nbase = '{BASE}'\nread_only = 'yes'", "true or false"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_the_place(case: str, tmp_path: Path) -> None:
    text, said = BAD[case]
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        load(written(tmp_path, text))


def test_without_a_file_there_are_the_documented_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == {}
    target = resolve("staging", {"MESHI_KEY": "k"}, frozenset(), {})
    assert target is not None
    assert target.base == "https://api.staging.meshi.io/api/v0/partner"
    assert (target.poll_first, target.poll_most, target.run_deadline) == (2.0, 30.0, 120.0)
    assert not restricted(target).read_only


PRODUCTION = (
    "production",
    "https://api.meshi.io/api/v0/partner",
    "https://API.meshi.io/v0/partner/",
    "https://api.meshi.io.:443/api/v0/partner",
)


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_is_read_only_under_any_name(name: str) -> None:
    target = resolve(name, {"MESHI_KEY": "k"}, frozenset())
    assert target is not None
    assert restricted(target).read_only
    assert not restricted(target, allow_writes="production").read_only
    with pytest.raises(UsageError, match="does not name the target"):
        restricted(target, allow_writes="staging")
    with pytest.raises(UsageError, match="exclude each other"):
        restricted(target, allow_writes="production", read_only=True)


@pytest.mark.parametrize(
    "base",
    [
        "ftp://x/api",
        "http://",
        "http://[::1",
        "http://x:99999/a",
        "http://x y/a",
        "https://u:p@x/a",
        "https://x/a?b",
        "http://é/a",
    ],
)
def test_a_url_that_is_no_base_is_refused(base: str) -> None:
    with pytest.raises(UsageError):
        resolve(base, {"MESHI_KEY": "k"}, frozenset())


def test_the_announcement_says_what_will_happen() -> None:
    target = Target("live", BASE, {"main": "k"}, rate=3.0, most_created=7)
    names = list(contract().requirements)
    lines = "\n".join(announcement(target, Preflight("org-1", ("partner:read",), ("Odd.",)), contract(), names))
    for said in ("live", BASE, "org-1", "partner:read", "3 requests per second", "at most 7", "Odd."):
        assert said in lines
    assert "MESHI_OTHER_KEY is not set" in lines

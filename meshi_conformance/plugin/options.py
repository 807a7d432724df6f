"""The command-line options of a run. The suite's own configuration loads them, and no other project does.

The command line reads this module before pytest does, so pytest cannot rewrite it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from ..report import FILES
from ..verdicts.gate import FAIL_ON

PROFILES = ("quick", "nightly", "none", "smoke")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options to pytest."""
    add_to(parser.getgroup("conformance", "Meshi Partner API conformance").addoption)


def add_to(add: Callable[..., Any]) -> None:
    """Declare every option of a run by a function that takes what argparse's `add_argument` takes."""
    add(
        "--target",
        metavar="NAME|URL",
        help="reference (default: an embedded server), staging, production or a base URL; MESHI_BASE works too",
    )
    add("--targets-file", metavar="FILE", help="servers by name (default: targets.toml, where there is one)")
    add("--read-only", action="store_true", help="send no write: judge what reads can show")
    add("--allow-writes", metavar="NAME", help="allow writes on a protected target, such as production")
    add(
        "--rate",
        metavar="N",
        type=_value(_positive(float), "a number above 0"),
        help="send at most N requests per second, over all workers",
    )
    add(
        "--max-requests",
        metavar="N",
        type=_value(_positive(int), "a whole number above 0"),
        help="send at most N requests in all: the tests are chosen that judge most with them",
    )
    add(
        "--max-created",
        metavar="N",
        type=_value(_positive(int), "a whole number above 0"),
        help="create at most N rows in all",
    )
    add(
        "--time",
        metavar="SECONDS",
        type=_value(_seconds, "seconds or minutes, such as 60s or 5m"),
        help="end within about so long, such as 60s or 5m: the tests are chosen that judge most in it",
    )
    add("--report-dir", metavar="DIR", help="where the report is written (default: a folder of its own below reports/)")
    add(
        "--report-files",
        metavar="NAMES",
        type=_value(_some_of(tuple(FILES)), f"none, or some of {','.join(FILES)}"),
        default=tuple(FILES),
        help=f"which files the report has besides results.json, with commas between them, or none: {', '.join(FILES)}",
    )
    add(
        "--requirements",
        metavar="PATTERN",
        action="append",
        default=[],
        help="judge only requirements whose ID fits, e.g. 'runs.*'; may be given several times",
    )
    add(
        "--fail-on",
        metavar="WHAT",
        action="append",
        default=[],
        type=_value(_one_of(FAIL_ON), ", ".join(FAIL_ON)),
        help="also fail the run on deviations (implied requirements), on unjudged documented requirements, on "
        "behaviours that differ from the run of --compare-with, or on flaky answers",
    )
    add(
        "--compare-with",
        metavar="REPORT",
        help="an older report folder or results.json: tell which behaviours changed since (docs/reports.md)",
    )
    add(
        "--allow-undecided",
        metavar="N",
        type=_value(_positive(int), "a whole number above 0"),
        default=0,
        help="let N documented requirements stay undecided: the target kept them from being judged (docs/ci.md)",
    )
    add("--waivers", metavar="FILE", help="known failures that do not fail the run for now (docs/ci.md)")
    add_links(add, _value)
    add("--large", action="store_true", help="also send the very large requests")
    add("--rate-limit-probe", action="store_true", help="also send requests until the target answers 429")
    add(
        "--profile",
        type=_value(_one_of(PROFILES), ", ".join(PROFILES)),
        default="quick",
        help="how much is generated: quick (seconds, the default), nightly (minutes) or none; smoke "
        "generates nothing and judges what 400 requests and 300 created rows can show",
    )
    add(
        "--budget",
        metavar="N",
        type=_value(_positive(int), "a whole number above 0"),
        help="at most about N generated requests, in place of the profile's",
    )
    add(
        "--seed",
        metavar="N",
        type=_value(int, "a whole number"),
        help="makes the same generated requests again; without it a new one is drawn",
    )


def unknown_marker(expression: str, known: Iterable[str]) -> str | None:
    """Say in a sentence what is wrong with the names in an expression for `-m`; None where all are known."""
    for name in re.findall(r"[\w.:-]+", re.sub(r"\([^()]*=[^()]*\)", "", expression)):
        if name not in {"and", "or", "not", *known}:
            near = difflib.get_close_matches(name, list(known), n=1)
            return (
                f"-m {expression!r} names {name!r}, which marks no test."
                + (f" Did you mean {near[0]}?" if near else "")
                + " Markers are the levels, the families and the operations, as in -m 'documented and createEvent'."
            )
    return None


class Unusable(str):
    """A value that an option does not take. It is reported when the run starts: only then can a report say so."""

    takes: str


CACHED = {
    "lf": "--lf",
    "failedfirst": "--ff",
    "newfirst": "--nf",
    "stepwise": "--sw",
    "stepwise_skip": "--sw-skip",
    "cacheshow": "--cache-show",
    "cacheclear": "--cache-clear",
}
"""Options of pytest that live on a cache of earlier runs, which a run of the suite does not keep."""


def unusable(options: argparse.Namespace) -> str | None:
    """Say in sentences what is wrong with an option or its value; None where all can be used."""
    for name, option in CACHED.items():
        if getattr(options, name, None):
            return (
                f"{option} needs pytest's cache of the last run, which the suite does not keep: one run says nothing "
                "about what another server did. Give the IDs with --requirements; each failure in a report names the "
                "command that judges it again."
            )
    for name, value in vars(options).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Unusable):
                return f"--{name.replace('_', '-')} takes {one.takes}, not {str(one)[:80]!r}."
    return None


def _value(convert: Callable[[str], Any], takes: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            wrong = Unusable(text)
            wrong.takes = takes
            return wrong

    return parse


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not 0 < value < 1e9:
            raise ValueError(text)
        return value

    return parse


def add_links(add: Callable[..., Any], value: Callable[[Callable[[str], Any], str], Callable[[str], Any]]) -> None:
    """Declare where a report links to.

    `value` makes a conversion of an option's text from one that raises ValueError and from what the option takes.
    """
    add(
        "--pages-url",
        metavar="URL",
        type=value(_address, "a URL that begins with http:// or https://"),
        help="where the documentation's pages are: the report links to URL/PAGE/; {page} in it says otherwise",
    )
    add(
        "--site-url",
        metavar="URL",
        type=value(_place, "a URL, or a path that begins with / or ."),
        help="where the site that `make docs` builds is: the report links to its page of each requirement",
    )


def _seconds(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("s", "m") else (text, "s")
    return _positive(float)(number) * (60 if unit == "m" else 1)


def _address(text: str) -> str:
    if not re.match(r"https?://[^/]", text):
        raise ValueError(text)
    return text


def _place(text: str) -> str:
    return text if re.match(r"\.{0,2}/", text) else _address(text)


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return parse


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        named = () if text == "none" else tuple(text.split(","))
        if not set(named) <= set(known):
            raise ValueError(text)
        return named

    return parse


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed before worker processes start, so that all have the same; print little where nothing was asked."""
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(2**32)
    if config.option.verbose == 0:  # an option in the project's configuration would take one -v of the user's away
        config.option.verbose = -1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Name the configuration to the workers, which read the same command line: paths exist now that did not then."""
    if config.inipath is not None:
        words = ("-c", str(config.inipath), *config.invocation_params.args)
        config.invocation_params = dataclasses.replace(config.invocation_params, args=words)

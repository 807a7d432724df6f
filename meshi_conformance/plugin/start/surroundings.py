"""What decides which tests run, and with which judgement: the command line, and nothing around it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence

import pytest

from ...contract.contract import root

HARMLESS_FLAGS = frozenset(
    {"-q", "-v", "-s", "-l", "--quiet", "--verbose", "--no-header", "--no-summary", "--disable-warnings"}
    | {"--strict", "--strict-markers", "--strict-config", "--showlocals", "--full-trace"}
)
HARMLESS_VALUES = frozenset(
    {"--color", "--tb", "--durations", "--durations-min", "--show-capture", "--code-highlight", "--verbosity"}
    | {"--junitxml", "--junit-xml", "--alluredir", "--basetemp", "--capture", "-r", "-W", "-n", "--numprocesses"}
    | {"--maxprocesses", "--dist", "--log-level", "--log-cli-level", "--log-file", "--log-file-level"}
)
"""Options that change how a run is shown or spread, and not what is judged."""

HARMLESS_SETTINGS = frozenset(
    {"addopts", "minversion", "markers", "filterwarnings", "cache_dir", "console_output_style"}
    | {"tmp_path_retention_count", "tmp_path_retention_policy", "truncation_limit_chars", "truncation_limit_lines"}
    | {"faulthandler_timeout", "strict", "strict_config", "strict_markers", "strict_parametrization_ids"}
    | {"strict_xfail", "verbosity_assertions"}
)
"""Settings of a configuration file of which the same is true; those that start with `log_` or `junit_` are too."""

SELECTING_FLAGS = frozenset({"--lf", "--last-failed", "--pyargs", "--setup-plan", "--setup-only"})
SELECTING_VALUES = frozenset({"-k", "-m", "--deselect", "--ignore", "--ignore-glob"})
STOPPING = frozenset({"-x", "--exitfirst", "--maxfail", "--sw", "--stepwise", "--stepwise-skip", "--sw-skip"})


def refusal(config: pytest.Config, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return why a run cannot be trusted in these surroundings, as a sentence for people; None where it can."""
    if sys.flags.optimize:
        return (
            "Python runs without assertions (-O or PYTHONOPTIMIZE), so failed checks would pass. "
            "Start it without -O and unset PYTHONOPTIMIZE."
        )
    try:
        words = shlex.split(environment.get("PYTEST_ADDOPTS", ""))
    except ValueError as problem:
        return f"PYTEST_ADDOPTS cannot be read ({problem}). Unset it."
    plugins = [one for one in environment.get("PYTEST_PLUGINS", "").split(",") if one.strip()]
    for source, strange in (("PYTEST_ADDOPTS", deciding(words)), ("PYTEST_PLUGINS", next(iter(plugins), None))):
        if strange is not None:
            return (
                f"The environment variable {source} holds {strange!r}, which can decide what is judged. Unset it, or "
                "give what you mean on the command line, where the report names it."
            )
    return _configuration(config)


def _configuration(config: pytest.Config) -> str | None:
    file = config.inipath
    if file is None or file.resolve() == (root() / "pyproject.toml").resolve() or _names_a_file(config):
        return None
    strange = deciding(config.getini("addopts"))
    if strange is None:
        strange = next(
            (
                name
                for name in config._inicfg
                if name not in HARMLESS_SETTINGS and not name.startswith(("log_", "junit_"))
            ),
            None,
        )
    if strange is None:
        return None
    return (
        f"The configuration file {file} takes the place of the suite's own, and its {strange!r} can decide what is "
        "judged. Remove it, or name it on the command line with -c."
    )


def _names_a_file(config: pytest.Config) -> bool:
    words = config.invocation_params.args
    return any(str(word) == "-c" or str(word).startswith(("-c=", "--config-file")) for word in words)


def deciding(words: Sequence[str]) -> str | None:
    """Return the first of some options that could decide what is judged; None where none could."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if word in HARMLESS_FLAGS or (word[:1] == "-" and word[1:2] in "qv" and not word[1:].strip("qv")):
            continue
        if name in HARMLESS_VALUES:
            if "=" not in word and rest:
                rest.pop(0)
            continue
        if word[:2] in ("-r", "-n", "-W") and len(word) > 2:
            continue
        if name == "-p" or (word.startswith("-p") and not word.startswith("--")):
            plugin = word[2:].lstrip("=") or (rest.pop(0) if rest else "")
            if plugin.startswith("no:") and not plugin.startswith("no:meshi"):
                continue
            return f"-p {plugin}"
        return f"{word} {rest[0]}" if rest and not value and not rest[0].startswith("-") else word
    return None


def selecting(words: Iterable[object], known: Iterable[str]) -> list[str]:
    """Return what on a command line leaves tests out or stops early.

    `known` are what pytest takes for paths and node IDs, as given on the command line or made absolute.
    """
    rest, found, paths = [str(word) for word in words], [], set(known)
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        short = word[:2] if word[:2] in ("-k", "-m") and not word.startswith("--") else name
        if short in SELECTING_VALUES | STOPPING | SELECTING_FLAGS:
            takes_value = short in SELECTING_VALUES | {"--maxfail"}
            if takes_value and word == short and rest:
                word += f" {rest.pop(0)}"
            found.append(word)
        elif word in paths or (word[:1] != "-" and any(path.endswith(f"/{word}") for path in paths)):
            found.append(word)
    return found


def stopping(words: Iterable[str]) -> list[str]:
    """Return those of the selecting words that end a run early."""
    return [word for word in words if word.partition("=")[0].partition(" ")[0] in STOPPING]

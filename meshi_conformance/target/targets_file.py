"""The targets file: servers by name, with their keys' variables, the way to them, what they cannot offer, and waits."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..contract.requirements import NEEDS
from ..errors import UsageError
from .access import HEADER_NAME, RESERVED_HEADERS, Tls
from .keys import KEY_VARIABLES

HOSTED = {
    "staging": "https://api.staging.meshi.io/api/v0/partner",
    "production": "https://api.meshi.io/api/v0/partner",
}
"""The documented servers, by the name that `--target` takes (overview, Environments)."""

DEFAULT_FILE = "targets.toml"
"""Read from the current folder where `--targets-file` names no other."""

KINDS = ("import", "enrichment", "match")
WAITS = {
    "run": "run_deadline",
    "poll_first": "poll_first",
    "poll_most": "poll_most",
    "answer": "answer_seconds",
    "rate_limit": "rate_limit_seconds",
}
"""Name in `[targets.NAME.waits]`, beside the kinds of runs, to the attribute of Target that it sets."""


OTHERS = ("waivers", "tls", "headers")
"""What else a target's table may hold."""


@dataclass(frozen=True)
class Entry:
    """One target of the file.

    `variables` maps a role to the environment variable that holds its key, `key_commands` to the command that prints
    a fresh one, `headers` a header to the variable of its value.
    """

    name: str
    base: str
    variables: dict[str, str] = field(default_factory=lambda: dict(KEY_VARIABLES))
    cannot: dict[str, str] = field(default_factory=dict)
    rate: float | None = None
    waits: dict[str, Any] = field(default_factory=dict)
    read_only: bool = False
    waivers: str | None = None
    tls: Tls = field(default_factory=Tls)
    headers: dict[str, str] = field(default_factory=dict)
    key_commands: dict[str, str] = field(default_factory=dict)


def load(file: Path | None) -> dict[str, Entry]:
    """Load the entries of a targets file, by name; of ./targets.toml where None is given, and none without it.

    Raise UsageError with the place and what is allowed there for anything that cannot be used.
    """
    path = file or Path(DEFAULT_FILE)
    if file is None and not path.is_file():
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise UsageError(f"The targets file {path} cannot be read: {problem.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"The targets file {path} is not valid TOML: {problem}.") from None
    try:
        _only(data, "the file", "targets")
        return {name: _entry(name, table, path.parent) for name, table in _table(data, "targets").items()}
    except _Wrong as problem:
        raise UsageError(
            f"The targets file {path} cannot be used: {problem}. docs/targets.md shows the form."
        ) from None


def redefined(entries: Mapping[str, Entry]) -> list[str]:
    """Return what a person should know before a key is sent: documented names that the file gives to other servers."""
    return [
        f"The targets file gives the name {name} to {entry.base}; the documented {name} is {HOSTED[name]}."
        for name, entry in entries.items()
        if name in HOSTED and entry.base.rstrip("/") != HOSTED[name]
    ]


class _Wrong(Exception):
    """A place of the file and what is wrong there."""


def _entry(name: str, table: Any, folder: Path) -> Entry:
    where = f"[targets.{name}]"
    if name == "reference" or "/" in name or not name.isprintable():
        raise _Wrong(f"{where} has a name that cannot be used; `reference` is the embedded server")
    if not isinstance(table, dict):
        raise _Wrong(f"{where} is not a table")
    _only(
        table,
        where,
        "base",
        "keys",
        "key_commands",
        "cannot",
        "rate",
        "waits",
        "read_only",
        "waivers",
        "tls",
        "headers",
    )
    base = table.get("base", HOSTED.get(name))
    if not isinstance(base, str) or not base.startswith(("http://", "https://")):
        raise _Wrong(f"{where} needs `base`, a URL that starts with http:// or https://")
    keys = _table(table, "keys", where)
    _only(keys, f"[targets.{name}.keys]", *KEY_VARIABLES)
    for role, variable in keys.items():
        if not isinstance(variable, str) or not variable.isidentifier():
            raise _Wrong(
                f"[targets.{name}.keys] {role} must be the name of an environment variable; never write a key there"
            )
    commands = _table(table, "key_commands", where)
    _only(commands, f"[targets.{name}.key_commands]", *KEY_VARIABLES)
    for role, command in commands.items():
        if not isinstance(command, str) or not command.strip():
            raise _Wrong(f"[targets.{name}.key_commands] {role} must be a command that prints a key, not a key")
    cannot = _table(table, "cannot", where)
    _only(cannot, f"[targets.{name}.cannot]", *NEEDS)
    for need, reason in cannot.items():
        if not isinstance(reason, str) or not reason.strip():
            raise _Wrong(f"[targets.{name}.cannot] {need} needs a reason: it is what the report says")
    read_only = table.get("read_only", False)
    if not isinstance(read_only, bool):
        raise _Wrong(f"{where} read_only is true or false")
    waivers = table.get("waivers")
    if waivers is not None and not isinstance(waivers, str):
        raise _Wrong(f"{where} waivers is the path of a file")
    return Entry(
        name,
        base,
        {"main": KEY_VARIABLES["main"], **keys} if keys else dict(KEY_VARIABLES),
        cannot,
        _number(table, "rate", where, "requests per second") if "rate" in table else None,
        _waits(_table(table, "waits", where), f"[targets.{name}.waits]"),
        read_only,
        str(folder / waivers) if waivers else None,
        _tls(_table(table, "tls", where), f"[targets.{name}.tls]", folder),
        _headers(_table(table, "headers", where), f"[targets.{name}.headers]"),
        commands,
    )


def _tls(table: dict[str, Any], where: str, folder: Path) -> Tls:
    _only(table, where, *(one.name for one in fields(Tls)))
    for member, value in table.items():
        if not isinstance(value, str) or not value:
            raise _Wrong(f"{where} {member} is {'the name of a variable' if member == 'passphrase' else 'a path'}")
    if "certificate" not in table and ("private_key" in table or "passphrase" in table):
        raise _Wrong(f"{where} needs `certificate` beside its private key")
    if "passphrase" in table and not table["passphrase"].isidentifier():
        raise _Wrong(f"{where} passphrase must be the name of an environment variable; never write one there")
    files = {name: str(folder / table[name]) for name in ("ca", "certificate", "private_key") if name in table}
    return Tls(**files, passphrase=table.get("passphrase"))


def _headers(table: dict[str, Any], where: str) -> dict[str, str]:
    for header, variable in table.items():
        if not HEADER_NAME.fullmatch(header) or header.lower() in RESERVED_HEADERS:
            raise _Wrong(f"{where} {header!r} cannot be added: the suite sends it itself, or it is not a header")
        if not isinstance(variable, str) or not variable.isidentifier():
            raise _Wrong(f"{where} {header} must be the name of an environment variable; never write a value there")
    return table


def _waits(table: dict[str, Any], where: str) -> dict[str, Any]:
    _only(table, where, *WAITS, *KINDS)
    found: dict[str, Any] = {WAITS[name]: _number(table, name, where, "seconds") for name in table if name in WAITS}
    kinds = {name: _number(table, name, where, "seconds") for name in table if name in KINDS}
    return {**found, **({"deadlines": kinds} if kinds else {})}


def _number(table: Mapping[str, Any], name: str, where: str, unit: str) -> float:
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _Wrong(f"{where} {name} is a number of {unit} above 0")
    return float(value)


def _table(data: Mapping[str, Any], name: str, where: str = "the file") -> dict[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise _Wrong(f"{name} of {where} is not a table")
    return value


def _only(table: Mapping[str, Any], where: str, *allowed: str) -> None:
    unknown = [name for name in table if name not in allowed]
    if unknown:
        raise _Wrong(f"{where} has an unknown entry {unknown[0]!r}; known are {', '.join(allowed)}")

"""Which server is judged, with which keys, and what may be done to it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ..contract.requirements import NEEDS
from ..errors import UsageError
from .access import Access, access, is_loopback
from .keys import KEY_VARIABLES, fresh_key, is_sendable
from .targets_file import HOSTED, Entry

CURRENT_BASE = "/api/v0/partner"
LEGACY_BASE = "/v0/partner"
ALLOWED_HOSTS = "MESHI_ALLOWED_HOSTS"
"""Where this variable is set, keys go to the hosts that it names and to the documented ones, and to no other."""
PRODUCTION_HOST = urlsplit(HOSTED["production"]).hostname


@dataclass(frozen=True)
class Target:
    """A server under test, and what may be done to it.

    `keys` maps a role to a key's value; `capabilities` names what is switched on (`large`, `rate_limit`);
    `cannot` gives for what the target cannot offer the reason. All times are in seconds: `deadlines` says how
    long a run of a kind may take to end (`run_deadline` where the kind is not named), `poll_first` and
    `poll_most` what lies between two polls at first and at most, `answer_seconds` how long one answer may
    take, `rate_limit_seconds` how long one request waits in all for a rate limit to lift. `rate` is in
    requests per second over all workers. `protected` targets are read only unless writes are allowed by name;
    `read_only` says what holds in this run, and `read_only_reason` why. `variables` maps a role to the
    environment variable that its key came from, `key_commands` to the command that prints a fresh one; `access` is the
    way to it.
    """

    name: str
    base: str
    keys: dict[str, str] = field(repr=False)
    capabilities: frozenset[str] = frozenset()
    run_deadline: float = 120.0
    poll_first: float = 2.0
    poll_most: float = 30.0
    deadlines: dict[str, float] = field(default_factory=dict)
    answer_seconds: float = 60.0
    rate_limit_seconds: float = 180.0
    rate: float | None = None
    most_requests: int | None = None
    most_created: int | None = None
    cannot: dict[str, str] = field(default_factory=dict)
    protected: bool = False
    read_only: bool = False
    read_only_reason: str = ""
    waivers: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    key_commands: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.base)

    @property
    def secrets(self) -> dict[str, str]:
        """What nothing may show: role of a key, or name of a variable, to its value."""
        return {**self.access.secrets, **self.keys}

    @property
    def legacy_base(self) -> str | None:
        """The base of the transition alias; None where the base is not the documented one."""
        if not self.base.endswith(CURRENT_BASE):
            return None
        return self.base.removesuffix(CURRENT_BASE) + LEGACY_BASE

    def lacks(self, need: str) -> str | None:
        """Say why a requirement with this need cannot be judged here; None where it can."""
        if need in self.cannot:
            return self.cannot[need]
        if need == "legacy_alias":
            return NEEDS[need] if self.legacy_base is None else None
        if need == "loopback":
            return None if self.is_loopback else NEEDS[need]
        if need == "large" and self.read_only:
            return self.read_only_reason
        if need in self.keys or need in self.capabilities:
            return None
        return f"{self.variables[need]} is not set" if need in self.variables else NEEDS[need]

    def variable(self, role: str) -> str:
        """Return the environment variable that holds the key of a role."""
        return self.variables.get(role, KEY_VARIABLES[role])

    def deadline(self, kind: object) -> float:
        """Return how many seconds a run of this kind may take to end."""
        return self.deadlines.get(str(kind), self.run_deadline)

    def as_data(self) -> dict[str, Any]:
        """Return a JSON-able form, keys included: it goes to worker processes and nowhere else."""
        return {**asdict(self), "capabilities": sorted(self.capabilities)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Target:
        """Return the target that `as_data` described."""
        return cls(**{**data, "capabilities": frozenset(data["capabilities"]), "access": Access(**data["access"])})


def resolve(
    name: str | None,
    environment: Mapping[str, str],
    capabilities: frozenset[str],
    entries: Mapping[str, Entry] | None = None,
) -> Target | None:
    """Return the server that was asked for; None means the embedded reference.

    `name` is `reference`, `staging`, `production`, the name of an entry of the targets file, or a URL; without
    it MESHI_BASE decides. Raise UsageError for any other name, an empty one among them, for a target
    whose key is not in the environment or whose host may not get it, and for a proxy or a certificate that is unusable.
    """
    chosen = name if name is not None else environment.get("MESHI_BASE", "reference")
    if not chosen.strip():
        raise UsageError(
            f"{'--target' if name is not None else 'MESHI_BASE'} is empty, so it is not known which server to judge. "
            "Give a name or a URL (a variable of a CI system may not be set); --target reference, or no MESHI_BASE "
            "at all, judges the embedded reference server."
        )
    if chosen == "reference":
        return None
    known = {**{one: Entry(one, base) for one, base in HOSTED.items()}, **(entries or {})}
    entry = known.get(chosen) or Entry("", chosen)
    base = entry.base.rstrip("/")
    _check_base(base, chosen, sorted(known))
    _check_host(base, environment.get(ALLOWED_HOSTS))
    is_production = (urlsplit(base).hostname or "").rstrip(".") == PRODUCTION_HOST
    hosted = next((one for one, url in HOSTED.items() if url == base), base)
    keys = {role: environment[variable] for role, variable in entry.variables.items() if environment.get(variable)}
    named = {role: environment.get(f"{variable}_COMMAND") for role, variable in entry.variables.items()}
    commands = {**{role: command for role, command in named.items() if command}, **entry.key_commands}
    for role, command in commands.items():
        if role not in keys:
            keys[role] = fresh_key(command, f"{entry.variables.get(role, role)}_COMMAND")
    _check_keys(keys, entry.variables, base)
    target = Target(
        entry.name or ("production" if is_production else hosted),
        base,
        keys,
        capabilities - entry.cannot.keys(),
        cannot=dict(entry.cannot),
        rate=entry.rate,
        protected=entry.read_only or is_production or entry.name == "production",
        waivers=entry.waivers,
        variables=dict(entry.variables),
        access=access(base, environment, entry.tls, entry.headers),
        key_commands=commands,
    )
    if target.is_loopback:
        target = _quick(target)
    return replace(target, **entry.waits)


def base_of(chosen: str, entries: Mapping[str, Entry] | None = None) -> str:
    """Return the base URL of a server that is only looked at: `staging`, a name of the targets file, or a URL.

    Raise UsageError for any other name. No key is needed.
    """
    known = {**{one: Entry(one, base) for one, base in HOSTED.items()}, **(entries or {})}
    entry = known.get(chosen) or Entry("", chosen)
    base = entry.base.rstrip("/")
    _check_base(base, chosen, sorted(known))
    return base


def restricted(
    target: Target,
    *,
    read_only: bool = False,
    allow_writes: str | None = None,
    rate: float | None = None,
    most_requests: int | None = None,
    most_created: int | None = None,
) -> Target:
    """Return the target with what this run may do to it.

    `allow_writes` repeats the target's name. Raise UsageError where it names another one.
    """
    if allow_writes is not None and allow_writes != target.name:
        raise UsageError(
            f"--allow-writes {allow_writes!r} does not name the target, which is {target.name!r}. "
            "It is repeated on purpose: rows that are created can never be deleted."
        )
    if read_only and allow_writes is not None:
        raise UsageError("--read-only and --allow-writes exclude each other: give one of them.")
    reason = ""
    if read_only:
        reason = "it needs writes, and the run is read only (--read-only)"
    elif target.protected and allow_writes is None:
        reason = f"it needs writes, and {target.name} is read only without --allow-writes {target.name}"
    return replace(
        target,
        rate=rate or target.rate,
        most_requests=most_requests,
        most_created=most_created,
        read_only=bool(reason),
        read_only_reason=reason,
    )


def _check_base(base: str, chosen: str, known: Sequence[str]) -> None:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and base.isascii() and base.isprintable()
        _ = parts.port  # raises ValueError where it is out of range
    except ValueError:
        usable = False
    if not usable or " " in base:
        near = difflib.get_close_matches(chosen, ["reference", *known], n=1)
        raise UsageError(
            f"Unknown target {chosen!r}.{f' Did you mean {near[0]}?' if near else ''} Give --target reference, "
            f"{', '.join(known)} or a URL that starts with http:// or https://."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"The target's URL must be a plain base such as {HOSTED['staging']}: no user, query or fragment. "
            "Keys are read from the environment."
        )


def _check_host(base: str, allowed: str | None) -> None:
    """Raise UsageError for a host that is to get no keys; `allowed` are the hosts that may, beside the hosted ones."""
    if allowed is None:
        return
    host = (urlsplit(base).hostname or "").rstrip(".")
    hosted = [urlsplit(url).hostname for url in HOSTED.values()]
    if host not in hosted and host not in re.split(r"[\s,]+", allowed.lower()):
        raise UsageError(
            f"The host {host} is not one of those that {ALLOWED_HOSTS} lets have the keys, so nothing was sent. Add it "
            "there, separated by blanks, or name staging or production."
        )


def _check_keys(keys: Mapping[str, str], variables: Mapping[str, str], base: str) -> None:
    main = variables["main"]
    if "main" not in keys:
        raise UsageError(
            f"No key for {base}: {main} is not set. Put a key with partner:read and partner:write into the "
            f"environment variable {main}."
        )
    roles: dict[str, str] = {}
    for role, value in keys.items():
        if not is_sendable(value):
            raise UsageError(
                f"{variables[role]} holds a space, a line break or a non-ASCII character, so it cannot be "
                "sent as a bearer token. Check how it was copied."
            )
        if value in roles:
            raise UsageError(
                f"{variables[roles[value]]} and {variables[role]} hold the same key. Each role needs a key of "
                "its own, or none: leave out what you do not have."
            )
        roles[value] = role


def _quick(target: Target) -> Target:
    """Poll near servers quickly: they serve this run alone."""
    return replace(target, run_deadline=60.0, poll_first=0.01, poll_most=0.5)


@dataclass(frozen=True)
class Preflight:
    """What `/auth` said of the main key, the org and the scopes, with notes for people; and what one answer took."""

    org_id: str | None
    scopes: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    answer_seconds: float = 0.0

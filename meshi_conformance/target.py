"""Which server is judged, with which keys, and what may be done to it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from json import loads
from typing import Any
from urllib.parse import urlsplit

from .errors import UsageError
from .exchange import KEY_VARIABLES

HOSTED = {
    "staging": "https://api.staging.meshi.io/api/v0/partner",
    "production": "https://api.meshi.io/api/v0/partner",
}
"""The documented servers, by the name that `--target` takes (overview, Environments)."""

CURRENT_BASE = "/api/v0/partner"
LEGACY_BASE = "/v0/partner"


@dataclass(frozen=True)
class Target:
    """A server under test.

    `keys` maps a role to a key's value; `capabilities` names what is switched on (`large`, `rate_limit`);
    `run_deadline` is how many seconds a run may take to end, `poll_first` and `poll_most` how many seconds
    lie between two polls at first and at most.
    """

    name: str
    base: str
    keys: dict[str, str] = field(repr=False)
    capabilities: frozenset[str] = frozenset()
    run_deadline: float = 120.0
    poll_first: float = 2.0
    poll_most: float = 30.0

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.base).hostname or ""
        return host == "localhost" or host == "::1" or host.startswith("127.")

    @property
    def legacy_base(self) -> str | None:
        """The base of the transition alias; None where the base is not the documented one."""
        if not self.base.endswith(CURRENT_BASE):
            return None
        return self.base.removesuffix(CURRENT_BASE) + LEGACY_BASE

    def as_data(self) -> dict[str, Any]:
        """JSON-able form, keys included: it goes to worker processes and nowhere else."""
        return {**asdict(self), "capabilities": sorted(self.capabilities)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Target:
        return cls(**{**data, "capabilities": frozenset(data["capabilities"])})


def keys_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The keys that an environment holds, by role."""
    return {role: environment[name] for role, name in KEY_VARIABLES.items() if environment.get(name)}


def resolve(name: str | None, environment: Mapping[str, str], capabilities: frozenset[str]) -> Target | None:
    """The server that was asked for; None means the embedded reference.

    `name` is `reference`, `staging`, `production` or a URL; without it MESHI_BASE decides. Raises UsageError
    for a name that is none of these, and for a target whose key is not in the environment.
    """
    chosen = name or environment.get("MESHI_BASE") or "reference"
    if chosen == "reference":
        return None
    base = HOSTED.get(chosen, chosen).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"Unknown target {chosen!r}. Give --target reference, staging, production or a URL that starts "
            "with http:// or https://."
        )
    if parts.username or parts.query or parts.fragment:
        raise UsageError(
            f"The target's URL must be a plain base such as {HOSTED['staging']}: no user, query or fragment. "
            "Keys are read from the environment."
        )
    keys = keys_of(environment)
    if "main" not in keys:
        raise UsageError(
            f"No key for {base}: MESHI_KEY is not set. Put a key with partner:read and partner:write into the "
            "environment variable MESHI_KEY."
        )
    for role, value in keys.items():
        if not value.isascii() or any(not " " < letter <= "~" for letter in value):
            raise UsageError(
                f"{KEY_VARIABLES[role]} holds a space, a line break or a non-ASCII character, so it cannot be "
                "sent as a bearer token. Check how it was copied."
            )
    target = Target(chosen if chosen in HOSTED else base, base, keys, capabilities)
    if target.is_loopback:
        return _quick(target)
    return target


def _quick(target: Target) -> Target:
    """Near servers are polled quickly: nobody else waits for them."""
    return Target(
        target.name,
        target.base,
        target.keys,
        target.capabilities,
        run_deadline=60.0,
        poll_first=0.02,
        poll_most=0.5,
    )


REFERENCE = "meshi_reference"
"""The module that serves the reference; nothing else of it is known here."""


def serve_reference(arguments: Sequence[str]) -> int:
    """Serves the reference in this process until a signal ends it; returns its exit code."""
    before = sys.argv
    sys.argv = [REFERENCE, *arguments]
    try:
        runpy.run_module(REFERENCE, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0


class Embedded:
    """The reference server as a child process: the default target, and the only place that knows it."""

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", REFERENCE, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("MESHI_")},
        )

    def target(self) -> Target:
        """Waits until the server listens. Raises UsageError when it does not start."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            said = loads(line)
        except ValueError:
            _, errors = self._process.communicate(timeout=10)
            raise UsageError(
                f"The embedded reference server did not start: {errors.decode(errors='replace').strip()[-400:]}"
            ) from None
        keys = keys_of(said["env"])
        everything = frozenset({"large", "rate_limit"})
        return _quick(Target("reference", said["base"], keys, everything))

    def stop(self) -> None:
        """Ends the server and waits for its end."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

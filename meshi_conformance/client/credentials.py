"""The keys of a target as they are now: which of them it stopped accepting, and fresh ones in their place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ..errors import KeyRefused, UsageError
from ..target.keys import fresh_key

ACCEPTED_ROLES = frozenset({"main", "read", "other", "no_org", "probe"})
"""Roles of keys that resolve to an active service account: none of them is ever answered 401 (errors-and-limits)."""


class Credentials:
    """Gives out keys by role, until the target is known to refuse one.

    `commands` maps a role to the command line that prints a fresh key; `renewed` is told each one before it is used,
    so that it is never written down.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        variables: Mapping[str, str],
        commands: Mapping[str, str],
        renewed: Callable[[str, str], None],
    ) -> None:
        self._keys = dict(keys)
        self._variables = variables
        self._commands = commands
        self._renewed = renewed
        self._lock = threading.RLock()
        self._ended: dict[str, str] = {}
        self._accepted = {"main"}  # or no run would have begun

    def key(self, role: str) -> str:
        """Return the key of a role. Raise KeyRefused once the target refuses it."""
        with self._lock:
            if role in self._ended:
                raise KeyRefused(self._ended[role], self._cause(role))
            return self._keys[role]

    def variable(self, role: str) -> str:
        """Return the environment variable that a key comes from."""
        return self._variables.get(role, role)

    def accepted(self, role: str | None) -> None:
        """Note that the target accepts the key of a role."""
        if role is not None:
            self._accepted.add(role)

    def was_accepted(self, role: str) -> bool:
        """Return whether the target has accepted the key of a role before."""
        return role in self._accepted

    def renew(self, role: str, refused: str) -> bool:
        """Fetch a fresh key in place of a refused one; return whether there is one to try.

        Another thread may have fetched it already. A command that fails, or that prints the refused key again, is as
        good as none.
        """
        with self._lock:
            if self._keys[role] != refused:
                return True
            command = self._commands.get(role)
            if command is None:
                return False
            try:
                key = fresh_key(command, f"{self.variable(role)}_COMMAND")
            except UsageError:
                return False
            if key == refused:
                return False
            self._renewed(role, key)
            self._keys[role] = key
            return True

    def end(self, role: str, summary: str) -> KeyRefused:
        """Note that the target refuses the key of a role for good; return what to raise."""
        with self._lock:
            verb = "stopped accepting" if self.was_accepted(role) else "refuses"
            self._ended.setdefault(role, f"the target {verb} the key in {self.variable(role)}: {summary}")
            return KeyRefused(self._ended[role], self._cause(role))

    def _cause(self, role: str) -> str:
        verb = "stopped accepting" if self.was_accepted(role) else "refuses"
        return f"the target {verb} the key in {self.variable(role)}"

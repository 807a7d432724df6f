"""The environment variables that hold keys, and the commands that fetch fresh ones."""

from __future__ import annotations

import shlex
import subprocess

from ..errors import UsageError

KEY_VARIABLES = {
    "main": "MESHI_KEY",
    "read": "MESHI_READ_KEY",
    "other": "MESHI_OTHER_KEY",
    "disabled": "MESHI_DISABLED_KEY",
    "user": "MESHI_USER_KEY",
    "no_org": "MESHI_NO_ORG_KEY",
    "probe": "MESHI_PROBE_KEY",
}
"""Role of a key to the environment variable that holds it."""


BEARER = "Bearer "
"""What precedes a key in the header."""


COMMAND_SECONDS = 60.0
"""How long a command may take to print a key."""


def fresh_key(command: str, variable: str) -> str:
    """Return the key that a command prints. No shell reads the command line; `variable` names it in messages.

    Raise UsageError where it fails, takes longer than COMMAND_SECONDS or prints what cannot be a key. What it prints
    is never told: it may be a key.
    """
    try:
        words = shlex.split(command)
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS)
    except (OSError, ValueError, IndexError) as problem:
        raise UsageError(f"The command in {variable} cannot be run: {type(problem).__name__}. Check it.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"The command in {variable} printed no key within {COMMAND_SECONDS:.0f} s.") from None
    if done.returncode:
        raise UsageError(f"The command in {variable} ended with status {done.returncode}. Run it alone to see why.")
    key = done.stdout.decode("ascii", "replace").strip()
    if not key or not is_sendable(key):
        raise UsageError(f"The command in {variable} must print one key and nothing else on its standard output.")
    return key


def is_sendable(key: str) -> bool:
    """Return whether a text can be sent as a bearer token: printable ASCII without blanks."""
    return key.isascii() and all(" " < letter <= "~" for letter in key)

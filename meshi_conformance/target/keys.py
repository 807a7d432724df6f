"""The environment variables that hold keys."""

from __future__ import annotations

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
"""What stands before a key."""

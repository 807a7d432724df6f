"""The commands of `meshi-conformance`, one module each, imported when it is used.

A module's docstring is the command's help. `options(parser)` declares its options and `run(options)` returns
the exit code; a module without `options` takes its arguments as they are and passes them on.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

NAMES = (
    "run",
    "doctor",
    "client",
    "serve",
    "completion",
    "explain",
    "diff",
    "trend",
    "compare",
    "merge",
    "annotate",
    "judge",
    "proxy",
    "catalogue",
    "questions",
    "openapi",
    "sources",
)


def command(name: str) -> ModuleType:
    """Import the module of a command."""
    return import_module(f"{__name__}.{name}")

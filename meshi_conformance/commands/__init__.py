"""The commands of `meshi-conformance`, one module each, imported when it is used.

A module's docstring is the command's help. `options(parser)` declares its options and `run(options)` returns
the exit code; a module without `options` takes its arguments as they are and passes them on.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = {
    "run": "judging.run",
    "doctor": "judging.doctor",
    "client": "judging.client",
    "serve": "serve",
    "completion": "completion",
    "explain": "contract.explain",
    "diff": "reports.diff",
    "trend": "reports.trend",
    "compare": "reports.compare",
    "merge": "reports.merge",
    "annotate": "reports.annotate",
    "judge": "judging.judge",
    "proxy": "judging.proxy",
    "catalogue": "contract.catalogue",
    "questions": "contract.questions",
    "openapi": "contract.openapi",
    "sources": "contract.sources",
}
NAMES = tuple(MODULES)


def command(name: str) -> ModuleType:
    """Import the module of a command."""
    return import_module(f"{__name__}.{MODULES[name]}")

"""The commands of `meshi-conformance`, one module each.

A module's docstring is the command's help. `options(parser)` declares its options and `run(options)` returns
the exit code; a module without `options` takes its arguments as they stand and passes them on.
"""

from __future__ import annotations

from types import ModuleType

from . import catalogue, diff, explain, merge, run, serve, trend

COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "serve": serve,
    "explain": explain,
    "diff": diff,
    "trend": trend,
    "merge": merge,
    "catalogue": catalogue,
}

"""The target that the options of a run name, with what the run may do to it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..errors import UsageError
from ..target import targets_file
from ..target.reference_process import Embedded
from ..target.target import Target, resolve, restricted

SMOKE_REQUESTS, SMOKE_CREATED = 400, 300
"""The ceilings of `--profile smoke`."""


def chosen_target(option: argparse.Namespace) -> tuple[Target, Embedded | None, list[str]]:
    """Return the target, the embedded server where it is that one, and notes for people.

    Raise UsageError for a target that cannot be judged. The caller stops the embedded server.
    """
    capabilities = {name for name, on in (("large", option.large), ("rate_limit", option.rate_limit_probe)) if on}
    is_smoke = getattr(option, "profile", None) == "smoke"
    entries = targets_file.load(Path(option.targets_file) if option.targets_file else None)
    found = resolve(option.target, os.environ, frozenset(capabilities), entries)
    embedded = Embedded() if found is None else None
    try:
        target = restricted(
            embedded.target() if embedded is not None else _known(found),
            read_only=option.read_only,
            allow_writes=option.allow_writes,
            rate=option.rate,
            most_requests=option.max_requests or (SMOKE_REQUESTS if is_smoke else None),
            most_created=option.max_created or (SMOKE_CREATED if is_smoke else None),
        )
    except UsageError:
        if embedded is not None:
            embedded.stop()
        raise
    notes = [] if found is None else [line for line in targets_file.redefined(entries) if f" {found.name} " in line]
    return target, embedded, notes


def _known(target: Target | None) -> Target:
    assert target is not None
    return target

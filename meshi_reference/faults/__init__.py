"""Deliberate violations of the contract, each a small patch from outside: the server itself has no `if fault`.

One module for each area; every module of this folder is found by itself. A fault says in one sentence what
is wrong, which requirements of the conformance suite it breaks (plain strings: nothing is imported from there)
and what a run needs to see it.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ..patching.patch import Patch
from .registry import REGISTRY, Fault, fault

__all__ = ["Fault", "Patch", "fault", "load"]


@cache
def load() -> dict[str, Fault]:
    """Load every fault by its name, in the order of modules and of their tables."""
    found = pkgutil.walk_packages(__path__, f"{__name__}.")
    for name in sorted((module.name for module in found), key=lambda name: name.rpartition(".")[2]):
        importlib.import_module(name)
    return REGISTRY

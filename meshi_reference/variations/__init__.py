"""Conforming servers that choose otherwise where the documentation is silent.

Each module of this folder registers variations, or holds the functions that they apply; `load` finds them all.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from .registry import VARIATIONS, Variation, variation

__all__ = ["Variation", "load", "variation"]


@cache
def load() -> dict[str, Variation]:
    """Return every variation by its name, in the order of modules and of their tables."""
    found = pkgutil.walk_packages(__path__, f"{__name__}.")
    for name in sorted((module.name for module in found), key=lambda name: name.rpartition(".")[2]):
        importlib.import_module(name)
    return VARIATIONS

"""Families of faults: the same hole in one operation after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..patching.patch import Patch
from .registry import fault

Kind = tuple[str, str, Callable[[Patch, str], None], tuple[str, ...]]
"""Suffix of the name, what is wrong, how it is made on an operation, and what else it breaks."""


def made_on(make: Callable[[Patch, str], None], operation: str, patch: Patch) -> None:
    make(patch, operation)


def family(name: str, among: list[str] | tuple[str, ...], kinds: list[Kind]) -> None:
    """Register one fault for each operation; the kinds go around."""
    for place, operation in enumerate(among):
        suffix, sentence, make, also = kinds[place % len(kinds)]
        fault(
            f"{name}.{operation}.{suffix}",
            f"{operation} {sentence}.",
            breaks=[f"{name}.{operation}"],
            also=[one.format(operation=operation) for one in also],
        )(partial(made_on, make, operation))

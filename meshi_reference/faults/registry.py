"""What a fault is, how it is registered, and how it changes a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from ..patching.patch import Apply, patched


@dataclass(frozen=True)
class Fault:
    """One deliberate violation.

    `breaks` names requirements (or patterns of them): the fault is found when one of them fails. `also` names
    those that it breaks as a consequence: their failing proves nothing and is not a wrong diagnosis either. `sees`
    names what a run has to be given besides (`large`, `rate_limit`), `asks` further requirements whose tests
    make the calls that show it. `settings` differ from the server's defaults.
    """

    name: str
    sentence: str
    breaks: tuple[str, ...]
    apply: Apply
    also: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def applied(self) -> AbstractContextManager[None]:
        """Give the server this fault for as long as the block lasts."""
        return patched(self.apply)


REGISTRY: dict[str, Fault] = {}


def fault(
    name: str,
    sentence: str,
    *,
    breaks: Iterable[str],
    also: Iterable[str] = (),
    asks: Iterable[str] = (),
    sees: Iterable[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Callable[[Apply], Apply]:
    """Register a function that makes the fault with a Patch. Raise ValueError for a name that is taken."""

    def register(apply: Apply) -> Apply:
        if name in REGISTRY:
            raise ValueError(f"two faults are called {name}")
        REGISTRY[name] = Fault(
            name, sentence, tuple(breaks), apply, tuple(also), tuple(asks), tuple(sees), settings or {}
        )
        return apply

    return register

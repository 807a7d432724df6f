"""What a fault is, how it is registered, and how it changes a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any


class Patch:
    """Replaces functions, attributes and table rows of the server, and can put them all back."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any, Any]] = []

    def __call__(self, holder: Any, name: Any, value: Any) -> None:
        """Put `value` where a module's or class's attribute, or a table's row, was. Raises for an unknown one."""
        self._before.append((holder, name, _get(holder, name)))
        _set(holder, name, value)

    def wrap(self, holder: Any, name: Any, make: Callable[[Any], Any]) -> None:
        """Put `make(what was there)` there."""
        self(holder, name, make(_get(holder, name)))

    def undo(self) -> None:
        """Put everything back, the latest change first."""
        while self._before:
            holder, name, value = self._before.pop()
            _set(holder, name, value)


def _get(holder: Any, name: Any) -> Any:
    return holder[name] if isinstance(holder, dict | list) else getattr(holder, name)


def _set(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, dict | list):
        holder[name] = value
    else:
        setattr(holder, name, value)


Apply = Callable[[Patch], None]


@contextmanager
def patched(apply: Apply) -> Iterator[None]:
    """The server is changed for as long as the block lasts."""
    patch = Patch()
    try:
        apply(patch)
        yield
    finally:
        patch.undo()


@dataclass(frozen=True)
class Fault:
    """One deliberate violation.

    `breaks` names requirements (or patterns of them): the fault is found when one of them fails. `also` names
    those that it breaks as a consequence: their failing proves nothing and is no bad diagnosis either. `sees`
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
        """The server has this fault for as long as the block lasts."""
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
    """Registers a function that makes the fault with a Patch. Raises ValueError for a name that is taken."""

    def register(apply: Apply) -> Apply:
        if name in REGISTRY:
            raise ValueError(f"two faults are called {name}")
        REGISTRY[name] = Fault(
            name, sentence, tuple(breaks), apply, tuple(also), tuple(asks), tuple(sees), settings or {}
        )
        return apply

    return register

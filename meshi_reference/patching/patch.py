"""One change of the reference server, applied for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Patch:
    """Replaces functions, attributes and table rows of the server, and can put them all back."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any, Any]] = []

    def __call__(self, holder: Any, name: Any, value: Any) -> None:
        """Put `value` where a module's or class's attribute, or a table's row, was. Raise for an unknown one."""
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
    """Change the server for as long as the block lasts."""
    patch = Patch()
    try:
        apply(patch)
        yield
    finally:
        patch.undo()

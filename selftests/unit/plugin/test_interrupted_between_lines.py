"""A signal that comes between two lines leaves an entry without a line, which pytest itself cannot show."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from _pytest._code.code import TracebackEntry

from meshi_conformance.plugin import hooks


class WithoutLine(TracebackEntry):
    """An entry whose code belongs to no line."""

    @property
    def lineno(self) -> int:
        raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'int'")


def test_an_interrupt_between_two_lines_can_be_shown() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        raise KeyboardInterrupt("signal 2")
    entries = list(caught.traceback)
    caught.traceback = type(caught.traceback)([*entries, WithoutLine(entries[-1]._rawentry)])
    with pytest.raises(TypeError):
        caught.getrepr(funcargs=True)
    plugin = next(one for one in vars(hooks).values() if hasattr(one, "pytest_keyboard_interrupt"))
    plugin.pytest_keyboard_interrupt(SimpleNamespace(), caught)
    assert len(caught.traceback) == len(entries)
    assert "signal 2" in str(caught.getrepr(funcargs=True))

"""Conformant servers that choose otherwise where the documentation is silent.

A variation is a choice of settings, a patch from outside, other clients at work beside the reader, or all of
them. The suite has to pass each of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .faults.registry import Patch
from .server import Address

Background = Callable[[Address, threading.Event], None]


@dataclass(frozen=True)
class Variation:
    """One conformant server.

    `settings` differ from the defaults; `apply` patches the server; `background` works on it, in a thread of
    its own, until the event is set; `unjudged` names requirements (patterns) that it cannot be judged by, and
    why stands in the sentence.
    """

    name: str
    sentence: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    apply: Callable[[Patch], None] = lambda patch: None
    background: Background | None = None
    unjudged: tuple[str, ...] = ()


VARIATIONS: dict[str, Variation] = {}


def variation(
    name: str,
    sentence: str,
    *,
    settings: Mapping[str, Any] | None = None,
    apply: Callable[[Patch], None] = lambda patch: None,
    background: Background | None = None,
    unjudged: tuple[str, ...] = (),
) -> None:
    """Registers a variation. Raises ValueError for a name that is taken."""
    if name in VARIATIONS:
        raise ValueError(f"two variations are called {name}")
    VARIATIONS[name] = Variation(name, sentence, settings or {}, apply, background, unjudged)


variation("default", "The reference server as it starts by itself.")

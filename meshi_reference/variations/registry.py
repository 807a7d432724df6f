"""The registry of variations, and what each may leave open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..patching.patch import Patch, patched
from ..server import Address

Background = Callable[[Address, threading.Event], None]


@dataclass(frozen=True)
class Variation:
    """One conformant server.

    `settings` differ from the defaults; `apply` patches the server; `background` works on it, in a thread of
    its own, until the event is set. `unjudged` names requirements (patterns) that it cannot be judged by, and
    `deviates` those that are only implied and that it does not keep; the sentence says why. `makes` names the
    choices of open questions that it makes, as `question=choice`; in all other questions it chooses as the default
    server does. A variation that makes none names the documented freedom that it uses in `freedom`.
    """

    name: str
    sentence: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    apply: Callable[[Patch], None] = lambda patch: None
    background: Background | None = None
    unjudged: tuple[str, ...] = ()
    deviates: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    freedom: str = ""

    def applied(self) -> AbstractContextManager[None]:
        """Make the server this variation for as long as the block lasts."""
        return patched(self.apply)

    @contextmanager
    def at_work(self, address: Address) -> Iterator[None]:
        """Let the server's other clients, if it has some, work for as long as the block lasts."""
        if self.background is None:
            yield
            return
        stopping = threading.Event()
        thread = threading.Thread(target=self.background, args=(address, stopping), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(5)


VARIATIONS: dict[str, Variation] = {}


def variation(
    name: str,
    sentence: str,
    *,
    settings: Mapping[str, Any] | None = None,
    apply: Callable[[Patch], None] = lambda patch: None,
    background: Background | None = None,
    unjudged: tuple[str, ...] = (),
    deviates: tuple[str, ...] = (),
    makes: tuple[str, ...] = (),
    freedom: str = "",
) -> None:
    """Register a variation. Raise ValueError for a name that is taken."""
    if name in VARIATIONS:
        raise ValueError(f"two variations are called {name}")
    VARIATIONS[name] = Variation(name, sentence, settings or {}, apply, background, unjudged, deviates, makes, freedom)

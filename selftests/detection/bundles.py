"""Several variations at once: one conforming server that makes many choices, judged in one run.

Choices can interact, so a server that makes several of them is worth a trial of its own; and it takes one run where
single trials take many. Variations of one family, or that decide the same question, change the same setting or replace
the same part, never share a bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from meshi_reference.patching.patch import Patch
from meshi_reference.variations import Variation

SIZE = 4
"""Variations of one bundle at most: more of them hide each other."""


class _Probe(Patch):
    """Notes what a variation replaces and what it only wraps."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced: set[tuple[int, str]] = set()
        self.wrapped: set[tuple[int, str]] = set()

    def __call__(self, holder: Any, name: Any, value: Any) -> None:
        self.replaced.add((id(holder), str(name)))
        super().__call__(holder, name, value)

    def wrap(self, holder: Any, name: Any, make: Callable[[Any], Any]) -> None:
        key = (id(holder), str(name))
        replaced_before = key in self.replaced
        super().wrap(holder, name, make)
        self.wrapped.add(key)
        if not replaced_before:
            self.replaced.discard(key)


@dataclass(frozen=True)
class _Touches:
    """What a variation changes."""

    family: str
    settings: frozenset[str]
    questions: frozenset[str]
    replaced: frozenset[tuple[int, str]]
    wrapped: frozenset[tuple[int, str]]

    def collides(self, other: _Touches) -> bool:
        """Return whether the two cannot hold on one server; wrapping the same function is fine."""
        return bool(
            self.family == other.family
            or self.settings & other.settings
            or self.questions & other.questions
            or self.replaced & (other.replaced | other.wrapped)
            or self.wrapped & other.replaced
        )


def _touches(one: Variation) -> _Touches:
    probe = _Probe()
    try:
        one.apply(probe)
    finally:
        probe.undo()
    questions = frozenset(choice.partition("=")[0] for choice in one.makes)
    return _Touches(
        one.name.partition(".")[0],
        frozenset(one.settings),
        questions,
        frozenset(probe.replaced),
        frozenset(probe.wrapped),
    )


def bundled(variations: Iterable[Variation], size: int = SIZE) -> list[list[Variation]]:
    """Return the variations in groups that can hold on one server, each variation in exactly one group.

    A variation with other clients at work stays alone: what they do to the data bears on everything.
    """
    groups: list[tuple[list[Variation], list[_Touches]]] = []
    for one in variations:
        touches = _touches(one)
        group = next(
            (
                (members, known)
                for members, known in groups
                if not one.background
                and not members[0].background
                and len(members) < size
                and not any(touches.collides(other) for other in known)
            ),
            None,
        )
        if group is None:
            groups.append(([one], [touches]))
        else:
            group[0].append(one)
            group[1].append(touches)
    return [members for members, _ in groups]


def combined(members: Sequence[Variation]) -> Variation:
    """Return one variation that is all of its members at once."""
    if len(members) == 1:
        return members[0]

    def apply(patch: Patch) -> None:
        for one in members:
            one.apply(patch)

    return Variation(
        name=" + ".join(one.name for one in members),
        sentence=" ".join(one.sentence for one in members),
        settings={name: value for one in members for name, value in one.settings.items()},
        apply=apply,
        unjudged=tuple(name for one in members for name in one.unjudged),
        deviates=tuple(name for one in members for name in one.deviates),
        makes=tuple(choice for one in members for choice in one.makes),
    )

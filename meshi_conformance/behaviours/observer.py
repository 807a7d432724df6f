"""What an observer is: a question's reading of exchanges, one at a time or across a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from .traffic import Observed, Traffic

Sightings = Iterator[tuple[str, Observed]]
"""Choices that were seen, each with the exchange that shows it."""

Observer = Callable[[Traffic], Sightings]
Reading = Callable[[Observed], str | None]
"""The choice that one exchange shows; None where it shows none."""


def each(*operations: str | None) -> Callable[[Reading], Observer]:
    """Return what makes an observer of a reading: it looks at each exchange of some operations by itself."""

    def make(reading: Reading) -> Observer:
        return lambda traffic: _read(traffic.of(*operations), reading)

    return make


def each_page(reading: Reading) -> Observer:
    """Return the observer that looks at each page of every list by itself."""
    return lambda traffic: _read(traffic.pages, reading)


def each_of_any_key(reading: Reading) -> Observer:
    """Return the observer that looks at every exchange by itself, whatever key it was sent with."""
    return lambda traffic: _read(traffic.all, reading)


def _read(exchanges: Iterable[Observed], reading: Reading) -> Sightings:
    for one in exchanges:
        choice = reading(one)
        if choice is not None:
            yield choice, one


def by_code(choices: dict[str, str]) -> Reading:
    """Return the reading that knows a choice by the code of a refusal."""
    return lambda one: choices.get(one.code or "")

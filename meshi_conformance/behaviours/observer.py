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


def of_values(
    traffic: Traffic, is_tried: Callable[[Observed], bool], code: str, accepted: str, refused: str
) -> Sightings:
    """Yield what becomes of a value of a new event: accepted, or refused with a code.

    A value is accepted too where the event's ID is refused as a used one, if the target looks at values first: a date
    that no reading accepts is refused beside a used ID.
    """
    values_first = any(
        one.body.get("start_date") == "not a date" and one.code == "INVALID_START_DATE" and is_used(traffic, one)
        for one in traffic.of("createEvent")
    )
    for one in traffic.of("createEvent"):
        if not is_tried(one):
            continue
        if one.code == code:
            yield refused, one
        elif one.is_success or (one.code == "PARTNER_ID_CONFLICT" and values_first):
            yield accepted, one


def is_used(traffic: Traffic, creation: Observed) -> bool:
    """Return whether the event that a creation names exists."""
    return creation.body.get("event_id") in traffic.event_ids


def by_code(choices: dict[str, str]) -> Reading:
    """Return the reading that knows a choice by the code of a refusal."""
    return lambda one: choices.get(one.code or "")

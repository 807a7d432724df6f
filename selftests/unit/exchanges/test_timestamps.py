"""Timestamps of any RFC 3339 form are read, compared with the digits that both have, and never trusted to be any."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from meshi_conformance.exchanges.timestamps import after, instant

NOON = "2031-03-10T12:00:00Z"


@pytest.mark.parametrize(
    "form",
    [
        NOON,
        "2031-03-10t12:00:00z",
        "2031-03-10 12:00:00Z",
        "2031-03-10T12:00:00+00:00",
        "2031-03-10T12:00:00-00:00",
        "2031-03-10T12:00:00.000000000Z",
        "2031-03-10T17:30:00+05:30",
        "2031-03-09T22:00:00-14:00",
    ],
)
def test_every_form_of_a_moment_is_the_same_moment(form: str) -> None:
    assert instant(form) == instant(NOON) == Decimal(1930910400)
    assert not after(form, NOON)
    assert not after(NOON, form)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2031-03-10T12:00:01Z", NOON, True),
        (NOON, "2031-03-10T12:00:01Z", False),
        ("2031-03-10T12:00:00.002Z", "2031-03-10T12:00:00.001Z", True),
        ("2031-03-10T12:00:00.000000002Z", "2031-03-10T12:00:00.000000001Z", True),
        ("2031-03-10T12:00:00.9Z", NOON, False),  # one of them was cut to whole seconds
        ("2031-03-10T12:00:00.129Z", "2031-03-10T12:00:00.12Z", False),
        ("2031-03-10T12:00:00.13Z", "2031-03-10T12:00:00.129Z", True),
        ("2031-03-10T12:00:00+01:00", "2031-03-10T11:30:00Z", False),
        ("2031-03-10T12:00:00-01:00", "2031-03-10T12:30:00Z", True),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.2Z", True),
        ("1969-12-31T23:59:59.2Z", "1969-12-31T23:59:58.9Z", True),
    ],
)
def test_after_compares_the_digits_that_both_have(first: str, second: str, expected: bool) -> None:
    assert after(first, second) is expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        1930910400.5,
        True,
        ["2031-03-10T12:00:00Z"],
        {"at": NOON},
        "",
        "now",
        "2031-03-10",
        "2031-03-10T12:00:00",
        "2031-03-10T12:00Z",
        "2031-13-10T12:00:00Z",
        "2031-02-30T12:00:00Z",
        "2031-03-10T25:00:00Z",
        "2031-03-10T12:00:00+99:00",
        "2031-03-10T12:00:00.Z",
        f"{NOON}\n",
        f" {NOON}",
        "２０３１-03-10T12:00:00Z",
        "2031-03-10T12:00:00.٥Z",
        "\x00" * 100,
    ],
)
def test_what_is_no_timestamp_is_after_nothing_and_nothing_after_it(value: Any) -> None:
    assert instant(value) is None
    assert not after(value, NOON)
    assert not after(NOON, value)


@pytest.mark.parametrize("year", ["2031", "9999"])
@pytest.mark.parametrize("digits", [16, 30, 100_000])
def test_more_digits_than_any_clock_has_are_compared_as_far_as_one_has(year: str, digits: int) -> None:
    earlier, later = (f"{year}-03-10T12:00:00.{first}{'9' * digits}Z" for first in "12")
    assert after(later, earlier)
    assert not after(earlier, later)
    assert not after(later, later)

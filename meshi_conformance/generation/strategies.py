"""What generated rows are made of: values that every server takes and gives back unchanged."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..watching.expectations.expectation import MODEST, ZONES, is_ordinary

PLAIN = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 .,'-–&()/:äéñÇøßłğ中文字日本語한국어عربیעбг"


SPECIAL = (
    "0",
    "007",
    "0 degrees",
    "1e3",
    "-1",
    "12,5",
    "null",
    "None",
    "undefined",
    "true",
    "NaN",
    "O'Brien",
    "50% off",
    "100%25",
    "R&D",
    "a/b",
    "#1",
    "@home",
    "...",
    "A.",
    "İstanbul",
    "straße",
    "日本語",
    "שלום",
    "UPPER lower",
)
"""Texts that careless code takes for something else: numbers, constants, markup, another case."""


def text(most: int) -> Any:
    """Draw texts of 1 to `most` characters: letters of many scripts, digits and punctuation, not blank at the ends.

    Only texts that are their own normal form, so that a server may keep them as it likes.
    """
    from hypothesis import strategies as st

    ordinary = st.characters(min_codepoint=0x20, max_codepoint=0xFFFF, categories=("L", "M", "N", "P", "Zs"))
    return (
        st.one_of(
            st.sampled_from(SPECIAL),
            st.text(st.sampled_from(PLAIN), min_size=1, max_size=most),
            st.text(ordinary.filter(is_ordinary), min_size=1, max_size=most),
        )
        .map(lambda value: unicodedata.normalize("NFC", value).strip())
        .filter(lambda value: bool(value) and is_ordinary(value))
    )


FIRST_DAY, LAST_DAY = "2031-06-30", "2031-07-01"
"""When sessions begin and end: inside the dates of their event, which a server may insist on."""


def day(month: int) -> Any:
    """Draw a date of one month of 2031."""
    from hypothesis import strategies as st

    return st.integers(1, 28).map(lambda number: f"2031-{month:02d}-{number:02d}")


def moment(date: str, end: str) -> Any:
    """Draw a timestamp before noon of one day: in every time zone it falls on that day or the one before."""
    from hypothesis import strategies as st

    return st.tuples(st.integers(0, 11), st.integers(0, 59)).map(lambda at: f"{date}T{at[0]:02d}:{at[1]:02d}:{end}")


def members_of_event() -> Any:
    """Draw the members of an event but its ID; optional ones are there or not. It ends a month after it starts."""
    from hypothesis import strategies as st

    dates = st.one_of(st.just({}), st.fixed_dictionaries({"start_date": day(6), "end_date": day(7)}))
    others = st.fixed_dictionaries(
        {"title": text(80)},
        optional={
            "description": text(120),
            "timezone": st.sampled_from(sorted(ZONES)),
            "visibility": st.just("private"),
        },
    )
    return st.tuples(others, dates).map(lambda parts: {**parts[0], **parts[1]})


def members_of_session() -> Any:
    """Draw the members of a session but its ID, both timestamps among them."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {
            "title": text(MODEST),
            # Inside the dates of every event that is drawn: these begin by 28 June and end in July.
            "start_timestamp": moment(FIRST_DAY, "00Z"),
            "end_timestamp": moment(LAST_DAY, "00Z"),
        },
        optional={"description": text(MODEST)},
    )

"""Texts and IDs that software likes to change, and the requirements that are about just that."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

from .expectation import is_ordinary

MARKUP = re.compile(r"[<>\"'{}\\%]|&#?\w+;")
BESIDE_ORDINARY = frozenset("<>\\$\r\n\t")
"""Characters that the requirements on texts name, beside those that every text may hold."""

WORDS = re.compile(r"[+-]?\d+(\.\d+)?([eE]\d+)?|null|true|false|nan|\d{4}-\d{2}-\d{2}", re.IGNORECASE | re.ASCII)
NUMBER = re.compile(r"\d{1,40}(\.\d{1,20})?([eE]\d{1,3})?", re.ASCII)
SUFFIXES = (".json", ":import", ".")
"""Endings that frameworks take for a format, for an action, or for nothing."""

LONG_KEY = 100
"""Characters from which on an idempotency key is a long one."""


def kind_of_text(text: str) -> str | None:
    """Name what is unusual about a text, by the name that `texts.*` has for it.

    Empty where nothing is; None where the pages leave open what becomes of it.
    """
    if not text.strip() or not all(map(_known, text)):
        return None
    if text != text.strip() or set(text) & set("\r\n\t") or unicodedata.normalize("NFC", text) != text:
        return "form"
    if any(ord(letter) > 0xFFFF for letter in text):
        return "symbols"
    if MARKUP.search(text):
        return "markup"
    return "words" if WORDS.fullmatch(text) else ""


def _known(letter: str) -> bool:
    if ord(letter) > 0xFFFF:
        return unicodedata.category(letter)[0] in "SL"
    return letter in BESIDE_ORDINARY or is_ordinary(letter)


def form_of_id(id: str) -> str:
    """Name what is unusual about an ID, by the name that `ids.*` has for it; empty where nothing is."""
    if id.endswith(SUFFIXES):
        return "suffix"
    return "number_like" if NUMBER.fullmatch(id) else ""


def likeness(one: str, other: str) -> str:
    """Name what two different IDs have in common: `number_like`, `suffix`, `case`; empty for nothing."""
    if one.lower() == other.lower():
        return "case"
    if any(one == other + suffix or other == one + suffix for suffix in SUFFIXES):
        return "suffix"
    return "number_like" if _number(one) is not None and _number(one) == _number(other) else ""


def _number(text: str) -> Decimal | None:
    if not NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text).normalize()
    except InvalidOperation:
        return None


def narrowed(resource: str, one: str, other: str, default: str) -> str:
    """Return the requirement that an answer breaks which shows one ID for another; `default` for unlike IDs."""
    like = likeness(one, other) if one != other else ""
    if like == "case":
        return f"{resource}.id.case"
    return f"ids.{like}.{resource}" if like else default


def key_mixed_up(operation: str, one: str, other: str, default: str) -> str:
    """Return the requirement that is broken where one idempotency key is taken for another one."""
    like = likeness(one, other)
    if like == "number_like":
        return f"ids.number_like.keys.{operation}"
    if like == "case":
        return f"idempotency.other_key.case.{operation}"
    if operation == "createRun" and min(len(one), len(other)) >= LONG_KEY and one[:LONG_KEY] == other[:LONG_KEY]:
        return "ids.long_keys"
    return default


def lost(resource: str, id: str, default: str) -> str:
    """Return the requirement that an answer breaks which does not know an ID; `default` for an ordinary ID."""
    form = form_of_id(id)
    return f"ids.{form}.{resource}" if form else default

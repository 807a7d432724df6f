"""One sentence for many operations: requirement rows with placeholders, and the tables that fill them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

Values = Mapping[str, Any]
"""What fills a placeholder: `operation` or `operations`, and the phrases of one value, such as its `section`."""


def expand(row: Mapping[str, Any], tables: Mapping[str, Mapping[str, Values]]) -> Iterator[dict[str, Any]]:
    """Yield a requirement row for each value of the placeholder in its ID; the row itself if it has none.

    `tables` maps a placeholder to its values by name. `for` narrows the row to some of them, `level` may differ
    by value. Raise KeyError or ValueError for a name that no table has.
    """
    names = [name for _, name, _, _ in Formatter().parse(str(row["id"])) if name]
    if not names:
        yield dict(row)
        return
    if len(names) > 1:
        raise ValueError(f"the ID {row['id']!r} has more than one placeholder")
    table = tables[names[0]]
    for value in row.get("for", table):
        filled = {names[0]: value, **table[value]}
        yield {**fill({name: row[name] for name in row if name != "for"}, filled), "level": _level(row, value)}


def fill(row: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Return a row with its texts filled in; it binds the operations of the values unless it names its own."""
    texts = {name: text.format_map(values) for name, text in row.items() if isinstance(text, str)}
    if "operations" in row:
        return {**row, **texts}
    bound = values["operations"] if "operations" in values else [values["operation"]]
    return {"operations": bound, **row, **texts}


def _level(row: Mapping[str, Any], value: str) -> Any:
    level = row["level"]
    return level.get(value, level.get("default")) if isinstance(level, Mapping) else level

"""The page at `/`: where the API is, what it offers, and what was asked last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ..app import BASES, ROUTES
from .exchange import Seen

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #c8ccd1; vertical-align: top }
td, code { font-family: ui-monospace, monospace; font-size: .9rem; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16191d } a { color: #8ab4f8 } }
"""


def written(base: str, last: Sequence[Seen], keys: Mapping[str, str] | None, *, is_described: bool) -> str:
    """Return the page; `keys` are shown where they are given."""
    described = '<p><a href="/openapi.json">OpenAPI description</a></p>' if is_described else ""
    shown = (
        _table("Keys of this sandbox", ("Variable", "Value"), keys.items())
        if keys
        else "<p>Keys are shown on a loopback address alone; the server prints them when it starts.</p>"
    )
    operations = [(one.method, f"{BASES[0]}{one.template}", one.function.replace("_", " ")) for one in ROUTES]
    exchanges = [
        (
            time.strftime("%H:%M:%S", time.localtime(one.moment)),
            one.method,
            one.target[:200],
            f"{one.status or 'lost'} {one.code}",
            f"{one.milliseconds:.0f}",
            one.key,
            one.correlation_id,
        )
        for one in reversed(last)
    ]
    heads = ("Time", "Method", "Path", "Answer", "ms", "Key", "Correlation ID")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Meshi Partner API sandbox</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
        f"<h1>Meshi Partner API sandbox</h1><p>Base URL: <code>{escape(base)}</code></p>{described}"
        f"{shown}{_table(f'Last exchanges ({len(exchanges)}; reload for more)', heads, exchanges)}"
        f"{_table('Operations', ('Method', 'Path', 'What it does'), operations)}</main></body></html>"
    )


def _table(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

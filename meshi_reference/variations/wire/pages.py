"""Variations of cursors and pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...patching.patch import Patch
from ...rules import paging
from ...storage import Row


def odd_cursors(patch: Patch) -> None:
    """Issue cursors that have to be quoted with care."""
    mark = "é+/=&%2B \u2713?#;"
    patch.wrap(paging, "encode_cursor", lambda inner: lambda *arguments: mark + inner(*arguments))

    def wrap(inner: Callable[..., Any]) -> Any:
        return lambda text, *rest: inner(text.removeprefix(mark), *rest) if text.startswith(mark) else None

    patch.wrap(paging, "decode_cursor", wrap)


def empty_last_page(patch: Patch) -> None:
    def cut_page(rows: list[Row], limit: int, cursor_after: Callable[[Row], str]) -> paging.Page:
        shown = rows[:limit]
        return paging.Page(shown, cursor_after(shown[-1]) if shown else None)

    patch(paging, "cut_page", cut_page)


def short_pages(patch: Patch) -> None:
    """Show what a chunk of the storage gave, at times less than was asked for."""

    def wrap(inner: Callable[[list[Row], int, Callable[[Row], str]], paging.Page]) -> Any:
        return lambda rows, limit, cursor_after: inner(rows, max(1, limit - limit // 4), cursor_after)

    patch.wrap(paging, "cut_page", wrap)

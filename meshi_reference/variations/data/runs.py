"""Variations of runs: progress, errors and statuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...patching.patch import Patch
from ...resources import importing, runs
from ...settings import Settings
from ...storage import Row


def run_shows(change: Callable[[dict[str, Any]], None]) -> Callable[[Patch], None]:
    def apply(patch: Patch) -> None:
        def wrap(inner: Callable[[Row, Settings], dict[str, Any]]) -> Any:
            def serialize_run(row: Row, settings: Settings) -> dict[str, Any]:
                body = inner(row, settings)
                change(body)
                return body

            return serialize_run

        patch.wrap(runs, "serialize_run", wrap)

    return apply


def bare_progress(body: dict[str, Any]) -> None:
    if body["kind"] != "enrichment" and body["event_id"] is not None:
        body["progress"] = {}


def other_counters(body: dict[str, Any]) -> None:
    if body["kind"] != "enrichment" and body["event_id"] is not None:
        body["progress"] = {"rows_total": body["progress"].get("total"), "percent": 50}


def worded_error(body: dict[str, Any]) -> None:
    if body["status"] == "partial":
        body["error"] = "Some rows need a look."


def every_import_partial(patch: Patch) -> None:
    patch(importing.ImportWork, "finish", lambda self: "partial")

"""Variations of runs and their idempotency keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...errors import ApiError
from ...patching.patch import Patch
from ...resources import runs
from ...rules import validation
from ...services import Services
from ...settings import Settings
from ...storage import Row
from ...wire.http import Response
from ..registry import variation
from .runs import run_shows

DETAILS = ("progress", "snapshot_metadata", "version_metadata")


def object_error(body: dict[str, Any]) -> None:
    if body["status"] == "partial":
        body["error"] = {"code": "ROWS_LEFT", "message": "Some rows need a look."}


def codes_apart(body: dict[str, Any]) -> None:
    """Count rows with codes by their codes, and not as errors."""
    if body["kind"] == "enrichment" and body["event_id"] is not None:
        progress = body["progress"]
        body["progress"] = {**progress, "error_count": 0, "errors": [], "rows_with_codes": progress.get("errors", [])}


def own_run_for_a_kind(patch: Patch) -> None:
    patch.wrap(
        runs,
        "key_space",
        lambda inner: lambda new, settings: inner(new, settings) + ("" if new.event is not None else f" {new.kind}"),
    )


def same_body_alone(patch: Patch) -> None:
    """Refuse a used key with another body: the run remembers what was asked for."""

    def asked(new: runs.NewRun) -> str:
        details = new.inputs if new.event is not None else [getattr(new, name) for name in DETAILS]
        return json.dumps([details, new.webhook_url, new.options], sort_keys=True, default=str)

    first: dict[tuple[str, str, str], str] = {}

    def wrap(inner: Callable[[Services, runs.NewRun], tuple[Row, bool]]) -> Any:
        def accept_run(services: Services, new: runs.NewRun) -> tuple[Row, bool]:
            row, replay = inner(services, new)
            mark = (new.org, str(row["key_space"]), new.idempotency_key)
            if first.setdefault(mark, asked(new)) != asked(new):
                raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used with another body")
            return row, replay

        return accept_run

    patch.wrap(runs, "accept_run", wrap)


def flag_of_imports_alone(patch: Patch) -> None:
    def wrap(inner: Callable[[Row, bool, int, Settings], Response]) -> Any:
        def accepted_response(row: Row, replay: bool, first_status: int, settings: Settings) -> Response:
            answer = inner(row, replay, first_status, settings)
            assert answer.body is not None
            if row["kind"] != "import" or row["event_id"] is None:
                answer = replace(answer, body={k: v for k, v in answer.body.items() if k != "idempotent_replay"})
            return answer

        return accepted_response

    patch.wrap(runs, "accepted_response", wrap)


def listed_code_for_top_n(patch: Patch) -> None:
    def wrap(inner: Callable[[object], int]) -> Any:
        def check_top_n(value: object) -> int:
            try:
                return inner(value)
            except ApiError as error:
                raise ApiError("INVALID_JSON", error.message) from None

        return check_top_n

    patch.wrap(validation, "check_top_n", wrap)


variation(
    "runs.object_error",
    "A partial run has an object as its error.",
    apply=run_shows(object_error),
    makes=("runs.partial_error=object",),
)
variation(
    "runs.codes_apart",
    "Rows with codes do not count as errors.",
    apply=run_shows(codes_apart),
    makes=("runs.row_codes_count=apart",),
)
variation(
    "keys.of_kinds",
    "Each kind of POST /runs has idempotency keys of its own.",
    apply=own_run_for_a_kind,
    makes=("runs.key_other_kind=own_run",),
)
variation(
    "keys.same_body",
    "A used key with another body is refused: that key and event decide alone is only implied.",
    apply=same_body_alone,
    deviates=("idempotency.replay.other_body.*",),
    unjudged=("imports.replay.imports_nothing",),
    makes=("runs.replay_other_body=refused",),
)
variation(
    "keys.flag_of_imports",
    "Only imports say whether they are replays.",
    apply=flag_of_imports_alone,
    deviates=("idempotency.flag.*.create*Run", "shape.create*Run.20?"),
    makes=("runs.replay_flag=left_out",),
)
variation(
    "matches.listed_code",
    "A top_n out of range is refused with a code that the route lists.",
    apply=listed_code_for_top_n,
    makes=("runs.top_n_code=listed",),
)

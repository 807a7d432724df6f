"""The ID map: IDs that are missing, mapped too early, under another kind, or named otherwise than asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Handler
from ...patching.patch import Patch
from ...resources import idmap
from ...services import Call, Services
from ...wire.http import Response
from ..registry import fault

Mapped = Callable[[Services, str, str, str], bool]
KINDS = ("event", "session", "attendee")
ALSO = ("id_map.*", "generated.*", "imports.refused.*", "error.getIdMapping.*", "isolation.getIdMapping")


def mapping(patch: Patch, make: Callable[[Mapped], Mapped]) -> None:
    patch.wrap(idmap, "is_mapped", make)


def of_kind(kind: str, answer: Callable[[Mapped, Services, str, str], bool]) -> Callable[[Patch], None]:
    """Answer otherwise for the IDs of one kind."""

    def make(inner: Mapped) -> Mapped:
        return lambda services, org, asked, partner_id: (
            answer(inner, services, org, partner_id) if asked == kind else inner(services, org, asked, partner_id)
        )

    return lambda patch: mapping(patch, make)


def never(inner: Mapped, services: Services, org: str, partner_id: str) -> bool:
    return False


def always(inner: Mapped, services: Services, org: str, partner_id: str) -> bool:
    return True


def seen_before(kind: str) -> Callable[[Mapped, Services, str, str], bool]:
    """Cache that an ID is not mapped."""
    unmapped: set[tuple[str, str]] = set()

    def answer(inner: Mapped, services: Services, org: str, partner_id: str) -> bool:
        if (org, partner_id) in unmapped:
            return False
        found = inner(services, org, kind, partner_id)
        if not found:
            unmapped.add((org, partner_id))
        return found

    return answer


def refusing(patch: Patch, kind: str, otherwise: Callable[[Call], Response]) -> None:
    """Answer otherwise for an ID of one kind that is not mapped."""

    def make(inner: Handler) -> Handler:
        async def get_id_mapping(call: Call) -> Response:
            try:
                return await inner(call)
            except ApiError as error:
                if error.code != "PARTNER_ID_NOT_FOUND" or call.params["kind"] != kind:
                    raise
                return otherwise(call)

        return get_id_mapping

    operations.handle(patch, "getIdMapping", make)


def mapped_false(call: Call) -> Response:
    return Response(200, {"kind": call.params["kind"], "partner_id": call.params["partner_id"], "mapped": False})


def sibling(call: Call) -> Response:
    raise ApiError(f"{call.params['kind'].upper()}_NOT_FOUND", "there is no such ID")


def echoing(patch: Patch, kind: str, name: str, value: Callable[[Any], Any]) -> None:
    """Show a member of the mapping of one kind otherwise."""

    def change(body: dict[str, Any]) -> None:
        if body["kind"] == kind:
            body[name] = value(body[name])

    changes.answered(patch, "getIdMapping", change)


for _kind in KINDS:
    fault(
        f"id_map.{_kind}.mapped.never",
        f"The ID map knows no IDs of kind {_kind}.",
        breaks=[f"id_map.{_kind}.mapped"],
        also=[*ALSO, "error.mergeReview.*", "identity.*", "status.mergeReview.200"],
    )(of_kind(_kind, never))
    fault(
        f"id_map.{_kind}.mapped.cached",
        f"An ID of kind {_kind} that was asked for before it was used stays unmapped.",
        breaks=[f"id_map.{_kind}.mapped"],
        also=ALSO,
    )(of_kind(_kind, seen_before(_kind)))
    fault(
        f"id_map.{_kind}.mapped.false",
        f"The mapping of an ID of kind {_kind} says `mapped: false`.",
        breaks=[f"id_map.{_kind}.mapped"],
        also=[*ALSO, "schema.getIdMapping.200"],
    )(partial(echoing, kind=_kind, name="mapped", value=lambda value: False))
    fault(
        f"id_map.{_kind}.unmapped.always",
        f"Every ID of kind {_kind} is mapped, also one that was never used.",
        breaks=[f"id_map.{_kind}.unmapped"],
        also=[*ALSO, "error.mergeReview.*"],
    )(of_kind(_kind, always))
    fault(
        f"id_map.{_kind}.unmapped.false",
        f"An ID of kind {_kind} that was never used is answered 200 with `mapped: false`.",
        breaks=[f"id_map.{_kind}.unmapped"],
        also=[*ALSO, "schema.getIdMapping.200"],
    )(partial(refusing, kind=_kind, otherwise=mapped_false))
    fault(
        f"id_map.{_kind}.unmapped.code",
        f"An ID of kind {_kind} that was never used is refused with {_kind.upper()}_NOT_FOUND.",
        breaks=[f"id_map.{_kind}.unmapped"],
        also=[*ALSO, "codes.getIdMapping"],
    )(partial(refusing, kind=_kind, otherwise=sibling))
    fault(
        f"id_map.{_kind}.echo.kind",
        f"The mapping of an ID of kind {_kind} names its kind in capitals.",
        breaks=[f"id_map.{_kind}.echo"],
        also=ALSO,
    )(partial(echoing, kind=_kind, name="kind", value=str.upper))
    fault(
        f"id_map.{_kind}.echo.partner_id",
        f"The mapping of an ID of kind {_kind} shows a number of its own in place of the ID.",
        breaks=[f"id_map.{_kind}.echo"],
        also=ALSO,
    )(partial(echoing, kind=_kind, name="partner_id", value=lambda value: str(sum(value.encode()))))


@fault(
    "id_map.kinds.any", "An ID that the org has mapped is mapped under every kind.", breaks=["id_map.kinds"], also=ALSO
)
def _(patch: Patch) -> None:
    mapping(
        patch,
        lambda inner: (
            lambda services, org, kind, partner_id: any(inner(services, org, one, partner_id) for one in KINDS)
        ),
    )


@fault(
    "id_map.kinds.session_event",
    "The IDs of events are mapped as sessions too.",
    breaks=["id_map.kinds"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    of_kind(
        "session",
        lambda inner, services, org, partner_id: (
            inner(services, org, "session", partner_id) or inner(services, org, "event", partner_id)
        ),
    )(patch)

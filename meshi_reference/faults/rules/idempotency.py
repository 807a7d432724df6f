"""Idempotency keys: second runs, forgotten keys, keys that mean too much or too little, races."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import ApiError
from ...patching import changes, operations
from ...patching.operations import Handler, Refusal
from ...patching.patch import Patch
from ...resources import runs
from ...resources.runs import NewRun
from ...services import Call, Services
from ...storage import Row
from ...wire.http import Response
from ..registry import fault

Accept = Callable[[Services, NewRun], tuple[Row, bool]]

KINDS: dict[str, str] = {"import": "importAttendees", "enrichment": "createEnrichmentRun", "match": "createMatchRun"}
EVENT_OPERATIONS = tuple(KINDS.values())
WRITES = (*EVENT_OPERATIONS, "createRun")
NAMES: dict[str, str] = {
    "importAttendees": "an import",
    "createEnrichmentRun": "an enrichment run",
    "createMatchRun": "a match run",
    "createRun": "a run outside event scope",
}
MODEL = "generated.model.keys"
WINDOW_SECONDS = 0.1
"""How long a look-up stays ahead of what is done about it."""
ALSO = ("idempotency.*", "generated.model.*", "imports.replay.*")
"""Who breaks one promise of a key breaks others as well."""


def operation_of(new: NewRun) -> str:
    """Return the operation that asks for a run."""
    return "createRun" if new.event is None else KINDS[new.kind]


def accepting(patch: Patch, operation: str, make: Callable[[Accept], Accept]) -> None:
    """Replace how the runs of one operation are accepted."""

    def wrap(inner: Accept) -> Accept:
        changed = make(inner)
        return lambda services, new: (changed if operation_of(new) == operation else inner)(services, new)

    patch.wrap(runs, "accept_run", wrap)


def forget(services: Services, new: NewRun) -> None:
    """Free the key of a run, so that it can start another one."""
    services.storage.execute(
        "UPDATE runs SET key_space = key_space || ':' || seq"
        " WHERE org_id = ? AND key_space = ? AND idempotency_key = ?",
        (new.org, runs.key_space(new, services.settings), new.idempotency_key),
    )


def first_answer(services: Services, new: NewRun) -> Row | None:
    """Return the run that the key started already."""
    return runs.find_by_key(services, new)


def family(
    aspect: str,
    suffix: str,
    sentence: str,
    make: Callable[[Accept], Accept],
    among: tuple[str, ...] = WRITES,
    breaks: tuple[str, ...] = (),
    settings: dict[str, Any] | None = None,
) -> None:
    """Register one fault for each operation, which accepts a run otherwise; it breaks `idempotency.<aspect>`."""
    for operation in among:
        fault(
            f"idempotency.{aspect}.{operation}.{suffix}",
            sentence.format(NAMES[operation]),
            breaks=[f"idempotency.{one}.{operation}" for one in (aspect, *breaks)],
            also=[*ALSO, f"status.{operation}.*", "error.*.IDEMPOTENCY_KEY_CONFLICT", f"codes.{operation}"],
            settings=settings,
        )(partial(accepting, operation=operation, make=make))


# Replays


def second_run(inner: Accept) -> Accept:
    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and runs.is_replay(existing, new, services.settings):
            forget(services, new)
        return inner(services, new)

    return accept


def run_behind(inner: Accept) -> Accept:
    """Answer with the first run, and start another one all the same."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        row, replay = inner(services, new)
        if replay:
            forget(services, new)
            other, _ = inner(services, replace(new, inputs=()))
            services.storage.execute("UPDATE runs SET key_space = 'behind:' || seq WHERE seq = ?", (other["seq"],))
            services.storage.execute(
                "UPDATE runs SET key_space = ? WHERE seq = ?", (runs.key_space(new, services.settings), row["seq"])
            )
        return row, replay

    return accept


def refuse_replay(inner: Accept) -> Accept:
    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        row, replay = inner(services, new)
        if replay:
            raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used already")
        return row, replay

    return accept


def latest_run(inner: Accept) -> Accept:
    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        row, replay = inner(services, new)
        latest = services.storage.scalar(
            "SELECT seq FROM runs WHERE org_id = ? AND event_seq IS ? AND kind = ? AND seq <> ?"
            " ORDER BY created_at DESC LIMIT 1",
            (new.org, new.event_seq, new.kind, row["seq"]),
        )
        return (runs.load_run(services, latest), True) if replay and latest is not None else (row, replay)

    return accept


def body_of(new: NewRun) -> str:
    return hashlib.sha256(
        json.dumps([new.webhook_url, new.options, new.inputs, new.snapshot_metadata], sort_keys=True).encode()
    ).hexdigest()


def compare_bodies(otherwise: Callable[[Services, NewRun], None]) -> Callable[[Accept], Accept]:
    """Treat a key with another body as new; `otherwise` says what becomes of it."""
    bodies: dict[int, str] = {}

    def make(inner: Accept) -> Accept:
        def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
            existing = first_answer(services, new)
            replayed = existing if existing and runs.is_replay(existing, new, services.settings) else None
            if replayed is not None and bodies.get(replayed["seq"], body_of(new)) != body_of(new):
                otherwise(services, new)
            row, replay = inner(services, new)
            bodies.setdefault(row["seq"], body_of(new))
            return row, replay

        return accept

    return make


def conflict(services: Services, new: NewRun) -> None:
    raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used with another body")


def forget_ended(inner: Accept) -> Accept:
    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and existing["terminal_at"] is not None:
            forget(services, new)
        return inner(services, new)

    return accept


family(
    "replay.same_run",
    "second_run",
    "{} that is sent again with its key starts a second run.",
    second_run,
    breaks=("replay.one_run",),
)
family("replay.same_run", "refused", "{} that is sent again with its key is refused with 409.", refuse_replay)
family("replay.same_run", "latest", "The replay of {} shows the run before it.", latest_run)
family(
    "replay.one_run",
    "behind",
    "The replay of {} shows the first run, and starts another one behind it.",
    run_behind,
)
family("replay.other_body", "conflict", "{} with a used key and another body is refused.", compare_bodies(conflict))
family("replay.other_body", "second_run", "{} with a used key and another body is another run.", compare_bodies(forget))
family(
    "replay.after_end",
    "forgotten",
    "The key of {} is forgotten when the run has ended.",
    forget_ended,
    EVENT_OPERATIONS,
)


def cached_answers(patch: Patch, operation: str) -> None:
    """Answer a replay with the first answer as it was, but for the flag."""
    answers: dict[str, dict[str, Any]] = {}

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            answer = await inner(call)
            assert answer.body is not None
            first = answers.setdefault(answer.body["run_id"], dict(answer.body))
            if answer.body["idempotent_replay"]:
                answer.body = {**first, "idempotent_replay": True}
            return answer

        return handler

    operations.handle(patch, operation, make)


for _operation in EVENT_OPERATIONS:
    fault(
        f"idempotency.replay.current.{_operation}.cached",
        f"The replay of {NAMES[_operation]} is the first answer from a cache.",
        breaks=[f"idempotency.replay.current.{_operation}"],
        also=["generated.model.*"],
    )(partial(cached_answers, operation=_operation))

for _operation in WRITES:
    for _aspect, _suffix, _sentence, _value in (
        ("first", "true", "The first answer to {} says that it is a replay.", lambda flag: True),
        ("first", "null", "The first answer to {} does not say whether it is a replay.", lambda flag: flag or None),
        ("replay", "false", "The replay of {} does not say that it is one.", lambda flag: False),
    ):
        fault(
            f"idempotency.flag.{_aspect}.{_operation}.{_suffix}",
            _sentence.format(NAMES[_operation]),
            breaks=[f"idempotency.flag.{_aspect}.{_operation}"],
            also=[*ALSO, f"schema.{_operation}.*"],
        )(
            partial(changes.answered_member, operation=_operation, name="idempotent_replay", value=_value),
        )


# Other keys


def one_at_a_time(inner: Accept) -> Accept:
    """Start no other run of the kind while one is under way."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        active = services.storage.scalar(
            "SELECT seq FROM runs WHERE org_id = ? AND event_seq IS ? AND kind = ? AND terminal_at IS NULL",
            (new.org, new.event_seq, new.kind),
        )
        return inner(services, new) if active is None else (runs.load_run(services, active), True)

    return accept


family(
    "other_key.new_run",
    "active",
    "{} is answered with the run that is on its way, whatever its key.",
    one_at_a_time,
    settings={"run_seconds": 0.3},
)


def same_input(inner: Accept) -> Accept:
    """Recognise a repeat by its input instead of its key."""
    known: dict[tuple[Any, ...], int] = {}

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        named = (new.org, new.event_seq, new.kind, body_of(new))
        if named in known and first_answer(services, new) is None:
            return runs.load_run(services, known[named]), True
        row, replay = inner(services, new)
        known.setdefault(named, row["seq"])
        return row, replay

    return accept


family("other_key.new_run", "same_input", "{} with another key is a replay while the input is the same.", same_input)


def compared(form: Callable[[str], str]) -> Callable[[Accept], Accept]:
    """Treat keys that have one form as one key."""
    first: dict[tuple[Any, ...], str] = {}

    def make(inner: Accept) -> Accept:
        def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
            key = first.setdefault(
                (new.org, new.kind, new.event is None, form(new.idempotency_key)), new.idempotency_key
            )
            return inner(services, replace(new, idempotency_key=key))

        return accept

    return make


family("other_key.case", "ignored", "{} is a replay where the key differs in case alone.", compared(str.lower))
family(
    "other_key.new_run",
    "cut",
    "{} is a replay where the first 32 characters of the keys are equal.",
    compared(lambda key: key[:32]),
)


def first_again(inner: Accept) -> Accept:
    """Answer the second replay as a first call."""
    times: dict[str, int] = {}

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        row, replay = inner(services, new)
        times[row["run_id"]] = times.get(row["run_id"], -1) + 1
        return row, replay and times[row["run_id"]] != 2

    return accept


family("replay.same_run", "second", "The second replay of {} is answered as a first call.", first_again)


@fault(
    "idempotency.replay.later.createRun.terminal",
    "createRun answers the replay of a run that has ended as a first call.",
    breaks=["idempotency.replay.later.createRun"],
    also=ALSO,
)
def _(patch: Patch) -> None:
    def make(inner: Accept) -> Accept:
        def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
            row, replay = inner(services, new)
            return row, replay and row["terminal_at"] is None

        return accept

    accepting(patch, "createRun", make)


# Conflicts


def per_event(inner: Accept) -> Accept:
    """Start another run for a key that another event has used."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and existing["event_seq"] != new.event_seq:
            forget(services, new)
        return inner(services, new)

    return accept


def any_event(inner: Accept) -> Accept:
    """Replay the run of another event that has used the key."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and existing["event_seq"] != new.event_seq:
            return existing, True
        return inner(services, new)

    return accept


def per_operation(inner: Accept) -> Accept:
    """Start another run for a key that another operation has used."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and existing["kind"] != new.kind:
            forget(services, new)
        return inner(services, new)

    return accept


def any_operation(inner: Accept) -> Accept:
    """Replay the run of another operation that has used the key."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        existing = first_answer(services, new)
        if existing is not None and existing["kind"] != new.kind:
            return existing, True
        return inner(services, new)

    return accept


def conflict_says(status: int, code: str) -> Callable[[Accept], Accept]:
    """Refuse a conflict with another status or code."""

    def make(inner: Accept) -> Accept:
        def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
            try:
                return inner(services, new)
            except ApiError:
                raise Refusal(status, code) from None

        return accept

    return make


def conflict_frees(inner: Accept) -> Accept:
    """Take the key away from its first run when a reuse is refused."""

    def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
        try:
            return inner(services, new)
        except ApiError:
            forget(services, new)
            raise

    return accept


family(
    "conflict.other_event",
    "own_run",
    "{} with a key of another event is a run of its own.",
    per_event,
    EVENT_OPERATIONS,
)
family(
    "conflict.other_event",
    "replay",
    "{} with a key of another event shows that event's run.",
    any_event,
    EVENT_OPERATIONS,
)
family(
    "conflict.other_event",
    "status",
    "{} with a key of another event or operation is refused with 400.",
    conflict_says(400, "IDEMPOTENCY_KEY_CONFLICT"),
    EVENT_OPERATIONS,
    breaks=("conflict.other_operation",),
)
family(
    "conflict.other_operation",
    "own_run",
    "{} with a key of another operation is a run of its own.",
    per_operation,
    EVENT_OPERATIONS,
)
family(
    "conflict.other_operation",
    "replay",
    "{} with a key of another operation shows that operation's run.",
    any_operation,
    EVENT_OPERATIONS,
)
family(
    "conflict.other_operation",
    "sibling",
    "{} with a key of another operation is refused with PARTNER_ID_CONFLICT.",
    conflict_says(409, "PARTNER_ID_CONFLICT"),
    EVENT_OPERATIONS,
    breaks=("conflict.other_event",),
)
family(
    "conflict.keeps_first",
    "freed",
    "A refused reuse of the key of {} frees it.",
    conflict_frees,
    EVENT_OPERATIONS,
)


# Orgs


def of_all_orgs(otherwise: Callable[[Services, Row], tuple[Row, bool]]) -> Callable[[Accept], Accept]:
    """Recognise a key that another org has used."""

    def make(inner: Accept) -> Accept:
        def accept(services: Services, new: NewRun) -> tuple[Row, bool]:
            row = services.storage.one(
                f"{runs.SELECT} WHERE runs.org_id <> ? AND key_space = ? AND idempotency_key = ?",
                (new.org, runs.key_space(new, services.settings), new.idempotency_key),
            )
            return inner(services, new) if row is None else otherwise(services, row)

        return accept

    return make


def refuse(services: Services, row: Row) -> tuple[Row, bool]:
    raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used for another event")


family("per_org", "conflict", "{} is refused where another org has used the key.", of_all_orgs(refuse))
family(
    "per_org",
    "leak",
    "{} shows another org's run where that org has used the key.",
    of_all_orgs(lambda services, row: (row, True)),
)


# Refused requests


def burn(patch: Patch, operation: str, codes: tuple[str, ...]) -> None:
    """Mark the key of a refused request as used: the next request with it is refused."""
    burnt: set[tuple[str, Any]] = set()

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            key = call.body.get("idempotency_key")
            used = (call.org, json.dumps(key))
            if used in burnt:
                raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "the key was used already")
            try:
                return await inner(call)
            except ApiError as error:
                if error.status in (400, 404) and (not codes or error.code in codes) and key:
                    burnt.add(used)
                raise

        return handler

    operations.handle(patch, operation, make)


def answer_refusal_again(patch: Patch, operation: str) -> None:
    """Answer a key with its first answer, even if that was a refusal."""
    refusals: dict[tuple[str, str], ApiError] = {}

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            key = call.body.get("idempotency_key")
            named = (call.org, json.dumps(key))
            if named in refusals:
                raise refusals[named]
            try:
                return await inner(call)
            except ApiError as error:
                if key and error.code not in ("INVALID_IDEMPOTENCY_KEY", "IDEMPOTENCY_KEY_CONFLICT"):
                    refusals[named] = error
                raise

        return handler

    operations.handle(patch, operation, make)


for _operation in WRITES:
    for _suffix, _sentence, _apply in (
        ("burnt", "A refused request for {} uses its key up.", partial(burn, codes=())),
        ("answered_again", "A refused request for {} is refused again, also when it is right.", answer_refusal_again),
    ):
        fault(
            f"idempotency.refused.keeps_key.{_operation}.{_suffix}",
            _sentence.format(NAMES[_operation]),
            breaks=[f"idempotency.refused.keeps_key.{_operation}"],
            also=["generated.model.keys", f"error.{_operation}.*", f"codes.{_operation}", f"limits.{_operation}.*"],
        )(partial(_apply, operation=_operation))
    if _operation != "createRun":
        fault(
            f"idempotency.refused.keeps_key.{_operation}.wrong_body",
            f"A request for {NAMES[_operation]} with a wrong body uses its key up.",
            breaks=[f"idempotency.refused.keeps_key.{_operation}"],
            also=["generated.model.keys", f"error.{_operation}.*", f"limits.{_operation}.*"],
        )(partial(burn, operation=_operation, codes=("INVALID_ATTENDEES", "INVALID_WEBHOOK_URL", "INVALID_TOP_N")))
        fault(
            f"idempotency.refused.keeps_key.{_operation}.no_event",
            f"A request for {NAMES[_operation]} on an unknown event uses its key up.",
            breaks=[f"idempotency.refused.keeps_key.{_operation}"],
            also=["generated.model.keys"],
        )(partial(burn, operation=_operation, codes=("EVENT_NOT_FOUND",)))


# Races


def race(
    patch: Patch, operation: str, before: Callable[[Call, str], None], after: Callable[[Response, int], Response]
) -> None:
    """Look up the key and insert the run with other requests in between.

    Where the look-up found nothing `before` is called ahead of the insertion, and `after` changes its answer.
    """

    def make(inner: Handler) -> Handler:
        async def handler(call: Call) -> Response:
            key = call.body.get("idempotency_key")
            known = "SELECT 1 FROM runs WHERE org_id = ? AND idempotency_key = ?"
            if not isinstance(key, str) or call.services.storage.one(known, (call.org, key)):
                return await inner(call)
            await asyncio.sleep(WINDOW_SECONDS)
            before(call, key)
            return after(await inner(call), operations.success_of(operation))

        return handler

    operations.handle(patch, operation, make)


def start_all(call: Call, key: str) -> None:
    """Let nothing unique prevent a second run."""
    call.services.storage.execute(
        "UPDATE runs SET key_space = key_space || ':' || seq WHERE org_id = ? AND idempotency_key = ?", (call.org, key)
    )


def refuse_late(call: Call, key: str) -> None:
    """Refuse the second call because the first holds the lock."""
    if call.services.storage.one("SELECT 1 FROM runs WHERE org_id = ? AND idempotency_key = ?", (call.org, key)):
        raise ApiError("IDEMPOTENCY_KEY_CONFLICT", "a request with this key is on its way")


def crash_late(call: Call, key: str) -> None:
    """Break the second call on the database's constraint."""
    if call.services.storage.one("SELECT 1 FROM runs WHERE org_id = ? AND idempotency_key = ?", (call.org, key)):
        raise sqlite3.IntegrityError("UNIQUE constraint failed: runs.idempotency_key")


def as_it_comes(response: Response, first_status: int) -> Response:
    return response


def as_first(response: Response, first_status: int) -> Response:
    """Take the flag from the look-up."""
    assert response.body is not None
    return Response(first_status, {**response.body, "idempotent_replay": False}, response.headers)


def nothing(call: Call, key: str) -> None:
    """Leave the insertion itself as it is."""


for _operation in WRITES:
    for _aspect, _suffix, _sentence, _before, _after in (
        ("one_run", "all", "Simultaneous first calls for {} start a run each.", start_all, as_it_comes),
        (
            "one_first",
            "refused",
            "Of simultaneous first calls for {} all but one are refused.",
            refuse_late,
            as_it_comes,
        ),
        ("one_first", "broken", "Of simultaneous first calls for {} all but one break.", crash_late, as_it_comes),
        ("one_first", "all", "Simultaneous first calls for {} are all answered as the first.", nothing, as_first),
    ):
        fault(
            f"idempotency.simultaneous.{_aspect}.{_operation}.{_suffix}",
            _sentence.format(NAMES[_operation]),
            breaks=[f"idempotency.simultaneous.{_aspect}.{_operation}"],
            also=[
                f"idempotency.simultaneous.*.{_operation}",
                "generated.model.keys",
                f"server_errors.{_operation}",
                f"codes.{_operation}",
            ],
        )(partial(race, operation=_operation, before=_before, after=_after))

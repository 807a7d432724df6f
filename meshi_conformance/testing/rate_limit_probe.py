"""Provoking the rate limit: how hard it is looked for, and how long is waited until it lifts."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from ..client.api import Api
from ..client.call import Call
from ..errors import CeilingReached
from ..exchanges.checks import retry_after_seconds
from ..exchanges.exchange import Exchange
from .arrange import Given

REQUESTS = 3000
SECONDS = 20.0
BATCH = 40
"""How hard the rate limit is looked for before the probe gives up."""

LONGEST_WAIT = 60.0
"""Seconds that the probe waits at once, whatever Retry-After says."""

BURSTS = 3
"""How often the window is exhausted until a write meets it: on a slow machine it may open too soon."""

HONOURED_WAITS = 3
"""How often the probe waits as told: whole seconds are coarse, and others may use the same key."""


def exhausted_window(given: Given) -> dict[str, Any]:
    """Send a burst and return the 429, and the first answer after the waits that it asked for.

    `refused` holds the 429 of several operations in short, `later` an exchange in short; `told` is the last wait asked
    for in seconds, None where a 429 does not say. `again` are writes that earned a 429, sent once more after the
    window had opened, in short. Raise CeilingReached where the burst meets no limit.
    """
    api = given.api
    call = Call("getAuth", key="probe" if "probe" in api.transport.target.keys else "main")
    given.require_success(api.send(call))
    for _ in range(BURSTS):
        refused = later = _exhausted(api, call)
        writes = [] if api.transport.target.read_only else _writes(given, call)
        limited, held_back = _limited(api, call, writes)
        if held_back or not writes:
            break
    seen = [refused, *limited]
    told: float | None = None
    for _ in range(HONOURED_WAITS):
        told = retry_after_seconds(later.header("retry-after"), later.header("date"))
        if told is None:
            break
        api.transport.sleep(min(told, LONGEST_WAIT))
        later = api.transport.call(call, patient=False)
        seen.append(later)
        if later.status != 429:
            break
    again = []
    if later.is_success:
        again = [api.transport.call(one) for one in held_back]
        seen += again
    return {
        "again": [_short(exchange) for exchange in again],
        "refused": [_short(exchange) for exchange in (refused, *limited)],
        "later": _short(later),
        "told": told,
        "exchanges": [exchange.id for exchange in seen],
    }


def _writes(given: Given, call: Call) -> list[Call]:
    """Return good writes, which create their row where the window opens meanwhile."""
    return [
        call.replace(operation="createEvent", body=given.event_request(title="Rate Limit Conformance Summit")),
        call.replace(operation="createRun", body=given.generic_run_request()),
    ]


def _limited(api: Api, call: Call, good: list[Call]) -> tuple[list[Exchange], list[Call]]:
    """Call other operations while the window is exhausted: return each 429, and the good writes that earned one."""
    # But for the good ones, none of them writes anything where the window opens meanwhile.
    nowhere = {"event_id": "conf-rate-limit-probe"}
    reads = [call.replace(operation="listRuns"), call.replace(operation="getEvent", path=nowhere)]
    writes = [
        call.replace(operation="createEvent", body={}),
        call.replace(operation="createRun", body={}),
        call.replace(operation="updateEventContext", path=nowhere, body={}),
        call.replace(operation="importAttendees", path=nowhere, body={}),
    ]
    calls = reads if api.transport.target.read_only else [*good, *reads, *writes]
    answers = api.send_concurrently(partial(api.transport.call, one, patient=False) for one in calls)
    limited = [(one, answer) for one, answer in zip(calls, answers, strict=True) if answer.status == 429]
    return [answer for _, answer in limited], [one for one, _ in limited if one in good]


def _short(exchange: Exchange) -> dict[str, Any]:
    return {
        "status": exchange.status,
        "code": exchange.code,
        "retry_after": exchange.header("retry-after"),
        "summary": exchange.summary,
    }


def _exhausted(api: Api, call: Call) -> Exchange:
    """Return the last 429 of a burst of calls."""
    deadline = time.monotonic() + SECONDS
    sent = 0
    while sent < REQUESTS and time.monotonic() < deadline:
        answers = api.send_concurrently([partial(api.transport.call, call, patient=False)] * BATCH)
        sent += len(answers)
        found = [exchange for exchange in answers if exchange.status == 429]
        if found:
            return max(found, key=lambda exchange: exchange.started + exchange.elapsed)
    raise CeilingReached(f"{sent} requests at full speed met no rate limit", "no rate limit was met")

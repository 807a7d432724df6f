"""Check what a run needs and what it would judge, without one write: key, scopes, way to the target, clock, rate.

Takes the options of `run` that choose a target and requirements. The exit code is 0 where a run can start.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any

from ... import __version__
from ...client.api import Api
from ...client.transport import Transport
from ...contract import contract as contracts
from ...contract.contract import Contract
from ...errors import MissingMember, NotAJsonObject, TransportTrouble, UsageError
from ...exchanges.exchange import Exchange
from ...exchanges.recorder import Recorder
from ...exchanges.redaction import Redaction
from ...generation.budget import PROFILES, Plan
from ...plugin.chosen_target import chosen_target
from ...plugin.options import add_to, unusable
from ...plugin.planning import costs
from ...plugin.planning.expected import Expected, expected, told
from ...plugin.start.launch import tests_by_requirement
from ...plugin.start.preflight import announcement, look
from ...report.text import visible
from ...target.keys import KEY_VARIABLES
from ...target.target import Target

TAKEN = (
    "--target",
    "--targets-file",
    "--read-only",
    "--allow-writes",
    "--rate",
    "--max-requests",
    "--max-created",
    "--requirements",
    "--large",
    "--rate-limit-probe",
)
"""The options of a run that decide which target is judged, and what for."""

LOOKS = 5
"""How many reads the time of an answer is taken from."""

CLOCK_SECONDS = 60.0
"""From this difference of the clocks on it is told as something to look at."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare those options of a run that doctor takes."""

    def add(name: str, **how: Any) -> None:
        if name in TAKEN:
            parser.add_argument(name, **how)

    add_to(add)


def run(options: argparse.Namespace) -> int:
    """Print what was found. Return 0; raise UsageError, as a run would, where it could not start."""
    wrong = unusable(options)
    if wrong:
        raise UsageError(wrong)
    contract = contracts.load()
    selected = contract.select(options.requirements)
    print(f"suite     {__version__} on Python {platform.python_version()}, {platform.system()}")
    target, embedded, notes = chosen_target(options)
    redaction = Redaction(target.secrets, target.access.headers)
    try:
        for line in notes + list(_way(target)):
            print(visible(redaction.text(line))[:600])
        preflight = look(replace(target, read_only=True), contract)
        for line in _looks(target, contract, redaction):
            print(visible(redaction.text(line))[:600])
        if preflight.scopes and "partner:write" not in preflight.scopes and not target.read_only:
            print("look at   the main key does not list partner:write, and a run writes: add --read-only, or change it")
        will_send = told(_expected(target, contract, selected), target)
        for line in announcement(target, preflight, contract, selected) + will_send:
            print(visible(redaction.text(line))[:600])
    finally:
        if embedded is not None:
            embedded.stop()
    print("ok        a run can start; nothing was written")
    return 0


def _expected(target: Target, contract: Contract, selected: Iterable[str]) -> Expected:
    """Return what a run with the default profile would send for the selected requirements."""
    tests = tests_by_requirement()
    lacking = [one.id for one in contract.requirements.values() if any(map(target.lacks, one.needs))]
    unasked = {test for name in lacking for test in tests.get(name, ())}
    asked = {test for name in selected for test in tests.get(name, ())} - unasked
    return expected(costs.load(), asked, Plan("quick", PROFILES["quick"], 0))


def _way(target: Target) -> Iterator[str]:
    """Tell the way to the target, as the environment and the targets file say it."""
    access = target.access
    yield f"proxy     {access.proxy_name if access.proxy else 'none'}"
    if target.base.startswith("https:"):
        trusted = f"{access.ca}, named by {access.ca_source}" if access.ca else "those of certifi"
        yield f"trust     authorities: {trusted}"
    else:
        yield "trust     the URL starts with http: no certificate is checked"
    held = [target.variable(role) for role in target.keys]
    absent = [name for role, name in KEY_VARIABLES.items() if role not in target.keys]
    yield f"keys      {', '.join(held)}" + (f"; not set: {', '.join(absent)}" if absent else "")


def _looks(target: Target, contract: Contract, redaction: Redaction) -> Iterator[str]:
    """Tell what reads show: each key's scopes, the clock, the time of an answer."""
    recorder = Recorder(contract, redaction, None, "doctor")
    transport = Transport(replace(target, read_only=True), contract, recorder, "doctor", watches_keys=False)
    try:
        api = Api(transport)
        for role in target.keys:
            yield f"key       {target.variable(role)}: {_account(api, role)}"
        answers = [api.get_auth() for _ in range(LOOKS)]
    except TransportTrouble as problem:
        yield f"look at   an answer did not come: {problem}"
        return
    finally:
        transport.close()
    seconds = median(one.elapsed for one in answers)
    yield f"answers   {seconds * 1000:.0f} ms for GET /auth (median of {LOOKS})"
    yield _clock(answers[-1])
    limited = next((one for one in answers if one.status == 429), None)
    shown = {name: value for one in answers for name, value in one.headers if "ratelimit" in name.lower()}
    if limited is not None:
        yield f"look at   429 within {LOOKS} reads, Retry-After {limited.header('retry-after')}: give --rate N"
    elif shown:
        yield "rate      the target says " + ", ".join(f"{name}: {value}" for name, value in sorted(shown.items()))


def _account(api: Api, role: str) -> str:
    answer = api.as_key(role).get_auth()
    if not answer.is_success:
        return f"{answer.status} {answer.code or 'without a code'}"
    try:
        scopes = answer.json.get("scopes")
    except (MissingMember, NotAJsonObject):
        return f"{answer.status}, and no JSON object"
    listed = ", ".join(str(one) for one in scopes) if isinstance(scopes, list) else "not listed"
    return f"{answer.status}, org {answer.json.get('org_id')}, scopes {listed}"


def _clock(answer: Exchange) -> str:
    date = answer.header("date")
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return "clock     the target sends no Date; verdicts need none"
    difference = theirs - time.time()
    word = "look at  " if abs(difference) > CLOCK_SECONDS else "clock    "
    return f"{word} the target's clock differs by {difference:+.0f} s; no verdict depends on that"

"""A look at the target before anything is written to it: whether it answers, and whether the key fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...client.api import Api
from ...client.call import Call
from ...client.transport import Transport
from ...contract.contract import Contract
from ...errors import MissingMember, NotAJsonObject, TransportTrouble, UsageError
from ...exchanges.exchange import Exchange
from ...exchanges.recorder import Recorder
from ...exchanges.redaction import Redaction
from ...report.text import target_line
from ...target.target import Preflight, Target
from ...vocabulary import Level
from .identification import is_recognizable, require_the_api, unreachable


def look(target: Target, contract: Contract) -> Preflight:
    """Ask the target who we are, without writing anything. Raise UsageError where a run could not judge.

    An odd answer of `/auth` alone stops nothing: the route is under test itself. What stops a run is that no
    route knows the key, that nothing here looks like the API, or that the key may not write.
    """
    redaction = Redaction(target.secrets, target.access.headers)
    recorder = Recorder(contract, redaction, None, "preflight")
    transport = Transport(target, contract, recorder, "preflight", watches_keys=False)
    try:
        found = _look(target, contract, Api(transport))
        # The quickest: the first answer waited for the connection too.
        return replace(found, answer_seconds=min((one.elapsed for one in recorder.of_test), default=0.0))
    except TransportTrouble as problem:
        raise UsageError(redaction.text(unreachable(target, str(problem)))) from None
    except UsageError as problem:
        raise UsageError(redaction.text(str(problem))) from None
    finally:
        transport.close()


def _look(target: Target, contract: Contract, api: Api) -> Preflight:
    auth: Exchange | None = None
    with suppress(TransportTrouble):
        # The route may be broken by itself; a target that answers nowhere is not reached.
        auth = api.get_auth()
    if auth is None or not (auth.is_success and is_recognizable(auth, contract)):
        require_the_api(target, api, contract, auth, api.list_events())
    if auth is None:
        return Preflight(None, (), ("GET /auth has no usable answer.",))
    said = _said(auth)
    scopes = said.get("scopes")
    names = tuple(one[:40] for one in scopes if isinstance(one, str))[:10] if isinstance(scopes, list) else ()
    if not target.read_only:
        _may_write(target, api, names)
    org = said.get("org_id")
    notes = tuple(_notes(target, api, org, names))
    return Preflight(org[:200] if isinstance(org, str) else None, names, notes)


def _may_write(target: Target, api: Api, scopes: tuple[str, ...]) -> None:
    with suppress(TransportTrouble):
        # An empty body is refused by any server; only the reason tells whether the key may write.
        probe = api.send(Call("createEvent", body={}))
        if probe.status_and_code == (403, "INSUFFICIENT_SCOPE"):
            raise UsageError(
                f"The key in {target.variable('main')} may not write on {target.base} (scopes: "
                f"{', '.join(scopes) or 'none'}). A run creates events of its own: give a key with "
                "partner:write, or judge with --read-only what reads can show."
            )


def _notes(target: Target, api: Api, org: Any, scopes: tuple[str, ...]) -> Iterator[str]:
    """Return what a reader should know of the keys; none of it stops a run, since `/auth` is under test itself."""
    if target.base.startswith("http:") and not target.is_loopback:
        yield "The URL starts with http: keys travel unencrypted."
    with suppress(TransportTrouble):
        if "other" in target.keys and org is not None and org == _said(api.as_key("other").get_auth()).get("org_id"):
            yield (
                f"The key in {target.variable('other')} names the same org_id as the main key: if it is not a key "
                "of another org, the isolation requirements fail for that reason alone."
            )
    with suppress(TransportTrouble):
        scopes_of_read = _said(api.as_key("read").get_auth()).get("scopes") if "read" in target.keys else None
        if isinstance(scopes_of_read, list) and "partner:write" in scopes_of_read:
            yield (
                f"The key in {target.variable('read')} lists partner:write: where it may write, the scope "
                "requirements fail for that reason alone."
            )
    if scopes and "partner:write" not in scopes and not target.read_only:
        yield "The main key does not list partner:write, and yet it may write."


def announcement(target: Target, preflight: Preflight, contract: Contract, selected: Sequence[str]) -> list[str]:
    """Tell people what a run is about to judge, before it writes anything."""
    judged = [name for name in selected if not any(target.lacks(need) for need in contract.requirements[name].needs)]
    levels = Counter(contract.requirements[name].level for name in judged)
    lines = [
        f"target    {target_line(target.name, target.base)}",
        f"org       {preflight.org_id or 'not named by /auth'}, scopes {', '.join(preflight.scopes) or 'not listed'}",
        "judging   " + ", ".join(f"{levels[level]} {level}" for level in Level) + " requirements",
    ]
    limits = [f"{target.rate:g} requests per second"] if target.rate else []
    limits += [f"at most {target.most_requests} requests"] if target.most_requests else []
    limits += [f"at most {target.most_created} created rows"] if target.most_created else []
    if limits:
        lines.append(f"limits    {', '.join(limits)}")
    reasons = Counter(
        reason
        for name in selected
        for reason in [next(filter(None, map(target.lacks, contract.requirements[name].needs)), None)]
        if reason
    )
    lines += [f"not run   {number} requirements: {reason}" for reason, number in reasons.most_common()]
    return [*lines, *(f"note      {note}" for note in preflight.notes)]


def _said(auth: Exchange) -> dict[str, Any]:
    try:
        return auth.json if auth.is_success else {}
    except (MissingMember, NotAJsonObject):
        return {}

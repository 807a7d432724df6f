"""A look at the target before anything is written to it: does it answer, and does the key fit?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .client import Api, Call, Transport
from .contract import Contract
from .errors import MissingMember, TransportTrouble, UsageError
from .exchange import Exchange, Redaction
from .recorder import Recorder
from .target import Target


@dataclass(frozen=True)
class Preflight:
    """What `/auth` said of the main key: the org, the scopes and the answer as a whole."""

    org_id: str | None
    scopes: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())


def look(target: Target, contract: Contract) -> Preflight:
    """Asks the target who we are. Raises UsageError where a run could not judge anything.

    An odd answer of `/auth` alone stops nothing: the route is under test itself. What stops a run is that no
    route knows the key, or that the key may not write.
    """
    recorder = Recorder(contract, Redaction(target.keys), None, "preflight")
    transport = Transport(target, contract, recorder, "preflight")
    api = Api(transport)
    try:
        auth = api.get_auth()
        said = _said(auth)
        if auth.status in (401, 403) and api.list_events().status in (401, 403):
            raise UsageError(
                f"{target.base} refuses the key in MESHI_KEY ({auth.status} {auth.code}). Check that the key "
                "belongs to this environment: staging and production keys are separate."
            )
        scopes = said.get("scopes")
        names = tuple(map(str, scopes)) if isinstance(scopes, list) else ()
        # An empty body is refused by any server; only the reason tells whether the key may write.
        probe = api.send(Call("createEvent", body={}))
        if probe.refusal == (403, "INSUFFICIENT_SCOPE"):
            raise UsageError(
                f"The key in MESHI_KEY may not write on {target.base} (scopes: {', '.join(names) or 'none'}). "
                "A run creates events of its own: give a key with partner:write."
            )
        org = said.get("org_id")
        return Preflight(org if isinstance(org, str) else None, names)
    except TransportTrouble as problem:
        raise UsageError(
            f"The target {target.base} could not be reached: {problem}. Check the URL, the network and "
            "whether the server is up."
        ) from None
    finally:
        transport.close()


def _said(auth: Exchange) -> dict[str, Any]:
    try:
        return auth.json if auth.accepted else {}
    except MissingMember:
        return {}

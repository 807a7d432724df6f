"""The reference in this process, right or with one fault, and the tools of the generated tests against it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from meshi_conformance.client.api import Api
from meshi_conformance.client.transport import Transport
from meshi_conformance.contract.contract import Contract, load
from meshi_conformance.exchanges.recorder import Recorder
from meshi_conformance.exchanges.redaction import Redaction
from meshi_conformance.generation.budget import PROFILES, Plan
from meshi_conformance.target.keys import KEY_VARIABLES
from meshi_conformance.target.target import Target
from meshi_conformance.testing.arrange import Given
from meshi_conformance.testing.shared_data import World
from meshi_conformance.testing.shared_parts import PARTS
from meshi_conformance.testing.valid_calls import Calls
from meshi_reference import server
from meshi_reference.faults import Fault
from meshi_reference.settings import Settings

RUN = "5e1f7e"


@dataclass
class Bench:
    """What a generated test works with."""

    api: Api
    given: Given
    world: World
    calls: Calls
    contract: Contract
    env: dict[str, str]


@contextlib.contextmanager
def bench(fault: Fault | None = None, settings: Settings | None = None) -> Iterator[Bench]:
    """The tools against a reference server of this process."""
    with contextlib.ExitStack() as stack:
        if fault is not None:
            stack.enter_context(fault.applied())
        address = stack.enter_context(server.running(settings or Settings()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keys = {role: address.env[name] for role, name in KEY_VARIABLES.items() if name in address.env}
        target = Target("reference", address.base, keys, poll_first=0.02, poll_most=0.2)
        contract = load()
        transport = Transport(target, contract, Recorder(contract, Redaction(keys), None, "self"), RUN)
        stack.callback(transport.close)
        api = Api(transport)
        given = Given(api, RUN, "self")
        world = World(given, folder, PARTS)
        yield Bench(api, given, world, Calls(given, world), contract, {"MESHI_BASE": address.base, **address.env})


def plan(seed: int, **parts: int) -> Plan:
    """The quick profile with other numbers and as much time as it takes."""
    return Plan("quick", replace(PROFILES["quick"], seconds=300.0, **parts), seed)

"""What an operation works with: the parts of one running server, and one call to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .access.auth import Principal
from .access.rate_limit import Limiter
from .clock import Clock
from .runner import Runner
from .settings import Settings
from .storage import Storage
from .wire.http import Request


@dataclass(slots=True)
class Services:
    """The parts that one server shares between its requests and its runs."""

    settings: Settings
    storage: Storage
    clock: Clock
    cursor_secret: bytes
    limiter: Limiter
    runner: Runner


@dataclass(slots=True)
class Call:
    """One authorised request to one operation."""

    services: Services
    principal: Principal
    request: Request
    params: dict[str, str]
    body: dict[str, Any]

    @property
    def org(self) -> str:
        """The org that every look-up of this call is scoped to."""
        return self.principal.org_id

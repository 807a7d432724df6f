"""One process's part of a run: the client, the recorder and the shared data."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from ..client.api import Api
from ..client.rate_limiter import Limiter
from ..client.transport import Transport
from ..contract import contract as contracts
from ..exchanges.exchange import Exchange
from ..exchanges.recorder import Recorder
from ..exchanges.redaction import Redaction
from ..report.text import visible
from ..target.target import Target
from ..testing.arrange import Given
from ..testing.shared_data import World
from ..testing.shared_parts import PARTS
from ..testing.valid_calls import Calls
from .console.output import clean_logs
from .planning.choice import Budget


class RunSession:
    """What tests in this process use: the client, the world, the recorder.

    No test is begun after `ends`, in seconds since the epoch.
    """

    def __init__(
        self,
        contract: contracts.Contract,
        target: Target,
        run: str,
        spool: Path,
        worker: str,
        budget: Budget,
        ends: float | None,
    ) -> None:
        self.contract = contract
        self.target = target
        self.budget = budget
        self.ends = ends
        self.spool = spool
        self.redaction = Redaction(target.secrets, target.access.headers)
        self._restore_logs = clean_logs(self.redaction.text)
        self.recorder = Recorder(contract, self.redaction, spool / f"{worker}.jsonl", worker)
        limiter = Limiter(spool, target.rate, target.most_requests, target.most_created)
        self.transport = Transport(target, contract, self.recorder, run, limiter)
        self.api = Api(self.transport)
        self.given = Given(self.api, run, worker)
        self.world = World(self.given, spool, PARTS)
        self.calls = Calls(self.given, self.world)

    def clean(self, text: str) -> str:
        """Clean text that may hold what a server sent: without keys, and with nothing that steers a terminal."""
        return visible(self.redaction.text(text))

    def show(self, exchange: Exchange) -> str:
        """Show an exchange to people: a line to paste, the answer and what to quote."""
        answer = exchange.body[:1500].decode("utf-8", "replace")
        text = (
            f"{exchange.curl(self.redaction.text)}\n"
            f"  -> {exchange.status} in {exchange.elapsed * 1000:.0f} ms, "
            f"correlation_id {exchange.correlation_id}"
        )
        # Never at the start of a line: there a CI system would take a server's words for commands.
        return f"{self.clean(text)}\n{indent(self.clean(answer), '  | ', lambda line: True)}"

    def close(self) -> None:
        self.world.close()
        self.transport.close()
        self.recorder.close()
        self._restore_logs()

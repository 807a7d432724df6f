"""A whole run: every scenario with its sandbox and its command, several side by side, and the document of it."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract.contract import Contract
from ..contract.requirements import CLIENT
from ..exchanges.recorder import Recorder
from ..exchanges.redaction import Redaction
from ..report.document import results
from ..report.document.queries import ANY_SCENARIO
from ..report.text import one_line
from ..target.target import CURRENT_BASE, Preflight, Target
from ..verdicts.waivers import Waiver
from ..vocabulary import Verdict, worst
from . import command
from .duties.judge import Watch
from .judging import findings, judgements, test_name
from .sandbox import Sandbox
from .scenarios import Scenario
from .story import End

AT_ONCE = 4
"""Scenarios that run side by side: a client mostly waits."""

LOG_BYTES = 64 * 1024 * 1024
"""How much of a log file is read."""

PLACEHOLDER = "{scenario}"
"""The placeholder in `--log` for the scenario's name, so that scenarios can run side by side."""


@dataclass(frozen=True)
class Asked:
    """What a run is asked for. `logs` are the files that the client writes its log to; `deadline` is in seconds."""

    command: Sequence[str]
    scenarios: Sequence[Scenario]
    logs: Sequence[str] = ()
    deadline: float = 120.0


@dataclass
class Outcome:
    """What became of one scenario: what the judges watch, and what is told of it."""

    watched: Watch
    seconds: float
    notes: list[str] = field(default_factory=list)
    output: bytes = b""


class Run:
    """One run of `meshi-conformance client`."""

    def __init__(self, contract: Contract, asked: Asked, spool: Path, tell: Callable[[str], None]) -> None:
        self.contract = contract
        self.asked = asked
        self.key = "mk_" + secrets.token_urlsafe(24)
        self.started = time.time()
        self.outcomes: list[Outcome] = []
        self.problems: list[str] = []
        self._tell = tell
        self._recorder = Recorder(contract, Redaction({"main": self.key}), spool, "client")

    @property
    def unspooled(self) -> list[dict[str, Any]]:
        """What the disk did not take."""
        return self._recorder.unspooled

    def close(self) -> None:
        """Keep nothing from here on."""
        self._recorder.close()

    # With a command

    async def judge_command(self) -> None:
        """Run the command in every scenario. Raise UsageError where it cannot be started."""
        apart = bool(self.asked.logs) and not all(PLACEHOLDER in one for one in self.asked.logs)
        slots = asyncio.Semaphore(1 if apart else AT_ONCE)

        async def one(scenario: Scenario) -> Outcome:
            async with slots:
                outcome = await self._scenario(scenario)
                self._tell(_line(outcome))
                return outcome

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(scenario)) for scenario in self.asked.scenarios]
        self.outcomes = [task.result() for task in tasks]

    async def _scenario(self, scenario: Scenario) -> Outcome:
        began = time.monotonic()
        existing = await self._rehearse(scenario) if scenario.rehearsal else []
        sandbox = Sandbox(scenario, self.contract, self.key, self._recorder.keep)
        ends: list[End] = []
        notes: list[str] = []
        output = b""
        try:
            await sandbox.start()
            await sandbox.seed(existing)
            for number in range(1, scenario.rounds + 1):
                sandbox.round = number
                ended = await self._command(sandbox, scenario)
                output += ended.output
                said = ended.output + self._logs(scenario)
                at = time.monotonic() - sandbox.began
                ends.append(End(number, at, ended.code, ended.killed, said, ended.complete))
                if ended.left_behind:
                    notes.append("it left processes behind, which were ended")
                if ended.killed:
                    break
            if sandbox.server_ended:
                self.problems.append(f"The reference server of the scenario {scenario.name} ended during the run.")
        finally:
            await sandbox.stop()
        return Outcome(Watch(scenario.name, sandbox.steps, ends), time.monotonic() - began, notes, output)

    async def _rehearse(self, scenario: Scenario) -> list[Any]:
        """Run the command once where nothing is judged; return the events that it creates."""
        sandbox = Sandbox(
            Scenario(scenario.name, scenario.sentence), self.contract, self.key, lambda record: None, keeps_events=True
        )
        try:
            await sandbox.start()
            await self._command(sandbox, scenario)
        finally:
            await sandbox.stop()
        return sandbox.events

    async def _command(self, sandbox: Sandbox, scenario: Scenario) -> command.Ended:
        variables = command.environment(sandbox.base, self.key, scenario.name)
        return await command.run(self.asked.command, variables, self.asked.deadline, sandbox.stopped)

    def _logs(self, scenario: Scenario) -> bytes:
        """Return what the client's log files hold; a file that does not exist holds nothing."""
        found = b""
        for name in self.asked.logs:
            with suppress(OSError), Path(name.replace(PLACEHOLDER, scenario.name)).open("rb") as stream:
                found += stream.read(LOG_BYTES)
        return found

    # Without one

    async def listen(self) -> None:
        """Serve every scenario until a signal ends it."""
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        sandboxes = [Sandbox(one, self.contract, self.key, self._recorder.keep) for one in self.asked.scenarios]
        try:
            for sandbox in sandboxes:
                await sandbox.start()
                self._tell(f"scenario  {sandbox.scenario.name}: {sandbox.scenario.sentence}")
                self._tell(f"  export MESHI_BASE={sandbox.base} MESHI_KEY={self.key}")
            self._tell("Serving. Ctrl-C ends the run, and what was seen is judged.")
            await over.wait()
            for sandbox in sandboxes:
                logs = self._logs(sandbox.scenario) if self.asked.logs else None
                at = time.monotonic() - sandbox.began
                watched = Watch(sandbox.scenario.name, sandbox.steps, [End(1, at, None, None, logs)], listening=True)
                self.outcomes.append(Outcome(watched, at))
        finally:
            for sandbox in sandboxes:
                await sandbox.stop()

    # The result

    def document(self, events: Any, waived: Sequence[Waiver] = (), problems: Sequence[str] = ()) -> dict[str, Any]:
        """Return the document of the run."""
        found = findings([one.watched for one in self.outcomes])
        judged = list(judgements(self.contract, found))
        target = Target("client", f"http://127.0.0.1{CURRENT_BASE}", {"main": self.key})
        tests = []
        for one in self.outcomes:
            name = test_name(one.watched.scenario)
            mine = [judgement for judgement in judged if judgement.test == name]
            tests.append(
                {
                    "nodeid": name,
                    "verdict": worst([judgement.verdict for judgement in mine] or [Verdict.NOT_RUN]),
                    "seconds": round(one.seconds, 3),
                    "requirements": [judgement.requirement for judgement in mine],
                }
            )
        document = results.build(
            self.contract,
            target,
            Preflight(None, ()),
            judged,
            tests,
            events,
            [*self.problems, *problems],
            started=self.started,
            waived=waived,
            subject=CLIENT,
        )
        document["client"] = {
            "command": [Redaction({"main": self.key}).text(word) for word in self.asked.command],
            "scenarios": [self._about(one) for one in self.outcomes],
        }
        document["rerun"] = shlex.join(
            ["meshi-conformance", "client", "--scenario", ANY_SCENARIO, "--", *document["client"]["command"]]
        )
        if not any(one.watched.steps for one in self.outcomes) and not document["problems"]:
            document["outcome_reason"] = self._silence()
        return document

    def _about(self, outcome: Outcome) -> dict[str, Any]:
        scenario = next(one for one in self.asked.scenarios if one.name == outcome.watched.scenario)
        return {
            "name": scenario.name,
            "sentence": scenario.sentence,
            "requests": len(outcome.watched.steps),
            "seconds": round(outcome.seconds, 3),
            "ends": [
                {"round": end.round, "exit_code": end.code, "stopped_because": end.killed}
                for end in outcome.watched.ends
            ],
            "notes": outcome.notes,
        }

    def _silence(self) -> str:
        """Return why nothing could be judged, where no request came."""
        if not self.asked.command:
            return "No request came: give a client the MESHI_BASE and MESHI_KEY that were printed."
        ends = [end for one in self.outcomes for end in one.watched.ends]
        if all(end.code is not None and end.code != 0 for end in ends):
            last = next((end for end in ends if end.output), None)
            words = (last.output or b"").decode("utf-8", "replace").strip().splitlines() if last else []
            said = f" Its last line: {one_line(words[-1], 160)}" if words else ""
            return f"The client ended at once, with exit code {ends[0].code} and without a request.{said}"
        if any(end.killed for end in ends):
            return (
                f"The client sent no request and was stopped: {next(end.killed for end in ends if end.killed)}. "
                "It must send to the URL in MESHI_BASE."
            )
        return "The client ended without a request to the sandbox: it must send to the URL in MESHI_BASE."


def _line(outcome: Outcome) -> str:
    """Return how a scenario went, in one line."""
    watched = outcome.watched
    ends = [f"stopped: {end.killed}" if end.killed else f"exit code {end.code}" for end in watched.ends]
    text = f"scenario  {watched.scenario}: {len(watched.steps)} requests, {', '.join(ends)}, {outcome.seconds:.1f} s"
    return one_line("; ".join([text, *outcome.notes]))


def write_outputs(folder: Path, outcomes: Sequence[Outcome], redaction: Redaction) -> None:
    """Write what the client wrote in each scenario below a folder, without its key."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for one in outcomes:
            text = redaction.text(one.output[: 1024 * 1024].decode("utf-8", "replace"))
            (folder / f"{one.watched.scenario}.log").write_text(text, encoding="utf-8", errors="backslashreplace")


def to_terminal(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
    sys.stdout.flush()

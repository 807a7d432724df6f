"""Run clients against scenarios in this process, many at a time: what `client` does, without its command line."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from meshi_conformance.clients.duties.judge import Finding
from meshi_conformance.clients.judging import findings
from meshi_conformance.clients.run import Asked, Outcome, Run
from meshi_conformance.clients.scenarios import chosen
from meshi_conformance.contract.contract import load
from meshi_conformance.vocabulary import Verdict

QUICK = {"POLL_SECONDS": "0.1"}


@dataclass(frozen=True)
class Trial:
    """What a client showed: the findings of each scenario, and how each went."""

    found: dict[str, dict[str, Finding]]
    outcomes: list[Outcome]

    def failed(self) -> dict[str, str]:
        """Return the duties that were broken, with the first reason and its scenario."""
        said: dict[str, str] = {}
        for scenario, by_duty in self.found.items():
            for duty, finding in by_duty.items():
                if finding.verdict == Verdict.FAIL:
                    said.setdefault(duty, f"{scenario}: {finding.reason}")
        return said

    def output(self) -> str:
        """Return what the client wrote, for a person who looks for the reason of a failure."""
        return "\n".join(
            f"--- {one.watched.scenario} {[end.code for end in one.watched.ends]}\n"
            f"{one.output[-1500:].decode('utf-8', 'replace')}"
            for one in self.outcomes
        )


async def tried(command: Sequence[str], scenarios: Sequence[str], deadline: float = 60.0) -> Trial:
    """Run a command in some scenarios, or in all without a name, and judge what it did."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            load(), Asked(command, chosen(scenarios), (), deadline), Path(folder) / "spool.jsonl", lambda line: None
        )
        try:
            await run.judge_command()
        finally:
            run.close()
    return Trial(findings([one.watched for one in run.outcomes]), run.outcomes)


async def tried_all(
    commands: Sequence[tuple[Sequence[str], Sequence[str]]], at_once: int = 4, deadline: float = 60.0
) -> list[Trial]:
    """Run several commands, some at a time."""
    slots = asyncio.Semaphore(at_once)

    async def one(command: Sequence[str], scenarios: Sequence[str]) -> Trial:
        async with slots:
            return await tried(command, scenarios, deadline)

    with patch.dict("os.environ", QUICK):
        return await asyncio.gather(*(one(command, scenarios) for command, scenarios in commands))


def python(program: Path) -> list[str]:
    """Return the command that runs a Python program."""
    return [sys.executable, str(program)]

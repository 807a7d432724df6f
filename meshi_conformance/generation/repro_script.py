"""A sequence of calls as a script that reproduces it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ..client.call import NOTHING
from ..contract.contract import Contract
from ..errors import MissingMember, NotAJsonObject
from .state_machine import Found


def script(found: Found, run: str, contract: Contract, clean: Callable[[str], str] = str) -> str:
    """Write a walk as a program that makes its calls again, with new IDs, and stops where an answer is wrong."""
    lines = [
        '"""Repeats a walk that ended in a wrong answer. Needs MESHI_BASE and MESHI_KEY."""',
        "import os, time, uuid",
        "import httpx",
        "",
        "RUN = uuid.uuid4().hex[:6]",
        'api = httpx.Client(headers={"Authorization": "Bearer " + os.environ["MESHI_KEY"]}, timeout=30)',
        "answers = []",
        "",
        "",
        "def call(method, path, body=None):",
        '    answer = api.request(method, os.environ["MESHI_BASE"] + path, json=body)',
        '    print(method, path, "->", answer.status_code, answer.text[:300])',
        "    answers.append(answer.json())",
        "    return answer",
        "",
        "",
        "def ended(path):",
        '    done = ("succeeded", "partial", "failed")',
        '    while call("GET", path).status_code == 200 and answers[-1]["status"] not in done:',
        "        answers.pop()",
        "        time.sleep(0.2)",
        "",
        "",
    ]
    known: dict[str, str] = {}
    for number, step in enumerate(found.steps):
        call = step.call
        operation = contract.operations[call.operation]
        path = step.exchange.path
        body = "" if call.body is NOTHING else f", {_literal(call.body, run, known)}"
        if "(poll)" in step.expected:
            lines.append(f"ended({_literal(path, run, known)})")
        else:
            lines.append(f"call({operation.method!r}, {_literal(path, run, known)}{body})  # expected: {step.expected}")
        try:
            answer = step.exchange.json
        except (MissingMember, NotAJsonObject):
            continue
        for name in ("run_id", "review_id"):
            if isinstance(answer.get(name), str):
                known.setdefault(answer[name], f'answers[{number}]["{name}"]')
        for index, row in enumerate(answer.get("items") or []):
            if isinstance(row, dict) and isinstance(row.get("review_id"), str):
                known.setdefault(row["review_id"], f'answers[{number}]["items"][{index}]["review_id"]')
    lines.append(f"# {found.requirement}: {found.message}")
    return clean("\n".join(lines))


def _literal(value: Any, run: str, known: dict[str, str]) -> str:
    """Write a value as Python source: the run's name and the server's IDs become what they are this time."""
    text = repr(json.loads(json.dumps(value)))
    for id, expression in known.items():
        quoted = "'" if f"'{id}'" in text else ""
        if quoted:
            text = text.replace(f"'{id}'", expression)
        elif id in text:
            before, _, after = text.partition(id)
            text = f"{before}' + {expression} + '{after}"
    parts = text.split(run)
    if len(parts) > 1:
        text = text.replace("{", "{{").replace("}", "}}").replace(run, "{RUN}") if text.startswith("'") else text
        text = f"f{text}" if text.startswith("'") else _in_strings(text, run)
    return text


def _in_strings(text: str, run: str) -> str:
    """Put the new name for the run's name into every string of a dictionary."""
    return re.sub(
        r"'((?:[^'\\]|\\.)*)'",
        lambda found: (
            "f'" + found[1].replace("{", "{{").replace("}", "}}").replace(run, "{RUN}") + "'"
            if run in found[1]
            else found[0]
        ),
        text,
    )

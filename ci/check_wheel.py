"""Install the wheel into an empty environment and use every command of its help in an empty folder.

    python ci/check_wheel.py [WHEEL]

Without WHEEL one is built from this checkout (`hatchling` has to be installed). The dependencies are those of
lock-runtime.txt. Prints the seconds and megabytes of the installation; ends with 1 where something does not work.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_BYTES = 5 * 1024 * 1024
LONGEST_SECONDS = 600
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("MESHI_", "PYTEST_", "PYTHON"))
}


def main(arguments: Sequence[str]) -> int:
    """Check a wheel; return 0 where all of it works."""
    with tempfile.TemporaryDirectory(prefix="meshi-wheel-") as made:
        folder = Path(made)
        wheel = Path(arguments[0]).resolve() if arguments else built(folder / "dist")
        size = wheel.stat().st_size
        print(f"wheel     {wheel.name}, {size / 1e6:.2f} MB", flush=True)
        if size > MOST_BYTES:
            return failed(f"the wheel has more than {MOST_BYTES} bytes")
        started = time.monotonic()
        command = installed(wheel, folder / "environment")
        megabytes = sum(file.stat().st_size for file in (folder / "environment").rglob("*") if file.is_file()) / 1e6
        print(f"installed in {time.monotonic() - started:.0f} s, {megabytes:.0f} MB", flush=True)
        started = time.monotonic()
        (folder / "empty").mkdir()
        problems = walk([str(command)], folder / "empty")
        print(f"walked    in {time.monotonic() - started:.0f} s", flush=True)
        return failed("\n".join(problems)) if problems else 0


def failed(why: str) -> int:
    """Print why the wheel is not fit; return 1."""
    print(why, file=sys.stderr)
    return 1


def built(folder: Path) -> Path:
    """Build the wheel of this checkout without network."""
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path) -> Path:
    """Install the wheel with what the runtime lock names into an environment of its own; return its command."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "lock-runtime.txt")], check=True, env=ENVIRONMENT)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, env=ENVIRONMENT)
    return folder / "bin" / "meshi-conformance"


USES = {
    "run": (["run", "--requirements", "status.getAuth.*"], "outcome   partial"),
    "doctor": (["doctor", "--requirements", "status.getAuth.*"], "a run can start"),
    "client": (["client", "--scenario", "plain", "--", "false"], "plain"),
    "serve": (["serve", "--list-faults"], "fault "),
    "explain": (["explain", "status.getAuth.200"], "level       documented"),
    "diff": (["diff", "reports/latest", "reports/latest"], ""),
    "trend": (["trend", "reports"], "page: reports/trend.html"),
    "merge": (["merge", "merged", "reports/latest", "reports/latest"], "outcome   partial"),
    "annotate": (["annotate", "reports/latest"], ""),
    "openapi": (["openapi", "api.json"], ""),
    "completion": (["completion", "bash"], "meshi-conformance"),
}
"""A use of each command that does something in a folder where nothing is, in this order, and what it prints.

The other commands work on files of somebody else: here they show their help alone.
"""

ENDS_OTHERWISE = {"client": {1, 3, 4, 5, 7}}
"""Codes other than 0 that are right: a client that does nothing is not judged."""


def walk(command: Sequence[str], folder: Path) -> list[str]:
    """Ask for the help of every command that the help lists and use those that can be; return what went wrong."""
    problems: list[str] = []

    def use(words: Sequence[str], expected: str, codes: set[int]) -> str:
        done = subprocess.run(
            [*command, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
        shown = done.stdout + done.stderr
        if done.returncode not in codes or expected not in shown or "Traceback" in shown or "Warning" in shown:
            problems.append(
                f"{shlex.join(words)} ended with {done.returncode}, expected {expected!r}:\n{shown[-2000:]}"
            )
        else:
            print(f"ok        {shlex.join(words)}", flush=True)
        return done.stdout

    use(["--version"], "meshi-conformance", {0})
    listed = re.findall(r"^ {4}([a-z]+)\b", use(["--help"], "COMMAND", {0}), re.MULTILINE)
    for name in listed:
        use([name, "--help"], "usage:", {0})
    if missing := set(USES) - set(listed):
        problems.append(f"The help does not list {', '.join(sorted(missing))}.")
    for name, (words, expected) in USES.items():
        use(words, expected, ENDS_OTHERWISE.get(name, {0}))
    if (
        not (folder / "api.json").is_file()
        or not json.loads((folder / "api.json").read_text(encoding="utf-8"))["paths"]
    ):
        problems.append("openapi wrote no description.")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The options of every command that ends with the gate's exit code."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..verdicts import gate


def add_gate_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--waivers` and `--fail-on`, which mean what they mean for a run."""
    parser.add_argument("--waivers", metavar="FILE", type=Path, help="known failures, as of a run")
    parser.add_argument(
        "--fail-on",
        metavar="WHAT",
        action="append",
        default=[],
        choices=gate.FAIL_ON,
        help="as of a run: " + ", ".join(gate.FAIL_ON),
    )

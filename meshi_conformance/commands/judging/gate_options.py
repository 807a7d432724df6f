"""The options of every command that writes a report and ends with the gate's exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...plugin.options import add_links
from ...verdicts import gate


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


def add_link_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--pages-url` and `--site-url`, which mean what they mean for a run."""
    add_links(parser.add_argument, _refused)


def _refused(convert: Callable[[str], Any], takes: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"it takes {takes}, not {text!r}") from None

    return parse

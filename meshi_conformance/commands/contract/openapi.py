"""Write the OpenAPI description of the API as one JSON document, for mocks and other tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...contract.bundle import as_text, bundle
from ...contract.contract import root
from ...errors import UsageError

SOURCE = "openapi/meshi-partner-v0.yaml"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to write it (default: the standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write the document. Raise UsageError where the file cannot be written."""
    text = as_text(bundle(root() / SOURCE))
    if arguments.file is None:
        sys.stdout.write(text)
        return 0
    try:
        Path(arguments.file).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"{arguments.file} cannot be written: {problem.strerror}. Give another file.") from None
    return 0

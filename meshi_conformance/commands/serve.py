"""Start the reference server; every option is its own (--help lists them).

It prints one JSON line with its base URL and the keys it knows, and serves until it is interrupted.
"""

from __future__ import annotations

from ..target.reference_process import serve_reference
from ..verdicts.gate import EXIT_USAGE

REFUSED = 2
"""The server's own exit code for bad arguments, a port in use or an unusable database."""


def run(arguments: list[str]) -> int:
    """Serve in this process, so that signals reach the server itself."""
    code = serve_reference(arguments)
    return EXIT_USAGE if code == REFUSED else code

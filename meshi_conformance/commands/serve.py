"""Start the reference server; every option is its own (--help lists them).

It prints one JSON line with its base URL and the keys it knows, and serves until it is interrupted: the API, /healthz,
/openapi.json, and at / a page with its operations and the last exchanges.
"""

from __future__ import annotations

from ..contract.contract import root
from ..target.reference_process import serve_reference
from ..verdicts.gate import EXIT_USAGE

DESCRIPTION = root() / "openapi" / "meshi-partner-v0.bundled.json"

REFUSED = 2
"""The server's own exit code for bad arguments, a port in use or an unusable database."""


def run(arguments: list[str]) -> int:
    """Serve in this process, so that signals reach the server itself."""
    own = [] if any(word.partition("=")[0] == "--openapi" for word in arguments) else ["--openapi", str(DESCRIPTION)]
    code = serve_reference([*own, *arguments])
    return EXIT_USAGE if code == REFUSED else code

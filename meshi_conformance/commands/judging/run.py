"""Judge a server: the same as `pytest` in a checkout, from any folder and with the same options.

The report goes to a folder of its own below ./reports, and reports/latest points to the newest; --report-dir names
another one.
"""

from __future__ import annotations

import argparse

from ...contract.contract import root
from ...plugin.options import add_to
from ...plugin.start import launch
from ...target.keys import KEY_VARIABLES

EXAMPLES = """\
examples:
  meshi-conformance run                                        judge the embedded reference server
  MESHI_KEY=… meshi-conformance run --target staging           judge staging, with the key from the environment
  meshi-conformance run --target https://… --requirements 'runs.*'
  meshi-conformance run --target production --read-only        send nothing but reads
  meshi-conformance run -m 'documented and createEvent'        tests by level, family or operation

environment:
  MESHI_BASE              the target, where --target is not given
  MESHI_KEY               a key with partner:read and partner:write; never give a key on the command line
  {roles}
                          further keys, each for some requirements (docs/targets.md)
  MESHI_ALLOWED_HOSTS     where it is set: the hosts that may get keys, beside staging and production
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, REQUESTS_CA_BUNDLE: the way to the target

Options of pytest work too (-k, -x, -v; pytest --help). No plugin of pytest takes part but those named by -p NAME.
Exit codes: 0 nothing documented fails, 1 something does, 2 interrupted, 3 the suite or the target broke down,
4 it could not start, 5 nothing was judged, 6 the gate (--fail-on, --waivers),
7 the target kept documented requirements from being judged (--allow-undecided).
The docs that options name are in {docs}.
"""


def run(arguments: list[str]) -> int:
    """Hand every argument to pytest, whose exit code is the run's (docs/exit-codes.md), or print the help."""
    if {"-h", "--help"} & set(arguments):
        print(help_text(), end="")
        return 0
    return launch.pytest_main(arguments)


def help_text() -> str:
    """Return the suite's own options, with examples and variables: pytest's would bury them."""
    parser = argparse.ArgumentParser(
        prog="meshi-conformance run",
        usage="%(prog)s [--target NAME|URL] [option ...] [test ...]",
        description="Judge a server by the Meshi Partner API contract and write a report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES.format(
            roles=", ".join(name for role, name in KEY_VARIABLES.items() if role != "main"), docs=root() / "docs"
        ),
    )
    add_to(parser.add_argument_group("options of the suite").add_argument)
    return parser.format_help()

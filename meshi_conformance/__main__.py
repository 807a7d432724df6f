"""`meshi-conformance`: run the suite, serve the reference, explain requirements, compare runs (docs/ci.md)."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from .commands import NAMES, command
from .commands.completion import complete
from .contract.contract import root
from .errors import UsageError
from .plugin.console.output import Output, open_streams
from .verdicts.gate import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE

EXAMPLES = """\
examples:
  meshi-conformance run                                judge the embedded reference server
  MESHI_KEY=… meshi-conformance run --target staging   judge staging, with the key from the environment
  meshi-conformance client -- python my_client.py      judge a client

Each command has its own --help; that of run names the environment variables and the exit codes.
The docs that messages name are in {docs}.
"""


class _Parser(argparse.ArgumentParser):
    """Ends with the exit code of a usage error, and names what was meant."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}{_near(message)}\n{self.format_usage()}")


def _near(message: str) -> str:
    """Ask for the command that an unknown one looks like; the text is empty where none does."""
    word = re.search(r"argument COMMAND: invalid choice: '([^']*)'", message)
    near = difflib.get_close_matches(word.group(1), NAMES, n=1) if word else []
    return f". Did you mean {near[0]}?" if near else ""


def parser(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Build the command line; commands that pass their options on are listed here and read them themselves."""
    made = _Parser(
        prog="meshi-conformance",
        description="Decides whether a server keeps the Meshi Partner API contract.",
        epilog=EXAMPLES.format(docs=root() / "docs"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        module = command(name)
        said = (module.__doc__ or "").splitlines()[0]
        listed = commands.add_parser(name, help=said, description=module.__doc__)
        if hasattr(module, "options"):
            module.options(listed)
        listed.set_defaults(run=module.run)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; a mistake of the user is one message and code 4."""
    words = sys.argv[1:] if arguments is None else arguments
    if sys.flags.optimize:
        print("meshi-conformance: start Python without -O, and unset PYTHONOPTIMIZE.", file=sys.stderr)
        return EXIT_USAGE
    open_streams()
    if "_ARGCOMPLETE" in os.environ:
        complete(parser())
    try:
        named = words[:1] if words[:1] and words[0] in NAMES else NAMES
        if len(named) == 1 and not hasattr(command(named[0]), "options"):
            return int(command(named[0]).run(words[1:]))
        output, errors = Output(sys.stdout), Output(sys.stderr)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                options = parser(named).parse_args(words)
                return int(options.run(options))
            finally:
                output.flush()
    except UsageError as problem:
        Output(sys.stderr).write(f"meshi-conformance: {problem}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # a reader that goes away says nothing of a verdict
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERNAL


if __name__ == "__main__":
    sys.exit(main())

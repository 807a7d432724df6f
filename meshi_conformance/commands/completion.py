"""Print what makes a shell complete commands, options, targets and requirements: add it to the shell's start file.

As in: eval "$(meshi-conformance completion bash)"
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

SHELLS = ("bash", "zsh", "fish", "powershell")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(options: argparse.Namespace) -> int:
    """Print the shell's code."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["meshi-conformance"], shell=options.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end the process. Called where `_ARGCOMPLETE` is set."""
    import argcomplete

    from ..plugin.options import add_to

    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    add_to(commands.choices["run"].add_argument)
    for command in commands.choices.values():
        for action in command._actions:
            if {"--requirements", "--target"} & set(action.option_strings) or action.metavar == "ID|PATTERN":
                names = targets if "--target" in action.option_strings else requirements
                action.completer = names
    argcomplete.autocomplete(parser)


def requirements(prefix: str, **_: Any) -> Iterable[str]:
    """Return the IDs of requirements that begin so."""
    from ..contract.contract import load

    return load().requirements


def targets(prefix: str, **_: Any) -> Iterable[str]:
    """Return the names that --target takes."""
    from ..target.targets_file import HOSTED, load

    return ["reference", *dict.fromkeys([*HOSTED, *load(None)])]

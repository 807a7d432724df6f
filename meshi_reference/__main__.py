"""`python -m meshi_reference`: start a server and print where it listens and with which keys."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from . import faults, server, variations
from .faults import Patch
from .sandbox.har import HarLog
from .sandbox.sandbox import Sandbox
from .settings import RateLimit, Settings
from .storage import StorageError

Entry = TypeVar("Entry")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and ends with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"meshi_reference: {message}\n")


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
        return value

    parse.__name__ = "number"
    return parse


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 65535")
    return value


def _rate_limit(text: str) -> RateLimit | None:
    try:
        return RateLimit.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not REQUESTS/SECONDS, such as 20/1, nor 'none'") from None


_port.__name__ = "port"


def parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    defaults = Settings()
    made = _Parser(
        prog="python -m meshi_reference",
        description="A Meshi Partner API server on SQLite.",
        # What is not given stays as the fault or the variation has it.
        argument_default=argparse.SUPPRESS,
    )
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=_port, default=0, help="port to listen on; 0 takes a free one")
    made.add_argument("--db", metavar="FILE", help="keep the data in this SQLite file (default: in memory)")
    made.add_argument(
        "--run-seconds",
        type=_number(0, 86_400),
        metavar="S",
        help=f"time a run takes from queued to terminal (default: {defaults.run_seconds})",
    )
    made.add_argument(
        "--latency-ms",
        type=_number(0, 60_000),
        metavar="N",
        help=f"extra time before each answer (default: {defaults.latency_ms})",
    )
    made.add_argument(
        "--rate-limit",
        type=_rate_limit,
        metavar="REQUESTS/SECONDS",
        help="limit of each ordinary key, such as 20/1 (default: none)",
    )
    made.add_argument(
        "--probe-rate-limit",
        type=_rate_limit,
        metavar="REQUESTS/SECONDS",
        help="limit of MESHI_PROBE_KEY (default: 20/1)",
    )
    made.add_argument(
        "--fault",
        metavar="NAME",
        action="append",
        default=[],
        help="break the contract in one way; may be given several times; see --list-faults",
    )
    made.add_argument("--variation", metavar="NAME", default=None, help="choose otherwise where the pages are silent")
    made.add_argument(
        "--cors",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="let pages of this origin call the API from a browser, such as http://localhost:3000; * lets all",
    )
    made.add_argument("--log", action="store_true", default=False, help="print a line for each request on stderr")
    made.add_argument("--har", metavar="FILE", default=None, help="write each exchange to a HAR file, without keys")
    made.add_argument(
        "--openapi", metavar="FILE", default=None, help="a description of the API as JSON, to serve at /openapi.json"
    )
    made.add_argument("--until-stdin-ends", action="store_true", default=False, help="stop when standard input ends")
    made.add_argument(
        "--list-faults", action="store_true", default=False, help="list all faults and variations, and end"
    )
    return made


def list_choices() -> None:
    """Print every fault and every variation with its sentence."""
    for kind, entries in (("fault", faults.load()), ("variation", variations.load())):
        for name, entry in entries.items():
            print(f"{kind} {name}: {entry.sentence}")


def announce(address: server.Address) -> None:
    """Print the one line on stdout that says where the server listens."""
    print(json.dumps({"base": address.base, "env": address.env}), flush=True)


def stop_after_stdin() -> None:
    """End this process as a signal would, once the other end of standard input is closed."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT: 0. Bad arguments, a port in use, an unusable database: 2."""
    options = parser().parse_args(arguments)
    if options.list_faults:
        try:
            list_choices()
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe has seen enough, as in `… --list-faults | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    try:
        broken = [_named(faults.load(), name, "fault") for name in dict.fromkeys(options.fault)]
        variation = _named(variations.load(), options.variation or "default", "variation")
        chosen = {**variation.settings, **_settings(broken)}
        sandbox = _sandbox(options)
    except _Unusable as problem:
        print(f"meshi_reference: {problem}", file=sys.stderr)
        return 2
    for name in ("db", "run_seconds", "latency_ms", "rate_limit", "probe_rate_limit"):
        if name in options:
            chosen[name] = getattr(options, name)
    settings = Settings(**chosen)
    stopping = threading.Event()

    def started(address: server.Address) -> None:
        sandbox.started(address)
        announce(address)
        if options.until_stdin_ends:
            threading.Thread(target=stop_after_stdin, daemon=True).start()
        if variation.background is not None:
            threading.Thread(target=variation.background, args=(address, stopping), daemon=True).start()

    try:
        bound = server.listen(options.host, options.port)
    except OSError as error:
        reason = error.strerror or str(error)
        print(
            f"meshi_reference: cannot listen on {options.host}:{options.port}: {reason}. Stop what listens there, or "
            "give another --port; 0 takes a free one.",
            file=sys.stderr,
        )
        return 2
    with bound, contextlib.ExitStack() as changes:
        for fault in broken:
            changes.enter_context(fault.applied())
        variation.apply(Patch())
        try:
            server.serve_until_signal(settings, bound, started, sandbox.around)
        except StorageError as error:
            print(f"meshi_reference: {error}", file=sys.stderr)
            return 2
        finally:
            stopping.set()
            if sandbox.har is not None:
                sandbox.har.close()
    return 0


class _Unusable(Exception):
    """An option that cannot be used; the message says why, for people."""


def _named(known: Mapping[str, Entry], name: str, what: str) -> Entry:
    """Return the fault or variation of a name. Raise _Unusable for an unknown one."""
    if name not in known:
        near = difflib.get_close_matches(name, list(known), n=1)
        did_you_mean = f" Did you mean {near[0]}?" if near else ""
        raise _Unusable(f"no {what} is called {name!r}.{did_you_mean} --list-faults names all")
    return known[name]


def _settings(broken: Sequence[faults.Fault]) -> dict[str, Any]:
    """Return the settings of several faults together. Raise _Unusable where two of them exclude each other."""
    settings: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for fault in broken:
        for name, value in fault.settings.items():
            if settings.setdefault(name, value) != value:
                raise _Unusable(f"the faults {owner[name]} and {fault.name} exclude each other: both set {name}")
            owner[name] = fault.name
    return settings


def _sandbox(options: argparse.Namespace) -> Sandbox:
    """Return what the server offers besides the API. Raise _Unusable where a file cannot be used."""
    try:
        description = None
        if options.openapi is not None:
            description = json.loads(Path(options.openapi).read_text(encoding="utf-8"))
            if not isinstance(description, dict):
                raise ValueError("it holds no JSON object")
        har = HarLog(Path(options.har)) if options.har is not None else None
    except OSError as problem:
        raise _Unusable(f"{problem.filename}: {problem.strerror}") from None
    except ValueError as problem:
        raise _Unusable(f"{options.openapi} is not an OpenAPI description as JSON: {problem}") from None
    return Sandbox(tuple(options.cors), sys.stderr if options.log else None, har, description)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m meshi_reference`: start a server and print where it listens and with which keys."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from . import faults, server, variations
from .faults import Patch
from .settings import RateLimit, Settings
from .storage import StorageError


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
    made.add_argument("--fault", metavar="NAME", default=None, help="break the contract in one way; see --list-faults")
    made.add_argument("--variation", metavar="NAME", default=None, help="choose otherwise where the pages are silent")
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
    fault = faults.load().get(options.fault) if options.fault else None
    variation = variations.load().get(options.variation or "default")
    for name, found, what in ((options.fault, fault, "fault"), (options.variation, variation, "variation")):
        if name is not None and found is None:
            print(f"meshi_reference: no {what} is called {name!r}; --list-faults names all", file=sys.stderr)
            return 2
    assert variation is not None
    chosen: dict[str, Any] = {**variation.settings, **(fault.settings if fault else {})}
    for name in ("db", "run_seconds", "latency_ms", "rate_limit", "probe_rate_limit"):
        if name in options:
            chosen[name] = getattr(options, name)
    settings = Settings(**chosen)
    stopping = threading.Event()

    def started(address: server.Address) -> None:
        announce(address)
        if options.until_stdin_ends:
            threading.Thread(target=stop_after_stdin, daemon=True).start()
        if variation.background is not None:
            threading.Thread(target=variation.background, args=(address, stopping), daemon=True).start()

    try:
        bound = server.listen(options.host, options.port)
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"meshi_reference: cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return 2
    with bound, fault.applied() if fault else contextlib.nullcontext():
        variation.apply(Patch())
        try:
            server.serve_until_signal(settings, bound, started)
        except StorageError as error:
            print(f"meshi_reference: {error}", file=sys.stderr)
            return 2
        finally:
            stopping.set()
    return 0


if __name__ == "__main__":
    sys.exit(main())

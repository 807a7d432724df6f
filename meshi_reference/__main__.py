"""`python -m meshi_reference`: start a server and print where it listens and with which keys."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import NoReturn

from . import server
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
        raise argparse.ArgumentTypeError(
            f"{text!r} is not REQUESTS/SECONDS, such as 20/1, nor 'none'"
        ) from None


_port.__name__ = "port"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    defaults = Settings()
    made = _Parser(prog="python -m meshi_reference", description="A Meshi Partner API server on SQLite.")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=_port, default=0, help="port to listen on; 0 takes a free one")
    made.add_argument("--db", metavar="FILE", help="keep the data in this SQLite file (default: in memory)")
    made.add_argument(
        "--run-seconds",
        type=_number(0, 86_400),
        default=defaults.run_seconds,
        metavar="S",
        help="time a run takes from queued to terminal (default: %(default)s)",
    )
    made.add_argument(
        "--latency-ms",
        type=_number(0, 60_000),
        default=defaults.latency_ms,
        metavar="N",
        help="extra time before each answer (default: %(default)s)",
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
        default=defaults.probe_rate_limit,
        metavar="REQUESTS/SECONDS",
        help="limit of MESHI_PROBE_KEY (default: 20/1)",
    )
    return made


def announce(address: server.Address) -> None:
    """The one line on stdout."""
    print(json.dumps({"base": address.base, "env": address.env}), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT: 0. Bad arguments, a port in use, an unusable database: 2."""
    options = parser().parse_args(arguments)
    settings = Settings(
        db=options.db,
        run_seconds=options.run_seconds,
        latency_ms=options.latency_ms,
        rate_limit=options.rate_limit,
        probe_rate_limit=options.probe_rate_limit,
    )
    try:
        bound = server.listen(options.host, options.port)
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"meshi_reference: cannot listen on {options.host}:{options.port}: {reason}", file=sys.stderr)
        return 2
    with bound:
        try:
            server.serve_until_signal(settings, bound, announce)
        except StorageError as error:
            print(f"meshi_reference: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Judge live traffic: a reverse proxy in front of a target, on mitmproxy (pip install 'meshi-conformance[proxy]').

Clients send to the proxy what they would send to the target. Nothing that passes is changed. Violations show as they
happen; Ctrl-C writes the report (docs/traffic.md).
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ...clients.observed import Clients
from ...contract import contract
from ...errors import UsageError
from ...exchanges.redaction import Redaction
from ...report.folder import open_folder
from ...report.text import one_line
from ...target import targets_file
from ...target.target import base_of
from ...verdicts import waivers
from ...watching.traffic.har_writer import HarWriter
from ...watching.traffic.proxy import Passed, Proxy
from ...watching.watcher import Watcher
from .gate_options import add_gate_options, add_link_options
from .judge import add_clients_option, concluded

DEFAULT_PORT = 8788

NICER = 10
"""By how much the judge gives way to the proxy, which clients wait for, where both want the processor."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--target", metavar="NAME|URL", required=True, help="staging, production, a name, or a base URL"
    )
    parser.add_argument("--targets-file", metavar="FILE", type=Path, help="servers by name (docs/targets.md)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"where to listen (default: {DEFAULT_PORT})")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine alone)")
    parser.add_argument(
        "--report-dir", metavar="DIR", type=Path, default=Path("reports") / "proxy", help="folder of the report"
    )
    parser.add_argument("--har", action="store_true", help="keep every exchange in traffic.har, without keys")
    parser.add_argument(
        "--complete", action="store_true", help="no request to the orgs goes another way; as of `judge`"
    )
    add_clients_option(parser)
    parser.add_argument("--mitmdump", metavar="PATH", help="mitmproxy's program, where it is not found by itself")
    parser.add_argument("--upstream-ca", metavar="FILE", type=Path, help="certificates that the target's is signed by")
    add_gate_options(parser)
    add_link_options(parser)


def run(options: argparse.Namespace) -> int:
    """Proxy and judge until Ctrl-C; return the exit code of the report's gate."""
    waived = waivers.load(options.waivers) if options.waivers else []
    base = base_of(options.target, targets_file.load(options.targets_file))
    watcher = Watcher(contract.load(), complete=options.complete)
    clients = Clients(watcher.contract, complete=options.complete) if options.clients else None
    folder = open_folder(options.report_dir)
    try:
        har = HarWriter(folder.path / "traffic.har", base) if options.har else None
    except OSError as problem:
        raise UsageError(f"The report cannot be written to {folder.path}: {problem.strerror}.") from None
    proxy = Proxy(base, options.port, host=options.host, mitmdump=options.mitmdump, ca=options.upstream_ca)
    path = base[len("https://") :].partition("/")[2]
    print(f"proxy     http://{options.host}:{options.port}/{path} -> {base}", flush=True)
    print("stop      Ctrl-C writes the report", flush=True)
    try:
        with _until_signalled(proxy):
            os.nice(NICER)
            for passed in proxy.passed():
                _see(passed, watcher, proxy, har)
                if clients is not None:
                    _sent(passed, clients, proxy)
    finally:
        proxy.close()
        if har is not None:
            har.close()
    notes = [f"{proxy.dropped} exchanges came faster than they could be judged."] if proxy.dropped else []
    keys = {known: key for key, known in proxy.keys.items()}
    return concluded(
        watcher,
        base,
        ["proxy"],
        keys=keys,
        notes=notes,
        waived=waived,
        fail_on=options.fail_on,
        folder=folder,
        addresses=(options.pages_url, options.site_url),
        clients=clients,
    )


def _sent(passed: Passed, clients: Clients, proxy: Proxy) -> None:
    if passed.exchange is None:
        clients.complete = False
        return
    party = passed.coverage.party
    key = next((key for key, name in proxy.keys.items() if name == party), None)
    clients.see(passed.exchange, passed.coverage, key)


def _see(passed: Passed, watcher: Watcher, proxy: Proxy, har: HarWriter | None) -> None:
    if passed.exchange is None:
        watcher.unanswered(passed.method)
        return
    if har is not None:
        redaction = Redaction({name: key for key, name in proxy.keys.items()})
        har.write(passed.exchange, passed.coverage.party, redaction)
    for requirement, violation in watcher.see(passed.exchange, passed.coverage):
        level = watcher.contract.requirements[requirement].level
        word = "FAILED" if level == "documented" else "deviation"
        correlation = passed.exchange.correlation_id or "none"
        text = f"{word:<9} {requirement}: {violation} (exchange {violation.exchange}, correlation ID {correlation})"
        redaction = Redaction({name: key for key, name in proxy.keys.items()})
        print(one_line(redaction.text(text), 600), flush=True)


@contextmanager
def _until_signalled(proxy: Proxy) -> Iterator[None]:
    """End the proxy, and with it what is to be read, on Ctrl-C and SIGTERM."""

    def stop(number: int, frame: FrameType | None) -> None:
        proxy.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

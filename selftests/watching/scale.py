"""`python -m selftests.watching.scale large|proxy`: a recording of gigabytes, and ten thousand exchanges by the proxy.

`large` writes a HAR file of other hosts' answers with traffic of the API between them, judges it and deletes it: 0 only
if the judge stays below 300 MB. `proxy` sends each read both ways, directly and through the proxy, from several clients
at once: 0 only if the answers are equal byte for byte, nothing is blamed, and the median overhead is below 2 ms. Where
mitmproxy without this suite takes that much already, which is measured beside it, the suite may add a tenth of that.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from meshi_reference import server
from meshi_reference.settings import Settings

from ..ports import free_port
from .hars import created, entry, event
from .test_proxy import MITMDUMP, ROOT, ended, proxied
from .test_recordings import failed

MOST_MEGABYTES = 300
MOST_OVERHEAD = 0.002
"""Seconds that the proxy may add to a request, in the median."""

OWN_SHARE = 0.1
"""What this suite may add to mitmproxy's own time, as a part of it, where that is over the limit already."""

TIMED, UNTIMED = 1_000, 50
"""Requests each way that are timed, and those before that are not: connections and caches are made then."""

ASSET = "iVBORw0KGgo=" * 8_000
CLIENTS = 8
READS = 4
"""Reads of each event, each made both ways."""


def write_large(file: Path, size: int) -> int:
    """Write a HAR file of at least `size` bytes; return its number of entries with the API."""
    written, count = 0, 0
    with file.open("w", encoding="ascii") as stream:
        stream.write('{"log": {"version": "1.2", "creator": {"name": "scale", "version": "1"}, "entries": [\n')
        separator = ""
        while written < size:
            count += 1
            row = created(event(f"e-{count}"))
            request = event(f"e-{count}")
            made = entry("createEvent", 201, row, request=request, at=count / 100, correlation=f"made-{count}")
            read = entry(
                "getEvent", 200, row, path=f"/events/e-{count}", at=count / 100 + 0.005, correlation=f"read-{count}"
            )
            asset = {**read, "request": {"method": "GET", "url": "https://cdn.example.com/a.png", "headers": []}}
            asset["response"] = {"status": 200, "headers": [], "content": {"text": ASSET, "encoding": "base64"}}
            for one in (asset, made, asset, read):
                text = separator + json.dumps(one)
                stream.write(text)
                written += len(text)
                separator = ",\n"
        stream.write("\n]}}\n")
    return 2 * count


def large(gigabytes: float) -> list[str]:
    """Judge a large recording in a process of its own; return what is wrong."""
    with tempfile.TemporaryDirectory(prefix="meshi-scale-") as name:
        file = Path(name) / "large.har"
        count = write_large(file, int(gigabytes * 1e9))
        command = [sys.executable, "-m", "meshi_conformance", "judge", str(file), "--report-dir", f"{name}/report"]
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        seconds = time.monotonic() - started
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = file.stat().st_size / 1e9
        results = Path(name) / "report" / "results.json"
        judged = json.loads(results.read_text(encoding="utf-8"))["exchanges"]["count"] if results.exists() else 0
    print(f"{size:.2f} GB, {judged} exchanges judged in {seconds:.0f} s and {megabytes:.0f} MB; exit {done.returncode}")
    wrong = [f"{judged} of {count} exchanges were judged"] if judged != count else []
    wrong += [f"it took {megabytes:.0f} MB"] if megabytes > MOST_MEGABYTES else []
    return wrong + ([f"exit code {done.returncode}: {done.stderr[-400:]}"] if done.returncode else [])


def proxy(exchanges: int) -> list[str]:
    """Send exchanges from several clients at once through the proxy; return what is wrong."""
    direct: list[float] = []
    through: list[float] = []
    differing: list[str] = []

    def timed(client: httpx.Client, url: str, times: list[float]) -> httpx.Response:
        began = time.perf_counter()
        answer = client.get(url)
        times.append(time.perf_counter() - began)
        return answer

    def work(number: int, base: str, url: str, headers: dict[str, str]) -> None:
        with httpx.Client(headers=headers, timeout=60) as client:
            for turn in range(exchanges // CLIENTS // (READS + 1)):
                id = f"e-{number}-{turn}"
                client.post(f"{url}/events", json={"event_id": id, "title": "Überblick"}).raise_for_status()
                for path in (f"/events/{id}", f"/events/{id}/context", f"/id-map/event/{id}", f"/events/{id}/sessions"):
                    one, other = timed(client, base + path, direct), timed(client, url + path, through)
                    if (one.status_code, one.headers.raw, one.content) != (
                        other.status_code,
                        other.headers.raw,
                        other.content,
                    ):
                        differing.append(path)

    with tempfile.TemporaryDirectory(prefix="meshi-scale-") as name, server.running(Settings()) as address:
        report = Path(name) / "report"
        with proxied(address.base, report) as (url, process), bare_mitmproxy(address.base) as bare:
            headers = {"Authorization": f"Bearer {address.env['MESHI_KEY']}", "X-Correlation-Id": "the-same-for-both"}
            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda number: work(number, address.base, url, headers), range(CLIENTS)))
            busy = statistics.median(through) - statistics.median(direct)
            alone = medians({"directly": address.base, "by mitmproxy": bare, "by the proxy": url}, headers)
            code, said, document = ended(process, report)
    count: Any = document["exchanges"]["count"]
    print(f"{count} exchanges by {CLIENTS} clients at once, {len(differing)} answers differ; exit code {code}")
    overhead, unavoidable = (alone[way] - alone["directly"] for way in ("by the proxy", "by mitmproxy"))
    print("one client alone, medians: " + ", ".join(f"{way} {1000 * took:.2f} ms" for way, took in alone.items()))
    print(
        f"{overhead * 1000:.2f} ms are added, {unavoidable * 1000:.2f} ms by mitmproxy without the suite; "
        f"{busy * 1000:.2f} ms with {CLIENTS} clients at once"
    )
    wrong = [f"{len(differing)} answers differ, such as {differing[0]}"] if differing else []
    wrong += [f"blamed for {', '.join(failed(document)[:3])}: {said[-300:]}"] if failed(document) or code else []
    allowed = max(MOST_OVERHEAD, unavoidable * (1 + OWN_SHARE))
    return wrong + ([f"{overhead * 1000:.2f} ms are added"] if overhead > allowed else [])


@contextmanager
def bare_mitmproxy(base: str) -> Iterator[str]:
    """mitmproxy as it is in front of a base: where clients find it."""
    port, target = free_port(), urlsplit(base)
    command = [str(MITMDUMP), "--mode", f"reverse:{target.scheme}://{target.netloc}", "--quiet"]
    process = subprocess.Popen([*command, "--listen-host", "127.0.0.1", "--listen-port", str(port)])
    try:
        for _ in range(400):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}{target.path}"
    finally:
        process.terminate()
        process.wait()


def medians(bases: Mapping[str, str], headers: dict[str, str]) -> dict[str, float]:
    """Return the seconds that a request of a single client takes each way, in the median. The ways take turns."""
    times: dict[str, list[float]] = {way: [] for way in bases}
    with httpx.Client(headers=headers, timeout=60) as client:
        for _ in range(UNTIMED + TIMED):
            for way, base in bases.items():
                began = time.perf_counter()
                client.get(f"{base}/events/e-0-0")
                times[way].append(time.perf_counter() - began)
    return {way: statistics.median(took[UNTIMED:]) for way, took in times.items()}


def main() -> int:
    """Run what was asked for and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m selftests.watching.scale", description=__doc__)
    parser.add_argument("what", choices=("large", "proxy"))
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the recording (large)")
    parser.add_argument("--exchanges", type=int, default=10_000, help="exchanges through the proxy (proxy)")
    options = parser.parse_args()
    if options.what == "proxy" and MITMDUMP is None:
        parser.error("mitmproxy is not installed, and the proxy needs it: make .venv-proxy/.ready")
    wrong = large(options.gigabytes) if options.what == "large" else proxy(options.exchanges)
    print("; ".join(wrong) or "as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""A whole run, from the command line to the files, against a server that echoes every header it gets."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from meshi_conformance import report

from .samples import HOSTILE, KEY, forms

ROOT = Path(__file__).parents[2]


class Echo(BaseHTTPRequestHandler):
    """Answers everything with 200, the caller's key in several forms, and markup in every string."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        text = f"{HOSTILE} {key} {quote(key, safe='')} {base64.b64encode(f'a:{key}'.encode()).decode()}"
        said = {name: text for name in ("org_id", "code", "message", "run_id", "event_id", "title", key or "k")}
        said["status"] = "failed"  # a run that never ends would be waited for
        body = json.dumps(
            {**said, "items": [said], "next_cursor": text, "scopes": [text], "correlation_id": text}
        ).encode()
        self.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("X-Echo", quote(key, safe="")), ("X-Key", key)):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = answer

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v0/partner"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def ended(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "pytest", "-n", "0", "--target", base, "--report-dir", str(folder / "report")]
    command += ["--alluredir", str(folder / "allure"), "--junitxml", str(folder / "pytest.xml")]
    for pattern in ("auth.get*", "schema.getAuth*", "error.createEvent.*", "flow.*"):
        command += ["--requirements", pattern]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHI_")}
    environment |= {"MESHI_KEY": KEY, "MESHI_OTHER_KEY": KEY[::-1]}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    return folder, done


def test_the_run_finds_the_server_nonconformant(ended: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert ended[1].returncode == 1, ended[1].stdout[-3000:]
    written = {file.name for file in (ended[0] / "report").iterdir() if file.is_file()}
    assert written >= {"results.json", *report.FILES}


def test_no_file_and_no_output_holds_the_key(ended: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = ended
    texts = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    texts |= {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    assert any(name.startswith("allure") for name in texts)
    for name, data in texts.items():
        for form in [*forms(KEY), *forms(KEY[::-1])]:
            assert form not in data, f"{name} holds {form!r} at {data[max(0, data.index(form) - 200) :][:400]!r}"


def allure(folder: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in (folder / "allure").glob("*-result.json")]


def test_allure_results_carry_labels_links_and_evidence(
    ended: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    result = next(one for one in allure(ended[0]) if "error.createEvent.INVALID_TITLE" in json.dumps(one["labels"]))
    labels = {(one["name"], one["value"]) for one in result["labels"]}  # type: ignore[attr-defined]
    assert {
        ("epic", "Meshi Partner API"),
        ("feature", "Events"),
        ("story", "error.createEvent.INVALID_TITLE"),
        ("level", "documented"),
        ("severity", "critical"),
    } <= labels
    assert result["links"][0]["url"] == "endpoint-reference#post-events"  # type: ignore[index]
    failed = next(one for one in allure(ended[0]) if one["status"] == "failed")
    assert failed["attachments"]
    assert "fail: " in failed["statusDetails"]["message"]  # type: ignore[index]


def test_allure_is_not_loaded_where_it_is_not_wanted() -> None:
    code = "import sys, meshi_conformance.plugin.hooks; sys.exit('allure' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0

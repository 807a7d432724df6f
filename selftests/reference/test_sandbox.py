"""What the reference server offers besides the API: page, health, description, CORS, log, faults together, keys."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from meshi_reference.__main__ import main
from meshi_reference.app import ROUTES

ROOT = Path(__file__).parents[2]
CLIENT = httpx.Client(trust_env=False, timeout=120)


@contextmanager
def serving(*arguments: str, command: tuple[str, ...] = ("meshi_reference",)) -> Iterator[dict[str, Any]]:
    """A server process; what it printed, with the lines of its log when it has ended."""
    words = [sys.executable, "-m", *command, *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as process:
        said: dict[str, Any] = {"log": []}
        try:
            assert process.stdout is not None
            said |= json.loads(process.stdout.readline())
            said["root"] = "http://" + urlsplit(said["base"]).netloc
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            said["log"] += process.communicate(timeout=120)[1].splitlines()


def bearer(said: dict[str, Any], name: str = "MESHI_KEY") -> dict[str, str]:
    return {"authorization": f"Bearer {said['env'][name]}"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A sandbox with everything on, after a few requests; after the last test its log is read."""
    har = tmp_path_factory.mktemp("sandbox") / "all.har"
    options = ["--log", "--har", str(har), "--cors", "https://app.example"]
    with serving(*options, command=("meshi_conformance", "serve")) as said:
        said["har"] = har
        CLIENT.get(f"{said['base']}/auth", headers=bearer(said))
        CLIENT.post(f"{said['base']}/events", headers=bearer(said, "MESHI_READ_KEY"), json={"title": "<b>T</b>"})
        CLIENT.get(f"{said['base']}/runs?key={said['env']['MESHI_KEY']}", headers={"authorization": "Bearer other"})
        CLIENT.get(f"{said['base']}/%3Cscript%3E", headers=bearer(said))
        yield said
    lines = said["log"]
    assert [line.split(" ")[1:4] for line in lines[:2]] == [
        ["200", "GET", "/api/v0/partner/auth"],
        ["403", "POST", "/api/v0/partner/events"],
    ]
    assert lines[1].endswith(" INSUFFICIENT_SCOPE")
    assert "MESHI_READ_KEY" in lines[1]
    assert "runs?key=$MESHI_KEY" in lines[2]
    assert not [key for name, key in said["env"].items() if name != "MESHI_BASE" and key in "\n".join(lines)]


def test_health_is_told_outside_the_api(sandbox: dict[str, Any]) -> None:
    answer = CLIENT.get(f"{sandbox['root']}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert CLIENT.get(f"{sandbox['base']}/healthz", headers=bearer(sandbox)).json()["code"] == "NOT_FOUND"


def test_the_description_is_served_with_the_servers_own_address(sandbox: dict[str, Any]) -> None:
    described = CLIENT.get(f"{sandbox['root']}/openapi.json").json()
    assert described["servers"] == [{"url": sandbox["base"]}]
    operations = [one for path in described["paths"].values() for name, one in path.items() if name != "parameters"]
    assert len(operations) == len(ROUTES)


def test_the_page_shows_operations_exchanges_and_keys(sandbox: dict[str, Any]) -> None:
    page = CLIENT.get(f"{sandbox['root']}/").text
    assert "/api/v0/partner/events/:event_id/match-runs" in page
    assert "403 INSUFFICIENT_SCOPE" in page
    assert sandbox["env"]["MESHI_KEY"] in page
    assert "<script" not in page
    assert "%3Cscript%3E" in page


@pytest.mark.parametrize("host", ["sandbox.example", "127.0.0.1.example:80", "[::2]", ""])
def test_a_page_asked_for_by_another_name_shows_no_key(sandbox: dict[str, Any], host: str) -> None:
    page = CLIENT.get(f"{sandbox['root']}/", headers={"host": host}).text
    assert "Last exchanges" in page
    assert not [key for name, key in sandbox["env"].items() if name != "MESHI_BASE" and key in page]


def test_a_page_of_a_named_origin_may_call(sandbox: dict[str, Any]) -> None:
    asking = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = CLIENT.options(f"{sandbox['base']}/events", headers=asking)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "https://app.example")
    assert "authorization" in answer.headers["access-control-allow-headers"]
    plain = CLIENT.get(f"{sandbox['base']}/auth", headers={**bearer(sandbox), "origin": "https://app.example"})
    assert (plain.status_code, plain.headers["access-control-allow-origin"]) == (200, "https://app.example")
    other = CLIENT.get(f"{sandbox['base']}/auth", headers={**bearer(sandbox), "origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
    assert CLIENT.options(f"{sandbox['base']}/events", headers={**asking, "origin": "null"}).status_code == 401


def test_the_har_is_valid_while_the_server_runs_and_holds_no_key(sandbox: dict[str, Any]) -> None:
    text = sandbox["har"].read_text(encoding="utf-8")
    entries = json.loads(text)["log"]["entries"]
    assert [entry["response"]["status"] for entry in entries][:2] == [200, 403]
    assert json.loads(entries[1]["request"]["postData"]["text"]) == {"title": "<b>T</b>"}
    assert not [key for name, key in sandbox["env"].items() if name != "MESHI_BASE" and key in text]


def test_several_faults_hold_at_once_and_a_kept_database_keeps_its_keys(tmp_path: Path) -> None:
    words = [
        "--db",
        str(tmp_path / "kept.db"),
        "--fault",
        "status.createEvent.201.is_203",
        "--fault",
        "auth.listEvents.no_scheme",
    ]
    with serving(*words) as first:
        answer = CLIENT.post(
            f"{first['base']}/events", headers=bearer(first), json={"event_id": "e", "title": "T", "timezone": "UTC"}
        )
        assert (
            CLIENT.get(f"{first['base']}/events", headers={"authorization": first["env"]["MESHI_KEY"]}).status_code
            == 200
        )
        assert answer.status_code == 203
    with serving(*words[:2]) as second:
        assert {**second["env"], "MESHI_BASE": ""} == {**first["env"], "MESHI_BASE": ""}
        assert CLIENT.get(f"{second['base']}/auth", headers=bearer(second)).status_code == 200


def test_mistakes_say_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, said in (
            (["--port", str(port)], f"cannot listen on 127.0.0.1:{port}: Address already in use. Stop what listens"),
            (["--fault", "auth.listEvents.no_schem"], "Did you mean auth.listEvents.no_scheme?"),
            (["--openapi", str(tmp_path / "list.json")], "it holds no JSON object"),
            (["--har", str(tmp_path)], "Is a directory"),
        ):
            assert main(words) == 2
            assert said in capsys.readouterr().err

"""`judge` on the files of several tools, on broken ones, and what it says about each."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshi_conformance.__main__ import main
from meshi_reference import server
from meshi_reference.app import Application
from meshi_reference.settings import Settings

from .hars import BASE, KEY, created, entry, event, refused, write

Read = dict[str, Any]


def judged(folder: Path, *files: Path, options: tuple[str, ...] = ()) -> tuple[int, Read]:
    report = folder / "report"
    code = main(["judge", *map(str, files), "--report-dir", str(report), *options])
    found: Read = json.loads((report / "results.json").read_text(encoding="utf-8"))
    return code, found


def failed(document: Read) -> list[str]:
    return [row["id"] for row in document["requirements"] if row["verdict"] == "fail"]


def held(document: Read) -> dict[str, int]:
    found: dict[str, int] = document["observed"]["held"]
    return found


def traffic() -> list[Read]:
    request = event()
    return [
        entry("createEvent", 201, created(request), request=request, at=0),
        entry("getEvent", 200, created(request), path="/events/summit-2026", at=1),
        refused("getEvent", 404, "EVENT_NOT_FOUND", path="/events/never", at=2),
        entry("listEvents", 200, path="/events?limit=10", at=3),
    ]


def test_a_recording_is_judged_and_reported_as_observed(tmp_path: Path) -> None:
    code, document = judged(tmp_path, write(tmp_path, *traffic()))
    assert (code, document["outcome"], failed(document)) == (0, "partial", [])
    assert document["target"]["name"] == "staging"
    assert held(document)["events.read_back.title"] == 2
    rows = {row["id"]: row for row in document["requirements"]}
    assert rows["json.getEvent"]["reason"] == "seen to hold 2 times"
    assert rows["runs.kind"]["verdict"] == "not_run"
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<title>observed, partial" in page
    assert "observed, partial" in (tmp_path / "report" / "summary.md").read_text(encoding="utf-8")


def test_a_report_links_to_the_addresses_that_were_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--pages-url", "https://docs.example", "--site-url", "https://site.example")
    _, document = judged(tmp_path, write(tmp_path, *traffic()), options=words)
    assert document["links"] == {"pages": "https://docs.example", "site": "https://site.example"}
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "https://site.example/requirements/" in page
    with pytest.raises(SystemExit) as ended:
        main(["judge", str(tmp_path / "none.har"), "--pages-url", "docs.example"])
    assert ended.value.code == 4
    assert "a URL that begins with http:// or https://" in capsys.readouterr().err


def test_a_violation_is_told_with_its_exchange_and_without_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = traffic()[1]
    one["response"]["headers"].append({"name": "X-Echo", "value": KEY})
    one["response"]["content"]["text"] = json.dumps({"event_id": "summit-2026", "echo": KEY, "correlation_id": "x"})
    one["response"]["content"]["size"] = -1
    code, document = judged(tmp_path, write(tmp_path, one))
    assert (code, document["outcome"]) == (1, "nonconformant")
    assert {"correlation.getEvent", "schema.getEvent.200"} <= set(failed(document))
    assert document["evidence"]["1.1"]["status"] == 200
    said = capsys.readouterr().out
    assert "FAILED" in said
    for file in (tmp_path / "report").iterdir():
        assert KEY not in file.read_text(encoding="utf-8"), file.name
    assert KEY not in said


def chrome(one: Read) -> Read:
    """HTTP/2 with its pseudo-headers, names in lower case, milliseconds, the Authorization header taken out."""
    request, response = one["request"], one["response"]
    one["startedDateTime"] = one["startedDateTime"][:-4] + "Z"
    one |= {"_resourceType": "fetch", "_priority": "High", "cache": {}, "pageref": "page_2", "connection": "443"}
    pseudo = [{"name": f":{name}", "value": "x"} for name in ("authority", "method", "path", "scheme")]
    kept = [row for row in request["headers"] if row["name"] != "Authorization"]
    request["headers"] = pseudo + [{"name": row["name"].lower(), "value": row["value"]} for row in kept]
    response["headers"] = [{"name": row["name"].lower(), "value": row["value"]} for row in response["headers"]]
    request["httpVersion"] = response["httpVersion"] = "http/2.0"
    response |= {"bodySize": -1, "headersSize": -1, "_transferSize": 88, "_error": None}
    return one


def firefox(one: Read) -> Read:
    """Local time with an offset, whole milliseconds, a compressed size."""
    one["startedDateTime"] = one["startedDateTime"][:-4].replace("T10:", "T12:") + "+02:00"
    one["time"] = round(one["time"])
    one["response"]["bodySize"] = 40
    one["timings"] = {"blocked": -1, "send": 0, "wait": one["time"], "receive": 0}
    return one


def mitmproxy(one: Read) -> Read:
    """Bodies in base64."""
    content = one["response"]["content"]
    content["text"], content["encoding"] = base64.b64encode(content["text"].encode()).decode(), "base64"
    content["compression"] = 7
    one["startedDateTime"] = one["startedDateTime"].replace("Z", "+00:00")
    return one


def charles(one: Read) -> Read:
    """Sizes of what went over the wire, and members of its own."""
    one |= {"_charlesStatus": "COMPLETE", "timings": {"dns": -1, "connect": -1, "ssl": -1, "send": 1, "wait": 9}}
    one["response"]["content"]["size"] = 30
    one["response"]["bodySize"] = 30
    one["request"]["headersSize"] = 300
    return one


def insomnia(one: Read) -> Read:
    """No sizes."""
    one["response"]["bodySize"] = one["response"]["content"]["size"] = -1
    one["request"]["bodySize"] = -1
    one["comment"] = "Read an event"
    return one


@pytest.mark.parametrize("tool", [chrome, firefox, mitmproxy, charles, insomnia])
def test_each_tools_way_to_write_is_read(tool: Any, tmp_path: Path) -> None:
    pages = [{"id": f"page_{number}", "startedDateTime": "2026-09-10T10:00:00Z", "title": ""} for number in (1, 2)]
    file = write(tmp_path, *map(tool, traffic()), pages=pages)
    code, document = judged(tmp_path, file, options=("--one-org",))
    assert (code, failed(document)) == (0, [])
    assert held(document)["json.getEvent"] == 2
    assert held(document)["events.read_back.title"] == 2
    assert not document["observed"]["unjudged"]


def broken_answer(**members: Any) -> Read:
    """A read whose answer breaks its schema, changed as a recorder would change it."""
    one = entry("getEvent", 200, {"event_id": 7}, path="/events/summit-2026")
    one["response"]["content"] = {key: value for key, value in one["response"]["content"].items() if key != "text"}
    one["response"]["content"] |= members
    return one


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"text": "", "size": 400},
        {"text": '{"event_id": 7', "size": 400, "comment": "truncated"},
        {"text": '{"event_id": 7, "x": "\ufffd"}', "size": -1},
        {"text": "!!!", "encoding": "base64"},
    ],
)
def test_a_body_that_was_not_kept_whole_is_counted_and_not_judged(content: Read, tmp_path: Path) -> None:
    code, document = judged(tmp_path, write(tmp_path, broken_answer(**content)))
    assert (code, failed(document)) == (0, [])
    assert document["observed"]["unjudged"] == {"the recording holds no whole body of the answer": 1}
    assert "json.getEvent" not in held(document)
    assert held(document)["content_type.getEvent"] == 1


def test_headers_that_were_not_kept_are_counted_and_not_judged(tmp_path: Path) -> None:
    one = traffic()[1]
    one["response"]["headers"] = []
    code, document = judged(tmp_path, write(tmp_path, one))
    assert (code, failed(document)) == (0, [])
    assert document["observed"]["unjudged"] == {"the recording holds no headers of the answer": 1}
    assert held(document)["schema.getEvent.200"] == 1


def test_a_request_that_was_not_kept_deserves_nothing(tmp_path: Path) -> None:
    request = event(title="")
    one = entry("createEvent", 201, created(request), request=request)
    one["request"]["postData"] = {"mimeType": "application/json"}
    code, document = judged(tmp_path, write(tmp_path, one))
    assert (code, failed(document)) == (0, [])
    assert document["observed"]["unjudged"] == {"the recording holds no whole body of the request": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"_fromCache": "disk"},
        {"response": {"status": 0, "headers": [], "content": {}, "_error": "net::ERR_FAILED"}},
        {"response": None},
        {"startedDateTime": "yesterday"},
    ],
)
def test_what_the_server_did_not_answer_is_not_judged(change: Read, tmp_path: Path) -> None:
    good, bad = traffic()[1], {**broken_answer(text="oops", size=4), **change}
    code, document = judged(tmp_path, write(tmp_path, bad, good))
    assert (code, failed(document), document["exchanges"]["count"]) == (0, [], 1)
    assert sum(document["observed"]["unjudged"].values()) == 1


def test_gateways_and_caches_speak_for_themselves(tmp_path: Path) -> None:
    gateway = entry("getEvent", 502, "<html>Bad gateway</html>", path="/events/a")
    unchanged = entry("getEvent", 304, "", path="/events/a", at=1)
    preflight = entry("getEvent", 204, "", path="/events/a", at=2)
    preflight["request"]["method"] = "OPTIONS"
    code, document = judged(tmp_path, write(tmp_path, gateway, unchanged, preflight, traffic()[1]))
    assert (code, failed(document)) == (0, [])
    assert sum(document["observed"]["unjudged"].values()) == 3


def test_an_exchange_that_two_recorders_kept_counts_once(tmp_path: Path) -> None:
    request = event()
    one = entry("createEvent", 201, created(request), request=request)
    again = {**one, "startedDateTime": "2026-09-10T10:00:00.004Z"}
    code, document = judged(tmp_path, write(tmp_path, one), write(tmp_path, again, name="proxy.har"))
    assert (code, failed(document)) == (0, [])
    assert document["observed"]["unjudged"] == {"it was recorded twice": 1}


def test_the_same_file_twice_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path, *traffic())
    code, document = judged(tmp_path, file, tmp_path / "." / file.name)
    assert (code, document["exchanges"]["count"]) == (0, 4)


def test_a_file_with_an_entry_a_line_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    file.write_text(
        "".join(json.dumps(one) + "\n" for one in traffic()) + '{"startedDateTime": "2026', encoding="utf-8"
    )
    code, document = judged(tmp_path, file)
    assert (code, failed(document), document["exchanges"]["count"]) == (0, [], 4)


def documented_middleware() -> Any:
    """The class that docs/traffic.md shows."""
    text = (Path(__file__).parents[2] / "docs" / "traffic.md").read_text(encoding="utf-8")
    names: Read = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    return names["Record"]


def test_the_documented_middleware_records_what_can_be_judged(tmp_path: Path) -> None:
    file = tmp_path / "entries.jsonl"
    recorded = lambda services: documented_middleware()(Application(services), file, share=1)  # noqa: E731
    with server.running(Settings(), recorded) as address:
        headers = {"Authorization": f"Bearer {address.env['MESHI_KEY']}"}
        with httpx.Client(base_url=address.base, headers=headers) as client:
            assert client.post("/events", json=event()).status_code == 201
            assert client.get("/events/summit-2026").status_code == 200
            assert client.get("/events?limit=5").status_code == 200
    code, document = judged(tmp_path, file)
    assert (code, failed(document), document["exchanges"]["count"]) == (0, [], 3)
    assert held(document)["events.read_back.title"] == 2


def test_traffic_of_other_hosts_is_left_out(tmp_path: Path) -> None:
    other = entry("getEvent", 500, {}, path="/events/a", base="https://cdn.example.com")
    code, document = judged(tmp_path, write(tmp_path, other, *traffic()))
    assert (code, document["exchanges"]["count"]) == (0, 4)


def test_a_base_with_another_path_is_named(tmp_path: Path) -> None:
    base = "https://gateway.example.com/meshi"
    file = write(tmp_path, entry("getEvent", 200, created(event()), path="/events/summit-2026", base=base))
    code, document = judged(tmp_path, file, options=("--base", base))
    assert (code, failed(document), document["exchanges"]["count"]) == (0, [], 1)


def test_answers_under_the_old_base_are_remembered_and_not_judged(tmp_path: Path) -> None:
    request = event()
    old = BASE.replace("/api/v0", "/v0")
    made = entry("createEvent", 201, {"event_id": 7}, request=request, base=old)
    gone = refused("getEvent", 404, "EVENT_NOT_FOUND", path="/events/summit-2026", at=1)
    code, document = judged(tmp_path, write(tmp_path, made, gone))
    assert (code, failed(document)) == (1, ["acknowledged.event"])


# What cannot be judged at all


def test_a_file_that_is_cut_short_is_judged_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, *traffic())
    file.write_bytes(file.read_bytes()[:-700])
    code, document = judged(tmp_path, file)
    assert (code, document["exchanges"]["count"]) == (0, 3)
    assert "traffic.har is cut short" in document["observed"]["notes"][0]
    assert "traffic.har is cut short" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"GET / HTTP/1.1\r\n", "does not start with a JSON object"),
        (b'{"openapi": "3.1.0", "paths": {}}', "has no member `log`"),
        (
            b'{"log": {"entries": [{"startedDateTime": "2026',
            "is cut short before its first whole entry",
        ),
        (b'{"log": {"version": "1.2", "entries": []}}', "It holds no entries"),
        (b"\xff\xfe{\x00", "does not start with a JSON object"),
    ],
)
def test_a_file_that_is_no_recording_is_one_message(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "traffic.har"
    file.write_bytes(content)
    assert main(["judge", str(file), "--report-dir", str(tmp_path / "report")]) == 4
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_another_tools_recording_is_told_by_its_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, entry("getAuth", 200, base="https://shop.example.com/v2"))
    assert main(["judge", str(file)]) == 4
    said = capsys.readouterr().err
    assert "https://shop.example.com (1)" in said
    assert "--base" in said


def test_traffic_with_two_servers_is_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    production = "https://api.meshi.io/api/v0/partner"
    file = write(tmp_path, entry("getAuth", 200), entry("getAuth", 200, base=production, at=1))
    assert main(["judge", str(file)]) == 4
    assert "staging (1), production (1)" in capsys.readouterr().err
    code, document = judged(tmp_path, file, options=("--base", production))
    assert (code, document["exchanges"]["count"]) == (0, 1)


def test_a_missing_file_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path / "nowhere.har")]) == 4
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_a_pipe_is_one_message_and_no_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "traffic.har")
    assert main(["judge", str(tmp_path / "traffic.har"), "--report-dir", str(tmp_path / "report")]) == 4
    assert "is not a file" in capsys.readouterr().err


def test_a_folder_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path), "--report-dir", str(tmp_path / "report")]) == 4
    assert "Is a directory" in capsys.readouterr().err


def test_a_compressed_file_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "traffic.har.gz"
    file.write_bytes(gzip.compress(write(tmp_path, *traffic()).read_bytes()))
    assert main(["judge", str(file), "--report-dir", str(tmp_path / "report")]) == 4
    assert "gunzip" in capsys.readouterr().err


def test_a_base_that_nothing_was_sent_to_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--base", "https://elsewhere.example.com/api", "--report-dir", str(tmp_path / "report")]
    assert main(["judge", str(write(tmp_path, *traffic())), *options]) == 4
    assert "Nothing in the recording was sent to https://elsewhere.example.com/api" in capsys.readouterr().err


def test_a_recording_judged_twice_gives_the_same_result(tmp_path: Path) -> None:
    broken = refused("getEvent", 404, "EVENT_NOT_FOUND", path="/events/summit-2026", at=5)
    file = write(tmp_path, *traffic(), broken)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    (first, one), (second, other) = judged(tmp_path / "one", file), judged(tmp_path / "other", file)
    assert (first, one["requirements"], held(one)) == (second, other["requirements"], held(other))
    assert failed(one) == ["generated.model.events"]

"""The comparison of tools: the sample, the files that tools get, trials that are kept, and what the table says."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.peers import arranged, description, page, trial
from benchmarks.peers.tools import TOOLS, Case, DoesNotRun, Failures, Tool
from meshi_reference import faults, server, variations
from meshi_reference.variations import Variation

SCHEMAS = {
    "correlated": {
        "type": "object",
        "required": ["correlation_id"],
        "properties": {"correlation_id": {"type": "string"}},
    },
    "event": {
        "allOf": [{"$ref": "#/components/schemas/correlated"}, {"required": ["event_id"]}],
        "properties": {"event_id": {"type": "string", "x-error-code": "INVALID"}},
    },
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "A part", "version": "v0"},
    "components": {
        "parameters": {"EventId": {"name": "event_id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": SCHEMAS,
    },
    "paths": {
        "/events/{event_id}": {
            "get": {
                "operationId": "getEvent",
                "parameters": [
                    {"$ref": "#/components/parameters/EventId"},
                    {"name": "cursor", "in": "query", "schema": {"type": "string"}, "example": "made-up"},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/event"}}}},
                },
            }
        }
    },
}


def reads_an_event(case: Case) -> Failures:
    """A tool of one check: the arranged event can be read with its examples' ID."""
    call = case.calls[0]
    answer = httpx.get(case.base + call["path"], headers={"Authorization": f"Bearer {case.key}"}, trust_env=False)
    return {} if answer.status_code == 200 else {"getEvent: status": str(answer.status_code)}


def breaks_down(case: Case) -> Failures:
    raise DoesNotRun("it needs a moon")


READER = Tool("Reader", "", "one read", "one read", reads_an_event)


@pytest.fixture
def bench(tmp_path: Path) -> trial.Bench:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return trial.Bench(tmp_path / "kept", {"3.1": file, "3.0": file}, 2, time.monotonic() + 60)


def test_a_sample_goes_over_all_areas_and_is_the_same_every_time() -> None:
    known = [f"area{number % 5}.fault{number}" for number in range(50)]
    sample = trial.names(known, 10)
    assert sample == trial.names(reversed(known), 10)
    assert Counter(name.partition(".")[0] for name in sample) == {f"area{number}": 2 for number in range(5)}
    assert len(set(sample)) == 10


def test_the_sample_of_the_faults_of_this_project_holds_every_area() -> None:
    known = faults.load()
    areas = {name.partition(".")[0] for name in known}
    assert {name.partition(".")[0] for name in trial.names(known, len(areas))} == areas


def test_a_plain_file_says_the_same_in_one_schema_each() -> None:
    plain = description.plain(DOCUMENT)
    assert plain["components"]["schemas"] == {
        "event": {
            "type": "object",
            "required": ["correlation_id", "event_id"],
            "properties": {"correlation_id": {"type": "string"}, "event_id": {"type": "string"}},
            "additionalProperties": True,
        }
    }


def test_examples_name_rows_of_the_server_and_hide_what_only_it_can_give() -> None:
    made = description.with_examples(DOCUMENT, "http://127.0.0.1:1/api", arranged.Rows(), description.UNGUESSABLE)
    parameters = made["paths"]["/events/{event_id}"]["get"]["parameters"]
    assert [one["name"] for one in parameters] == ["event_id"]
    assert parameters[0]["example"] == arranged.EVENT
    assert description.calls(made)[0]["path"] == f"/events/{arranged.EVENT}"


def test_what_is_arranged_gives_tools_matches_and_reviews_to_name() -> None:
    with server.running() as address:
        rows = arranged.arrange(address.base, address.env["MESHI_KEY"])
    assert rows.run_id != arranged.Rows.run_id
    assert len(rows.reviews) == arranged.PAIRS
    assert rows.principal != rows.target


def test_a_trial_tells_failures_requests_and_time_and_is_kept(bench: trial.Bench) -> None:
    entries: list[faults.Fault | Variation] = [
        variations.load()["default"],
        faults.load()["status.getEvent.200.is_201"],
    ]
    held = {one.server: one for one in bench.hold(READER, entries)}
    assert held["default"].failures == {}
    assert held["default"].requests == 1
    assert set(held["status.getEvent.200.is_201"].failures) == {"getEvent: status"}
    bench.ends = 0.0
    assert {one.server: one for one in bench.hold(READER, entries)} == held


def test_no_trial_is_begun_when_time_is_up(bench: trial.Bench) -> None:
    bench.ends = 0.0
    assert list(bench.hold(READER, [variations.load()["default"]])) == []


def test_a_tool_that_does_not_run_gets_a_row_that_says_why(bench: trial.Bench) -> None:
    tool = Tool("Moon", "", "", "", breaks_down)
    row = page.Row(tool, list(bench.hold(tool, [variations.load()["default"]])), [], [])
    assert "does not run: it needs a moon" in page.table([row], {})[-1]


def test_a_fault_is_found_where_the_verdict_changes_and_ours_is_compared() -> None:
    def row(name: str, found: list[str]) -> page.Row:
        clean = trial.Trial(name, "default", {"noise": "always"}, requests=5, seconds=1.0)
        tried = [trial.Trial(name, one, {"noise": "always"} | ({one: "bad"} if one in found else {})) for one in "ab"]
        return page.Row(Tool(name, "", "", "", reads_an_event), [clean], tried, [])

    ours, other = row(page.OURS, ["a"]), row("Other", ["a", "b"])
    assert ours.found == ["a"]
    assert page.missed_by_us([ours, other]) == {"Other": {"b": ["b"]}}
    assert page.missed_by_us([row(page.OURS, ["a", "b"]), other]) == {}
    assert "| 2 of 2 | 1 |" in page.table([other], {"Other": "1.0"})[-1]


def test_the_page_keeps_what_people_wrote_around_the_table(tmp_path: Path) -> None:
    text = f"# Benchmarks\n\nBefore.\n\n{page.BEGIN}\nold\n{page.END}\n\nAfter.\n"
    (tmp_path / "benchmarks.md").write_text(text, encoding="utf-8")
    clean = trial.Trial("Reader", "default", requests=1, seconds=0.1)
    rows = [page.Row(READER, [clean], [trial.Trial("Reader", "x.y", {"bad": "very"})], [])]
    for _ in range(2):
        page.write(tmp_path, tmp_path, rows, ["x.y"], [], {"Reader": "1.0"}, 7)
    made = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert made.startswith("# Benchmarks\n\nBefore.\n\n")
    assert made.endswith("\n\nAfter.\n")
    assert "old" not in made
    assert "1 of 7 faults" in made
    assert (tmp_path / "benchmarks-peers.svg").read_text(encoding="utf-8").startswith("<svg")
    assert json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))["tools"][0]["found"] == ["x.y"]


def test_every_tool_says_how_it_is_used_and_what_limits_it() -> None:
    assert page.OURS in TOOLS
    for tool in TOOLS.values():
        assert tool.setting, tool.name
        assert tool.limits, tool.name

"""The record of an exchange: what it reads, shows and hides."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from meshi_conformance.errors import MissingMember, NotAJsonObject
from meshi_conformance.exchanges.exchange import STORED_BODY_BYTES
from meshi_conformance.exchanges.redaction import Redaction

from ..answers import exchange, refusal

KEY = "mk_live/Secret+Key=0123456789"


def test_a_missing_member_fails_the_check_that_reads_it() -> None:
    one = exchange("getEvent", 200, {"event_id": "e", "deep": {}})
    assert one["event_id"] == "e"
    with pytest.raises(MissingMember, match="no member 'title'"):
        one["title"]
    with pytest.raises(MissingMember, match="no member 'x'"):
        one["deep"]["x"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"oops", b"\xff"])
def test_a_body_that_is_no_object_is_charged_once(raw: bytes) -> None:
    with pytest.raises(NotAJsonObject):
        _ = exchange("getEvent", 200, raw=raw).json
    # Only the check that reads it reports the answer to a request outside the operations.
    with pytest.raises(MissingMember):
        _ = exchange(None, 200, raw=raw).json


@pytest.mark.parametrize("items", [None, {}, "text", [1], ["a"]])
def test_rows_are_a_list_of_objects(items: object) -> None:
    with pytest.raises(MissingMember):
        _ = exchange("listEvents", 200, {"items": items}).items


@pytest.mark.parametrize(("cursor", "sent"), [("a/b", "a/b"), (5, "5"), (0, "0"), (1.5, "1.5")])
def test_a_cursor_is_sent_back_as_it_was_issued(cursor: object, sent: str) -> None:
    assert exchange("listEvents", 200, {"next_cursor": cursor}).next_cursor == sent


@pytest.mark.parametrize("cursor", [True, [], {}])
def test_a_cursor_is_a_string_or_a_number_or_null(cursor: object) -> None:
    assert exchange("listEvents", 200, {"next_cursor": None}).next_cursor is None
    with pytest.raises(MissingMember):
        _ = exchange("listEvents", 200, {"next_cursor": cursor}).next_cursor


def test_a_refusal_is_status_and_code() -> None:
    assert refusal("getEvent", 404, "EVENT_NOT_FOUND").status_and_code == (404, "EVENT_NOT_FOUND")
    assert exchange("getEvent", 500, raw=b"<h1>").status_and_code == (500, None)
    assert exchange("getEvent", 200, {"code": "X"}).status_and_code == (200, None)


def test_the_curl_line_names_the_key_and_quotes_for_the_shell() -> None:
    one = exchange(
        "createEvent", 201, {}, sent={"Content-Type": "application/json"}, request=b'{"title": "it\'s `here` $x"}'
    )
    line = one.curl()
    assert line.startswith('curl -sS -i -X POST "$MESHI_BASE/events"')
    assert '-H "Authorization: Bearer $MESHI_KEY"' in line
    assert """'{"title": "it'"'"'s `here` $x"}'""" in line


def test_the_curl_line_says_where_the_request_went() -> None:
    one = replace(exchange("getAuth", 200, {}), other_base="https://old.example.com/api/partner")
    assert '"https://old.example.com/api/partner/auth"' in one.curl()
    assert one.record(Redaction({}))["other_base"] == "https://old.example.com/api/partner"


def test_a_path_cannot_run_a_command_in_the_curl_line() -> None:
    assert r"\$(touch x)\`id\`\"" in exchange("getEvent", 200, {}, path='/events/$(touch x)`id`"').curl()


def forms(key: str) -> list[str]:
    encoded = [base64.b64encode(b"x" * n + key.encode() + b"y" * m).decode() for n in range(3) for m in range(3)]
    return [key, quote(key, safe=""), json.dumps(key), *encoded, *(one.replace("+", "-") for one in encoded)]


@pytest.mark.parametrize("form", forms(KEY))
def test_no_form_of_a_key_is_kept(form: str) -> None:
    text = Redaction({"main": KEY}).text(f"before {form} after")
    core = base64.b64encode(KEY.encode()).decode()[4:-8]
    assert KEY not in text
    assert quote(KEY, safe="") not in text
    assert core not in text
    assert "$MESHI_KEY" in text


def test_a_record_holds_no_key_wherever_the_server_puts_it() -> None:
    one = exchange("getEvent", 200, {"a": KEY, KEY: [KEY]}, headers=[("x-echo", KEY), (KEY, "v")], path=f"/e/{KEY}")
    assert KEY not in json.dumps(one.record(Redaction({"main": KEY})))


def test_a_long_body_is_cut_without_leaving_half_a_key() -> None:
    body = "x" * (STORED_BODY_BYTES - 10) + KEY + "x" * 100_000
    record = exchange("getEvent", 200, raw=body.encode()).record(Redaction({"main": KEY}))
    assert len(record["body"]) == STORED_BODY_BYTES
    assert KEY[:10] not in record["body"]
    assert record["body_bytes"] == len(body)


def test_a_record_tells_the_size_and_the_cursor_of_a_page_whose_body_is_cut() -> None:
    rows = [{"event_id": f"event-{number}", "description": "x" * 900} for number in range(60)]
    one = exchange("listEvents", 200, {"items": rows, "next_cursor": f"c-{KEY}"})
    record = one.record(Redaction({"main": KEY}))
    assert len(record["body"]) < record["body_bytes"]
    assert record["page"] == {"rows": 60, "next_cursor": "c-$MESHI_KEY"}
    assert exchange("getEvent", 200, {"event_id": "event-1"}).record(Redaction({}))["page"] is None

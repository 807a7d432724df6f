"""Each check sees a conforming exchange, a violating one and a hostile one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import CORRELATION, JSON, example, exchange, refusal

from meshi_conformance.checks import check, retry_after_is_valid
from meshi_conformance.contract import BOUNDARY_OPERATIONS, load
from meshi_conformance.exchange import Exchange

CONTRACT = load()
ANSWERS = [(one.id, status) for one in CONTRACT.operations.values() for status in one.responses]
UUID = "0d8fbe5c-9a31-4c9e-8f0a-2f6f4a1b7c3d"


def broken(one: Exchange) -> list[str]:
    return [violation.requirement for violation in check(one, CONTRACT)]


@pytest.mark.parametrize(("operation", "status"), ANSWERS)
def test_a_documented_answer_breaks_nothing(operation: str, status: int) -> None:
    assert broken(exchange(operation, status, example(operation, status))) == []


@pytest.mark.parametrize(("operation", "status"), ANSWERS)
def test_unknown_members_break_nothing_and_are_reported_as_drift(operation: str, status: int) -> None:
    one = exchange(operation, status, {**example(operation, status), "x_new": {"deep": [1]}})
    assert broken(one) == []
    assert one.drift == ["x_new"]


@pytest.mark.parametrize("operation", CONTRACT.operations)
def test_every_listed_refusal_breaks_nothing(operation: str) -> None:
    for status, codes in CONTRACT.operations[operation].errors.items():
        headers = [JSON, ("x-correlation-id", CORRELATION), ("Retry-After", "1")]
        for code in codes:
            assert broken(refusal(operation, status, code, headers=headers)) == []


@pytest.mark.parametrize("operation", CONTRACT.operations)
@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe", b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"],
    ids=["empty", "markup", "nan", "twice", "not utf-8", "deep", "huge number"],
)
def test_a_body_that_is_no_json_is_charged_once(operation: str, raw: bytes) -> None:
    status = max(CONTRACT.operations[operation].responses)
    assert broken(exchange(operation, status, raw=raw)) == [f"json.{operation}"]


@pytest.mark.parametrize("body", [[], "text", 1, None])
def test_a_body_that_is_no_object_is_charged_once(body: Any) -> None:
    assert broken(exchange("getEvent", 200, body)) == ["json.getEvent"]


@pytest.mark.parametrize(
    ("headers", "member"),
    [
        ([JSON], CORRELATION),
        ([JSON, ("x-correlation-id", "")], CORRELATION),
        ([JSON, ("x-correlation-id", "another-one")], CORRELATION),
        ([JSON, ("x-correlation-id", CORRELATION)], None),
        ([JSON, ("x-correlation-id", CORRELATION)], 7),
        ([JSON, ("x-correlation-id", "7")], 7),
    ],
)
def test_correlation_ids_stand_in_header_and_body_alike(headers: list[tuple[str, str]], member: Any) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND", headers=headers)
    one.body = json.dumps({"code": "EVENT_NOT_FOUND", "message": "", "correlation_id": member}).encode()
    assert set(broken(one)) == {"correlation.getEvent"}


@pytest.mark.parametrize(
    ("sent", "charged"),
    [
        ("conf-12345678", True),
        ("short", False),
        ("with space in it", False),
        ("x" * 65, False),
        (CORRELATION, False),
    ],
)
def test_only_a_usable_sent_correlation_id_must_come_back(sent: str, charged: bool) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND", sent={"x-correlation-id": sent})
    assert broken(one) == (["correlation.getEvent"] if charged else [])


@pytest.mark.parametrize("name", ["code", "message"])
@pytest.mark.parametrize("value", [None, 5, ["x"], {}])
def test_the_envelope_has_string_members(name: str, value: Any) -> None:
    body = {"code": "EVENT_NOT_FOUND", "message": "No.", "correlation_id": CORRELATION, name: value}
    assert broken(exchange("getEvent", 404, body)) == ["envelope.getEvent"]


def test_an_empty_code_is_no_code_but_an_empty_message_is_a_message() -> None:
    body = {"code": "", "message": "", "correlation_id": CORRELATION}
    assert broken(exchange("getEvent", 404, body)) == ["envelope.getEvent", "codes.getEvent"]


def test_a_refusal_with_a_code_that_is_listed_nowhere_is_a_deviation() -> None:
    assert broken(refusal("getEvent", 400, "BAD_REQUEST")) == ["codes.getEvent"]
    assert CONTRACT.requirements["codes.getEvent"].level == "implied"


@pytest.mark.parametrize(
    ("operation", "path", "status", "code"),
    [
        ("listEvents", "/events?limit=0", 400, "INVALID_LIMIT"),
        ("listEvents", "/events?cursor=x", 422, "BAD_CURSOR"),
        ("createMatchRun", "/events/e/match-runs", 400, "INVALID_TOP_N"),
        ("createEvent", "/events", 413, "PAYLOAD_TOO_LARGE"),
        ("createSession", "/events/e/sessions", 400, "INVALID_JSON"),
    ],
)
def test_a_refusal_whose_code_is_open_or_common_breaks_nothing(
    operation: str, path: str, status: int, code: str
) -> None:
    assert broken(refusal(operation, status, code, path=path)) == []


@pytest.mark.parametrize("status", [500, 501, 503])
def test_a_5xx_is_a_deviation(status: int) -> None:
    assert broken(refusal("getEvent", status, "INTERNAL")) == ["server_errors.getEvent"]


@pytest.mark.parametrize("label", ["application/json; charset=utf-8", "application/problem+json", "Application/JSON"])
def test_any_json_label_is_a_json_label(label: str) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND")
    one.headers[0] = ("content-type", label)
    assert broken(one) == []


@pytest.mark.parametrize("label", ["text/html", "", "json", "application/jsonx", "text/json\x1b[2J"])
def test_any_other_label_is_a_deviation(label: str) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND")
    one.headers[0] = ("content-type", label)
    assert broken(one) == ["content_type.getEvent"]


@pytest.mark.parametrize("value", ["0", "1", "3600", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after_holds_seconds_or_a_date(value: str) -> None:
    assert retry_after_is_valid(value)


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "1e3", "9" * 40, "²"])
def test_retry_after_holds_nothing_else(value: str | None) -> None:
    assert not retry_after_is_valid(value)


def test_a_429_needs_its_code_and_retry_after() -> None:
    assert broken(refusal("getEvent", 429, "SLOW_DOWN")) == ["rate_limit.retry_after", "rate_limit.code"]


@pytest.mark.parametrize(("operation", "status"), [("createEvent", 200), ("importAttendees", 201), ("getAuth", 204)])
def test_a_success_with_another_status_is_charged_to_the_documented_one(operation: str, status: int) -> None:
    first = max(CONTRACT.operations[operation].responses)
    one = exchange(operation, status, example(operation, first))
    assert broken(one) == [f"status.{operation}.{first}"]


def test_a_missing_documented_member_breaks_the_schema() -> None:
    body = example("getAuth", 200)
    del body["org_id"]
    assert broken(exchange("getAuth", 200, body)) == ["schema.getAuth.200"]


def test_a_missing_implied_member_breaks_the_shape_alone() -> None:
    body = example("listEventMatches", 200)
    for row in body["items"]:
        del row["match_id"]
    assert broken(exchange("listEventMatches", 200, body)) == ["shape.listEventMatches.200"]


@pytest.mark.parametrize("operation", sorted(BOUNDARY_OPERATIONS))
def test_a_uuid_in_an_undocumented_member_crosses_the_boundary(operation: str) -> None:
    first = max(CONTRACT.operations[operation].responses)
    body = example(operation, first)
    holder = body["items"][0] if CONTRACT.operations[operation].lists else body
    holder["internal"] = {"ids": ["x", f"urn:{UUID.upper()}"]}
    assert broken(exchange(operation, first, body)) == [f"boundary.{operation}"]


def test_a_uuid_that_the_client_sent_or_that_is_the_correlation_id_crosses_nothing() -> None:
    body = {**example("getEvent", 200), "echo": UUID}
    assert broken(exchange("getEvent", 200, body, path=f"/events/{UUID}")) == []
    body = {**example("getEvent", 200), "request": UUID, "correlation_id": UUID}
    assert broken(exchange("getEvent", 200, body, headers=[JSON, ("x-correlation-id", UUID)])) == []


def test_a_uuid_beside_the_rows_of_a_page_crosses_nothing() -> None:
    body = {**example("listEvents", 200), "page_id": UUID}
    assert broken(exchange("listEvents", 200, body)) == []


def test_requests_outside_the_operations_are_left_to_their_tests() -> None:
    assert broken(exchange(None, 404, raw=b"nothing")) == []
    assert broken(exchange("getEvent", 200, raw=b"", method="HEAD")) == []

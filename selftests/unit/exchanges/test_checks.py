"""Each check sees a conforming exchange, a violating one and a hostile one."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from meshi_conformance.contract.contract import load
from meshi_conformance.exchanges import checks
from meshi_conformance.exchanges.checks import (
    JUDGED_BY_EXCHANGES,
    check,
    retry_after_is_valid,
    retry_after_seconds,
    shown,
)
from meshi_conformance.exchanges.exchange import Exchange

from ..answers import CORRELATION, JSON, example, exchange, refusal

CONTRACT = load()
ANSWERS = [(one.id, status) for one in CONTRACT.operations.values() for status in one.responses]
UUID = "0d8fbe5c-9a31-4c9e-8f0a-2f6f4a1b7c3d"


def broken(one: Exchange) -> list[str]:
    return [violation.requirement for violation in check(one, CONTRACT)]


def told(one: Exchange) -> list[str]:
    return [violation.message for violation in check(one, CONTRACT)]


@pytest.mark.parametrize(("operation", "status"), ANSWERS)
def test_a_documented_answer_breaks_nothing(operation: str, status: int) -> None:
    assert broken(exchange(operation, status, example(operation, status))) == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'{"title": "a\\ud800b"}', []),
        (b'{"title": "\\ud83d\\ude00"}', ["json.createSession"]),
        (b'{"title": "\\ud800', ["json.createSession"]),
        (None, ["json.createSession"]),
    ],
    ids=["half a pair", "a pair", "no JSON", "nothing"],
)
def test_half_a_surrogate_pair_is_the_servers_mistake_unless_it_was_sent(
    sent: bytes | None, expected: list[str]
) -> None:
    answer = {**example("createSession", 201), "title": "a\ud800b"}
    assert broken(exchange("createSession", 201, answer, request=sent)) == expected


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
    one = exchange("getEvent", 200, body)
    assert broken(one) == ["json.getEvent"]
    assert told(one) == ["the body is JSON, but no object"]


def test_a_body_that_is_no_json_is_told_why() -> None:
    assert told(exchange("getEvent", 200, raw=b'{"a": 1, "a": 2}')) == [
        "the body is not JSON: an object has the same member twice: a"
    ]


@pytest.mark.parametrize(
    ("headers", "member", "messages"),
    [
        ([JSON], CORRELATION, ["the answer has no x-correlation-id header"]),
        ([JSON, ("x-correlation-id", "")], CORRELATION, ["the answer has no x-correlation-id header"]),
        (
            [JSON, ("x-correlation-id", "another-one")],
            CORRELATION,
            [f"header 'another-one' and body '{CORRELATION}' differ"],
        ),
        ([JSON, ("x-correlation-id", CORRELATION)], None, ["`correlation_id` in the body is missing"]),
        ([JSON, ("x-correlation-id", CORRELATION)], "", ["`correlation_id` in the body is empty"]),
        ([JSON, ("x-correlation-id", "7")], 7, ["`correlation_id` in the body is 7, not a string"]),
        (
            [JSON],
            None,
            ["the answer has no x-correlation-id header", "`correlation_id` in the body is missing"],
        ),
        (
            [JSON, ("x-correlation-id", "h" * 500)],
            "b" * 500,
            [f"header '{'h' * 80}' and body '{'b' * 80}' differ"],
        ),
    ],
)
def test_correlation_ids_stand_in_header_and_body_alike(
    headers: list[tuple[str, str]], member: Any, messages: list[str]
) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND", headers=headers)
    one.body = json.dumps({"code": "EVENT_NOT_FOUND", "message": "", "correlation_id": member}).encode()
    assert set(broken(one)) == {"correlation.getEvent"}
    assert told(one) == messages


@pytest.mark.parametrize(
    ("sent", "charged"),
    [
        ("conf-12345678", True),
        ("aZ09_-zZ", True),
        ("x" * 64, True),
        ("x" * 7, False),
        ("x" * 65, False),
        ("with space in it", False),
        ("dots.and.dots", False),
        ("conf-12345678\n", False),
        (CORRELATION, False),
        ("", False),
    ],
)
def test_only_a_usable_sent_correlation_id_must_come_back(sent: str, charged: bool) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND", sent={"x-correlation-id": sent})
    assert broken(one) == (["correlation.getEvent"] if charged else [])
    if charged:
        assert told(one) == [f"the client sent {sent!r}, the answer carries '{CORRELATION}'"]


def test_a_sent_correlation_id_is_not_missed_twice() -> None:
    sent = {"x-correlation-id": "conf-12345678"}
    without = refusal("getEvent", 404, "EVENT_NOT_FOUND", sent=sent, headers=[JSON])
    assert told(without) == ["the answer has no x-correlation-id header"]
    other = refusal("getEvent", 404, "EVENT_NOT_FOUND", sent=sent, headers=[JSON, ("x-correlation-id", "h" * 500)])
    assert told(other)[-1] == f"the client sent 'conf-12345678', the answer carries '{'h' * 80}'"


@pytest.mark.parametrize("name", ["code", "message"])
@pytest.mark.parametrize("value", [None, 5, ["x"], {}])
def test_the_envelope_has_string_members(name: str, value: Any) -> None:
    body = {"code": "EVENT_NOT_FOUND", "message": "No.", "correlation_id": CORRELATION, name: value}
    one = exchange("getEvent", 404, body)
    assert broken(one) == ["envelope.getEvent"]
    shown = "missing" if value is None else f"{json.dumps(value)}, not a string"
    assert told(one) == [f"`{name}` is {shown}"]


def test_an_envelope_without_members_is_told_by_member() -> None:
    body = {"correlation_id": CORRELATION, "code": ["x" * 500]}
    assert told(exchange("getEvent", 404, body)) == [
        f'`code` is ["{"x" * 58}, not a string',
        "`message` is missing",
    ]


def test_an_empty_code_is_no_code_but_an_empty_message_is_a_message() -> None:
    body = {"code": "", "message": "", "correlation_id": CORRELATION}
    one = exchange("getEvent", 404, body)
    assert broken(one) == ["envelope.getEvent"]
    assert told(one) == ["`code` is empty"]


def test_a_refusal_with_a_code_that_is_listed_nowhere_is_a_deviation() -> None:
    assert broken(refusal("getEvent", 400, "BAD_REQUEST")) == ["codes.getEvent"]
    assert CONTRACT.requirements["codes.getEvent"].level == "implied"
    assert told(refusal("getEvent", 499, "X" * 500)) == [f"499 '{'X' * 80}' is listed nowhere for it"]
    assert broken(refusal("createMatchRun", 409, "INVALID_TOP_N")) == ["codes.createMatchRun"]


@pytest.mark.parametrize(
    ("operation", "path", "status", "code"),
    [
        ("listEvents", "/events?limit=0", 400, "INVALID_LIMIT"),
        ("listEvents", "/events?cursor=x", 422, "BAD_CURSOR"),
        ("listEventMatches", "/events/e/matches?run_id=x", 400, "INVALID_RUN_ID"),
        ("listEventMatches", "/events/e/matches?a=b&goal=x", 400, "INVALID_GOAL"),
        ("createMatchRun", "/events/e/match-runs", 400, "INVALID_TOP_N"),
        ("createEvent", "/events", 413, "PAYLOAD_TOO_LARGE"),
        ("createSession", "/events/e/sessions", 400, "INVALID_JSON"),
    ],
)
def test_a_refusal_whose_code_is_open_or_common_breaks_nothing(
    operation: str, path: str, status: int, code: str
) -> None:
    assert broken(refusal(operation, status, code, path=path)) == []


def test_a_refusal_of_what_the_pages_leave_open_may_have_any_code() -> None:
    one = refusal("createEvent", 400, "TITLE_IS_ODD")
    assert broken(one) == ["codes.createEvent"]
    one.any_code = True
    assert broken(one) == []


@pytest.mark.parametrize("status", [500, 501, 503, 599])
def test_a_5xx_is_a_deviation(status: int) -> None:
    one = refusal("getEvent", status, "INTERNAL")
    assert broken(one) == ["server_errors.getEvent"]
    assert told(one) == [f"the answer is {status}"]


def unanswered(how: str) -> Exchange:
    one = exchange("getEvent", 0, raw=b"", headers=[])
    one.no_answer = how
    return one


def test_a_connection_that_the_server_breaks_is_a_deviation_and_told_once() -> None:
    one = unanswered("the server closed it after the request")
    assert broken(one) == ["server_errors.getEvent"]
    assert told(one) == ["the connection breaks: the server closed it after the request"]


def test_a_4xx_is_no_5xx() -> None:
    assert "server_errors.getEvent" not in broken(refusal("getEvent", 499, "INTERNAL"))


@pytest.mark.parametrize("status", [502, 503, 504, 520, 530])
def test_a_gateway_s_page_is_nobody_s_answer(status: int) -> None:
    page = b"<html>Bad gateway</html>"
    assert broken(exchange("getEvent", status, raw=page, headers=[("content-type", "text/html")])) == []


def test_an_answer_below_another_base_is_for_the_test_that_asked() -> None:
    answer = refusal("getEvent", 410, "GONE")
    assert broken(answer) == ["codes.getEvent"]
    answer.other_base = "http://127.0.0.1:1/old"
    assert broken(answer) == []


def test_a_page_in_place_of_the_api_s_own_error_is_charged() -> None:
    assert broken(exchange("getEvent", 500, raw=b"<html>", headers=[("content-type", "text/html")])) == [
        "content_type.getEvent",
        "server_errors.getEvent",
        "correlation.getEvent",
        "json.getEvent",
    ]


@pytest.mark.parametrize(
    "label",
    [
        "application/json; charset=utf-8",
        "application/json ;charset=utf-8",
        "application/problem+json",
        "Application/JSON",
    ],
)
def test_any_json_label_is_a_json_label(label: str) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND")
    one.headers[0] = ("content-type", label)
    assert broken(one) == []


@pytest.mark.parametrize("label", ["text/html", "", "json", "application/jsonx", "text/json\x1b[2J"])
def test_any_other_label_is_a_deviation(label: str) -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND")
    one.headers[0] = ("content-type", label)
    assert broken(one) == ["content_type.getEvent"]
    assert told(one) == [f"Content-Type is {label.lower() or 'missing'}"]


def test_an_answer_without_a_label_is_a_deviation() -> None:
    one = refusal("getEvent", 404, "EVENT_NOT_FOUND", headers=[("x-correlation-id", CORRELATION)])
    assert told(one) == ["Content-Type is missing"]


PAST = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("1", 1), (" 9 ", 9), ("3600", 3600), ("9" * 9, 999_999_999)])
def test_retry_after_holds_seconds(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds
    assert retry_after_is_valid(value)


@pytest.mark.parametrize("value", [PAST, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_retry_after_holds_a_date_of_any_legal_form(value: str) -> None:
    assert retry_after_seconds(value) == 0.0
    assert retry_after_is_valid(value)


def test_a_date_to_come_is_as_many_seconds_away() -> None:
    wait = retry_after_seconds(formatdate(time.time() + 120, usegmt=True))
    assert wait is not None
    assert 110 < wait <= 120


@pytest.mark.parametrize("clock", [-7200, -90, 0, 90, 7200])
def test_a_date_counts_from_the_clock_of_the_server_that_says_it(clock: float) -> None:
    there = time.time() + clock
    wait = retry_after_seconds(formatdate(there + 30, usegmt=True), formatdate(there, usegmt=True))
    assert wait == 30


@pytest.mark.parametrize("date", [None, "", "today", "\0"])
def test_without_a_usable_date_of_its_own_an_answer_counts_from_now(date: str | None) -> None:
    wait = retry_after_seconds(formatdate(time.time() + 120, usegmt=True), date)
    assert wait is not None
    assert 110 < wait <= 120


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "-1", "1.5", "1e3", "9" * 10, "9" * 40, "²", "٣", "Jan 99999999999999999999 00:00 0", "\0", ","],
)
def test_retry_after_holds_nothing_else(value: str | None) -> None:
    assert retry_after_seconds(value) is None
    assert not retry_after_is_valid(value)


@pytest.mark.parametrize("problem", [ValueError, TypeError, OverflowError, IndexError])
def test_whatever_stops_the_reader_of_dates_makes_it_no_date(
    monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    def stopped(value: str) -> None:
        raise problem

    monkeypatch.setattr(checks, "parsedate_to_datetime", stopped)
    assert retry_after_seconds(PAST) is None


def test_a_429_needs_its_code_and_retry_after() -> None:
    one = refusal("getEvent", 429, "SLOW_DOWN")
    assert broken(one) == ["rate_limit.retry_after", "rate_limit.code"]
    assert told(one) == [
        "a 429 has Retry-After None: neither seconds nor a date",
        "a 429 has code 'SLOW_DOWN', not PARTNER_RATE_LIMIT_EXCEEDED",
    ]


def test_a_429_that_is_no_json_owes_its_retry_after_all_the_same() -> None:
    assert broken(exchange("getEvent", 429, raw=b"slow")) == ["rate_limit.retry_after", "json.getEvent"]


@pytest.mark.parametrize(("operation", "status"), [("createEvent", 200), ("importAttendees", 201), ("getAuth", 204)])
def test_a_success_with_another_status_is_charged_to_the_documented_one(operation: str, status: int) -> None:
    first = max(CONTRACT.operations[operation].responses)
    one = exchange(operation, status, example(operation, first))
    assert broken(one) == [f"status.{operation}.{first}"]
    documented = " or ".join(str(one) for one in CONTRACT.operations[operation].responses)
    assert told(one) == [f"a success answers {status}; documented: {documented}"]


def test_a_success_with_another_status_still_shows_its_drift_and_its_uuids() -> None:
    one = exchange("createEvent", 200, {**example("createEvent", 201), "row": UUID})
    assert broken(one) == ["status.createEvent.201"]
    assert (one.drift, one.uuids) == (["row"], [("row", UUID)])


def test_a_missing_documented_member_breaks_the_schema() -> None:
    body = example("getAuth", 200)
    del body["org_id"]
    assert broken(exchange("getAuth", 200, body)) == ["schema.getAuth.200"]


def test_a_missing_implied_member_breaks_the_shape_alone() -> None:
    body = example("listEventMatches", 200)
    for row in body["items"]:
        del row["match_id"]
    assert broken(exchange("listEventMatches", 200, body)) == ["shape.listEventMatches.200"]


@pytest.mark.parametrize("value", [{UUID: 1}, [[UUID.upper()]], {"a": {"b": [{"c": f"x{UUID}x"}]}}])
def test_a_uuid_is_noted_wherever_it_stands(value: Any) -> None:
    one = exchange("getEvent", 200, {**example("getEvent", 200), "internal": value})
    assert broken(one) == []
    assert one.uuids == [("internal", UUID)]


@pytest.mark.parametrize("value", [UUID[:-1], UUID.replace("-", ""), 5, None, [], {"a": [None, 1.5, True]}])
def test_what_is_no_uuid_is_not_noted(value: Any) -> None:
    one = exchange("getEvent", 200, {**example("getEvent", 200), "internal": value})
    assert (broken(one), one.uuids) == ([], [])


def test_a_uuid_beside_the_rows_of_a_page_is_not_noted() -> None:
    page = {**example("listEvents", 200), "page_id": UUID}
    page["items"][0]["internal"] = UUID
    one = exchange("listEvents", 200, page)
    assert (broken(one), one.uuids) == ([], [("items[].internal", UUID)])


REVIEWS = ["listAttendeeIdentity", "listEventReviews", "listReviews"]
"""Lists whose rows the pages leave open."""


@pytest.mark.parametrize("operation", REVIEWS)
def test_a_uuid_in_a_row_whose_members_are_open_is_noted_unless_it_is_the_rows_own_name(operation: str) -> None:
    row = {"id": UUID.replace("0", "1"), "subject": {"ref": [UUID]}}
    one = exchange(operation, 200, {**example(operation, 200), "items": [row]})
    check(one, CONTRACT)
    assert one.uuids == [("items[].subject", UUID)]


@pytest.mark.parametrize("operation", REVIEWS)
@pytest.mark.parametrize("items", [None, 5, "text", {"a": {"b": UUID}}, [UUID], [[UUID]], [None]])
def test_open_rows_that_are_no_rows_are_charged_and_stop_nothing(operation: str, items: Any) -> None:
    one = exchange(operation, 200, {**example(operation, 200), "items": items})
    assert [name.partition(".")[2] for name in broken(one)] == [f"{operation}.200"]
    assert one.uuids == []


@pytest.mark.parametrize("operation", REVIEWS)
def test_a_page_of_open_rows_without_its_list_is_charged_and_stops_nothing(operation: str) -> None:
    body = example(operation, 200)
    del body["items"]
    assert broken(exchange(operation, 200, body)) == [f"schema.{operation}.200"]


def test_of_very_many_undocumented_members_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MOST_DRIFT", 3)
    one = exchange("getEvent", 200, {**example("getEvent", 200), **{f"x_{number}": 1 for number in range(9)}})
    assert broken(one) == []
    assert one.drift == ["x_0", "x_1", "x_2"]


def test_of_very_many_uuids_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MOST_UUIDS", 3)
    many = {"x_1": [UUID] * 9, "x_2": UUID}
    one = exchange("getEvent", 200, {**example("getEvent", 200), **many})
    assert broken(one) == []
    assert one.uuids == [("x_1", UUID)] * 3


def test_a_correlation_header_that_stands_twice_has_to_say_the_same() -> None:
    body = example("getEvent", 200)
    header = ("x-correlation-id", body["correlation_id"])
    same = exchange("getEvent", 200, body, headers=[JSON, header, header])
    assert broken(same) == []
    other = exchange("getEvent", 200, body, headers=[JSON, header, ("X-Correlation-Id", "gw-1")])
    assert broken(other) == ["correlation.getEvent"]
    assert told(other)[0].endswith(f"2 times: {body['correlation_id']!r}, 'gw-1'")
    long = exchange("getEvent", 200, body, headers=[JSON, header, ("x-correlation-id", "g" * 500)])
    assert told(long)[0].endswith(f", '{'g' * 80}'")


def test_requests_outside_the_operations_are_left_to_their_tests() -> None:
    assert broken(exchange(None, 404, raw=b"nothing")) == []
    assert broken(exchange("getEvent", 200, raw=b"", method="HEAD")) == []


def below(base: str) -> Exchange:
    one = exchange("getEvent", 200, example("getEvent", 200))
    one.other_base = base
    return one


HTML = [("content-type", "text/html")]
ANY = ["server_errors.{}", "json.{}", "content_type.{}"]
PAGE = {"next_cursor": None, "correlation_id": CORRELATION}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            exchange("getEvent", 200, example("getEvent", 200)),
            [*ANY, "status.{}.200", "correlation.{}", "boundary.{}", "schema.{}.200", "shape.{}.200"],
        ),
        (
            exchange("listEvents", 200, {"items": [{}], **PAGE}),
            [*ANY, "status.{}.200", "correlation.{}", "boundary.{}", "schema.{}.200", "shape.{}.200"],
        ),
        (exchange("listEvents", 200, {"items": [], **PAGE}), [*ANY, "status.{}.200", "correlation.{}"]),
        (exchange("listEvents", 200, PAGE), [*ANY, "status.{}.200", "correlation.{}"]),
        (exchange("getEvent", 200, raw=b"<html>"), [*ANY, "status.{}.200"]),
        (exchange("getEvent", 200, ["items"]), [*ANY, "status.{}.200"]),
        (refusal("getEvent", 404, "EVENT_NOT_FOUND"), [*ANY, "correlation.{}", "envelope.{}", "codes.{}"]),
        (exchange("getEvent", 404, {"message": "No."}), [*ANY, "correlation.{}", "envelope.{}"]),
        (exchange("getEvent", 404, raw=b"no such page"), ANY),
        (exchange("getEvent", 502, raw=b"<html>", headers=HTML), ["server_errors.{}"]),
        (unanswered("the server closed it"), ["server_errors.{}"]),
        (below("http://127.0.0.1:1/old"), []),
        (exchange("getEvent", 200, example("getEvent", 200), method="HEAD"), []),
        (exchange(None, 404, {"code": "NOT_FOUND"}), []),
    ],
    ids=[
        "record",
        "page with a row",
        "page without a row",
        "page without a list",
        "success that is not JSON",
        "success that is not an object",
        "refusal",
        "refusal without a code",
        "refusal that is not JSON",
        "page of a gateway",
        "no answer",
        "another base",
        "HEAD",
        "no operation",
    ],
)
def test_an_exchange_shows_what_could_be_read_off_it_and_nothing_more(one: Exchange, expected: list[str]) -> None:
    # A requirement that counts as shown too early passes without a look; one that never does stays open for ever.
    assert list(shown(one, CONTRACT)) == [name.format(one.operation) for name in expected]


def test_what_exchanges_judge_is_what_documented_answers_show() -> None:
    answers = [exchange(operation, status, example(operation, status)) for operation, status in ANSWERS]
    answers += [exchange(one, 200, {**example(one, 200), "items": [{}]}) for one in REVIEWS]
    answers += [
        refusal(one.id, status, code)
        for one in CONTRACT.operations.values()
        for status, codes in one.errors.items()
        for code in codes
    ]
    found = {name for one in answers for name in shown(one, CONTRACT)}
    assert {name.partition(".")[0] for name in found} == JUDGED_BY_EXCHANGES
    owed = {
        name
        for name in CONTRACT.requirements
        if name.partition(".")[0] in JUDGED_BY_EXCHANGES and name.split(".")[1] in CONTRACT.operations
    }
    assert owed <= found

"""openapi/ says what the documentation says: nothing less, nothing more."""

import re
from typing import Any

import pytest

from .documentation import (
    ATTENDEE_ROW,
    COMMON_ERRORS,
    LIMIT,
    PATH_PARAMETERS,
    QUERY_PARAMETERS,
    READ,
    ROWS,
    SERVERS,
    Field,
    Row,
)
from .files import OPENAPI, ROOT, inline, media, operation, operations, parameters, read, resolve

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)

# Keywords that constrain a value; anything else in a field's schema explains it.
EXPLAIN = {"description", "examples", "items", "title"}


def says(schema: dict[str, Any]) -> dict[str, Any]:
    """The constraints of a flat schema."""
    return {k: v for k, v in schema.items() if k not in EXPLAIN and not k.startswith("x-")}


def listed(response: dict[str, Any]) -> list[str]:
    """The codes of an error response, which has the envelope and an enumeration and nothing else."""
    envelope, codes = media(response)["schema"]["allOf"]
    assert envelope == {"$ref": "../schemas/error.json"}
    assert list(codes) == ["properties"]
    assert list(codes["properties"]) == ["code"]
    assert list(codes["properties"]["code"]) == ["enum"]
    return codes["properties"]["code"]["enum"]  # type: ignore[no-any-return]


def test_the_operations_are_the_documented_ones() -> None:
    def row(method: str, path: str, said: dict[str, Any]) -> tuple[str, ...]:
        route = f"{method.upper()} " + re.sub(r"{(\w+)}", r":\1", path)
        assert said["x-source"] == {"page": "endpoint-reference", "section": route}
        return said["operationId"], said["x-scope"], route, *said["tags"]

    described = [row(*entry) for entry in operations()]
    assert sorted(described) == sorted((r.operation, r.scope, r.route, r.tag) for r in ROWS)
    assert len(described) == 25


def test_the_error_rows_are_the_documented_ones() -> None:
    described = [
        (said["operationId"], int(status), code)
        for _, _, said in operations()
        for status, response in said["responses"].items()
        if status >= "400" and int(status) not in COMMON_ERRORS
        for code in listed(response)
    ]
    assert sorted(described) == sorted((r.operation, *row) for r in ROWS for row in r.rows)
    assert len(described) == 103
    assert len({code for _, _, code in described}) == 44


@each_row
def test_statuses(row: Row) -> None:
    described = {int(status) for status in operation(row.operation)["responses"]}
    assert described == set(row.answers) | {status for status, _ in row.rows} | set(COMMON_ERRORS)


@each_row
def test_common_errors(row: Row) -> None:
    responses = operation(row.operation)["responses"]
    for status, codes in COMMON_ERRORS.items():
        response, _ = resolve(responses[str(status)])
        assert listed(response) == codes
    retry, _ = resolve(resolve(responses["429"])[0]["headers"]["Retry-After"])
    assert retry["required"] is True


@each_row
def test_both_directions_of_the_correlation_id(row: Row) -> None:
    said = operation(row.operation)
    assert parameters(said, "header")["x-correlation-id"]["required"] is False
    for response in said["responses"].values():
        header, _ = resolve(resolve(response)[0]["headers"]["x-correlation-id"])
        assert header["required"] is True


@each_row
def test_scope(row: Row) -> None:
    read_keys: list[dict[str, Any]] = [{"partnerRead": []}] if row.scope == READ else []
    assert operation(row.operation)["security"] == [*read_keys, {"partnerWrite": []}]


@each_row
def test_parameters(row: Row) -> None:
    said = operation(row.operation)
    in_path, in_query = parameters(said, "path"), parameters(said, "query")
    assert list(in_path) == re.findall(r":(\w+_id|kind)\b", row.route)
    assert sorted(in_query) == sorted(row.query.split())
    for described, documented in ((in_path, PATH_PARAMETERS), (in_query, QUERY_PARAMETERS)):
        for name, parameter in described.items():
            schema, code = documented[name]
            assert (says(parameter["schema"]), parameter["x-error-code"]) == (schema, code)
            assert code or parameter["x-open-question"]
            assert parameter["required"] is (parameter["in"] == "path")


def test_the_range_of_limit_is_documented_for_events_alone() -> None:
    limits = {
        said["operationId"]: parameters(said, "query")["limit"]["schema"]
        for _, _, said in operations()
        if "limit" in parameters(said, "query")
    }
    assert {name for name, schema in limits.items() if "x-level" not in schema} == {"listEvents"}
    assert all(says(schema) == LIMIT for schema in limits.values())


def check_fields(schema: dict[str, Any], documented: dict[str, Field]) -> None:
    """The members of a request schema are the documented ones, each with its limits and its code."""
    assert list(schema["properties"]) == list(documented)
    assert schema.get("required", []) == [name for name, field in documented.items() if field.required]
    assert "additionalProperties" not in schema
    for name, field in documented.items():
        described = schema["properties"][name]
        assert (name, says(described), described["x-error-code"]) == (name, field.says, field.code)
        assert field.code or described["x-open-question"]


@each_row
def test_request_body(row: Row) -> None:
    said = operation(row.operation)
    assert ("requestBody" in said) == bool(row.body)
    if not row.body:
        return
    body = said["requestBody"]
    assert body["required"] is True
    assert body["x-error-code"] == row.body_code
    schema, _ = resolve(media(body)["schema"])
    check_fields(schema, row.body)
    codes = {field.code for field in row.body.values()} | {row.body_code}
    assert codes - {None} <= {code for _, code in row.rows}


def test_attendee_rows_and_what_holds_for_whole_bodies() -> None:
    attendees = read(ROOT / "schemas" / "attendees-import.json")["properties"]["attendees"]
    assert attendees["items"] == {"$ref": "attendee-row.json"}
    assert (attendees["x-unique-member"], attendees["x-unique-error-code"]) == (
        "attendee_id",
        "DUPLICATE_ATTENDEE_ID",
    )
    row = read(ROOT / "schemas" / "attendee-row.json")
    check_fields(row, ATTENDEE_ROW)
    assert row["x-error-code"] == "INVALID_ATTENDEE"
    context = read(ROOT / "schemas" / "context-update.json")
    assert context["anyOf"] == [{"required": [name]} for name in context["properties"]]
    assert context["x-error-code"] == "INVALID_CONTEXT"


def test_constants_of_run_answers() -> None:
    kinds = {"importAttendees": "import", "createEnrichmentRun": "enrichment", "createMatchRun": "match"}
    for name in (*kinds, "createRun"):
        for status, response in operation(name)["responses"].items():
            if status >= "400":
                continue
            parts = [inline(part) for part in media(response)["schema"]["allOf"][1:]]
            found = {k: v for part in parts for k, v in part["properties"].items()}
            assert found["idempotent_replay"] == {"const": status == "200"}
            (replay,) = (part for part in parts if "idempotent_replay" in part["properties"])
            assert replay["required"] == ["idempotent_replay"]
            assert ("x-level" in replay) == (name != "importAttendees")
            if name == "createRun":
                assert found["event_id"] == {"type": "null"}
            else:
                assert found["kind"] == {"const": kinds[name]}


def test_servers() -> None:
    assert {server["url"] for server in read(OPENAPI)["servers"]} == SERVERS

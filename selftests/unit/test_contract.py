"""The contract as data: what is derived, what a bad row is told, and which level a schema's violation has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshi_conformance.contract.contract import Contract, load, root
from meshi_conformance.contract.operations import describe_bounds
from meshi_conformance.contract.requirements import NEEDS
from meshi_conformance.contract.schemas import Schema
from meshi_conformance.errors import UsageError

CONTRACT = load()

DERIVED = {
    "getAuth": {
        "status.getAuth.200",
        "schema.getAuth.200",
        "auth.getAuth",
        "account.getAuth",
        "principal.getAuth",
        "scope.getAuth",
        "json.getAuth",
        "correlation.getAuth",
        "envelope.getAuth",
        "codes.getAuth",
        "server_errors.getAuth",
        "content_type.getAuth",
        "generated.accepts.getAuth",
        "generated.refuses.getAuth",
        "shape.getAuth.200",
        "boundary.getAuth",
    },
    "getSession": {
        "status.getSession.200",
        "schema.getSession.200",
        "error.getSession.SESSION_NOT_FOUND",
        "org.getSession",
        "isolation.getSession",
        "boundary.getSession",
        "limits.getSession.event_id",
        "limits.getSession.session_id",
    },
    "createMatchRun": {
        "status.createMatchRun.202",
        "status.createMatchRun.200",
        "limits.createMatchRun.top_n",
        "error.createMatchRun.IDEMPOTENCY_KEY_CONFLICT",
    },
    "importAttendees": {
        "limits.importAttendees.attendees",
        "limits.importAttendees.row.name",
        "error.importAttendees.DUPLICATE_ATTENDEE_ID",
    },
}


@pytest.mark.parametrize("operation", DERIVED)
def test_requirements_of_an_operation_are_derived(operation: str) -> None:
    found = {one.id: one for one in CONTRACT.requirements.values() if one.derived and one.operations == (operation,)}
    assert DERIVED[operation] <= found.keys()
    if operation == "getAuth":
        assert {name for name in found if not name.startswith("generated.links.")} == DERIVED[operation]


@pytest.mark.parametrize(
    ("name", "level", "needs"),
    [
        ("error.createEvent.PARTNER_ID_CONFLICT", "documented", ()),
        ("error.importAttendees.PAYLOAD_TOO_LARGE", "documented", ("large",)),
        ("isolation.getEvent", "documented", ("other",)),
        ("scope.createEvent", "documented", ("read",)),
        ("account.getEvent", "documented", ("disabled",)),
        ("principal.getEvent", "documented", ("user",)),
        ("org.getEvent", "documented", ("no_org",)),
        ("codes.getEvent", "implied", ()),
        ("shape.listEventMatches.200", "implied", ()),
    ],
)
def test_a_derived_requirement_has_its_level_and_its_needs(name: str, level: str, needs: tuple[str, ...]) -> None:
    one = CONTRACT.requirements[name]
    assert (one.level, one.needs, one.derived) == (level, needs, True)
    assert one.family == name.split(".")[0]
    assert one.source == f"{one.page}, {one.section}"


def test_whoever_has_no_org_can_ask_who_they_are() -> None:
    assert "org.getAuth" not in CONTRACT.requirements
    assert "isolation.getAuth" not in CONTRACT.requirements


def test_a_bound_says_its_code_and_its_words() -> None:
    limits = {one.requirement: one for one in CONTRACT.limits()}
    title = limits["limits.createEvent.title"]
    assert (title.place, title.required, title.code, title.level) == ("body", True, "INVALID_TITLE", "documented")
    assert describe_bounds(title.schema) == "at most 200 characters, at least 1 character"
    row = limits["limits.importAttendees.row.email"]
    assert (row.place, row.required, row.code) == ("row", False, "INVALID_ATTENDEE_EMAIL")
    assert limits["limits.createMatchRun.top_n"].code is None
    assert "answers 400 past it, with any code" in CONTRACT.requirements["limits.createMatchRun.top_n"].statement
    kind = limits["limits.getIdMapping.kind"]
    assert (kind.place, kind.code) == ("path", "INVALID_PARTNER_KIND")
    assert CONTRACT.requirements["limits.getIdMapping.kind"].page == "identity-and-ids"


def test_a_filter_of_a_list_has_its_bound_as_well() -> None:
    limits = {one.requirement: one for one in CONTRACT.limits()}
    session = limits["limits.listEventMatches.query.session_id"]
    assert (session.place, session.required, session.code) == ("query", False, "INVALID_PARTNER_ID")
    assert CONTRACT.requirements[session.requirement].page == "identity-and-ids"
    assert CONTRACT.requirements["limits.listRuns.query.kind"].page == "endpoint-reference"
    assert not [name for name in limits if name.endswith(("query.limit", "query.cursor", "query.run_id"))]


def test_a_field_of_which_only_the_type_is_given_has_no_bound_to_test() -> None:
    assert "limits.createSession.description" not in CONTRACT.requirements
    assert describe_bounds({"type": "string"}) == ""


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"minLength": 1}, "at least 1 character"),
        ({"minLength": 0, "maxLength": 5}, "at most 5 characters"),
        ({"minimum": 1, "maximum": 50}, "1 to 50"),
        ({"enum": ["a", "b"]}, "one of a, b"),
        ({"format": "date"}, "format date"),
        ({"maxItems": 9}, "0 to 9 rows"),
        ({"pattern": "^a$"}, "pattern ^a$"),
    ],
)
def test_bounds_in_words(schema: dict[str, Any], words: str) -> None:
    assert describe_bounds(schema) == words


def test_an_operation_knows_what_it_is() -> None:
    operations = CONTRACT.operations
    assert len(operations) == 25
    assert operations["createEvent"].writes
    assert not operations["createEvent"].creates_run
    assert not operations["getEvent"].writes
    assert {one.id for one in operations.values() if one.creates_run} == {
        "importAttendees",
        "createEnrichmentRun",
        "createMatchRun",
        "createRun",
    }
    assert operations["listEvents"].lists
    assert not operations["getEvent"].lists
    assert (409, "PARTNER_ID_CONFLICT") in set(operations["createEvent"].route_errors())
    assert not {status for one in operations.values() for status, _ in one.route_errors()} & {401, 403, 429}


def test_a_pattern_chooses_requirements_as_in_the_shell() -> None:
    assert [one.id for one in CONTRACT.matching("auth.getEvent")] == ["auth.getEvent"]
    assert len(CONTRACT.matching("auth.get[E-S]*")) == 6
    assert CONTRACT.matching("AUTH.*") == CONTRACT.matching("nothing") == []


GOOD = {
    "id": "made.up.rule",
    "level": "documented",
    "statement": "It\n  holds.",
    "source": {"page": "overview", "section": "Somewhere"},
    "operations": ["getEvent"],
}


SMALL = {
    "paths": {
        "/events/{event_id}": {
            "parameters": [{"name": "event_id", "in": "path", "schema": {"pattern": "^a$", "x-error-code": "BAD_ID"}}],
            "get": {
                "operationId": "getEvent",
                "x-scope": "partner:read",
                "x-source": {"section": "GET /events/:event_id"},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"type": "object"}}}},
                    "404": {
                        "content": {
                            "application/json": {"schema": {"properties": {"code": {"enum": ["EVENT_NOT_FOUND"]}}}}
                        }
                    },
                },
            },
        }
    }
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract of one operation, without requirements of its own."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "openapi").mkdir()
    (tmp_path / "openapi" / "meshi-partner-v0.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    shutil.copy(root() / "requirements" / "derived.yaml", tmp_path / "requirements")
    return tmp_path


def written(folder: Path, rows: Any, name: str = "made.yaml") -> Contract:
    """The contract with a file of requirements; text is taken as it is."""
    text = rows if isinstance(rows, str) else yaml.safe_dump(rows)
    (folder / "requirements" / name).write_text(text, encoding="utf-8")
    return Contract(folder)


def test_a_row_becomes_a_requirement(folder: Path) -> None:
    one = written(folder, [{**GOOD, "needs": ["other"]}]).requirements["made.up.rule"]
    assert (one.level, one.statement, one.source) == ("documented", "It holds.", "overview, Somewhere")
    assert (one.operations, one.needs, one.derived) == (("getEvent",), ("other",), False)


def test_a_row_can_bind_every_operation(folder: Path) -> None:
    found = written(folder, [{**GOOD, "operations": "all"}])
    assert found.requirements["made.up.rule"].operations == tuple(found.operations) == ("getEvent",)


@pytest.mark.parametrize("empty", ["", "# nothing yet\n", "[]"])
def test_a_file_may_be_empty(folder: Path, empty: str) -> None:
    assert all(one.derived for one in written(folder, empty).requirements.values())


def test_what_cannot_be_tested_is_no_requirement(folder: Path) -> None:
    found = written(folder, {"requirements": [GOOD], "untestable": [{"promise": "Keys are hashed."}]})
    assert found.untestable == [{"promise": "Keys are hashed."}]
    assert found.requirements["made.up.rule"].statement == "It holds."


TABLES = {
    "thing": {
        "a": {"operation": "getEvent", "phrase": "an event", "section": "GET /events/:event_id"},
        "b": {"operation": "getEvent", "phrase": "a session", "section": "GET /sessions"},
    }
}
TEMPLATE = {
    "id": "made.{thing}.rule",
    "level": {"a": "documented", "default": "implied"},
    "statement": "The answer shows {phrase}.",
    "source": "overview, {section}",
}


def test_a_row_with_a_placeholder_becomes_a_requirement_for_each_value(folder: Path) -> None:
    found = written(folder, {"for": TABLES, "requirements": [TEMPLATE]}).requirements
    one, other = found["made.a.rule"], found["made.b.rule"]
    assert (one.level, one.statement, one.section) == (
        "documented",
        "The answer shows an event.",
        "GET /events/:event_id",
    )
    assert (other.level, other.statement, other.section) == ("implied", "The answer shows a session.", "GET /sessions")
    assert one.operations == other.operations == ("getEvent",)


def test_a_row_can_be_narrowed_to_some_values(folder: Path) -> None:
    found = written(folder, {"for": TABLES, "requirements": [{**TEMPLATE, "for": ["b"]}]}).requirements
    assert [name for name in found if name.startswith("made.")] == ["made.b.rule"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "made.{other}.rule"}, "'other' is missing"),
        ({"id": "made.{thing}.{thing}"}, "more than one placeholder"),
        ({"for": ["c"]}, "'c' is missing"),
        ({"statement": "It shows {nothing}."}, "'nothing' is missing"),
        ({"level": {"a": "documented"}}, "unknown level None"),
        ({"source": "overview"}, "does not read 'page, section'"),
    ],
)
def test_a_row_whose_placeholders_do_not_fit_is_told(folder: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        written(folder, {"for": TABLES, "requirements": [{**TEMPLATE, **change}]})
    assert said in str(raised.value)
    assert str(raised.value).startswith("requirements/made.yaml holds a row that cannot be read")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"level": "sometimes"}, "unknown level 'sometimes'"),
        ({"level": ["documented"]}, "unknown level"),
        ({"operations": ["getEvents"]}, "unknown operations ['getEvents']"),
        ({"operations": "every"}, "unknown operations"),
        ({"operations": None}, "cannot be read"),
        ({"operations": [["getEvent"]]}, "cannot be read"),
        ({"needs": ["luck"]}, "unknown needs ['luck']"),
        ({"needs": "other"}, "unknown needs 'other'"),
        ({"severity": "high"}, "unknown members ['severity']"),
        ({5: "x"}, "unknown members ['5']"),
        ({"id": 5}, "the ID 5 does not read topic.thing.aspect"),
        ({"id": "one"}, "the ID 'one' does not read"),
        ({"id": "a..b"}, "does not read"),
        ({"statement": None}, "cannot be read"),
        ({"source": "overview"}, "does not read 'page, section'"),
        ({"source": {"page": "overview"}}, "'section' is missing"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_its_file(folder: Path, change: dict[Any, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        written(folder, [{**GOOD, **change}])
    assert said in str(raised.value)
    assert str(raised.value).startswith("requirements/made.yaml holds a row that cannot be read")
    assert str(raised.value).endswith("CONTRIBUTING.md shows the form.")


@pytest.mark.parametrize("member", GOOD)
def test_a_row_without_a_member_is_told_which(folder: Path, member: str) -> None:
    with pytest.raises(UsageError, match=f"'{member}' is missing"):
        written(folder, [{name: value for name, value in GOOD.items() if name != member}])


@pytest.mark.parametrize("row", [None, 5, "text", []])
def test_a_row_that_is_no_mapping_is_told(folder: Path, row: Any) -> None:
    with pytest.raises(UsageError, match=r"requirements/made.yaml holds a row that cannot be read"):
        written(folder, [row])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- id: [", "is not a YAML file"),
        ("\t- id: x", "is not a YAML file"),
        ("!!python/object/apply:os.system ['true']", "is not a YAML file"),
        ("id: made.up.rule", "holds no list"),
        ("just words", "holds no list"),
    ],
)
def test_a_file_that_is_no_list_is_told(folder: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"requirements/made.yaml {said}"):
        written(folder, text)


def test_two_requirements_of_one_name_are_told(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"Two requirements are called made.up.rule"):
        written(folder, [GOOD, GOOD])
    with pytest.raises(UsageError, match=r"Two requirements are called auth.getEvent"):
        written(folder, [{**GOOD, "id": "auth.getEvent"}])


def test_a_contract_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The contract cannot be read"):
        Contract(tmp_path)


def test_a_contract_that_is_no_yaml_is_told(folder: Path) -> None:
    (folder / "openapi" / "meshi-partner-v0.yaml").write_text("paths: [", encoding="utf-8")
    with pytest.raises(UsageError, match="The contract cannot be read"):
        Contract(folder)


def test_what_follows_from_one_operation(folder: Path) -> None:
    found = Contract(folder).requirements
    assert {"error.getEvent.EVENT_NOT_FOUND", "limits.getEvent.event_id", "isolation.getEvent"} <= found.keys()
    assert found["limits.getEvent.event_id"].statement == (
        "getEvent accepts `event_id` up to its bound (pattern ^a$) and answers BAD_ID past it."
    )


SCHEMA = Schema(
    {
        "type": "object",
        "required": ["id", "rows"],
        "properties": {
            "id": {"type": "string"},
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "at": {"type": "string", "format": "date-time"},
                        "rank": {"type": "integer", "x-level": "implied"},
                    },
                },
            },
            "said": {"x-open-contents": True, "type": "object", "properties": {"code": {"type": "string"}}},
            "hint": {"x-level": "implied", "type": "object", "properties": {"text": {"type": "string"}}},
        },
        "allOf": [{"required": ["extra"], "x-level": "implied"}, {"properties": {"more": {"type": "null"}}}],
    }
)
WHOLE = {"id": "a", "rows": [{"at": "2031-03-10T12:00:00Z", "rank": 1}], "extra": 1}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"id": 5}, [("documented", "id: 5 is not of type 'string'")]),
        ({"rows": [{"rank": "x"}]}, [("implied", "rows[0].rank: 'x' is not of type 'integer'")]),
        ({"rows": [{}, {"at": "noon"}]}, [("documented", "rows[1].at: 'noon' is not a 'date-time'")]),
        ({"hint": {"text": 1}}, [("implied", "hint.text: 1 is not of type 'string'")]),
        (
            {"id": 5, "hint": 5},
            [("documented", "id: 5 is not of type 'string'"), ("implied", "hint: 5 is not of type 'object'")],
        ),
    ],
)
def test_a_violation_has_the_level_of_what_it_breaks(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert sorted(SCHEMA.violations({**WHOLE, **change})) == expected


def test_a_missing_member_has_the_level_of_what_requires_it() -> None:
    assert SCHEMA.violations({"rows": [], "extra": 1}) == [("documented", "body: 'id' is a required property")]
    assert SCHEMA.violations({"id": "a", "rows": []}) == [("implied", "body: 'extra' is a required property")]


@pytest.mark.parametrize("value", [None, 5, "x" * 100_000, [], [[[]]], {"rows": {"id": []}}])
def test_a_value_of_any_shape_is_judged_in_short_words(value: Any) -> None:
    found = SCHEMA.violations(value)
    assert {"documented"} <= {level for level, _ in found}
    assert all(len(message) < 400 for _, message in found)


def test_undocumented_members_are_told_with_their_paths() -> None:
    value = {**WHOLE, "new": 1, "rows": [{"at": "x", "odd": 2}, {"odd": 3}], "said": {"any": 4}, "more": None}
    found = list(SCHEMA.undocumented({**value, "hint": {"text": "x", "deep": 5}}))
    assert sorted(found) == [("extra", 1), ("hint.deep", 5), ("new", 1), ("rows[].odd", 2), ("rows[].odd", 3)]
    assert SCHEMA.members == ["more", "id", "rows", "said", "hint"]


@pytest.mark.parametrize("value", [None, 5, [], [{"new": 1}], {"rows": {"new": 1}}, {"rows": [5, None, []]}])
def test_what_has_another_shape_has_no_undocumented_members(value: Any) -> None:
    assert list(SCHEMA.undocumented(value)) == []


def test_a_schema_says_whether_part_of_it_is_implied() -> None:
    assert SCHEMA.has_implied
    assert not Schema({"type": "object", "properties": {"a": {"x-level": "documented"}}}).has_implied


def test_every_need_says_what_is_missing() -> None:
    assert set(NEEDS) >= {need for one in CONTRACT.requirements.values() for need in one.needs}
    assert all(NEEDS.values())


def test_markers_are_plain_text_that_workers_can_send_on() -> None:
    assert {type(name) for name in CONTRACT.markers} == {str}

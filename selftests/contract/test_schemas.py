"""Every schema is well-formed, its examples hold, and it can fail."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from .documentation import ROWS, Row
from .files import OPENAPI, ROOT, SCHEMAS, at, inline, media, operation, read, resolve, validator, walk

each_file = pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.stem)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.operation)


def without(value: Any, pointer: str) -> Any:
    """A copy of a value with one member left out."""
    changed = copy.deepcopy(value)
    parent, _, last = pointer.rpartition("/")
    holder = at(changed, parent)
    del holder[last]
    return changed


def with_other(value: Any, pointer: str) -> Any:
    """A copy of a value with one member of a type that no documented member mixes with its own."""
    changed = copy.deepcopy(value)
    parent, _, last = pointer.rpartition("/")
    holder = at(changed, parent)
    holder[last] = 7 if isinstance(holder[last], list) else []
    return changed


def test_the_openapi_file_is_valid() -> None:
    OpenAPIV31SpecValidator(read(OPENAPI), base_uri=OPENAPI.as_uri()).validate()


@each_file
def test_a_schema_is_complete(file: Path) -> None:
    schema = read(file)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert any(
        page in schema["description"]
        for page in ("endpoint-reference", "errors-and-limits", "canonical-flow", "identity-and-ids")
    ), "a schema's description cites the page it comes from"
    assert schema["examples"]


def test_every_schema_is_used() -> None:
    used = {
        resolve(node, file)[1].name
        for file in (OPENAPI, *SCHEMAS)
        for _, node in walk(read(file))
        if isinstance(node, dict) and isinstance(node.get("$ref"), str) and ".json" in node["$ref"]
    }
    assert used == {file.name for file in SCHEMAS}


@each_file
def test_the_examples_hold(file: Path) -> None:
    schema = read(file)
    for example in schema["examples"]:
        validator(schema, file).validate(example)
    for path, node in walk(schema):
        if isinstance(node, dict) and path[-2:-1] == ("properties",):
            for example in node.get("examples", []):
                validator(node, file).validate(example)


def test_every_example_of_the_openapi_file_holds() -> None:
    checked = 0
    for _, node in walk(read(OPENAPI)):
        if isinstance(node, dict) and "schema" in node and "example" in node:
            validator(node["schema"]).validate(node["example"])
            checked += 1
    successes = sum(len(row.answers) for row in ROWS)
    refusals = sum(len({status for status, _ in row.rows}) for row in ROWS)
    assert checked > successes + refusals + sum(1 for row in ROWS if row.body)


@each_file
def test_a_schema_refuses_an_example_without_a_required_member(file: Path) -> None:
    schema = read(file)
    judge = validator(schema, file)
    required = {
        name
        for _, node in walk([inline(schema, file)])
        if isinstance(node, dict) and isinstance(node.get("required"), list)
        for name in node["required"]
    }
    for example in schema["examples"]:
        if not isinstance(example, dict):
            assert not judge.is_valid([])
            continue
        for name in required & set(_top_level(inline(schema, file))):
            assert not judge.is_valid(without(example, f"/{name}")), f"{file.stem} is valid without {name}"


def _top_level(schema: dict[str, Any]) -> list[str]:
    own = list(schema.get("required", []))
    return own + [name for part in schema.get("allOf", []) for name in _top_level(part)]


@each_row
def test_the_documented_members_of_an_answer_are_required(row: Row) -> None:
    """A member left out breaks the documented part of the schema where the pages name it, and only there."""
    for status, members in row.answers.items():
        answer = media(operation(row.operation)["responses"][str(status)])
        documented = validator(answer["schema"], implied=False)
        example = answer["example"]
        documented.validate(example)
        present = {
            "/".join(str(step) for step in path) for path, _ in walk(example) if path and isinstance(path[-1], str)
        }
        broken_without = {p for p in present if not documented.is_valid(without(example, f"/{p}"))}
        always = {name.rstrip("?") for name in members if not name.endswith("~")}
        assert broken_without == always | {"correlation_id"}


@each_row
def test_the_documented_members_of_an_answer_have_types(row: Row) -> None:
    for status, members in row.answers.items():
        answer = media(operation(row.operation)["responses"][str(status)])
        documented = validator(answer["schema"], implied=False)
        for name in (*members, "correlation_id"):
            other = with_other(answer["example"], "/" + name.rstrip("?~"))
            assert documented.is_valid(other) == name.endswith("?"), name


@each_row
def test_a_refusal_is_an_envelope_with_a_listed_code(row: Row) -> None:
    for status, listed in operation(row.operation)["responses"].items():
        if status < "400":
            continue
        answer = media(resolve(listed)[0])
        judge = validator(answer["schema"], implied=False)
        judge.validate({**answer["example"], "details": ["more"]})
        for name in ("code", "message", "correlation_id"):
            assert not judge.is_valid(without(answer["example"], f"/{name}"))
            assert not judge.is_valid(with_other(answer["example"], f"/{name}"))
        assert not judge.is_valid({**answer["example"], "code": "SOMETHING_ELSE"})


@each_row
def test_an_answer_may_say_more(row: Row) -> None:
    for status in row.answers:
        answer = media(operation(row.operation)["responses"][str(status)])
        example = copy.deepcopy(answer["example"])
        for node in [n for _, n in walk(example) if isinstance(n, dict)]:
            node["x_new_member"] = {"any": ["thing"]}
        validator(answer["schema"]).validate(example)


EVENT_OF_ATTENDEE = ["role_at_event", "visibility", "goal", "needs", "offers", "onboarded_at", "joined_at"]
LENIENT = [
    ("run", {"status": "warming_up", "kind": "match"}, True),
    ("run", {"created_at": "2027-01-15T07:00:00.123456789+00:00", "error": {"code": "X"}}, True),
    ("run", {"created_at": "2027-01-15T07:00:00"}, False),
    ("run", {"error": "broken", "progress": {}}, True),
    ("match", {"best_goal_match": None, "driving_goal_pair": None}, False),
    ("match", {"final_score": 87.0}, False),
    ("match", {"best_goal_match": {"score": None, "direction": None}}, False),
    ("attendee", {"event": {name: ["x"] for name in EVENT_OF_ATTENDEE}}, True),
    ("event", {"start_date": None, "timezone": None, "objectives": None}, True),
    ("event", {"start_date": "2027-03-04T00:00:00Z"}, False),
    ("event-context", {"context": {"objectives": "x"}}, False),
    ("auth", {"scopes": ["partner:read", "other:scope"]}, True),
    ("resolve-result", {"minted": ["anything"]}, True),
    ("merge-result", {"source": "guest-017b", "target": "guest-017"}, False),
]


@pytest.mark.parametrize(("name", "change", "strictly"), LENIENT)
def test_what_a_reasonable_server_may_choose(name: str, change: dict[str, Any], strictly: bool) -> None:
    """Each of these keeps the documented part; `strictly`: the implied part too."""
    file = ROOT / "schemas" / f"{name}.json"
    value = {**read(file)["examples"][0], **change}
    validator(read(file), file, implied=False).validate(value)
    assert validator(read(file), file).is_valid(value) == strictly


WRONG = [
    ("run", {"kind": "export"}),
    ("run", {"status": ""}),
    ("run", {"created_at": "yesterday"}),
    ("run", {"event_id": "-starts-with-a-dash"}),
    ("match", {"best_goal_match": {"score": 0.5}}),
    ("match", {"final_score": "0.5"}),
    ("attendee", {"identity": {"review_required": "no", "open_review_count": 0}}),
    ("id-mapping", {"mapped": False}),
    ("resolve-result", {"logged": False}),
    ("resolve-result", {"decision": "merge"}),
    ("merge-result", {"merged": False}),
    ("page", {"next_cursor": True}),
    ("error", {"code": 404}),
]


@pytest.mark.parametrize(("name", "change"), WRONG)
def test_what_no_conformant_server_answers(name: str, change: dict[str, Any]) -> None:
    file = ROOT / "schemas" / f"{name}.json"
    value = {**read(file)["examples"][0], **change}
    assert not validator(read(file), file, implied=False).is_valid(value)


@pytest.mark.parametrize("row", [row for row in ROWS if row.body], ids=lambda row: row.operation)
def test_request_limits_bind(row: Row) -> None:
    content = media(operation(row.operation)["requestBody"])
    judge = validator(content["schema"])
    for name, field in row.body.items():
        longest = field.says.get("maxLength")
        if longest:
            judge.validate({**content["example"], name: "x" * longest})
            assert not judge.is_valid({**content["example"], name: "x" * (longest + 1)})
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in field.says:
                judge.validate({**content["example"], name: field.says[bound]})
                assert not judge.is_valid({**content["example"], name: field.says[bound] + step})
        if field.required and field.says["type"] == "string":
            assert not judge.is_valid({**content["example"], name: ""})
        if name in content["example"]:
            assert not judge.is_valid(with_other(content["example"], f"/{name}"))
    assert not judge.is_valid([])


def test_descriptions_name_no_machine_and_no_package_index() -> None:
    lint = ROOT / "openapi" / "lint"
    for file in (OPENAPI, *SCHEMAS, *(f for f in lint.iterdir() if f.is_file())):
        text = file.read_text("utf-8")
        assert '"resolved"' not in text, f"{file.name} names a package index"
    packages = json.loads((lint / "package-lock.json").read_text("utf-8"))["packages"]
    unpinned = [n for n, p in packages.items() if n and "integrity" not in p and not p.get("inBundle")]
    assert not unpinned

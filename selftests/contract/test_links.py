"""The links lead from answers to calls that a stateful tester can make."""

import re
from collections import Counter
from typing import Any

import schemathesis
from schemathesis.core.result import Ok

from .files import OPENAPI, at, media, operation, operations, parameters, resolve

# Operations that are entered without an earlier answer.
ENTRIES = {"getAuth", "createEvent", "listEvents", "createRun", "listRuns", "listReviews"}


def all_links() -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Every link with its operation and status."""
    return [
        (said, status, {"name": name, "method": method, **resolve(link)[0]})
        for method, _, said in operations()
        for status, response in said["responses"].items()
        for name, link in resolve(response)[0].get("links", {}).items()
    ]


def evaluate(expression: str, said: dict[str, Any], status: str) -> Any:
    """A runtime expression, evaluated on the examples of its operation."""
    if not expression.startswith("$"):
        return expression
    if found := re.fullmatch(r"\$request\.path\.(\w+)", expression):
        return parameters(said, "path")[found[1]]["example"]
    holder, pointer = expression.split("#")
    part = {"$request.body": lambda: said["requestBody"], "$response.body": lambda: said["responses"][status]}
    return at(media(part[holder]())["example"], pointer)


def test_every_link_gives_what_its_operation_needs() -> None:
    for said, status, link in all_links():
        target = operation(link["operationId"])
        path, query = parameters(target, "path"), parameters(target, "query")
        assert set(path) <= set(link["parameters"]) <= set(path) | set(query)
        for name, expression in link["parameters"].items():
            value = evaluate(expression, said, status)
            pattern = (path | query)[name]["schema"].get("pattern", ".+")
            assert re.search(pattern, value), (said["operationId"], link["operationId"], name, value)


def test_links_reach_every_operation() -> None:
    reached = {link["operationId"] for _, _, link in all_links()}
    assert reached | ENTRIES == {said["operationId"] for _, _, said in operations()}


def test_schemathesis_finds_operations_and_transitions() -> None:
    schema = schemathesis.openapi.from_path(str(OPENAPI))
    found = list(schema.get_all_operations())
    assert len(found) == 25
    assert all(isinstance(one, Ok) for one in found)
    machine = schema.as_state_machine()
    # Named <method>_<path>__<status>_<link>__<method>_<path>; it adds some that it infers by itself.
    transitions = Counter(
        part.groups()
        for name in dir(machine)
        if (part := re.match(r"([A-Z]+)_.*?__(\d{3})_(\w+?)__(?:GET|POST|PUT)_", name))
    )
    declared = Counter((link["method"].upper(), status, link["name"]) for _, status, link in all_links())
    assert declared <= transitions

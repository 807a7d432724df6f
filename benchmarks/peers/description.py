"""The project's OpenAPI file in the forms that tools read, with examples that name rows of the server.

One file in place of the file and its schemas; in a 3.1 and a 3.0 form; no proprietary extension is added. The
examples of requests name rows that the server holds and IDs that are still free, so that a tool that
follows examples reaches every operation's success.
"""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

from .arranged import Rows, attendee, event, session

METHODS = ("get", "put", "post")
UNGUESSABLE = frozenset({"cursor", "run_id", "session_id", "goal"})
"""Optional query parameters whose values only the server can give: tools that would make one up are not shown them."""


def bundle(source: Path, folder: Path, binaries: Path, environment: dict[str, str]) -> dict[str, Path]:
    """Write the file as one document, in both versions; returns their paths by version."""
    whole, older = folder / "openapi-3.1.json", folder / "openapi-3.0.json"
    _run([binaries / "redocly", "bundle", source, "-o", whole], environment)
    _run([binaries / "openapi-down-convert", "--allOf", "--input", whole, "--output", older], environment)
    return {"3.1": whole, "3.0": older}


def _run(command: list[Any], environment: dict[str, str]) -> None:
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr)[-800:]}")


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the least demanding tool reads it, of the same meaning.

    Every `allOf` is merged into one schema, parts that nothing refers to any more are gone, and so are
    extensions; one security scheme covers the two scopes, because one key has both. Of several successes
    of a write only that of a first call is left: with more than one, tools expect the wrong one.
    """
    components = document["components"]
    made: dict[str, Any] = _plain(document, components["schemas"])
    made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"bearer": []}]
    for item in made["paths"].values():
        for method in METHODS:
            operation = item.get(method, {})
            operation.pop("security", None)
            successes = [status for status in operation.get("responses", {}) if status.startswith("2")]
            for status in successes:
                if status != max(successes):
                    del operation["responses"][status]
    schemas = made["components"]["schemas"]
    while unused := [name for name in schemas if f'"#/components/schemas/{name}"' not in json.dumps(made)]:
        for name in unused:
            del schemas[name]
    return made


def _plain(node: Any, schemas: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(one, schemas) for one in node]
    if not isinstance(node, dict):
        return node
    if "allOf" in node:
        node = _merged(node, schemas)
    made = {name: _plain(value, schemas) for name, value in node.items() if _kept(name)}
    if made.get("type") == "object" and "properties" in made:
        # Unknown members are allowed anyway; one tool wants to be told.
        made.setdefault("additionalProperties", True)
    return made


def _kept(name: str) -> bool:
    return name not in ("$schema", "$id", "$comment") and (not name.startswith("x-") or name == "x-correlation-id")


def _merged(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """One schema in place of several that all hold; those of this file add members and narrow what is there."""
    if "$ref" in schema:
        schema = {**schemas[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}
    found: dict[str, Any] = {}
    own = {name: value for name, value in schema.items() if name != "allOf"}
    for part in [*(_merged(one, schemas) for one in schema.get("allOf", [])), own]:
        for name, value in part.items():
            if name == "properties":
                properties = found.setdefault("properties", {})
                for member, inner in value.items():
                    before = properties.get(member)
                    properties[member] = _merged({"allOf": [before, inner]}, schemas) if before else inner
            elif name == "required":
                found["required"] = list(dict.fromkeys([*found.get("required", []), *value]))
            elif name == "items" and "items" in found:
                found["items"] = _merged({"allOf": [found["items"], value]}, schemas)
            else:
                found[name] = value
    return found


def with_examples(document: dict[str, Any], base: str, rows: Rows, hidden: frozenset[str]) -> dict[str, Any]:
    """The document for one server: its base, and examples that can be sent to it as they are.

    `hidden` are optional query parameters that are left out.
    """
    made = copy.deepcopy(document)
    made["servers"] = [{"url": base}]
    bodies = _bodies(rows)
    shared = made["components"]["parameters"]
    for item in made["paths"].values():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            name = operation["operationId"]
            operation["parameters"] = [
                _parameter(copy.deepcopy(one), name, rows)
                for one in (_resolved(one, shared) for one in operation.get("parameters", []))
                if one["in"] != "query" or one["name"] not in hidden
            ]
            if name in bodies:
                operation["requestBody"]["content"]["application/json"]["example"] = bodies[name]
    return made


def _resolved(parameter: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shared[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
    return found


def _parameter(parameter: dict[str, Any], operation: str, rows: Rows) -> dict[str, Any]:
    values = {
        "kind": "event",
        "partner_id": rows.event_id,
        "event_id": rows.event_id,
        "session_id": rows.session_id,
        "attendee_id": rows.attendee_id,
        "principal_partner_id": rows.principal,
        "target_partner_id": rows.target,
        "run_id": rows.run_id,
        "review_id": _review(rows, operation).get("review_id", "review-unknown"),
    }
    if parameter["in"] == "path":
        parameter["example"] = values[parameter["name"]]
    elif parameter["in"] == "query" and parameter["name"] in UNGUESSABLE:
        parameter.pop("example", None)
    return parameter


def _review(rows: Rows, operation: str) -> dict[str, Any]:
    """Each decision has a review of its own: one is enough to close it."""
    place = {"resolveReview": 0, "mergeReview": 1}.get(operation, 2)
    return rows.reviews[place] if len(rows.reviews) > place else {}


def _bodies(rows: Rows) -> dict[str, Any]:
    merged = _review(rows, "mergeReview")
    candidate = merged.get("candidate")
    return {
        "createEvent": event("quay-dinner-2027"),
        "createSession": session("closing-panel"),
        "importAttendees": {"idempotency_key": "example-import", "attendees": [attendee(90, "a"), attendee(91, "a")]},
        "createEnrichmentRun": {"idempotency_key": "example-enrichment"},
        "createMatchRun": {"idempotency_key": "example-match", "top_n": 5},
        "createRun": {"kind": "enrichment", "idempotency_key": "example-run", "progress": {"total": 3, "processed": 0}},
        "updateEventContext": {"objectives": "Bring carriers and shippers together."},
        "resolveReview": {"decision": "distinct", "reason": "Two people share the name."},
        "mergeReview": {
            "source_kind": "attendee",
            "source_partner_id": merged.get("partner_id", "guest-1b"),
            "target_kind": "attendee",
            "target_partner_id": candidate["partner_id"] if isinstance(candidate, dict) else "guest-1a",
            "reason": "Registered twice.",
        },
    }


def named(document: dict[str, Any]) -> dict[str, Any]:
    """The document with each operation's examples under one name: so one tool pairs a request with its answer."""
    made = copy.deepcopy(document)
    for schema in made["components"]["schemas"].values():
        if "properties" in schema:
            schema.pop("anyOf", None)  # the tool takes each branch for a whole schema and refuses the examples
    for item in made["paths"].values():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            contents = [one["content"] for status, one in operation["responses"].items() if status.startswith("2")]
            if "requestBody" in operation:
                contents.append(operation["requestBody"]["content"])
            for holder in [*operation["parameters"], *(content["application/json"] for content in contents)]:
                if "example" in holder:
                    holder["examples"] = {"arranged": {"value": holder.pop("example")}}
    return made


def calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One request of each operation as its examples make it: operation, method, path, body."""
    found = []
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            filled = path
            for one in operation["parameters"]:
                if one["in"] == "path":
                    filled = filled.replace("{" + one["name"] + "}", str(one["example"]))
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            found.append(
                {
                    "operation": operation["operationId"],
                    "method": method.upper(),
                    "path": filled,
                    "body": content.get("example"),
                    "statuses": [int(status) for status in operation["responses"] if status.startswith("2")],
                }
            )
    # Creations first, and decisions on reviews last: reads then find what they name.
    order = {"POST": 0, "PUT": 0, "GET": 1}
    return sorted(found, key=lambda one: (one["operation"] in ("resolveReview", "mergeReview"), order[one["method"]]))


def write(document: dict[str, Any], file: Path) -> Path:
    """The document as a JSON file."""
    file.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return file

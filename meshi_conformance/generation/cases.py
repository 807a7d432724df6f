"""Calls that schemathesis makes up: its coverage cases, and good and bad ones that Hypothesis generates.

Only data comes from here. Nothing is sent, and schemathesis' own checks are not run: what must come back is
read from the contract (expectation.py), and every exchange passes checks.py. The reasons are in
docs/generated-tests.md.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from ..client.call import NOTHING, Call
from ..contract.contract import Contract, load
from ..watching.expectations.expectation import MODEST, ZONES
from .budget import Plan
from .strategies import FIRST_DAY, LAST_DAY, day, moment, text

OWN_HEADERS = frozenset({"x-correlation-id", "Content-Type", "Authorization"})
"""Headers that the client sets itself: test_errors.py and checks.py judge them."""


@dataclass(frozen=True)
class Draft:
    """A call as the generator made it, before it names real resources.

    `source` says where it comes from: `coverage`, `good` or `bad`; `note` is the generator's own description.
    """

    call: Call
    source: str
    note: str = ""


@cache
def drafts(operation: str, plan: Plan) -> tuple[Draft, ...]:
    """Make up the calls for an operation: the same for the same seed, profile and contract."""
    found = [*_coverage(operation), *_generated(operation, plan)]
    # schemathesis leaves the key out only where one security scheme alone is named.
    found.append(Draft(found[0].call.replace(key=None), "bad", "no Authorization header"))
    unique: dict[str, Draft] = {}
    for draft in found:
        unique.setdefault(
            repr((draft.call.path, draft.call.query, draft.call.body, draft.call.content, draft.call.key)), draft
        )
    return tuple(unique.values())


@cache
def _schemas() -> tuple[Any, Any]:
    """Return the contract as schemathesis reads it: as it is, and narrowed to what every server accepts."""
    from schemathesis import openapi
    from schemathesis.config import SchemathesisConfig

    _register_formats()
    contract = load()
    # Without a config of its own schemathesis looks for a file from the working directory upwards.
    whole, narrow = (
        openapi.from_dict(document, config=SchemathesisConfig.from_dict({}))
        for document in (_without_headers(contract), narrowed(contract))
    )
    return whole, narrow


def _without_headers(contract: Contract) -> dict[str, Any]:
    """Copy an operation without headers: the client sets its own, and each drawn header costs as much as a body."""
    document: dict[str, Any] = copy.deepcopy(contract.document)
    for said in _with_parameters(document):
        said["parameters"] = [one for one in said.get("parameters", ()) if one["in"] != "header"]
    return document


def _with_parameters(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return whatever may name parameters: the paths and their operations."""
    for entry in document["paths"].values():
        yield entry
        yield from (entry[method] for method in ("get", "post", "put") if method in entry)


@cache
def _operations(narrow: bool) -> dict[str, Any]:
    found = {}
    for result in _schemas()[narrow].get_all_operations():
        operation = result.ok()
        found[operation.definition.raw["operationId"]] = operation
    return found


@cache
def _coverage(operation: str) -> tuple[Draft, ...]:
    """Return the coverage cases. They are cached: a second pass in one process yields fewer of them."""
    from schemathesis import GenerationMode

    schema = _schemas()[False]
    ours = _operations(False)[operation]
    cases = schema.iter_coverage_cases(
        ours,
        generation_modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
        generation_config=schema.config.generation_for(operation=ours, phase="coverage"),
    )
    found = []
    for case in cases:
        if case.method.upper() != ours.method.upper():
            continue  # other methods: tests/test_routes.py judges them
        data = getattr(getattr(case.meta, "phase", None), "data", None)
        note = str(getattr(data, "description", "") or "")
        if getattr(data, "parameter", None) in OWN_HEADERS or "Content-Type" in (case.headers or {}):
            continue
        if any(name.lower().startswith("x-schemathesis") for name in case.headers or {}):
            continue
        call = _call(operation, case)
        # Most cases have blank optional parameters, which would leave them all open.
        query = {name: value for name, value in call.query.items() if value != "" and name != "goal"}
        found.append(Draft(call.replace(query=query), "coverage", note))
    return tuple(found)


def _generated(operation: str, plan: Plan) -> Iterator[Draft]:
    from schemathesis import GenerationMode

    number = plan.profile.examples
    for source, narrow, mode in (("good", True, GenerationMode.POSITIVE), ("bad", False, GenerationMode.NEGATIVE)):
        ours = _operations(narrow)[operation]
        # A good path is replaced by a real one, so only bodies and queries are worth making up in number.
        wanted = number if ours.body else number // 3 if source == "good" else number // 2
        if ours.body or ours.query or (ours.path_parameters and source == "bad"):
            for case in _examples(ours.as_strategy(generation_mode=mode), max(1, wanted), plan):
                yield Draft(_call(operation, case), source)


def _examples(strategy: Any, number: int, plan: Plan) -> list[Any]:
    """Return examples of a strategy, the same for the same seed."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    found: list[Any] = []

    @seed(plan.seed)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found


def _call(operation: str, case: Any) -> Call:
    from schemathesis.core import NotSet

    body, content = NOTHING, None
    if isinstance(case.body, bytes):
        content = case.body
    elif not isinstance(case.body, NotSet):
        body = copy.deepcopy(case.body)
    query = {
        name: value if isinstance(value, list | dict) else str(value) for name, value in (case.query or {}).items()
    }
    path = {name: unquote(str(value)) for name, value in (case.path_parameters or {}).items()}
    return Call(operation, path=path, query=query, body=body, content=content)


# The narrowed document


def narrowed(contract: Contract) -> dict[str, Any]:
    """Return the contract with every request member narrowed to values that no reasonable server refuses."""
    document = _without_headers(contract)
    for said in _with_parameters(document):
        said["parameters"] = [
            {**one, "schema": MADE_UP} if one["in"] == "path" else one
            for one in said["parameters"]
            if one["name"] not in ("cursor", "goal")
        ]
        body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "schema" in body:
            body.pop("example", None)
            body["schema"] = _narrow(body["schema"])
    return document


MADE_UP = {"type": "string", "enum": ["made-up"]}
"""The IDs in a path of a call that should be accepted: real ones, or new names, take their place."""


def _narrow(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "additionalProperties": False}
    found["properties"] = {name: _narrow_member(name, one) for name, one in schema["properties"].items()}
    found["required"] = [*schema.get("required", ()), *(name for name in ALWAYS if name in schema["properties"])]
    if "anyOf" in schema:
        found["anyOf"] = schema["anyOf"]
    return found


ALWAYS = ("start_timestamp", "end_timestamp", "reason")
"""Members that may be required somewhere: they are always sent."""


def _narrow_member(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if name == "attendees":
        return {"type": "array", "minItems": 1, "maxItems": 4, "items": _narrow(schema["items"])}
    if schema["type"] == "object":
        return PROGRESS if name == "progress" else OBJECT
    if "enum" in schema or "pattern" in schema or schema["type"] == "integer":
        return {key: schema[key] for key in ("type", "enum", "pattern", "minimum", "maximum") if key in schema}
    if name in FORMS:
        return {"type": "string", "format": f"meshi-{name}"}
    most = schema.get("maxLength", MODEST)
    form = "modest" if most <= MODEST else "short" if most <= 300 else "long"
    return {"type": "string", "format": f"meshi-{form}"}


PROGRESS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "total": {"type": "integer", "minimum": 5, "maximum": 9},
        "processed": {"type": "integer", "minimum": 0, "maximum": 5},
    },
    "dependentRequired": {"processed": ["total"]},
}
OBJECT = {
    "type": "object",
    "maxProperties": 3,
    "propertyNames": {"pattern": "^[a-z][a-z_]{0,12}$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "string", "format": "meshi-short"},
            {"type": "integer", "minimum": -1000, "maximum": 1000000},
            {"type": "boolean"},
        ]
    },
}

FORMS = (
    "start_date",
    "end_date",
    "start_timestamp",
    "end_timestamp",
    "timezone",
    "visibility",
    "url_slug",
    "email",
    "linkedin_url",
    "webhook_url",
    "idempotency_key",
)


@cache
def _register_formats() -> None:
    from hypothesis import strategies as st
    from schemathesis import openapi

    slug = st.from_regex(r"[a-z0-9]{1,12}(-[a-z0-9]{1,12}){0,4}", fullmatch=True)
    strategies = {
        "modest": text(MODEST),
        "short": text(120),
        "long": text(280),
        # It starts in June and ends in July: in order whichever two are drawn.
        "start_date": day(6),
        "end_date": day(7),
        "start_timestamp": moment(FIRST_DAY, "00Z"),
        "end_timestamp": moment(LAST_DAY, "59.000Z"),
        "timezone": st.sampled_from(sorted(ZONES)),
        "visibility": st.just("private"),
        "url_slug": slug,
        "email": st.from_regex(r"[a-z][a-z0-9]{0,30}(\.[a-z0-9]{1,10})?@example\.(com|org)", fullmatch=True),
        "linkedin_url": st.from_regex(r"https://www\.linkedin\.com/in/[a-z0-9]{3,40}", fullmatch=True),
        "webhook_url": st.from_regex(r"https://[a-z]{1,12}\.example\.(com|org)(/[a-z0-9]{1,12}){0,3}", fullmatch=True),
        "idempotency_key": st.from_regex(r"[A-Za-z0-9_-]{1,36}", fullmatch=True),
    }
    for name, strategy in strategies.items():
        openapi.format(f"meshi-{name}", strategy)


def shuffled(items: Iterable[Any], plan: Plan, what: str) -> list[Any]:
    """Return the items in an order that the seed decides."""
    found = list(items)
    random.Random(f"{plan.seed}/{what}").shuffle(found)
    return found

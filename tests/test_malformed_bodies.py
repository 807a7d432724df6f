"""Bodies that are not JSON, of each kind on every operation that takes a body.

Each is the body of a call that is done already, with one thing wrong about its form: a server that reads it all the
same answers with a conflict, a replay or a mistake of its own, and nothing is created.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from meshi_conformance.client.api import Api
from meshi_conformance.contract.contract import load
from meshi_conformance.errors import SetupFailed
from meshi_conformance.testing.marks import Judge, requirement
from meshi_conformance.testing.valid_calls import Calls

WRITES = [operation.id for operation in load().operations.values() if operation.body is not None]

SPOILT = {
    "resolveReview": {"decision": "conference"},
    "mergeReview": {"source_kind": "-conf malformed-"},
}
"""Members of decisions, which would use a review up if a body were read in spite of its form."""

ON_REFUSAL = ("server_errors", "envelope", "codes", "json", "correlation", "content_type")
"""The families that a refusal is judged by."""

NESTED = 20_000
"""Levels that no reader follows and that every reader has to survive."""


def with_member(text: bytes, value: bytes) -> bytes:
    """A JSON object with one more member, whose value is written as given."""
    return text[:-1] + b', "conf": ' + value + b"}"


MALFORMED: dict[str, Callable[[bytes], list[bytes]]] = {
    "empty": lambda text: [b""],
    "trailing_comma": lambda text: [text[:-1] + b",}"],
    "comments": lambda text: [text[:-1] + b"/* conf */}"],
    "single_quotes": lambda text: [text.replace(b'"', b"'")],
    "bare_names": lambda text: [re.sub(rb'"([a-z_]+)":', rb"\1:", text)],
    "constants": lambda text: [with_member(text, word) for word in (b"NaN", b"-Infinity")],
    "numbers": lambda text: [with_member(text, b"01")],
    "rest": lambda text: [text + b" conf"],
    "encoding": lambda text: [with_member(text, b'"\xff"')],
    "control": lambda text: [with_member(text, b'"con\nf"')],
    "nesting": lambda text: [with_member(text, b"[" * NESTED)],
}
"""By kind: what becomes of the text of a JSON object."""


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(
            operation,
            marks=requirement(
                *(f"limits.json.{kind}" for kind in MALFORMED), *(f"{family}.{operation}" for family in ON_REFUSAL)
            ),
            id=operation,
        )
        for operation in WRITES
    ],
)
def test_a_body_that_is_no_json_is_refused(operation: str, api: Api, calls: Calls, judge: Judge) -> None:
    twin = calls.done(operation)
    twin = twin.with_body(**SPOILT.get(operation, {}))
    well_formed = api.send(twin)
    believed = well_formed.status < 500 and well_formed.code != "INVALID_JSON"
    text = json.dumps(twin.body).encode()
    sent = [(kind, content) for kind, spoil in MALFORMED.items() for content in spoil(text)]
    answers = api.send_concurrently(twin.replace(content=content) for _, content in sent)
    for (kind, _), answer in zip(sent, answers, strict=True):
        with judge(f"limits.json.{kind}"):
            if not believed:
                raise SetupFailed(f"the well-formed body: {well_formed.summary}", f"{operation} refuses good JSON")
            assert answer.status_and_code == (400, "INVALID_JSON"), (
                f"{answer.summary} to a body that is not JSON ({kind})"
            )
    for family in ON_REFUSAL:
        name = f"{family}.{operation}"
        for answer in answers:
            with judge(name):
                assert not answer.violations_of(name), f"{answer.violations_of(name)[0]}: {answer.summary}"

"""Reads what earlier versions of this suite wrote in the present form of results.json."""

from __future__ import annotations

from typing import Any

FIRST = "1"
"""The major version that had no cause classes, so an inconclusive requirement never made a run undecided."""


def upgraded(document: Any) -> Any:
    """Return a document of an earlier schema version in the present form, anything else as it is.

    What the earlier version did not record stays unknown: a cause class is then null. `upgraded_from` tells.
    A document that cannot be read as its version says is returned as it is, for the schema to refuse.
    """
    if not isinstance(document, dict) or str(document.get("schema_version")).partition(".")[0] != FIRST:
        return document
    try:
        cause = {name: one["cause"] for one in document["causes"] for name in one["requirements"]}
        gate = document["gate"]
        return {
            **document,
            "schema_version": "2.0",
            "upgraded_from": document["schema_version"],
            "subject": document.get("subject", "server"),
            "requirements": [
                {**row, "cause": cause.get(row["id"], ""), "cause_class": None} for row in document["requirements"]
            ],
            "causes": [{**one, "cause_class": None} for one in document["causes"]],
            "gate": {
                **gate,
                "allow_undecided": 0,
                "waivers": [{**one, "cause": None, "cause_class": None, "covers": []} for one in gate["waivers"]],
            },
        }
    except (AttributeError, KeyError, TypeError):
        return document

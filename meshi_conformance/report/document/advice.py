"""What would make requirements judgeable that were not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...contract.requirements import CLIENT, NEEDS
from ...target.target import Target
from ...verdicts.verdicts import is_left_out

SCENARIO_LEFT_OUT = "no scenario that shows it was run"
"""The reason of a duty that a selection of scenarios left out."""

KEYS = {
    "read": "a key with partner:read alone",
    "other": "a key of another org",
    "disabled": "the key of a disabled service account",
    "user": "a token that is not an org-scoped service-account key",
    "no_org": "a key that has no org",
    "probe": "a key that the rate-limit probe may exhaust",
}
"""Role of a key to what it is."""

SWITCHES = {
    "large": "Allow very large requests on this target: --large.",
    "rate_limit": "Allow the rate limit to be provoked on this target: --rate-limit-probe.",
    "legacy_alias": "Give a base URL that ends with /api/v0/partner: the old alias is derived from it.",
    "loopback": "Only a server on this machine can be judged by them.",
}


def lacking(target: Target) -> list[dict[str, str]]:
    """Return what a target lacks: `need`, the `reason` that its requirements were not run, and the `advice`."""
    found = []
    for need in NEEDS:
        reason = target.lacks(need)
        if reason is None:
            continue
        if need in target.cannot:
            advice = "The targets file says that this target cannot offer it."
        elif target.read_only and reason == target.read_only_reason:
            advice = _writes(target.name)
        elif need in KEYS:
            advice = f"Put {KEYS[need]} into {target.variable(need)}."
        else:
            advice = SWITCHES.get(need, f"It takes something else: {reason}.")
        found.append({"need": need, "reason": reason, "advice": advice})
    return found


def advice(document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what makes requirements judgeable that were not run for the same reason."""
    reason = rows[0]["reason"]
    needs = {need for row in rows for need in row["needs"]}
    named = [one["advice"] for one in document.get("lacking", ()) if one["reason"] == reason and one["need"] in needs]
    if is_left_out(reason):
        yield "Give the run more: another --profile, or a larger --max-requests, --max-created or --time."
    elif reason.startswith("deselected"):
        yield "Run without that selection, or with one that holds them too."
    elif named:
        yield from dict.fromkeys(named)
    elif reason == SCENARIO_LEFT_OUT:
        yield "Run every scenario: leave out --scenario."
    elif document.get("subject") == CLIENT:
        yield "There is nothing to repair: a client need not do everything."
    elif "read only" in reason:
        yield _writes(document["target"]["name"])
    elif "observed" in document:
        yield "Traffic that calls for them shows more; a run of the suite asks for them itself."
    else:
        yield "Run the whole suite to its end: no test that judges them was run."


def _writes(target: str) -> str:
    return f"Allow writes: run without --read-only, on a protected target with --allow-writes {target}."

"""Questions that every format of the report asks of the results document."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from ...contract.requirements import CLIENT
from ...verdicts import gate
from ...vocabulary import CauseClass, Verdict
from .advice import advice

DOCUMENTED, IMPLIED = "documented", "implied"

MEANING = {
    "conformant": "Every documented requirement holds on this target.",
    "partial": "Nothing documented is broken as far as could be seen, but not everything could be judged.",
    "undecided": "Nothing documented is broken as far as could be seen, but this target kept some from being judged.",
    "nonconformant": "This target breaks at least one documented promise of the Partner API.",
    "invalid": "This run proves nothing about the target: it erred, was cut short or judged nothing.",
}
"""What each outcome means, for a first-time reader of a report."""

CLASS_ADVICE = {
    CauseClass.SUITE: "Report it with results.json: the suite itself erred.",
    CauseClass.CREDENTIALS: "Check the key, and give one that lasts for the whole run, or a command that renews it.",
    CauseClass.TRANSPORT: "Look at the transport trouble below; run again once the target answers reliably.",
    CauseClass.SETUP: "Repair what the cause names on the target: it comes before everything that is held up.",
    CauseClass.DEADLINE: "Find out why it takes so long, or give it more time (`waits` in the targets file).",
    CauseClass.LIMIT: "Raise the ceiling that was reached, such as --max-requests, --max-created or --budget.",
    CauseClass.ABSENT: "Nothing is wrong: the target holds nothing to judge them by.",
}
"""What makes a requirement judgeable, by the class of what kept it from being judged."""


def failed(document: dict[str, Any], level: str) -> list[dict[str, Any]]:
    """Return the requirements of a level that failed, in the order of the catalogue."""
    return [row for row in document["requirements"] if row["level"] == level and row["verdict"] == "fail"]


def meaning(document: dict[str, Any]) -> str:
    """Return what the outcome means for what was judged, a server or a client."""
    text = MEANING[document["outcome"]]
    if document["subject"] != CLIENT:
        return text
    for servers, clients in (("target", "client"), ("requirement", "duty"), ("promise of the Partner API", "duty")):
        text = text.replace(servers, clients)
    return text


ANY_SCENARIO = "SCENARIO"
"""The placeholder for the scenario that shows a failure, in the command of a client run."""


def rerun(document: dict[str, Any], requirement: str) -> str:
    """Return the command that judges one requirement again on the same target; generated calls from the same seed."""
    if document["subject"] == CLIENT:
        row = next(row for row in document["requirements"] if row["id"] == requirement)
        scenario = next((one["test"].partition(" ")[2] for one in row["failures"]), "plain")
        return str(document["rerun"]).replace(ANY_SCENARIO, scenario, 1)
    words = [shlex.quote(requirement)]
    if requirement.startswith("generated."):
        for name, value in document["options"].items():
            if value is not None:
                words += [f"--{name}", shlex.quote(str(value))]
    return " ".join([document["rerun"], *words])


def unjudged(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return why requirements were not judged: `cause`, `cause_class`, `verdict`, `advice` and `rows` of each cause.

    What the target did comes first, the most serious class before the others, and what was not run last; within a
    class, what kept most requirements from being judged.
    """
    by_id = {row["id"]: row for row in document["requirements"]}
    found = [
        {
            "cause": one["cause"],
            "cause_class": one["cause_class"],
            "verdict": Verdict.INCONCLUSIVE,
            "advice": [CLASS_ADVICE.get(one["cause_class"], "Read the cause.")],
            "rows": [by_id[name] for name in one["requirements"]],
        }
        for one in document["causes"]
    ]
    unrun: dict[str, list[dict[str, Any]]] = {}
    for row in document["requirements"]:
        if row["verdict"] == Verdict.NOT_RUN:
            unrun.setdefault(row["reason"], []).append(row)
    return found + [
        {
            "cause": reason,
            "cause_class": None,
            "verdict": Verdict.NOT_RUN,
            "advice": list(advice(document, rows)),
            "rows": rows,
        }
        for reason, rows in sorted(unrun.items(), key=lambda entry: -len(entry[1]))
    ]


def undecided(document: dict[str, Any]) -> frozenset[str]:
    """Return the undecided requirements; none where the gate of this run allows for that many."""
    found = gate.undecided(document)
    return frozenset(found if len(found) > document["gate"]["allow_undecided"] else ())


def behaviours(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the open questions with the choices that were seen, in the order of the document.

    A row has `question`, `seen`, and `before`: the choices of the compared run where they differ, else None.
    """
    changes = {row["question"]: row["before"] for row in changed_behaviours(document)}
    return [{**row, "before": changes.get(row["question"])} for row in document.get("behaviours", []) if row["seen"]]


def changed_behaviours(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the behaviours that differ from the run that `--compare-with` named."""
    found: list[dict[str, Any]] = (document.get("compared") or {}).get("behaviours", [])
    return found


def behaviour_line(document: dict[str, Any]) -> str:
    """Return in one line how many open questions showed a choice; empty where the run looked for none."""
    rows = document.get("behaviours", [])
    if not rows:
        return ""
    line = f"{len(behaviours(document))} of {len(rows)} open questions show a choice"
    if document.get("compared") is None:
        return line
    changed = [row["question"] for row in changed_behaviours(document)]
    said = f"{len(changed)} differ from the run of {document['compared']['started_at']}"
    return f"{line}; {said}{': ' if changed else ''}{', '.join(changed[:5])}"


def troubles(document: dict[str, Any]) -> list[tuple[str, int]]:
    """Return why requests had no usable answer at first, each reason once with its number, the most frequent first."""
    return Counter(one.partition(": ")[2] or one for one in document["trouble"]).most_common()


def gated(document: dict[str, Any], row: dict[str, Any]) -> bool:
    """Tell whether the verdict of a requirement fails the gate that this run was given."""
    if row["verdict"] == "fail":
        return row["level"] == DOCUMENTED or gate.DEVIATIONS in document["gate"]["fail_on"]
    unjudged_documented = row["level"] == DOCUMENTED and row["verdict"] in ("inconclusive", "not_run")
    return unjudged_documented and gate.UNJUDGED in document["gate"]["fail_on"]

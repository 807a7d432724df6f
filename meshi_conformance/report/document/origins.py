"""Where failures come from: what answered in the API's place, and which requirements fail for one reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...verdicts.verdicts import RequirementVerdict
from ...vocabulary import Verdict

ADVICE = (
    (r"429 ", "A gateway limits requests: send fewer with --rate."),
    (r"503 ", "A gateway limits requests or has nothing behind it: send fewer with --rate, and look at its log."),
    (r"50[24] |5[23][0-9] ", "A gateway answers and the API behind it does not: look at the gateway's log."),
    (r"3[0-9][0-9] ", "A redirect carries no error envelope: look at what sends it."),
    (r"", "Look at what answers there: a framework's own page, or something in front of the API."),
)
"""The beginning of such an answer to what helps, the first that fits."""


def not_the_api(exchanges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers that are not JSON objects: each kind once, with its count, the most frequent first."""
    found: dict[str, dict[str, Any]] = {}
    for one in exchanges:
        if one.get("not_the_api"):
            row = found.setdefault(
                one["not_the_api"],
                {"answer": one["not_the_api"], "exchanges": 0, "first": one["id"], "operations": [], "advice": ""},
            )
            row["exchanges"] += 1
            if one["operation"] and one["operation"] not in row["operations"]:
                row["operations"].append(one["operation"])
    for answer, row in found.items():
        row["advice"] = next(text for beginning, text in ADVICE if re.match(beginning, answer))
    return sorted(found.values(), key=lambda row: -row["exchanges"])


def origin(verdict: RequirementVerdict, pages: Mapping[str, str]) -> str:
    """Return what a failure has in common with others: the answer that is not a JSON object, or how exchanges break it.

    Empty for a failed assertion about an answer of the API: equal words there need not have one origin.
    """
    if verdict.violations:
        answers = [pages.get(exchange, "") for exchange, _ in verdict.violations]
        return answers[0] if all(answers) else verdict.violations[0][1]
    failed = next((one for one in verdict.judgements if one.verdict == Verdict.FAIL), None)
    return pages.get(failed.exchange, "") if failed else ""


def groups(document: Mapping[str, Any], rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return failed requirements by origin, in the order of their first rows: `cause` and `rows` of each.

    A requirement whose failure has an origin of its own is a group by itself, without a cause.
    """
    foreign = {one["answer"]: one["exchanges"] for one in document.get("not_the_api", ())}
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        cause = row.get("cause") or ""
        key = cause if cause in foreign else (row["family"], cause) if cause else row["id"]
        found.setdefault(key, []).append(row)
    made = []
    for members in found.values():
        cause = members[0].get("cause") or ""
        if cause in foreign:
            number = foreign[cause]
            cause = f"{cause}, {number:,} exchange{'' if number == 1 else 's'}"
        made.append({"cause": cause if len(members) > 1 else "", "rows": members})
    return made

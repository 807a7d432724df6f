"""report.html: the whole result on one page that works offline, without JavaScript, and against hostile answers.

The template gets plain data only. Every text passes `visible` and Jinja's escaping; the content security
policy lets nothing run or load but the page's own style and script, named by their hashes.
"""

from __future__ import annotations

import base64
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import Markup, escape

from ..document.origins import groups
from ..document.queries import DOCUMENTED, IMPLIED, behaviour_line, behaviours, failed, meaning, rerun, unjudged
from ..text import counted, gist, pretty, visible
from .links import page_link, site_link
from .page_assets import asset, environment, source
from .timeline import timelines

SHOWN_BODY = 6_000
"""How many characters of an answer or a curl line the page holds; results.json and the HAR hold more."""
SHOWN_REASON = 400
"""How many characters of a reason's first line are shown; of the rest, `SHOWN_DETAILS`."""
SHOWN_DETAILS = 1_500
BUDGET = 2_500_000
"""How many bytes of exchanges and assertions the page holds in all. Those past it are named only: exchanges are
in the HAR, assertions in results.json."""
LISTED = 300
"""Rows of a long table (waits, created rows, trouble) that the page holds; results.json holds all."""

VERDICTS = {
    "fail": ("F", "failed"),
    "deviation": ("D", "deviates"),
    "inconclusive": ("?", "inconclusive"),
    "not_run": ("–", "not run"),
    "waived": ("W", "waived"),
    "pass": ("✓", "passed"),
}
"""What a cell of the grid can say, the most serious first: sign and word. A deviation is an implied failure."""


def parts(document: dict[str, Any], events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Write the page as HTML text."""
    templates = environment()
    templates.filters["ticked"] = _ticked
    style, script = (asset(name) for name in ("report.css", "report.js"))
    yield from templates.get_template("report.html.j2").generate(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        verdicts=VERDICTS,
        counted=counted,
        gist=gist,
        listed=LISTED,
        **_view(document),
    )


def _ticked(text: str) -> Markup:
    """Show a statement with what is in backticks as code."""
    parts = visible(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 and number < len(parts) - 1 else escape(part)
        for number, part in enumerate(parts)
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _view(document: dict[str, Any]) -> dict[str, Any]:
    """Prepare the document as the template needs it."""
    exchanges = _Exchanges(document["evidence"])
    seconds = {test["nodeid"]: test["seconds"] for test in document["tests"]}
    # Failures first: they are the first to get a share of what the page may hold.
    cards = {level: [_card(row, document, exchanges) for row in failed(document, level)] for level in LEVELS}
    origins = {level: groups(document, cards[level]) for level in LEVELS}
    rows = [
        {
            **row,
            **_links(document, row),
            "shown": shown(row),
            "rerun": rerun(document, row["id"]),
            "tests": [{"nodeid": name, "seconds": seconds.get(name)} for name in dict.fromkeys(row["tests"])],
            "exchanges": [] if row["verdict"] == "fail" else exchanges.take(row["evidence"]),
        }
        for row in document["requirements"]
    ]
    return {
        "document": document,
        "counted_verdicts": [
            verdict
            for verdict in document["counts"][DOCUMENTED]
            if verdict in ("pass", "fail") or any(counts[verdict] for counts in document["counts"].values())
        ],
        "meaning": meaning(document),
        "failures": cards[DOCUMENTED],
        "deviations": cards[IMPLIED],
        "origins": {"failures": origins[DOCUMENTED], "deviations": origins[IMPLIED]},
        "not_the_api": document.get("not_the_api", ()),
        "shell": document.get("shell", ()),
        "unanswered": document.get("unanswered", ()),
        "unjudged": unjudged(document),
        "grid": _grid(document),
        "rows": rows,
        "families": sorted({row["family"] for row in rows}),
        "operations": list(document["exchanges"]["by_operation"]),
        "shown_counts": Counter(row["shown"] for row in rows),
        "behaviours": behaviours(document),
        "behaviour_line": behaviour_line(document),
        "latency": _latency(document),
        "made_up": _made_up(document),
        "created": _created(document),
        "waits": sorted(document["waits"], key=lambda one: -one["seconds"]),
        "trouble": Counter(document["trouble"]).most_common(),
    }


LEVELS = (DOCUMENTED, IMPLIED)


def shown(row: dict[str, Any]) -> str:
    """Word a verdict as the page does: an implied requirement that fails is a deviation."""
    return "deviation" if row["verdict"] == "fail" and row["level"] == IMPLIED else str(row["verdict"])


def _card(row: dict[str, Any], document: dict[str, Any], exchanges: _Exchanges) -> dict[str, Any]:
    """Prepare a failed requirement with all that is needed to act on it."""
    first, rest = gist(row["reason"]), _details(row["reason"])
    return {
        **row,
        **_links(document, row),
        "shown": shown(row),
        "came": first[:SHOWN_REASON],
        "details": rest[:SHOWN_DETAILS] if exchanges.afford(rest[:SHOWN_DETAILS]) else "",
        "rerun": rerun(document, row["id"]),
        "exchanges": exchanges.take(row["evidence"]),
        "timelines": timelines(document["evidence"][name] for name in row["evidence"]),
    }


def _details(reason: str) -> str:
    """Return what the gist of a reason leaves out; the whole reason where the gist words it anew."""
    first, _, rest = reason.partition("\n")
    return rest if gist(reason) == first else reason


def _links(document: dict[str, Any], row: dict[str, Any]) -> dict[str, str | None]:
    return {"page_link": page_link(document, row), "site_link": site_link(document, row)}


class _Exchanges:
    """Hands out exchanges for showing: each whole once, after that, and past the page's budget, by name."""

    def __init__(self, records: dict[str, dict[str, Any]]) -> None:
        self._records = records
        self._whole: set[str] = set()
        self._room = BUDGET

    def take(self, names: list[str]) -> list[dict[str, Any]]:
        return [self._one(self._records[name]) for name in names if name in self._records]

    def afford(self, *texts: str) -> bool:
        """Take the room that the texts need on the page, where there is enough of it."""
        size = sum(len(escape(visible(text)).encode("utf-8", "replace")) for text in texts)
        if size > self._room:
            return False
        self._room -= size
        return True

    def _one(self, record: dict[str, Any]) -> dict[str, Any]:
        name = record["id"]
        head = {
            "id": name,
            "title": f"{record['method']} {_cut(record['path'], 200)[0]}",
            "scenario": record.get("scenario"),
            "delivered": record.get("delivered", True),
            "status": record["status"],
            "milliseconds": record["elapsed"] * 1000,
            "correlation_id": record["correlation_id"],
            "whole": False,
            "above": name in self._whole,
        }
        if name in self._whole:
            return head
        curl, curl_cut = _cut(record["curl"], SHOWN_BODY)
        body, body_cut = _cut(pretty(record["body"], SHOWN_BODY), SHOWN_BODY)
        coded = record.get("body_encoding") == "base64"
        kept = base64.b64decode(record["body"]) if coded else (record["body"] or "").encode("utf-8", "replace")
        headers = "\n".join(f"{key}: {value}" for key, value in record["headers"])[:SHOWN_BODY]
        if not self.afford(curl, body, headers):
            return head
        self._whole.add(name)
        return {
            **head,
            "whole": True,
            "curl": curl,
            "curl_cut": curl_cut,
            "headers": headers,
            "body": body,
            "body_coded": coded,
            "body_cut": body_cut or record["body_bytes"] > len(kept),
            "body_bytes": record["body_bytes"],
        }


def _cut(text: str, most: int) -> tuple[str, bool]:
    return (text, False) if len(text) <= most else (text[:most], True)


def _grid(document: dict[str, Any]) -> dict[str, Any]:
    """Group operations by families: each cell the most serious verdict of its requirements, and how many they are."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    families: dict[str, None] = {}
    for row in document["requirements"]:
        for operation in row["operations"]:
            cells[operation, row["family"]].append(row)
        if row["operations"]:
            families[row["family"]] = None
    return {
        "families": list(families),
        "rows": [
            (operation, [_cell(cells.get((operation, family), [])) for family in families])
            for operation in document["exchanges"]["by_operation"]
        ],
    }


def _cell(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not rows:
        return None
    by_verdict = defaultdict(list)
    for row in rows:
        by_verdict[shown(row)].append(row)
    worst = next(verdict for verdict in VERDICTS if verdict in by_verdict)
    return {
        "verdict": worst,
        "count": len(by_verdict[worst]),
        "of": len(rows),
        "first": by_verdict[worst][0]["id"],
    }


def _created(document: dict[str, Any]) -> Counter[str]:
    """Count the rows of each kind that the run left on the target."""
    found: Counter[str] = Counter()
    for one in document["created"]:
        found[one["kind"]] += one["count"]
    return found


def _latency(document: dict[str, Any]) -> dict[str, Any]:
    """Prepare the plot's rows, with positions from 0 to 100 on a logarithmic scale of milliseconds, and its ticks."""
    found = [
        {"operation": name, "count": one["count"], "statuses": one["statuses"], **one["milliseconds"]}
        for name, one in document["exchanges"]["by_operation"].items()
        if one["milliseconds"]
    ]
    values = [max(one[name], 0.1) for one in found for name in ("p50", "max")]
    low = math.floor(math.log10(min(values, default=1)))
    high = max(math.ceil(math.log10(max(values, default=10))), low + 1)

    def place(value: float) -> float:
        return round(100 * (math.log10(max(value, 0.1)) - low) / (high - low), 2)

    for one in found:
        one["at"] = {name: place(one[name]) for name in ("p50", "p95", "max")}
    return {
        "rows": found,
        "ticks": [(place(10**power), _duration(10**power)) for power in range(low, high + 1)],
    }


def _made_up(document: dict[str, Any]) -> dict[str, Any]:
    """Sum up what was generated: calls to each operation, requests of each other test, and all of them."""
    calls = [one for one in document["generated"] if one["test"] == "calls"]
    others: Counter[str] = Counter()
    for one in document["generated"]:
        if one["test"] != "calls":
            others[one["test"]] += one["requests"]
    return {"calls": calls, "others": others, "requests": sum(one["requests"] for one in document["generated"])}


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:g} s" if milliseconds >= 1000 else f"{milliseconds:g} ms"

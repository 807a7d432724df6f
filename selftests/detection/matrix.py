"""The matrix as JSON for machines and as one self-contained page for people."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from html import escape
from pathlib import Path
from typing import Any

from .trial import FOUND, PASSED, Result

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #d8dee6 }
td.number { text-align: right; white-space: nowrap }
code { font-size: .85em; overflow-wrap: anywhere }
.good { color: #116329 } .bad { color: #a40e26; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { background: #14181f; color: #dfe5ec } th, td { border-color: #333c47 }
  .good { color: #57c278 } .bad { color: #ff7b86 }
}
"""


def write(folder: Path, results: list[Result], form: str, seconds: float, problems: list[str]) -> None:
    """Write detection.json and detection.html."""
    folder.mkdir(parents=True, exist_ok=True)
    document = summary(results, form, seconds, problems)
    (folder / "detection.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "detection.html").write_text(page(document), encoding="utf-8")


def summary(results: list[Result], form: str, seconds: float, problems: list[str]) -> dict[str, Any]:
    """The whole matrix as JSON-able data."""
    faults = [one for one in results if one.kind == "fault"]
    variations = [one for one in results if one.kind == "variation"]
    unrelated = [len(one.unrelated) for one in faults]
    return {
        "schema_version": "1.1",
        "form": form,
        "seconds": round(seconds, 1),
        "problems": problems,
        "faults": {
            "count": len(faults),
            "found": sum(one.verdict == FOUND for one in faults),
            # The fast form runs few tests, so it cannot show what else would have failed.
            "median_unrelated": statistics.median(unrelated) if unrelated and form == "full" else None,
            "most_unrelated": max(unrelated, default=0) if form == "full" else None,
        },
        "variations": {"count": len(variations), "passed": sum(one.verdict == PASSED for one in variations)},
        "trials": [one.as_data() for one in results],
    }


def page(document: dict[str, Any]) -> str:
    """The matrix as HTML: no script, nothing loaded, every text escaped."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    said = "; ".join(document["problems"]) or "Everything was judged rightly."
    faults, variations = document["faults"], document["variations"]
    diagnosis = ""
    if document["form"] == "full":
        diagnosis = (
            f" Unrelated requirements that failed with a fault: {faults['median_unrelated']} in the median, "
            f"{faults['most_unrelated']} at most."
        )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'">
<title>Detection matrix</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Detection matrix</h1>
<p>Faults that the suite has to find, and variations that it has to accept: the {escape(document["form"])} form, in
{document["seconds"]:.0f} seconds. {faults["found"]} of {faults["count"]} faults were found, {variations["passed"]} of
{variations["count"]} variations passed.{escape(diagnosis)}</p>
<p class="{"bad" if document["problems"] else "good"}">{escape(said)}</p>
{table("Variations", [one for one in document["trials"] if one["kind"] == "variation"])}
{table("Faults", [one for one in document["trials"] if one["kind"] == "fault"])}
</body>
</html>
"""


def table(title: str, trials: list[dict[str, Any]]) -> str:
    """One kind of trials, one row each."""
    rows = "\n".join(row(one) for one in trials)
    return f"""<h2>{escape(title)}</h2>
<table>
<thead><tr><th>Name</th><th>What the server does</th><th>Verdict</th><th>Failed as named</th><th>Others that failed</th>
<th>Inconclusive</th><th>Requests</th><th>Seconds</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def row(trial: dict[str, Any]) -> str:
    """One trial."""
    tone = "good" if trial["verdict"] in (FOUND, PASSED) else "bad"
    return (
        f"<tr><td><code>{escape(trial['name'])}</code></td><td>{escape(trial['sentence'])}</td>"
        f'<td class="{tone}">{escape(trial["verdict"])}</td><td>{listed(trial["by"])}</td>'
        f"<td>{listed(trial['unrelated'] + trial['problems'])}</td>"
        f'<td class="number">{trial["inconclusive"]}</td><td class="number">{trial["requests"]}</td>'
        f'<td class="number">{trial["seconds"]:.1f}</td></tr>'
    )


def listed(names: list[str], most: int = 8) -> str:
    """Names in a cell; the first ones where there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"<code>{escape(name)}</code>" for name in names[:most]) + more

"""The table of tools and its plot: docs/benchmarks.md between its marks, docs/benchmarks-peers.svg, peers.json."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from .tools import Failures, Tool
from .trial import Trial

OURS = "meshi-conformance"
BEGIN, END = "<!-- peers: begin (made by make bench-peers) -->", "<!-- peers: end -->"


@dataclass
class Row:
    """A tool with its trials on the conforming server, on faults and on variations."""

    tool: Tool
    clean: list[Trial]
    faults: list[Trial]
    variations: list[Trial]

    @property
    def alarms(self) -> Failures:
        """Whatever it said of the conforming server in any run."""
        return {name: said for one in self.clean for name, said in one.failures.items()}

    def new(self, trial: Trial) -> list[str]:
        """What it says of a server and does not say of the conforming one."""
        return [name for name in trial.failures if name not in self.alarms]

    def findings(self, trial: Trial) -> list[str]:
        """What it says of a server and of no server that conforms, variations included."""
        noise = {name for one in self.variations for name in one.failures}
        return [name for name in self.new(trial) if name not in noise]

    @property
    def found(self) -> list[str]:
        """The faults that change its verdict."""
        return [one.server for one in self.faults if self.findings(one)]

    @property
    def runs(self) -> bool:
        return any(not one.problem for one in self.clean)

    def is_complete(self, clean: int, faults: int, variations: int) -> bool:
        if len(self.clean) < clean:
            return False
        return not self.runs or (len(self.faults) >= faults and len(self.variations) >= variations)


def table(rows: Sequence[Row], versions: dict[str, str]) -> list[str]:
    """The table as Markdown lines."""
    lines = [
        "| Tool | Version | Faults found | False alarms, conforming server | False alarms, variations "
        "| Requests | Seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name, version = row.tool.name, versions.get(row.tool.name, "not installed")
        if not row.runs:
            problem = row.clean[0].problem if row.clean else "not tried"
            said = re.sub(r"[\s|]+", " ", problem)[:160]
            lines.append(f"| {name} | {version} | does not run: {said} | | | | |")
            continue
        good = [one for one in row.clean if not one.problem]
        cut = sum(bool(one.problem) for one in row.faults)
        rest = f" ({cut} without a verdict)" if cut else ""
        alarmed = [one for one in row.variations if one.failures]
        lines.append(
            f"| {name} | {version} | {len(row.found)} of {len(row.faults)}{rest} | {len(row.alarms)} "
            f"| on {len(alarmed)} of {len(row.variations)}, {sum(len(row.new(one)) for one in row.variations)} new "
            f"| {statistics.median(one.requests for one in good):.0f} "
            f"| {statistics.median(one.seconds for one in good):.1f} |"
        )
    return lines


def missed_by_us(rows: Sequence[Row]) -> dict[str, dict[str, list[str]]]:
    """Faults that another tool finds and this suite does not, with what the tool said."""
    ours = {name for row in rows if row.tool.name == OURS for name in row.found}
    judged = {one.server for row in rows if row.tool.name == OURS for one in row.faults}
    return {
        row.tool.name: {
            one.server: row.findings(one)[:5] for one in row.faults if row.findings(one) and one.server not in ours
        }
        for row in rows
        if row.tool.name != OURS and any(name in judged - ours for name in row.found)
    }


def write(
    folder: Path,
    docs: Path,
    rows: Sequence[Row],
    sample: Sequence[str],
    varied: Sequence[str],
    versions: dict[str, str],
    known: int,
) -> None:
    """Write peers.json into the folder, and the page's generated part and the plot into docs."""
    missed = missed_by_us(rows)
    document = {
        "schema_version": "1.0",
        "faults": list(sample),
        "variations": list(varied),
        "missed_by_us": missed,
        "tools": [
            {
                "name": row.tool.name,
                "version": versions.get(row.tool.name),
                "setting": row.tool.setting,
                "limits": row.tool.limits,
                "found": row.found,
                "alarms": row.alarms,
                "trials": [
                    {**asdict(one), "failures": dict(list(one.failures.items())[:20])}
                    for one in (*row.clean, *row.faults, *row.variations)
                ],
            }
            for row in rows
        ],
    }
    (folder / "peers.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (docs / "benchmarks-peers.svg").write_text(plot(rows), encoding="utf-8")
    file = docs / "benchmarks.md"
    text = file.read_text(encoding="utf-8") if file.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join(_section(rows, sample, varied, versions, known, missed))
    file.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf-8")


def _section(
    rows: Sequence[Row],
    sample: Sequence[str],
    varied: Sequence[str],
    versions: dict[str, str],
    known: int,
    missed: dict[str, dict[str, list[str]]],
) -> list[str]:
    lines = [
        f"{len(sample)} of {known} faults and {len(varied)} variations of the reference server.",
        "",
        *table(rows, versions),
        "",
        "![Faults found and false alarms by tool](benchmarks-peers.svg)",
        "",
    ]
    if missed:
        lines.append("Found by another tool and not by this suite:")
        lines.append("")
        lines += [f"- {name}: {', '.join(f'`{one}`' for one in found)}" for name, found in missed.items()]
    else:
        lines.append("Found by another tool and not by this suite: nothing.")
    lines += ["", "| Tool | Setting | Limits |", "|---|---|---|"]
    lines += [f"| {row.tool.name} | {row.tool.setting} | {row.tool.limits} |" for row in rows]
    lines += ["", "<details><summary>Faults of the sample, and which tools found each</summary>", ""]
    lines += ["| Fault | Found by |", "|---|---|"]
    for name in sample:
        lines.append(f"| `{name}` | {', '.join(row.tool.name for row in rows if name in row.found) or 'none'} |")
    lines += ["", f"Variations: {', '.join(f'`{name}`' for name in varied) or 'none'}.", "", "</details>"]
    return lines


def plot(rows: Sequence[Row]) -> str:
    """Bars of the faults that each tool found and of its false alarms on the conforming server, as SVG."""
    shown = [row for row in rows if row.runs]
    left, width, height = 150, 420, 34
    most = max((len(row.faults) for row in shown), default=1) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 190} {height * len(shown) + 40}" '
        'role="img" font-family="sans-serif" font-size="12">',
        "<title>Faults found by tool, and false alarms on the conforming server</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, row in enumerate(shown):
        top = 10 + number * height
        bar = width * len(row.found) / most
        colour = "#1f6f50" if row.tool.name == OURS else "#5b7fa6"
        parts += [
            f'<text x="{left - 8}" y="{top + 16}" text-anchor="end" fill="#222222">{escape(row.tool.name)}</text>',
            f'<rect x="{left}" y="{top + 2}" width="{width}" height="20" fill="#eeeeee"/>',
            f'<rect x="{left}" y="{top + 2}" width="{bar:.1f}" height="20" fill="{colour}"/>',
            f'<text x="{left + width + 8}" y="{top + 16}" fill="#222222">{len(row.found)} of {len(row.faults)}, '
            f"{len(row.alarms)} false alarms</text>",
        ]
    parts.append(
        f'<text x="{left}" y="{height * len(shown) + 30}" fill="#555555">'
        "Bar: faults found; grey: all faults tried.</text>"
    )
    return "\n".join([*parts, "</svg>", ""])

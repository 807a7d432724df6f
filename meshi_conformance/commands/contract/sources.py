"""Compare pages of the documentation, as saved, with those that the requirements were derived from.

`check` lists the sections that changed with the requirements and tests that rest on them, sections that no
requirement cites, and citations of sections that are gone. `record` stores the fingerprints of new pages, once they
were read and the requirements follow them. A page is an HTML, Markdown or text file with the page's name, such as
endpoint-reference.html.

Exit codes of `check`: 0 where nothing changed, 1 where something did or nothing is stored of a page, 4 where a page
cannot be read.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...contract import contract
from ...contract.contract import Contract
from ...contract.page_sections import WHOLE, fingerprint, page_name, sections
from ...contract.requirements import Requirement
from ...errors import UsageError
from ...plugin.start import launch as suite
from ...report.files.summary import code
from ...report.text import counted, one_line
from ...verdicts.gate import EXIT_CONFORMANT, EXIT_NONCONFORMANT

FINGERPRINTS = Path("requirements") / "fingerprints.json"
"""Page, section and fingerprint of what the requirements were derived from, below the contract's root."""

SUFFIXES = (".html", ".htm", ".md", ".markdown", ".mdx", ".txt")
LISTED = 12
"""Tests that are named with a requirement."""

Pages = dict[str, dict[str, str]]


def options(parser: argparse.ArgumentParser) -> None:
    """Declare what to do, and with which pages."""
    parser.add_argument("action", choices=("check", "record"), help="compare, or store what the pages say now")
    parser.add_argument("pages", metavar="FOLDER|FILE", nargs="+", type=Path, help="the pages as saved")
    parser.add_argument("--markdown", action="store_true", help="for an issue or a job summary")
    parser.add_argument("--fingerprints", metavar="FILE", type=Path, help="in place of the stored ones")


@dataclass
class Findings:
    """What differs, by page and section, with what rests on it."""

    changed: list[tuple[str, str]] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    new: list[tuple[str, str]] = field(default_factory=list)
    uncited: list[tuple[str, str]] = field(default_factory=list)
    unstored: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    resting: dict[tuple[str, str], list[Requirement]] = field(default_factory=dict)
    placeless: list[tuple[str, str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether somebody has to read a page anew."""
        return bool(self.changed or self.gone or self.new or self.unstored)


def run(options: argparse.Namespace) -> int:
    """Print what changed, or store the fingerprints of the pages."""
    catalogue = contract.load()
    file = options.fingerprints or catalogue.folder / FINGERPRINTS
    stored = _stored(file, missing_is_empty=options.action == "record")
    read = read_pages(options.pages, catalogue, stored)
    if options.action == "record":
        file.write_text(json.dumps({**stored, **read}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{file}: {counted(sum(map(len, read.values())), 'section')} of {', '.join(read)}")
        return EXIT_CONFORMANT
    found = compare(stored, read, [*catalogue.requirements.values(), *catalogue.duties.values()])
    tests = suite.tests_by_requirement() if found.changed or found.gone else {}
    print("\n".join(told(found, tests, markdown=options.markdown)))
    return EXIT_NONCONFORMANT if found.differs else EXIT_CONFORMANT


def read_pages(places: Sequence[Path], catalogue: Contract, stored: Pages) -> Pages:
    """Return the fingerprints of the pages in files and folders. Raises UsageError where no page can be read."""
    cited = {one.page for one in (*catalogue.requirements.values(), *catalogue.duties.values())} | set(stored)
    read: Pages = {}
    for place in places:
        if not place.exists():
            raise UsageError(f"{place} does not exist. Give the saved pages, or the folder that holds them.")
        files = sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]
        for file in files:
            name = page_name(file)
            if file.suffix.lower() not in SUFFIXES or (place.is_dir() and name not in cited):
                continue
            if name not in cited:
                raise UsageError(f"{file} is none of the pages that requirements cite: {', '.join(sorted(cited))}.")
            if name in read:
                raise UsageError(f"The page {name} is given twice, the second time as {file}. Give each page once.")
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as problem:
                raise UsageError(f"{file} cannot be read as UTF-8 text: {problem}. Save the page again.") from None
            found = sections(text, file.suffix.lower(), stored.get(name, ()))
            read[name] = {title: fingerprint(body) for title, body in found.items()}
    if not read:
        raise UsageError(f"No page was found. A page is a file such as {sorted(cited)[0]}.html, .md or .txt.")
    return read


def compare(stored: Pages, read: Pages, requirements: Sequence[Requirement]) -> Findings:
    """Return what differs between the stored pages and those that were read."""
    found = Findings(unchecked=sorted({one.page for one in requirements} - set(read)))
    for page, now in read.items():
        if page not in stored:
            found.unstored.append(page)
            found.resting[page, WHOLE] = [one for one in requirements if one.page == page]
            continue
        before = stored[page]
        citing: dict[str, list[Requirement]] = {title: [] for title in (*before, *now)}
        named: set[str] = {WHOLE}
        for one in requirements:
            if one.page != page:
                continue
            titles = cited_sections(one.section, before)
            if not titles and (page, one.section) not in found.placeless:
                found.placeless.append((page, one.section))
            named.update(titles)
            # One that names no title may rest on any part of the page.
            for title in titles or before:
                citing[title].append(one)
        for title in before:
            if title not in now:
                found.gone.append((page, title))
            elif now[title] != before[title]:
                found.changed.append((page, title))
            if title in now and title not in named and now[title] != EMPTY:
                found.uncited.append((page, title))
        found.new += [(page, title) for title in now if title not in before]
        found.resting |= {(page, title): rows for title, rows in citing.items()}
    return found


EMPTY = fingerprint("")


def cited_sections(said: str, titles: Mapping[str, str]) -> list[str]:
    """Return the titles that a citation names: `GET /events (limit), GET /runs` names two."""
    if said in titles:
        return [said]
    parts = (re.sub(r" \(.*\)$", "", part.strip()) for part in said.split(", "))
    return [part for part in parts if part in titles]


def told(found: Findings, tests: Mapping[str, Sequence[str]], *, markdown: bool) -> Iterator[str]:
    """Yield the findings line by line, for a terminal or as Markdown."""
    show = code if markdown else one_line
    title = "### {}" if markdown else "{}"
    number = len(found.changed) + len(found.gone) + len(found.new)
    anew = [counted(number, "section")] if number else []
    anew += [counted(len(found.unstored), "page")] if found.unstored else []
    yield title.format("The documentation: " + (f"{' and '.join(anew)} to read anew" if anew else "unchanged"))
    for name, rows in (("Changed", found.changed), ("Gone, and cited", found.gone), ("New", found.new)):
        if not rows:
            continue
        yield f"\n{'#' * 4 + ' ' if markdown else ''}{name} ({len(rows)})\n"
        for place in rows:
            resting = found.resting.get(place, [])
            yield f"- {show(_place(place))}: {counted(len(resting), 'requirement')}"
            for one in resting:
                cases = list(dict.fromkeys(node.partition("[")[0] for node in tests.get(one.id, ())))
                more = f" and {len(cases) - LISTED} more" if len(cases) > LISTED else ""
                yield f"  - {show(one.id)}: {', '.join(map(show, cases[:LISTED])) or 'no test'}{more}"
    unstored = [
        f"{page}: {counted(len(found.resting[page, WHOLE]), 'requirement')}; "
        "store it with `sources record` once it was read"
        for page in found.unstored
    ]
    for name, lines in (
        ("Pages of which no fingerprint is stored", unstored),
        ("Sections that no requirement cites", [_place(one) for one in found.uncited]),
        ("Citations that name no title of their page, so rest on all of it", [_place(one) for one in found.placeless]),
        ("Pages that requirements cite and that were not given", found.unchecked),
    ):
        if lines:
            yield f"\n{'#' * 4 + ' ' if markdown else ''}{name} ({len(lines)})\n"
            yield from (f"- {show(line)}" for line in lines)


def _place(place: tuple[str, str]) -> str:
    page, title = place
    return f"{page}, {title or 'the part before its first heading'}"


def _stored(file: Path, *, missing_is_empty: bool) -> Pages:
    """Return the stored fingerprints. Raises UsageError for a file that holds none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if missing_is_empty:
            return {}
        raise UsageError(f"{file} does not exist. Store fingerprints with `sources record`.") from None
    except (OSError, ValueError) as problem:
        raise UsageError(f"{file} cannot be read: {problem}. Reinstall the suite, or restore the file.") from None
    if not isinstance(found, dict) or not all(
        isinstance(page, dict) and all(isinstance(one, str) for one in page.values()) for page in found.values()
    ):
        raise UsageError(f"{file} holds no fingerprints: page, section and text. Restore the file.")
    pages: Pages = found
    return pages

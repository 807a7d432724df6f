"""Pages of the site: those of docs/ with their links made to fit, and one for each requirement.

This is the one place besides the self-tests that reads the suite and the reference server, to name the faults that
break a requirement.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from meshi_conformance.clients.judging import SHOWN_IN
from meshi_conformance.contract.contract import Contract
from meshi_conformance.contract.open_questions import Question
from meshi_conformance.contract.requirements import CLIENT, NEEDS, Requirement
from meshi_reference.faults.registry import Fault

ROOT = Path(__file__).parents[1]
COPIED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages from outside docs/, with their names on the site."""

MOST = 5
"""Operations, faults and questions of a requirement that its page shows."""


UNSEARCHED = " { data-search-exclude }"
"""After a heading: what is found in a thousand pages finds none of them."""


def write(folder: Path, pages: Mapping[str, str]) -> None:
    """Write the pages of docs/ and the given pages to a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for file in sorted((ROOT / "docs").rglob("*.md")):
        place = file.relative_to(ROOT / "docs")
        (folder / place).write_text(linked(file, place), encoding="utf-8")
    for source, name in COPIED.items():
        (folder / name).write_text(linked(ROOT / source, Path(name)), encoding="utf-8")
    shutil.copytree(Path(__file__).with_name("assets"), folder / "assets")
    (folder / "requirements").mkdir()
    for requirement, text in pages.items():
        (folder / "requirements" / f"{requirement}.md").write_text(text, encoding="utf-8")


def linked(file: Path, place: Path) -> str:
    """Return the text of a file with its links made to fit its place on the site.

    What is on the site keeps its link; the name of any other file of the project is text.
    """

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        path = Path(os.path.normpath(file.parent / target))
        if path in (ROOT / name for name in COPIED):
            on_site = Path(COPIED[path.name])
        elif path.is_relative_to(ROOT / "docs") and path.is_file():
            on_site = path.relative_to(ROOT / "docs")
        else:
            return text
        return f"[{text}]({os.path.relpath(on_site, place.parent)}{anchor})"

    text = file.read_text(encoding="utf-8")
    return re.sub(r"\[([^\]\n]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)", link, text)


def requirement_pages(
    catalogue: Contract,
    tests: Mapping[str, Sequence[str]],
    faults: Mapping[str, Fault],
    questions: Mapping[str, Question],
) -> dict[str, str]:
    """Return the page of each requirement and duty, by its ID."""
    everything = [*catalogue.requirements.values(), *catalogue.duties.values()]
    return {
        one.id: "\n".join(_page(one, catalogue, tests.get(one.id, ()), list(breaking(one, faults)), questions))
        for one in everything
    }


def breaking(one: Requirement, faults: Mapping[str, Fault]) -> Iterator[Fault]:
    """Yield the faults of the reference server that break a requirement, those that name it before patterns."""
    for exact in (True, False):
        for fault in faults.values():
            fits = any(fnmatchcase(one.id, pattern) for pattern in fault.breaks)
            if fits and (one.id in fault.breaks) is exact:
                yield fault


def curl(catalogue: Contract, operation: str) -> str:
    """Return a curl line of an operation, with the example body of its description."""
    one = catalogue.operations[operation]
    said = catalogue.document["paths"][re.sub(r":(\w+)", r"{\1}", one.path) if "{" not in one.path else one.path]
    content = said[one.method.lower()].get("requestBody", {}).get("content", {}).get("application/json", {})
    path = re.sub(r":(\w+)|{(\w+)}", lambda found: f"<{(found[1] or found[2]).upper()}>", one.path)
    words = f'curl -sS -i -X {one.method} "$MESHI_BASE{path}" \\\n  -H "Authorization: Bearer $MESHI_KEY"'
    if one.body is not None:
        body = json.dumps(content.get("example", {}), ensure_ascii=False)
        words += f" \\\n  -H 'Content-Type: application/json' \\\n  --data-binary {shlex.quote(body)}"
    return words


def _page(
    one: Requirement,
    catalogue: Contract,
    tests: Sequence[str],
    faults: Sequence[Fault],
    questions: Mapping[str, Question],
) -> Iterator[str]:
    yield f"# `{one.id}`\n"
    yield f"{one.statement.replace('<', '&lt;')}\n"
    yield f"- **Binds** the {one.subject}"
    yield f"- **Level** {one.level}"
    yield f"- **Source** {one.source.replace('<', '&lt;')}"
    yield f"- **Comes from** {'openapi/' if one.derived else 'requirements/'}"
    yield from (f"- **Needs** `{need}`: not run where {NEEDS[need]}" for need in one.needs)
    yield f"\n## Operations{UNSEARCHED}\n"
    if len(one.operations) == len(catalogue.operations):
        yield "All operations.\n"
    elif not one.operations:
        yield "None of its own: it is about paths that no operation has.\n"
    else:
        for name in one.operations:
            yield f"- `{name}`: `{catalogue.operations[name].method} {catalogue.operations[name].path}`"
    yield from _judging(one, tests)
    if one.subject != CLIENT and one.operations:
        yield f"\n## By hand{UNSEARCHED}\n"
        yield "The example call of each operation; the requirement says what to change in it and what to look at.\n"
        for name in one.operations[:MOST]:
            yield f"```bash\n{curl(catalogue, name)}\n```\n"
    if one.subject != CLIENT:
        yield from _faults(one, faults)
    yield from _questions(one, catalogue, questions)


def _judging(one: Requirement, tests: Sequence[str]) -> Iterator[str]:
    yield f"\n## Judge it{UNSEARCHED}\n"
    if one.subject == CLIENT:
        yield f"```bash\nmeshi-conformance client --scenario {SHOWN_IN[one.id][0]} -- COMMAND\n```\n"
        yield f"Scenarios that show it: {', '.join(f'`{name}`' for name in SHOWN_IN[one.id])}."
        return
    yield f"```bash\nmeshi-conformance run --requirements '{one.id}'\n```\n"
    cases = list(dict.fromkeys(node.partition("[")[0] for node in tests))
    yield "Tests:\n"
    yield from ([f"- `{name}`" for name in cases] or ["- none"])


def _faults(one: Requirement, faults: Sequence[Fault]) -> Iterator[str]:
    yield f"\n## See it broken{UNSEARCHED}\n"
    for fault in faults[:MOST]:
        yield f"- `{fault.name}`: {fault.sentence.replace('<', '&lt;')}"
    if len(faults) > MOST:
        yield f"- and {len(faults) - MOST} more faults"
    if faults:
        yield f"\n```bash\nmeshi-conformance serve --port 8787 --fault '{faults[0].name}'\n```\n"
        yield "It prints the base URL and the keys to export; then, in another terminal:\n"
        yield "```bash\nmeshi-conformance run --target http://127.0.0.1:8787/api/v0/partner " + (
            f"--requirements '{one.id}'\n```"
        )
    else:
        yield "No fault of the reference server breaks it alone; the balance self-test has the reason."


def _questions(one: Requirement, catalogue: Contract, questions: Mapping[str, Question]) -> Iterator[str]:
    """Yield the open questions about the operations of a requirement, where it binds few."""
    if len(one.operations) > MOST:
        return
    found = [
        question
        for question in questions.values()
        if set(one.operations) & set(question.operations) and len(question.operations) < len(catalogue.operations)
    ]
    if found:
        yield f"\n## Open questions about these operations{UNSEARCHED}\n"
        for question in found:
            heading = question.topic.replace("_", "-")
            yield f"- [`{question.id}`](../open-questions.md#{heading}): {question.question.replace('<', '&lt;')}"

"""The site has a page for every requirement, links that lead somewhere, and commands that parse."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from docs_site.pages import breaking, requirement_pages, write
from meshi_conformance import commands
from meshi_conformance.contract import contract
from meshi_conformance.contract.open_questions import load_questions
from meshi_conformance.plugin.options import add_to
from meshi_reference import faults

NODE = "tests/test_it.py::test_it"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    known = contract.load()
    return requirement_pages(
        known, {name: [f"{NODE}[x]"] for name in known.requirements}, faults.load(), load_questions()
    )


@pytest.fixture(scope="module")
def site(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    write(folder, pages)
    return folder


def test_every_requirement_and_duty_has_a_page(pages: dict[str, str]) -> None:
    known = contract.load()
    assert set(pages) == {*known.requirements, *known.duties}
    for name, one in known.requirements.items():
        text = pages[name]
        assert text.startswith(f"# `{name}`\n")
        assert f"- **Level** {one.level}\n" in text
        assert one.page in text
        assert f"- `{NODE}`\n" in text
        assert ("curl -sS -i -X " in text) is bool(one.operations)


def test_a_page_names_the_fault_that_breaks_its_requirement(pages: dict[str, str]) -> None:
    known, registry = contract.load(), faults.load()
    for name, one in known.requirements.items():
        found = list(breaking(one, registry))
        if found:
            assert f"- `{found[0].name}`: " in pages[name]
            assert f"--fault '{found[0].name}'" in pages[name]
    assert sum(1 for one in known.requirements.values() if any(breaking(one, registry))) > 900


def test_links_of_the_site_lead_to_its_pages(site: Path) -> None:
    seen = 0
    for file in site.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", file.read_text(encoding="utf-8")):
            seen += 1
            assert (file.parent / target).exists(), f"{file.name} links to {target}"
    assert seen > 1000


def test_curl_lines_are_shell(pages: dict[str, str]) -> None:
    lines = {block for text in pages.values() for block in re.findall(r"```bash\n(curl .*?)\n```", text, re.DOTALL)}
    assert len(lines) == 25
    done = subprocess.run(["bash", "-n"], input="\n".join(lines), capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    for line in lines:
        assert shlex.split(line)[-1] != "{}"


COMMAND = re.compile(
    r"(?:^|[ ;/])(?:meshi-conformance|python -m meshi_conformance) (?P<command>[a-z].*)"
    r"|^(?:\S*python -m )?pytest (?P<options>-.*)"
)


def documented_commands(site: Path) -> set[tuple[str, ...]]:
    """The commands of the suite in the code blocks of all pages, without what a shell does with them."""
    found = set()
    for file in site.rglob("*.md"):
        text = file.read_text(encoding="utf-8")
        blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.DOTALL)
        blocks += re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            words = COMMAND.search(line.partition(" #")[0].strip())
            if words:
                command = words["command"] or f"run {words['options']}"
                found.add(tuple(shlex.split(re.split(r" (?:\||>>?|&&|\|\||&)(?: |$)", f"{command} ")[0])))
    return found


OF_PYTEST = {"--alluredir", "--allure-link-pattern", "--help"}
"""Options that the docs name and that the suite does not declare."""


def test_every_command_in_the_docs_parses(site: Path) -> None:
    found = documented_commands(site)
    assert len(found) > 1000
    for shown in ("client -- python my_integration.py", "diff last-night/ tonight/", "run --target staging"):
        assert tuple(shown.split()) in found, f"{shown} was not read"
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name in commands.NAMES:
        module = commands.command(name)
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        if hasattr(module, "options"):
            module.options(parser)
        elif name == "run":
            add_to(parser.add_argument)
        else:
            continue
        parsers[name] = parser
    wrong = []
    for words in sorted(found):
        if words[0] not in commands.NAMES:
            wrong.append(" ".join(words))
            continue
        if words[0] not in parsers:
            continue  # it passes its words on to another program
        try:
            _, rest = parsers[words[0]].parse_known_args(words[1:])
        except (argparse.ArgumentError, SystemExit) as problem:
            wrong.append(f"{' '.join(words)}: {problem}")
            continue
        wrong += [f"{' '.join(words)}: {word}" for word in rest if word.startswith("--") and word not in OF_PYTEST]
    assert wrong == []

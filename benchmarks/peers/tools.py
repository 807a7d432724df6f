"""The tools: how each is run against a server, and what it says is wrong.

An adapter returns failures by a name that is the same in every run (operation and check), so that a verdict on a
faulty server can be compared with the one on a conforming server. Everything runs on loopback; telemetry is off.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from . import description

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
BINARIES = HERE / "node_modules" / ".bin"
PYTHON = PROJECT / ".venv" / "bin"
TAVERN = HERE / ".venv" / "bin"

QUIET = {
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "STEPCI_DISABLE_ANALYTICS": "1",
    "SPECMATIC_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "CI": "true",
}
"""Settings of the environment that keep the tools from calling anybody but the server."""


@dataclass(frozen=True)
class Case:
    """One server to judge: its base URL, all keys by environment name, a folder, and the files for tools.

    `whole` is the project's own file, `plain` and `older` its simpler forms in 3.1 and 3.0.
    """

    base: str
    keys: dict[str, str]
    folder: Path
    whole: Path
    plain: Path
    older: Path
    calls: list[dict[str, Any]]
    seconds: float

    @property
    def key(self) -> str:
        """The key that a tool with one key is given."""
        return self.keys["MESHI_KEY"]

    @property
    def bearer(self) -> str:
        return f"Authorization: Bearer {self.key}"


Failures = dict[str, str]
"""What a tool says is wrong: a name that is the same in every run, and the tool's words."""


class DoesNotRun(Exception):
    """The tool did not come to a verdict; the reason."""


@dataclass(frozen=True)
class Tool:
    """A tool and how it is used here."""

    name: str
    package: str
    setting: str
    limits: str
    run: Callable[[Case], Failures]


def environment(**more: str) -> dict[str, str]:
    """The environment of a tool: this one's without keys, proxies or settings of the suite."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MESHI_", "PYTEST_")) and not name.lower().endswith("_proxy")
    }
    return {**kept, **QUIET, **more}


def command(case: Case, words: list[Any], **more: str) -> str:
    """Run a program of a tool and return what it printed; exit codes say nothing that reports do not."""
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=case.folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=case.seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise DoesNotRun(f"no verdict within {case.seconds:.0f} s") from None
    (case.folder / f"{Path(str(words[0])).name}.log").write_text(output, encoding="utf-8")
    return output


def report(file: Path, output: str) -> Any:
    """A JSON report. Raises DoesNotRun where there is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DoesNotRun(f"no report; it printed: {output.strip()[-300:]}") from None


def elements(file: Path, output: str) -> ElementTree.Element:
    """A JUnit report. Raises DoesNotRun where there is none."""
    try:
        return ElementTree.fromstring(file.read_text(encoding="utf-8"))
    except (OSError, ElementTree.ParseError):
        raise DoesNotRun(f"no report; it printed: {output.strip()[-300:]}") from None


def suite(case: Case) -> Failures:
    """This suite by its command line, as a run on a server of one's own."""
    folder = case.folder / "report"
    words = [
        PYTHON / "python",
        "-m",
        "pytest",
        "-c",
        PROJECT / "pyproject.toml",
        "--rootdir",
        PROJECT,
        PROJECT / "tests",
    ]
    words += ["--target", case.base, "--large", "--rate-limit-probe", "--seed", "1", f"--report-dir={folder}"]
    output = command(case, [*words, "-p", "no:xdist", "--tb=no"], **case.keys)
    document = report(folder / "results.json", output)
    if document["problems"]:
        raise DoesNotRun("; ".join(document["problems"])[:300])
    return {row["id"]: row["reason"][:200] for row in document["requirements"] if row["verdict"] == "fail"}


def schemathesis(case: Case) -> Failures:
    """Schemathesis' own command line with every check and every phase."""
    words = [PYTHON / "schemathesis", "run", case.whole, "--url", case.base, "-H", case.bearer]
    words += ["--checks", "all", "--max-examples", "25", "--workers", "2", "--seed", "1", "--continue-on-failure"]
    words += ["--no-shrink", "--report", "junit", "--report-junit-path", case.folder / "junit.xml"]
    output = command(case, words)
    found = {}
    for test in elements(case.folder / "junit.xml", output).iter("testcase"):
        for failure in test.iter("failure"):
            # "- ST108 Response violates schema … [200] OK": the check, and the status that it was raised at.
            for title, told in re.findall(r"- (ST[0-9]+ [^\n]+)(.*?)(?=\n- ST|\Z)", failure.text or "", re.DOTALL):
                status = re.search(r"\[([0-9]{3})\]", told)
                found[f"{test.get('name')}: {title} ({status.group(1) if status else '-'})"] = told.strip()[:200]
    return found


def dredd(case: Case) -> Failures:
    """Dredd with hooks that earn each documented refusal where a change of the request can."""
    file = case.folder / "dredd.xml"
    words = [BINARIES / "dredd", case.older, case.base, "--header", case.bearer, "--sorted", "--loglevel", "error"]
    words += ["--hookfiles", HERE / "settings" / "dredd-hooks.js", "--reporter", "xunit", "--output", file]
    output = command(case, words)
    return {
        str(test.get("name")): (failure.text or "")[:200]
        for test in elements(file, output).iter("testcase")
        for failure in test.iter("failure")
    }


def portman(case: Case) -> Failures:
    """Portman's contract tests and its fuzzing of required and bounded fields, run by Newman."""
    collection, result = case.folder / "collection.json", case.folder / "newman.json"
    words = [BINARIES / "portman", "--local", case.older, "--baseUrl", case.base, "--output", collection]
    output = command(case, [*words, "--portmanConfigFile", HERE / "settings" / "portman.json"], PORTMAN_KEY=case.key)
    made = report(collection, output)
    made["auth"] = {"type": "bearer", "bearer": [{"key": "token", "value": case.key, "type": "string"}]}
    collection.write_text(json.dumps(made), encoding="utf-8")
    words = [BINARIES / "newman", "run", collection, "--reporters", "json", "--reporter-json-export", result]
    output = command(case, [*words, "--timeout-request", "10000"])
    return {
        f"{one['source'].get('name', '')}: {one['error'].get('test', '')}": str(one["error"].get("message"))[:200]
        for one in report(result, output)["run"]["failures"]
    }


def specmatic(case: Case) -> Failures:
    """Specmatic's contract tests from the file and its examples."""
    folder = case.folder / "specmatic"
    document = description.named(json.loads(case.plain.read_text(encoding="utf-8")))
    file = description.write(document, case.folder / "openapi-named.json")
    words = [BINARIES / "specmatic", "test", file, f"--testBaseURL={case.base}", f"--junitReportDir={folder}"]
    output = command(case, words, bearer=case.key)
    found = {}
    for test in elements(next(folder.glob("*.xml"), folder / "none"), output).iter("testcase"):
        for failure in test.iter("failure"):
            found[re.sub(r"\s+", " ", str(test.get("name")))[:150]] = (failure.get("message") or "")[:200]
    return found


def redocly(case: Case) -> Failures:
    """Redocly Respect on the Arazzo description that it makes of the file: a step for each operation."""
    arazzo, result = case.folder / "arazzo.yaml", case.folder / "respect.json"
    words = [BINARIES / "redocly", "generate-arazzo", case.plain.name, "--output-file", arazzo.name]
    command(case, words)
    document = yaml.safe_load(arazzo.read_text(encoding="utf-8"))
    places = {one["operation"]: place for place, one in enumerate(case.calls)}
    document["workflows"].sort(key=lambda flow: places[flow["steps"][0]["operationId"].rpartition(".")[2]])
    arazzo.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    words = [
        BINARIES / "redocly",
        "respect",
        arazzo.name,
        "--input",
        f"bearer={case.key}",
        "--json-output",
        result.name,
    ]
    output = command(case, words)
    found = {}
    for flow in report(result, output)["files"][arazzo.name]["executedWorkflows"]:
        for step in flow["executedSteps"]:
            for check in step.get("checks", []):
                if not check["passed"]:
                    found[f"{step['stepId']}: {check['name']}"] = str(check.get("message", ""))[:200]
    return found


def stepci(case: Case) -> Failures:
    """Step CI on the workflow that it makes of the file, with checks of status and schema."""
    workflow = case.folder / "workflow.yml"
    # Its schema checker knows no 2020-12, so it gets the 3.0 form.
    command(case, [BINARIES / "stepci", "generate", case.older, workflow, "--checkExamples=false"])
    if not workflow.exists():
        raise DoesNotRun("it made no workflow")
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    steps = {step["id"]: step for test in document["tests"].values() for step in test["steps"]}
    for step in steps.values():
        step["http"]["headers"] = {"Authorization": f"Bearer {case.key}"}
    # A test of its own for each step: after a failed step the rest of a test is skipped.
    document["tests"] = {
        one["operation"]: {"steps": [steps[one["operation"]]]} for one in case.calls if one["operation"] in steps
    }
    workflow.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    output = command(case, [BINARIES / "stepci", "run", workflow, "--concurrency", "1"])
    if "Steps:" not in output:
        raise DoesNotRun(output.strip()[-300:])
    found: Failures = {}
    name = ""
    for line in output.splitlines():
        heading = re.match(r"● (.+)", line)
        check = re.match(r"✕ (.+)", line)
        if heading:
            name = heading.group(1)
        elif check:
            found[f"{name}: {check.group(1)}"] = check.group(1)
    return found


def tavern(case: Case) -> Failures:
    """Tavern on a test for each operation, made of the file: status, header and required members."""
    document = json.loads(case.plain.read_text(encoding="utf-8"))
    tests = []
    for one in case.calls:
        schema = _success(document, one)
        tests.append(
            {
                "test_name": one["operation"],
                "stages": [
                    {
                        "name": one["operation"],
                        "request": {
                            "url": case.base + one["path"],
                            "method": one["method"],
                            "headers": {"Authorization": f"Bearer {case.key}", "x-correlation-id": "tavern-0001"},
                            **({} if one["body"] is None else {"json": one["body"]}),
                        },
                        "response": {
                            "status_code": max(one["statuses"]),
                            "strict": ["json:off"],
                            "headers": {"x-correlation-id": "tavern-0001"},
                            "json": {"correlation_id": "tavern-0001"} | _kinds(document, schema),
                        },
                    }
                ],
            }
        )
    file = case.folder / "test_api.tavern.yaml"
    text = yaml.safe_dump_all(tests, sort_keys=False)
    # Tavern's types are YAML tags, which a plain dump would quote.
    file.write_text(re.sub(r"'(!any\w+)'", r"\1", text), encoding="utf-8")
    result = case.folder / "tavern.xml"
    if not (TAVERN / "python").exists():
        raise DoesNotRun("its environment is not installed")
    words = [TAVERN / "python", "-m", "pytest", "-q", "--tb=line", f"--junitxml={result}", file]
    output = command(case, words)
    found = {}
    for test in elements(result, output).iter("testcase"):
        for failure in [*test.iter("failure"), *test.iter("error")]:
            found[str(test.get("name"))] = (failure.get("message") or "")[:200]
    return found


def _success(document: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation.get("operationId") == call["operation"]:
                answer = operation["responses"][str(max(call["statuses"]))]
                found: dict[str, Any] = answer["content"]["application/json"]["schema"]
                return found
    raise KeyError(call["operation"])


def _kinds(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The required members of an answer as Tavern's types."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = {
        "string": "!anystr",
        "integer": "!anyint",
        "boolean": "!anybool",
        "array": "!anylist",
        "object": "!anydict",
    }
    found = {}
    for name in schema.get("required", []):
        if name != "correlation_id":
            kind = schema["properties"].get(name, {}).get("type")
            found[name] = kinds.get(kind, "!anything") if isinstance(kind, str) else "!anything"
    return found


def prism(case: Case) -> Failures:
    """Prism as a validating proxy; a small driver sends each operation good, without key, and with unknown IDs."""
    port = _free_port()
    words = [BINARIES / "prism", "proxy", case.plain, case.base.rpartition("/api/")[0] + "/api/v0/partner"]
    words += ["--port", str(port), "--host", "127.0.0.1"]
    with (case.folder / "prism.log").open("w") as log:
        process = subprocess.Popen(
            [str(word) for word in words], env=environment(), cwd=case.folder, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for(port, case.seconds)
        return dict(_driven(case, f"http://127.0.0.1:{port}"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _driven(case: Case, proxy: str) -> Iterator[tuple[str, str]]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        for one in case.calls:
            unknown = re.sub(
                r"(?<=/)(harbour-[^/]+|run_[^/]+|review_[^/]+)", "nobody-used-this-id", one["path"], count=1
            )
            tries = [("good", one["path"], case.key, max(one["statuses"])), ("no key", one["path"], None, 401)]
            tries += [("unknown ID", unknown, case.key, 404)] if unknown != one["path"] else []
            for kind, path, key, status in tries:
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                answer = client.request(one["method"], proxy + path, json=one["body"], headers=headers)
                if answer.status_code != status:
                    yield f"{one['operation']} {kind}: status", f"{answer.status_code}, not {status}"
                for violation in json.loads(answer.headers.get("sl-violations", "[]")):
                    if violation["location"][0] == "response":
                        place = ".".join(map(str, violation["location"]))
                        yield f"{one['operation']} {kind}: {re.sub('[0-9]+', 'n', place)}", violation["message"][:200]


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _wait_for(port: int, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise DoesNotRun(f"its proxy did not listen within {seconds:.0f} s")


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "meshi-conformance",
            "",
            "default profile, `--large --rate-limit-probe`, all seven keys",
            "knows this API alone; the faults were made to prove it",
            suite,
        ),
        Tool(
            "Schemathesis",
            "schemathesis",
            "`run --checks all --max-examples 25 --workers 2 --continue-on-failure --no-shrink`, all phases, "
            "the project's own 3.1 file with its links",
            "one key; knows no rule that the file does not say",
            schemathesis,
        ),
        Tool(
            "Specmatic",
            "specmatic",
            "`test` on the plain 3.1 file with named examples and without `anyOf`, without generative tests",
            "generative tests send over 14,000 requests in minutes; the table leaves them out",
            specmatic,
        ),
        Tool(
            "Portman + Newman",
            "@apideck/portman",
            "contract tests of status, content type, body, schema and headers, and fuzzing of request fields",
            "reads 3.0 only",
            portman,
        ),
        Tool(
            "Prism proxy",
            "@stoplight/prism-cli",
            "`proxy` in front of the server; a driver sends each operation good, without a key and with an unknown ID, "
            "and compares the status",
            "sends nothing itself; newer versions need a newer Node.js",
            prism,
        ),
        Tool(
            "Dredd",
            "dredd",
            "`--sorted`, hooks that earn each 401, 404 and malformed body",
            "3.0 support is called experimental by its authors",
            dredd,
        ),
        Tool(
            "Redocly Respect",
            "@redocly/cli",
            "`generate-arazzo`, then `respect`: status, content type and schema of each operation",
            "successes only",
            redocly,
        ),
        Tool(
            "Step CI",
            "stepci",
            "`generate`, then `run`: status and schema of each operation",
            "successes only; its checker knows no 2020-12 schemas, so it gets the 3.0 form",
            stepci,
        ),
        Tool(
            "Tavern",
            "tavern",
            "a test for each operation, made of the file: status, correlation ID, required members and their types",
            "reads no OpenAPI itself; runs on pytest 8 only",
            tavern,
        ),
    )
}


def versions() -> dict[str, str]:
    """The version of each tool as installed."""
    found = {}
    for tool in TOOLS.values():
        manifest = HERE / "node_modules" / tool.package / "package.json"
        if tool.package and manifest.exists():
            found[tool.name] = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    for name, python, package in (
        ("meshi-conformance", PYTHON, "meshi-conformance"),
        ("Schemathesis", PYTHON, "schemathesis"),
        ("Tavern", TAVERN, "tavern"),
    ):
        if (python / "python").exists():
            code = f"import importlib.metadata as m; print(m.version({package!r}))"
            done = subprocess.run([python / "python", "-c", code], capture_output=True, text=True)
            found[name] = done.stdout.strip() or "not installed"
    newman = HERE / "node_modules" / "newman" / "package.json"
    if newman.exists():
        newman_version = json.loads(newman.read_text(encoding="utf-8"))["version"]
        found["Portman + Newman"] = f"{found['Portman + Newman']} + {newman_version}"
    return found

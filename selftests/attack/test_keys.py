"""A key that a server echoes reaches no file and no terminal, however and wherever the server spells it."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from meshi_conformance.contract import contract as contracts
from meshi_conformance.exchanges import redaction
from meshi_conformance.exchanges.exchange import HEADER_CHARACTERS, SLACK, STORED_BODY_BYTES, STORED_PATH, Exchange
from meshi_conformance.exchanges.recorder import Recorder
from meshi_conformance.exchanges.redaction import CUT, Redaction
from meshi_conformance.exchanges.spool import Spool
from meshi_conformance.report import FILES, write_all
from meshi_conformance.report.document import results
from meshi_conformance.target.target import Preflight, Target
from meshi_conformance.verdicts.verdicts import Judgement
from meshi_conformance.vocabulary import CauseClass, Verdict

from ..report.samples import BASE, exchange
from .spellings import SPELLINGS, leak

KEY = "mk_live/8Kq+Zt3&x=W5rB<7uJ>2fYp"
CORRELATION = ("x-correlation-id", "corr-00000001")
JSON = ("Content-Type", "application/json")


def raw(text: str) -> str:
    """Put an escape of the server's own into a JSON text as it is."""
    return json.dumps(text).replace("\\\\u", "\\u").replace("\\\\/", "\\/")


def body(members: str) -> dict[str, Any]:
    return {"body": f'{{"correlation_id": "corr-00000001", {members}}}'.encode(), "headers": [JSON, CORRELATION]}


def head(*headers: tuple[str, str]) -> dict[str, Any]:
    return {"headers": [JSON, CORRELATION, *headers], "body": b'{"correlation_id": "corr-00000001"}'}


def places(echo: str) -> dict[str, dict[str, Any]]:
    """Return what of an exchange is otherwise where a server echoes so, by the place's name."""
    text = raw(echo)
    inner = text[1:-1]
    line = echo.replace("\n", " ")
    return {
        "member": body(f'"echo": {text}'),
        "name of a member": body(f"{text}: 1"),
        "deep member": body(f'"a": {{"b": [{{"c": {text}}}]}}'),
        "code": {**body(f'"code": {text}, "message": "No."'), "status": 400},
        "message": {**body(f'"code": "X", "message": {text}'), "status": 400},
        "code past 80 characters": {**body(f'"code": "{"C" * 60}{inner}", "message": "No."'), "status": 400},
        "status and text": {**body(f'"code": {text}, "message": {text}'), "status": 500},
        "org": body(f'"org_id": {text}'),
        "title of a wrong type": body(f'"title": [{text}]'),
        "row": body(f'"items": [{{"event_id": {text}}}], "next_cursor": null'),
        "name in a row": body(f'"items": [{{{text}: 1}}], "next_cursor": null'),
        "cursor": body(f'"items": [], "next_cursor": {text}'),
        "cursor of a wrong type": body(f'"items": [], "next_cursor": [{text}]'),
        "a member twice": body(f"{text}: 1, {text}: 2"),
        "a long name": body(f'"{"m" * 180}{inner}": 1'),
        "a time": body(f'"created_at": {text}'),
        "halves in two members": body(f'"one": "{KEY[:15]}", "two": "{KEY[15:]}"'),
        "correlation in the body": {"body": f'{{"correlation_id": {text}}}'.encode(), "headers": [JSON, CORRELATION]},
        "correlation in the header": {**body('"a": 1'), "headers": [JSON, ("x-correlation-id", line)]},
        "a long correlation ID": {**body('"a": 1'), "headers": [JSON, ("x-correlation-id", "d" * 190 + line)]},
        "at the cut of a body": body(f'"p": "{"x" * (STORED_BODY_BYTES - 60)}{inner}", "q": 1'),
        "past the cut of a body": body(f'"p": "{"x" * (STORED_BODY_BYTES + SLACK - 60)}{inner}", "q": 1'),
        "no JSON": {"body": f"<h1>{echo}</h1>".encode(), "headers": [("Content-Type", "text/html"), CORRELATION]},
        "no UTF-8": {"body": b"\xff\xfe " + echo.encode() + b" \x80", "headers": [JSON, CORRELATION]},
        "UTF-16": {"body": echo.encode("utf-16"), "headers": [JSON, CORRELATION]},
        "a JSON text": {"body": text.encode(), "headers": [JSON, CORRELATION]},
        "a text in a text": body(f'"inner": {json.dumps(json.dumps({"a": echo}))}'),
        "a header": head(("X-Echo", line)),
        "the name of a header": head((f"x-{line}".lower(), "1")),
        "the content type": {**body('"a": 1'), "headers": [("Content-Type", line), CORRELATION]},
        "Location": head(("Location", f"https://elsewhere.example/?token={line}")),
        "Retry-After": {**head(("Retry-After", line)), "status": 429},
        "Server": head(("Server", line)),
        "Via": head(("Via", f"1.1 {line}")),
        "WWW-Authenticate": {**head(("WWW-Authenticate", f'Bearer realm="{line}"')), "status": 401},
        "Set-Cookie": head(("Set-Cookie", f"session={line}; Path=/")),
        "at the cut of a header": head(("X-Echo", "p" * (HEADER_CHARACTERS - 20) + line)),
        "two headers": head(("X-One", KEY[:15]), ("X-Two", KEY[15:])),
        "a path that the server gave": {**body('"a": 1'), "path": f"/events?cursor={line}"},
        "at the cut of a path": {**body('"a": 1'), "path": "/events?cursor=" + "c" * (STORED_PATH - 40) + line},
        "a request that holds an answer's text": {**body('"a": 1'), "request_body": f'{{"run_id": {text}}}'.encode()},
        "a header of a request": {**body('"a": 1'), "request_headers": {"x-correlation-id": line}},
    }


TOLD = ("reason", "cause", "wait", "waiting", "trouble", "problem", "violation", "generated", "org", "scope", "why")
"""Places outside exchanges."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report on a server that echoes a key in every spelling at every place."""
    folder = tmp_path_factory.mktemp("keys")
    spool = folder / "spool"
    spool.mkdir()
    target = Target("staging", BASE, {"main": KEY, "other": "mk_other_0123456789abcdef"})
    contract = contracts.load()
    recorder = Recorder(contract, Redaction(target.keys), spool / "main.jsonl", "main")
    judgements: list[Judgement] = []
    names, operations = iter(contract.requirements), list(contract.operations)
    number = 0
    for spelling in SPELLINGS.values():
        echo = f"bad token {spelling(KEY)} given"
        for changes in places(echo).values():
            test = f"tests/test_sample.py::test_it[{number}]"
            recorder.start_test(test)
            one: Exchange = exchange(number, operations[number % len(operations)], test, **changes)
            recorder.exchange(one)
            shown = f"{one.summary} {one.headers} {one.body!r} {one.violations}\nassert {echo!r} == 1"
            judgements.append(Judgement(next(names), test, Verdict.FAIL, shown, exchanges=(one.id,)))
            number += 1
        judgements.append(
            Judgement(next(names), "t", Verdict.INCONCLUSIVE, f"reason {echo}", f"cause {echo}", CauseClass.SETUP)
        )
        recorder.waiting(f"waiting {echo}", 1.0, echo)
        recorder.waited(f"wait {echo}", 1.5, [f"{echo} at 0.1 s"])
        recorder.transport_error(f"trouble {echo}")
        recorder.problem(f"problem {echo}")
        recorder.violated(contract.operations[operations[0]].id, "main-1", f"violation {echo}")
        recorder.generated({"test": "histories", "note": echo, "requests": 1})
    recorder.close()
    echoes = [spelling(KEY) for spelling in SPELLINGS.values()]
    document = results.build(
        contract,
        target,
        Preflight(" ".join(echoes), tuple(echoes)),
        judgements,
        [{"nodeid": one.test, "verdict": one.verdict, "seconds": 0.1, "requirements": []} for one in judgements],
        Spool(spool),
        [f"why {echo}" for echo in echoes],
        started=time.time() - 60,
    )
    assert write_all(folder, document, Spool(spool)) == []
    return folder


def test_there_are_twelve_spellings_and_forty_places() -> None:
    assert len(SPELLINGS) >= 12
    assert len(places("x")) >= 40


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_search_itself_finds_every_spelling(spelling: str) -> None:
    assert leak(f'{{"echo": "{SPELLINGS[spelling](KEY)}"}}', KEY)


@pytest.mark.parametrize("file", ["spool/main.jsonl", "results.json", *FILES])
def test_no_file_of_a_report_holds_the_key(written: Path, file: str) -> None:
    assert (written / file).stat().st_size > 500
    assert leak((written / file).read_bytes(), KEY) is None


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_is_left_and_its_surroundings_are(spelling: str) -> None:
    text = Redaction({"main": KEY}).text(f"before {SPELLINGS[spelling](KEY)} after")
    assert leak(text, KEY) is None
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert "$MESHI_KEY" in text


def test_a_text_without_a_key_stays_as_it_is() -> None:
    clean = Redaction({"main": KEY, "other": "short"}).text
    for text in ("", "mk_live/", json.dumps({"a": "\\u0041 %41 &amp; \u200b"}), "bWtfbGl2ZS8=", "x" * 50_000):
        assert clean(text) == text


def test_a_key_that_is_short_is_cut_as_a_whole() -> None:
    assert Redaction({"main": "k3y-7"}).text("k3y-7, %6b3y-7 and k3y-8") == "$MESHI_KEY, $MESHI_KEY and k3y-8"


def test_what_is_cut_leaves_valid_json() -> None:
    for spelling in SPELLINGS.values():
        text = f'{{"a": {raw(spelling(KEY))}, "b": [1]}}'
        assert json.loads(Redaction({"main": KEY}).text(text))["b"] == [1]


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie", "Proxy-Authorization", "X-Api-Key", "X-Company-Token"])
def test_headers_that_carry_credentials_are_kept_without_their_values(name: str) -> None:
    one = exchange(1, "getAuth", "t", **head((name, "session=of-somebody-else")))
    record = one.record(Redaction({"main": KEY}, headers=["X-Company-Token"]))
    assert [name, CUT] in record["headers"]
    assert "of-somebody-else" not in json.dumps(record)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "\\" * 500_000, "&amp;" * 200_000, "%25" * 300_000, KEY[:6] * 100_000]
)
def test_looking_for_keys_is_linear(text: str) -> None:
    """A quadratic search of a megabyte would take hours."""
    assert Redaction({"main": KEY, "other": KEY[::-1] + "x"}).text(text) == text


def test_the_quick_look_reads_every_text_that_the_thorough_one_reads() -> None:
    pieces = (
        "aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Q",
        "YWJj" * 12,
        "Zm9v-_",
        "-",
        "_",
        "+",
        "/",
        "=",
        " ",
        "é",
        "\n",
        "\x1c",
        '"',
    )
    chosen = random.Random(1)
    for _ in range(3000):
        text = "".join(chosen.choices(pieces, k=chosen.randint(1, 12)))
        assert set(redaction._inner_texts(text)) == {inner for _, inner in redaction._encoded(text)}, text

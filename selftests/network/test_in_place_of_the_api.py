"""What answers in the API's place is named before a run starts, with the likely mend; an odd API is judged."""

from __future__ import annotations

import json
import socket

import pytest

from meshi_conformance.contract.contract import load as contract
from meshi_conformance.errors import UsageError
from meshi_conformance.plugin.start.preflight import look
from meshi_conformance.target.target import Target
from meshi_reference.server import Address

from .hostile import KEY, Request, Script, answer, raw, refusal, says, serving

HTML = {"Content-Type": "text/html; charset=utf-8", "Server": "gate/2.1", "Via": "1.1 edge"}


def page(status: str, body: str, **headers: str) -> bytes:
    """A page for people, from a gateway."""
    return raw(status, {**HTML, "Content-Length": str(len(body.encode())), **headers}, body.encode())


IN_PLACE = {
    "a sign-in page": (
        page("200 OK", "<html><head><TITLE>Sign in\n &amp; go</TITLE></head>"),
        ("200 text/html from gate/2.1 via 1.1 edge", "'Sign in & go'", "page for people"),
    ),
    "a port that speaks TLS": (
        page("400 Bad Request", "The plain HTTP request was sent to HTTPS port"),
        ("400 text/html", "https://"),
    ),
    "a proxy without a password": (
        page("407 Proxy Authentication Required", "<h1>Denied</h1>"),
        ("407 text/html", "a proxy", "user and a password"),
    ),
    "a guard": (page("403 Forbidden", "<h1>Denied</h1>"), ("403 text/html", "headers and tls in the targets file")),
    "another service that knows no such thing": (
        answer({"code": "NotFound", "message": "x"}, "404 Not Found", Server="stock"),
        ("404 application/json from stock (NotFound)", "/api/v0/partner"),
    ),
    "another service that refuses": (
        answer({"code": "Nope"}, "400 Bad Request"),
        ("400 application/json (Nope)", "Another service answers"),
    ),
    "another service that is fine": (answer({"ok": True}), ("200 application/json", "Another service answers")),
    "another service with rows": (answer({"items": []}), ("200 application/json", "Another service answers")),
    "a list": (answer([]), ("200 application/json", "Another service answers")),
    "an empty 500": (
        raw("500 Oops", {"Content-Length": "0"}, b""),
        ("500 without a content type", "server fails before the API answers"),
    ),
    "a limit of a gateway": (page("429 Too Many", "", **{"Retry-After": "0"}), ("429 text/html", "--rate")),
    "a gateway with nothing behind it": (page("502 Bad Gateway", ""), ("502 text/html from gate/2.1", "API is up")),
    "a gateway that is busy": (page("503 Busy", ""), ("503 text/html", "--rate")),
    "a redirect to a sign-in": (
        page("302 Found", "", Location="https://sso.example.com/"),
        ("redirects to https://sso.example.com/", "302 text/html", "sign in"),
    ),
}


def target(base: str) -> Target:
    return Target("place", base, {"main": KEY}, answer_seconds=2.0, rate_limit_seconds=0.2)


@pytest.mark.parametrize("case", IN_PLACE)
def test_what_is_not_the_api_is_named_with_the_mend(case: str) -> None:
    sent, said = IN_PLACE[case]
    with serving(says(sent)) as server, pytest.raises(UsageError) as problem:
        look(target(server.base), contract())
    for text in said:
        assert text in str(problem.value)
    assert all(request.method == "GET" for request in server.requests)


def routes(**answers: bytes) -> Script:
    """A server that answers each route in its way; `rest` is for all others."""

    def script(request: Request, connection: socket.socket) -> bool:
        said = answers.get(request.path.strip("/"), answers["rest"])
        connection.sendall(said)
        return bool(said)  # a connection that closes after an answer may take the next request with it

    return script


EVENTS: dict[str, object] = {"items": [], "next_cursor": None, "correlation_id": "cor-0123456789"}
ODD = {
    "/auth is a page": routes(auth=page("200 OK", "<h1>x</h1>"), rest=answer(EVENTS)),
    "/auth is not found": routes(auth=answer(refusal("X"), "404 No"), rest=answer(EVENTS)),
    "/auth breaks off": routes(auth=b"", rest=answer(EVENTS)),
    "/auth lacks most members": routes(auth=answer({"scopes": []}), rest=answer([])),
    "every route is a 500 with the envelope": routes(rest=answer(refusal("OOPS"), "500 Oops")),
    "every route is a refusal with an envelope of the API": routes(rest=answer(refusal("INVALID_JSON"), "400 No")),
}


@pytest.mark.parametrize("case", ODD)
def test_an_api_that_is_odd_is_let_in_to_be_judged(case: str) -> None:
    with serving(ODD[case]) as server:
        seen = look(target(server.base), contract())
    assert (seen.org_id, seen.scopes) == (None, ()), "nothing is known of an org that /auth does not name"
    tried = {request.method for request in server.requests}
    if case == "/auth breaks off":
        assert seen.notes == ("GET /auth has no usable answer.",)
        assert tried == {"GET"}
    else:
        assert tried == {"GET", "POST"}, "whether the key may write is asked for"


@pytest.mark.parametrize("path", ["", "/", "/api/v0/partners", "/api/v0/partner/v1", "/api", "/v0/partners"])
def test_a_wrong_path_names_the_base_and_sends_no_key_there(path: str, reference: Address) -> None:
    origin = reference.base.removesuffix("/api/v0/partner")
    wrong = Target("wrong", origin + path, {"main": reference.env["MESHI_KEY"]})
    with pytest.raises(UsageError) as problem:
        look(wrong, contract())
    assert f"The API answers at {reference.base}: give that" in str(problem.value)


def test_a_key_that_an_impostor_echoes_is_not_printed() -> None:
    with serving(says(answer({"code": KEY}, "400 No", Server=KEY))) as server, pytest.raises(UsageError) as problem:
        look(target(server.base), contract())
    assert KEY not in str(problem.value)
    assert json.dumps(KEY)[1:-1] not in str(problem.value)

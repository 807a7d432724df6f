"""The cases as data: what is between the suite and the API or in its place, and what a run has to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GUARD = "conf-gateway-token-5f2e9d71"
"""The value that a guarded gateway asks for; no file of a report may hold it."""

PATH = "/api/v0/partner"


@dataclass(frozen=True)
class Case:
    """One arrangement of a component and what has to come of a run against it.

    `configuration` is the component's, with `{port}`, `{spare}`, `{upstream}` and the names of certificates as
    placeholders. `base` is the target's URL, `target` lines of its entry in a targets file, `environment` more
    variables. A run has to end with `exit_code` and to say each text of `says`; `outcome` is None where more than
    one is right. A `quick` case is asked by the self-tests, with the requirements that fit `patterns` alone.
    """

    name: str
    component: str
    configuration: str
    should: str
    exit_code: int
    says: tuple[str, ...] = ()
    outcome: str | None = None
    base: str = "http://127.0.0.1:{port}" + PATH
    target: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ("auth.*", "envelope.*", "routes.*")
    quick: bool = True


def _nginx(body: str, listen: str = "") -> str:
    return f"    server {{\n    listen 127.0.0.1:{{port}}{listen};\n{body}\n    }}"


FORWARD = (
    "    location / { proxy_pass http://{upstream}; proxy_http_version 1.1; proxy_request_buffering off;"
    ' proxy_set_header Connection ""; }'
)
TLS = "    ssl_certificate {server}; ssl_certificate_key {server_key};"
CLIENTS = "    ssl_client_certificate {ca}; ssl_verify_client on;"
HTTPS = "https://127.0.0.1:{port}" + PATH
MUTUAL = "tls.ca = '{ca}'\ntls.certificate = '{client}'\ntls.private_key = '{client_key}'"

_HAPROXY_BACK = "backend api\n    server reference {upstream}"


def _haproxy(rules: str = "", bind: str = "") -> str:
    return f"frontend door\n    bind 127.0.0.1:{{port}}{bind}\n{rules}\n    default_backend api\n{_HAPROXY_BACK}"


CASES = (
    Case(
        "nginx in front",
        "nginx",
        _nginx(FORWARD),
        "The gateway changes nothing: nothing fails.",
        0,
    ),
    Case(
        "nginx with a private CA, unknown to the run",
        "nginx",
        _nginx(TLS + FORWARD, " ssl"),
        "Refuse to start; name the certificate and where a CA is given.",
        4,
        ("certificate", "SSL_CERT_FILE"),
        base=HTTPS,
    ),
    Case(
        "nginx with a private CA from SSL_CERT_FILE",
        "nginx",
        _nginx(TLS + FORWARD, " ssl"),
        "Trust the named CA: nothing fails.",
        0,
        base=HTTPS,
        environment={"SSL_CERT_FILE": "{ca}"},
        patterns=("auth.getAuth",),
    ),
    Case(
        "nginx that wants a client certificate, and gets none",
        "nginx",
        _nginx(TLS + CLIENTS + FORWARD, " ssl"),
        "Refuse to start; name the client certificate and where it is given.",
        4,
        ("client certificate", "tls.certificate", "nginx"),
        base=HTTPS,
        environment={"SSL_CERT_FILE": "{ca}"},
    ),
    Case(
        "nginx that wants a client certificate, and gets it",
        "nginx",
        _nginx(TLS + CLIENTS + FORWARD, " ssl"),
        "CA and client certificate come from the targets file: nothing fails.",
        0,
        base=HTTPS,
        target=MUTUAL,
        patterns=("auth.getAuth",),
    ),
    Case(
        "plain HTTP to a TLS port of nginx",
        "nginx",
        _nginx(TLS + FORWARD, " ssl"),
        "Refuse to start; say that the port speaks TLS.",
        4,
        ("400 text/html", "nginx", "https://"),
    ),
    Case(
        "TLS to a plain port of nginx",
        "nginx",
        _nginx(FORWARD),
        "Refuse to start; say that the port speaks plain HTTP.",
        4,
        ("http://",),
        base=HTTPS,
    ),
    Case(
        "a sign-in page",
        "nginx",
        _nginx(
            "    location / { default_type text/html; return 200 '<html><title>Sign in</title><form>…</form></html>'; }"
        ),
        "Refuse to start; name the page, its type and the server that sent it.",
        4,
        ("200 text/html", "nginx", "Sign in"),
    ),
    Case(
        "another service",
        "nginx",
        _nginx("    location / { default_type application/json; return 200 '{\"ok\": true}'; }"),
        "Refuse to start; name what answered.",
        4,
        ("200 application/json", "nginx", "not the Partner API"),
    ),
    Case(
        "an empty 500",
        "nginx",
        _nginx("    location / { default_type ''; return 500 ''; }"),
        "Refuse to start; name what answered.",
        4,
        ("500", "nginx", "not the Partner API"),
    ),
    Case(
        "nothing behind nginx",
        "nginx",
        _nginx("    location / { proxy_pass http://127.0.0.1:{spare}; }"),
        "Refuse to start; say that the gateway answers and the API behind it does not.",
        4,
        ("502 text/html", "nginx"),
    ),
    Case(
        "the host alone",
        "nginx",
        _nginx(FORWARD),
        "Refuse to start; name the base that was found.",
        4,
        ("http://127.0.0.1:{port}" + PATH,),
        base="http://127.0.0.1:{port}",
    ),
    Case(
        "a base that is spelt wrong",
        "nginx",
        _nginx(FORWARD),
        "Refuse to start; name the base that was found.",
        4,
        ("The API answers at http://127.0.0.1:{port}" + PATH + ":",),
        base="http://127.0.0.1:{port}/api/v0/partners",
    ),
    Case(
        "a guarded gateway, without its header",
        "nginx",
        _nginx("    if ($http_x_gateway_token != '" + GUARD + "') { return 403; }\n" + FORWARD),
        "Refuse to start; say that something in front refuses, and where headers are given.",
        4,
        ("403 text/html", "nginx", "headers"),
    ),
    Case(
        "a guarded gateway, with its header",
        "nginx",
        _nginx("    if ($http_x_gateway_token != '" + GUARD + "') { return 403; }\n" + FORWARD),
        "The header comes from the environment and is written nowhere: nothing fails.",
        0,
        target='headers.X-Gateway-Token = "GATEWAY_TOKEN"',
        environment={"GATEWAY_TOKEN": GUARD},
        patterns=("auth.getAuth", "error.getEvent.*"),
    ),
    Case(
        "a company proxy that wants a password",
        "nginx",
        _nginx("    location / { add_header Proxy-Authenticate 'Basic realm=\"x\"' always; return 407; }"),
        "Refuse to start; name the proxy, its variable and no password.",
        4,
        ("407", "HTTP_PROXY", "nginx"),
        base="http://partner.example.com" + PATH,
        environment={"HTTP_PROXY": "http://someone:hidden-word@127.0.0.1:{port}"},
    ),
    Case(
        "a gateway that limits requests with its own 429",
        "nginx",
        "    limit_req_zone $binary_remote_addr zone=door:1m rate=30r/s; limit_req_status 429;\n"
        + _nginx("    limit_req zone=door burst=40 nodelay;\n" + FORWARD),
        "No failure is made of the gateway's page: it is one cause, with its count, and points to --rate.",
        0,
        ("429 text/html from nginx", "--rate"),
    ),
    Case(
        "the same gateway, asked slowly enough",
        "nginx",
        "    limit_req_zone $binary_remote_addr zone=door:1m rate=60r/s; limit_req_status 429;\n"
        + _nginx("    limit_req zone=door burst=40 nodelay;\n" + FORWARD),
        "Below the gateway's rate everything is judged: nothing fails.",
        0,
        arguments=("--rate", "50"),
        quick=False,
    ),
    Case("HAProxy in front", "haproxy", _haproxy(), "The gateway changes nothing: nothing fails.", 0),
    Case(
        "HAProxy that wants a client certificate, and gets none",
        "haproxy",
        _haproxy(bind=" ssl crt {server_both} ca-file {ca} verify required"),
        "Refuse to start; name the client certificate and where it is given.",
        4,
        ("client certificate", "tls.certificate"),
        base=HTTPS,
        environment={"SSL_CERT_FILE": "{ca}"},
    ),
    Case(
        "plain HTTP to a TLS port of HAProxy",
        "haproxy",
        _haproxy(bind=" ssl crt {server_both}"),
        "Refuse to start; say that the port may speak TLS.",
        4,
        ("https://",),
    ),
    Case(
        "nothing behind HAProxy",
        "haproxy",
        "frontend door\n    bind 127.0.0.1:{port}\n    default_backend api\n"
        "backend api\n    server gone 127.0.0.1:{spare}",
        "Refuse to start; say that the gateway answers and the API behind it does not.",
        4,
        ("503 text/html",),
    ),
    Case(
        "Prism in place of the API",
        "prism",
        "",
        "A mock keeps the shape and remembers nothing: nonconformant, and no error of the suite.",
        1,
        base="http://127.0.0.1:{port}",
        outcome="nonconformant",
        arguments=("-n", "2"),
        patterns=("*",),
        quick=False,
    ),
    Case(
        "Prism that makes answers up",
        "prism",
        "--dynamic",
        "Answers made from the description alone are read without an error of the suite: nonconformant.",
        1,
        base="http://127.0.0.1:{port}",
        outcome="nonconformant",
        arguments=("-n", "2"),
        patterns=("*",),
        quick=False,
    ),
    Case(
        "Mockoon in place of the API",
        "mockoon",
        "",
        "A mock keeps the shape and remembers nothing: nonconformant, and no error of the suite.",
        1,
        outcome="nonconformant",
        arguments=("-n", "2"),
        patterns=("*",),
        quick=False,
    ),
)

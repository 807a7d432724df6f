"""The way to a target: proxies, certificates and further headers are read before anything is sent, secrets cut."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from meshi_conformance.client import transport
from meshi_conformance.contract.contract import load as contract
from meshi_conformance.errors import TransportTrouble, UsageError
from meshi_conformance.plugin.start.preflight import look
from meshi_conformance.target.access import Access, Tls, access
from meshi_conformance.target.target import Target, resolve
from meshi_conformance.target.targets_file import load

from .hostile import KEY, Connect, Request, answer, auth, raw, says, serving

FAR = "http://partner.example.com/api/v0/partner"
FAR_TLS = "https://partner.example.com/api/v0/partner"
SECRET = "hidden-word"

UNUSABLE = {
    "no scheme": ({"HTTP_PROXY": f"someone:{SECRET}@proxy.example.com:3128"}, "no scheme. Write http://proxy.exam"),
    "no scheme, lower case": ({"http_proxy": "proxy.example.com:3128"}, "in http_proxy cannot be used"),
    "an unknown scheme": ({"ALL_PROXY": f"ftp://someone:{SECRET}@proxy.example.com"}, "its scheme is not one of"),
    "no host": ({"ALL_PROXY": "http://"}, "it names no host"),
    "a port that is none": ({"ALL_PROXY": f"http://a:{SECRET}@proxy.example.com:banana"}, "it is not a URL"),
    "a blank in it": ({"HTTP_PROXY": f"http://a:{SECRET}@proxy example.com"}, "it names no host"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_proxy_that_cannot_be_used_is_one_message_without_its_password(case: str) -> None:
    environment, said = UNUSABLE[case]
    with pytest.raises(UsageError) as problem:
        resolve(FAR, {"MESHI_KEY": KEY, **environment}, frozenset())
    assert said in str(problem.value)
    assert SECRET not in str(problem.value)
    assert "NO_PROXY" in str(problem.value)


def test_socks_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"ALL_PROXY": f"socks5://someone:{SECRET}@proxy.example.com:1080"}
    assert access(FAR, environment).proxy == environment["ALL_PROXY"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"meshi-conformance\[socks\]") as problem:
        access(FAR, environment)
    assert SECRET not in str(problem.value)


@pytest.mark.parametrize(
    ("base", "environment", "proxy"),
    [
        (FAR, {"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:1", "ALL_PROXY": "http://c:1"}, "http://a:1"),
        (FAR, {"HTTPS_PROXY": "http://b:1", "ALL_PROXY": "http://c:1"}, "http://c:1"),
        (FAR_TLS, {"HTTPS_PROXY": "http://b:1"}, "http://b:1"),
        (FAR, {"HTTP_PROXY": "http://b:1", "NO_PROXY": "else.com, .example.com"}, None),
        (FAR, {"HTTP_PROXY": "http://b:1", "no_proxy": "*"}, None),
        (FAR, {"HTTP_PROXY": "http://b:1", "NO_PROXY": "ample.com,,10.0.0.0/8"}, "http://b:1"),
        ("http://10.1.2.3/api", {"HTTP_PROXY": "http://b:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("http://10.1.2.3:99/api", {"HTTP_PROXY": "http://b:1", "NO_PROXY": "10.1.2.3:99"}, None),
        ("http://127.0.0.1:9/api", {"HTTP_PROXY": "nonsense"}, None),
        ("http://localhost:9/api", {"ALL_PROXY": "http://b:1"}, None),
        (FAR, {"HTTP_PROXY": " "}, None),
    ],
)
def test_which_proxy_a_target_is_reached_through(base: str, environment: dict[str, str], proxy: str | None) -> None:
    assert access(base, environment).proxy == proxy


def through(proxy: str, **more: str) -> Target:
    found = resolve(FAR, {"MESHI_KEY": KEY, "HTTP_PROXY": proxy, **more}, frozenset())
    assert found is not None
    return found


def test_a_proxy_gets_the_request_and_its_own_credentials() -> None:
    with serving(says(answer(auth()))) as proxy:
        target = through(f"http://someone:{SECRET}@127.0.0.1:{proxy.port}")
        assert look(target, contract()).org_id == "org-1"
        head = proxy.requests[0].head
        assert head.startswith(b"GET http://partner.example.com/api/v0/partner/auth HTTP/1.1\r\n")
        assert proxy.requests[0].header("proxy-authorization") == "Basic c29tZW9uZTpoaWRkZW4td29yZA=="
    assert SECRET in target.secrets.values()
    assert SECRET not in repr(target)


def test_a_dead_proxy_is_named_as_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "OUTAGE_SECONDS", 0.1)
    with pytest.raises(UsageError) as problem:
        look(through(f"http://someone:{SECRET}@127.0.0.1:9"), contract())
    assert "the proxy http://127.0.0.1:9 that HTTP_PROXY names: ConnectError" in str(problem.value)
    assert "NO_PROXY" in str(problem.value)
    assert SECRET not in str(problem.value)


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden"])
@pytest.mark.parametrize("base", [FAR, FAR_TLS])
def test_a_proxy_that_refuses_is_named(status: str, base: str) -> None:
    page = raw(status, {"Content-Type": "text/html", "Server": "gate", "Content-Length": "0"}, b"")
    with serving(says(page)) as proxy:
        settings = {"MESHI_KEY": KEY, "ALL_PROXY": f"http://127.0.0.1:{proxy.port}"}
        target = resolve(base, settings, frozenset())
        assert target is not None
        with pytest.raises(UsageError, match="that ALL_PROXY names") as problem:
            look(target, contract())
    assert status[:3] in str(problem.value)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """PEM files of an authority, a server and a client."""
    authority = trustme.CA()
    found = {"ca": tmp_path / "ca.pem"}
    authority.cert_pem.write_to_path(str(found["ca"]))
    for name, made in (
        ("server", authority.issue_cert("127.0.0.1")),
        ("client", authority.issue_cert("a@example.com")),
    ):
        found[name], found[f"{name}_key"] = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(str(found[name]))
        made.private_key_pem.write_to_path(str(found[f"{name}_key"]))
    return found


def server_context(files: dict[str, Path], *, wants_client: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["server"], files["server_key"])
    if wants_client:
        context.load_verify_locations(files["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_authority_comes_from_the_environment(
    variable: str, files: dict[str, Path], connect: Connect
) -> None:
    with serving(says(answer(auth())), server_context(files, wants_client=False)) as server:
        with pytest.raises(TransportTrouble, match="CERTIFICATE_VERIFY_FAILED"):
            connect(server.base, access=access(server.base, {})).get_auth()
        way = access(server.base, {variable: str(files["ca"])})
        assert connect(server.base, access=way).get_auth().is_success


def test_a_client_certificate_comes_from_the_targets_file(files: dict[str, Path], tmp_path: Path) -> None:
    with serving(says(answer(auth())), server_context(files, wants_client=True)) as server:
        file = tmp_path / "targets.toml"
        lines = f'[targets.a]\nbase = "{server.base}"\ntls.ca = "ca.pem"\n'
        file.write_text(lines)
        target = resolve("a", {"MESHI_KEY": KEY}, frozenset(), load(file))
        assert target is not None
        with pytest.raises(UsageError, match=r"asks for a client certificate: give tls\.certificate"):
            look(target, contract())
        file.write_text(lines + 'tls.certificate = "client.pem"\ntls.private_key = "client.key"\n')
        target = resolve("a", {"MESHI_KEY": KEY}, frozenset(), load(file))
        assert target is not None
        assert look(target, contract()).org_id == "org-1"


BROKEN_FILES: dict[str, tuple[Callable[[dict[str, Path]], Access], str]] = {
    "no file": (lambda files: access(FAR_TLS, {"SSL_CERT_FILE": "/nowhere/x.pem"}), "SSL_CERT_FILE names /nowhere/x"),
    "no folder": (lambda files: access(FAR_TLS, {"SSL_CERT_DIR": "/nowhere/x"}), "SSL_CERT_DIR names /nowhere/x"),
    "no certificate in it": (
        lambda files: access(FAR_TLS, {"SSL_CERT_FILE": str(files["client_key"])}),
        "cannot be read as certificates",
    ),
    "the key of another certificate": (
        lambda files: access(FAR_TLS, {}, Tls(certificate=str(files["client"]), private_key=str(files["server_key"]))),
        "belong together",
    ),
    "a passphrase that is not set": (
        lambda files: access(FAR_TLS, {}, Tls(certificate=str(files["client"]), passphrase="CLIENT_PASS")),
        "CLIENT_PASS is not set",
    ),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_certificates_that_cannot_be_used_stop_the_run(case: str, files: dict[str, Path]) -> None:
    make, said = BROKEN_FILES[case]
    with pytest.raises(UsageError, match=said):
        make(files)


def test_headers_of_a_guarded_target_are_sent_and_shown_nowhere(connect: Connect, tmp_path: Path) -> None:
    def guard(request: Request, connection: object) -> bool:
        token = request.header("x-gate") or ""
        connection.sendall(answer(auth(note=token) if token == SECRET else {"no": 1}, x_echo=token))  # type: ignore[attr-defined]
        return True

    with serving(guard) as server:
        way = access(server.base, {"GATE": SECRET}, headers={"X-Gate": "GATE"})
        api = connect(server.base, access=way)
        exchange = api.get_auth()
        assert exchange["note"] == SECRET
        record = exchange.record(api.transport.recorder.redaction)
    assert '-H "X-Gate: $GATE"' in record["curl"]
    assert SECRET not in str(record)
    assert SECRET not in "".join(file.read_text() for file in tmp_path.glob("*.jsonl"))


@pytest.mark.parametrize("value", ["", "two\nlines", "clé", " starts-with-a-blank"])
def test_a_header_without_a_value_that_can_be_sent_stops_the_run(value: str) -> None:
    with pytest.raises(UsageError, match="GATE") as problem:
        access(FAR, {"GATE": value}, headers={"X-Gate": "GATE"})
    assert not value or value not in str(problem.value)


@pytest.mark.parametrize(
    ("base", "allowed", "is_allowed"),
    [
        ("https://partner.example.com/api/v0/partner", None, True),
        ("https://partner.example.com/api/v0/partner", "other.example PARTNER.example.com", True),
        ("https://partner.example.com/api/v0/partner", "other.example,partner.example.com", True),
        ("https://partner.example.com/api/v0/partner", "", False),
        ("https://partner.example.com/api/v0/partner", "example.com", False),
        ("https://partner.example.com.other.example/", "partner.example.com", False),
        ("staging", "", True),
        ("production", "", True),
    ],
)
def test_keys_go_to_allowed_hosts_alone(base: str, allowed: str | None, is_allowed: bool) -> None:
    environment = {"MESHI_KEY": "k"} if allowed is None else {"MESHI_KEY": "k", "MESHI_ALLOWED_HOSTS": allowed}
    if is_allowed:
        assert resolve(base, environment, frozenset()) is not None
    else:
        with pytest.raises(UsageError, match="MESHI_ALLOWED_HOSTS lets have the keys, so nothing was sent"):
            resolve(base, environment, frozenset())

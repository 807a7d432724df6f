"""How a target is reached: its proxy, its certificates and further headers, all read before anything is sent."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import shlex
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi

from ..errors import UsageError

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name the certificate authorities to trust, the first that is set; none means certifi's."""

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_HEADERS = {
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-correlation-id",
}
"""Headers that the suite sends or judges itself."""


@dataclass(frozen=True)
class Tls:
    """The certificates that an entry of the targets file names; `passphrase` is the name of a variable."""

    ca: str | None = None
    certificate: str | None = None
    private_key: str | None = None
    passphrase: str | None = None


@dataclass(frozen=True)
class Access:
    """The way to one target.

    `proxy` is a URL that may hold a password, `proxy_variable` the variable that names it. `ca` is a file or a folder
    of authorities to trust in place of certifi's, named by `ca_source`. `headers` go with every request; `secrets`
    maps the name of a variable to a value that nothing may show.
    """

    proxy: str | None = field(default=None, repr=False)
    proxy_variable: str = ""
    ca: str | None = None
    ca_source: str = ""
    certificate: str | None = None
    private_key: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    header_variables: dict[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> dict[str, str]:
        """Variable to secret value: of headers, of the private key's passphrase, and of the proxy's credentials."""
        found = {variable: self.headers[name] for name, variable in self.header_variables.items()}
        password = urlsplit(self.proxy).password if self.proxy else None
        if password:
            found[self.proxy_variable] = unquote(password)
        return found

    @property
    def proxy_name(self) -> str:
        """The proxy for people: scheme, host and port, and the variable that names it; never its credentials."""
        return f"the proxy {_shown(self.proxy or '')} that {self.proxy_variable} names"

    @property
    def curl_options(self) -> str:
        """What a curl line needs to take the same way, with a space in front; empty for most targets."""
        words = [f'-H "{name}: ${variable}"' for name, variable in self.header_variables.items()]
        if self.ca:
            words.append(("--capath " if Path(self.ca).is_dir() else "--cacert ") + shlex.quote(self.ca))
        if self.certificate:
            words.append(f"--cert {shlex.quote(self.certificate)}")
        if self.private_key:
            words.append(f"--key {shlex.quote(self.private_key)}")
        return "".join(f" {word}" for word in words)

    def trust(self) -> ssl.SSLContext:
        """Return the TLS settings. Raise UsageError where a file that they name cannot be used."""
        source = self.ca or certifi.where()
        try:
            if Path(source).is_dir():
                context = ssl.create_default_context(capath=source)
            else:
                context = ssl.create_default_context(cafile=source)
        except (OSError, ValueError) as problem:
            raise UsageError(
                f"{self.ca_source or 'certifi'} names {source}, which cannot be read as certificates: "
                f"{_reason(problem)}. Give a PEM file of the authorities to trust, or leave it out."
            ) from None
        if self.certificate:
            try:
                # A function, not a text: without one OpenSSL would ask for the passphrase on the terminal.
                context.load_cert_chain(self.certificate, self.private_key, lambda: self.passphrase or "")
            except (OSError, ValueError) as problem:
                raise UsageError(
                    f"The client certificate {self.certificate}"
                    + (f" with the private key {self.private_key}" if self.private_key else "")
                    + f" cannot be used: {_reason(problem)}. Give tls.certificate and tls.private_key as PEM files "
                    "that belong together; tls.passphrase names the variable of an encrypted key's passphrase."
                ) from None
        return context


def access(
    base: str, environment: Mapping[str, str], tls: Tls | None = None, headers: Mapping[str, str] | None = None
) -> Access:
    """Return the way to `base` as the environment and an entry of the targets file name it.

    `headers` maps a header's name to the variable that holds its value. Raise UsageError, with every secret cut, for
    the first setting that cannot be used. Settings that do not concern `base` are not looked at.
    """
    tls = tls or Tls()
    variable, proxy = _proxy(base, environment)
    speaks_tls = base.startswith("https:") or (proxy or "").startswith("https:")
    ca, source = tls.ca, "tls.ca of the targets file"
    if ca is None and speaks_tls:
        source, ca = next(((name, environment[name]) for name in AUTHORITIES if environment.get(name)), ("", None))
    found = Access(
        proxy=proxy,
        proxy_variable=variable,
        ca=ca,
        ca_source=source if ca else "",
        certificate=tls.certificate,
        private_key=tls.private_key,
        passphrase=_value(environment, tls.passphrase, "tls.passphrase") if tls.passphrase else None,
        headers={name: _header(environment, name, variable) for name, variable in (headers or {}).items()},
        header_variables=dict(headers or {}),
    )
    if speaks_tls or tls != Tls():
        found.trust()
    return found


def is_loopback(base: str) -> bool:
    """Return whether a URL names this machine."""
    host = urlsplit(base).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _proxy(base: str, environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the variable that names a proxy for `base`, and its URL; never one for this machine."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    excluded = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if is_loopback(base) or any(_excludes(entry.strip(), host, parts.netloc) for entry in excluded.split(",")):
        return "", None
    for scheme in (parts.scheme, "all"):
        for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            value = environment.get(variable, "").strip()
            if value:
                _check_proxy(variable, value)
                return variable, value
    return "", None


def _excludes(entry: str, host: str, netloc: str) -> bool:
    """Tell whether an entry of NO_PROXY means this host: `*`, a domain, an address (also with a port) or a network."""
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    wanted = entry.lower().lstrip(".")
    return bool(wanted) and (wanted == "*" or any(f".{one}".endswith(f".{wanted}") for one in (host, netloc.lower())))


def _check_proxy(variable: str, value: str) -> None:
    shown = _shown(value)
    scheme, separator, _ = value.partition("://")
    wrong = ""
    try:
        parts = urlsplit(value)
        if not separator:
            wrong = f"it has no scheme. Write http://{shown}"
        elif scheme.lower() not in PROXY_SCHEMES:
            wrong = f"its scheme is not one of {', '.join(PROXY_SCHEMES)}"
        elif not parts.hostname or not value.isascii() or not value.isprintable() or " " in value:
            wrong = "it names no host. Write http://HOST:PORT"
        else:
            _ = parts.port
    except ValueError as problem:
        wrong = f"it is not a URL ({problem})" if "port" in str(problem).lower() else "it is not a URL"
    if not wrong and scheme.lower().startswith("socks") and importlib.util.find_spec("socksio") is None:
        wrong = "SOCKS needs an extra. Install meshi-conformance[socks]"
    if wrong:
        raise UsageError(
            f"The proxy {shown!r} in {variable} cannot be used: {wrong}. Unset {variable}, or name the target's host "
            "in NO_PROXY, where it needs no proxy."
        )


def _shown(proxy: str) -> str:
    """Return a proxy without its credentials, also where it is not a URL that can be parsed."""
    scheme, separator, rest = proxy.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}".rstrip("/")[:200]


def _value(environment: Mapping[str, str], variable: str, what: str) -> str:
    value = environment.get(variable)
    if not value:
        raise UsageError(f"{variable} is not set, and {what} of the targets file takes its value from there.")
    return value


def _header(environment: Mapping[str, str], name: str, variable: str) -> str:
    value = _value(environment, variable, f"headers.{name}")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise UsageError(
            f"{variable} holds a line break, a non-ASCII character or a blank at an end, so it cannot be sent as the "
            f"header {name}. Check how it was copied."
        )
    return value


def _reason(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLError):
        return (problem.reason or "no certificate in it").lower().replace("_", " ")
    if isinstance(problem, OSError) and problem.errno:
        return os.strerror(problem.errno)
    return str(problem)[:200]

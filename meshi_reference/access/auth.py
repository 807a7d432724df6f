"""Who calls: keys, principals and scopes (errors-and-limits; getting-started, scopes)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from ..errors import ApiError
from ..settings import RateLimit, Settings
from ..storage import Row, Storage
from ..wire.http import Request
from .rate_limit import Limiter, retry_after

READ, WRITE = "partner:read", "partner:write"
GRANTS: dict[str, tuple[str, ...]] = {
    "GET": (READ, WRITE),
    "HEAD": (READ, WRITE),
    "OPTIONS": (READ, WRITE),
    "POST": (WRITE,),
    "PUT": (WRITE,),
}
"""For each method the scopes of which one is enough. Other methods belong to no operation."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The service account behind a key."""

    key_id: str
    org_id: str
    user_id: str
    scopes: tuple[str, ...]
    probe: bool


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What kind of key to issue."""

    org: str | None
    scopes: tuple[str, ...]
    principal_type: str = "service_account"
    disabled: bool = False
    probe: bool = False


KEYS: dict[str, KeySpec] = {
    "MESHI_KEY": KeySpec("a", (READ, WRITE)),
    "MESHI_READ_KEY": KeySpec("a", (READ,)),
    "MESHI_OTHER_KEY": KeySpec("b", (READ, WRITE)),
    "MESHI_DISABLED_KEY": KeySpec("a", (READ, WRITE), disabled=True),
    "MESHI_USER_KEY": KeySpec("a", (READ, WRITE), principal_type="user"),
    "MESHI_NO_ORG_KEY": KeySpec(None, (READ, WRITE)),
    "MESHI_PROBE_KEY": KeySpec("probe", (READ, WRITE), probe=True),
}
"""The keys that every start hands out."""


def hash_key(key: str) -> str:
    """Hash a key for storage. Keys are long and random, so a plain digest cannot be searched."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def org_id(storage: Storage, name: str) -> str:
    """Return the public ID of a named org; made up once for a database."""
    storage.execute(
        "INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)",
        (f"org:{name}", "org_" + secrets.token_hex(8)),
    )
    value: str = storage.scalar("SELECT value FROM meta WHERE name = ?", (f"org:{name}",))
    return value


def issue_keys(storage: Storage) -> dict[str, str]:
    """Return a key of every kind, by its environment name. A kept database has the same ones at every start."""
    issued: dict[str, str] = {}
    with storage.transaction():
        secret = key_secret(storage)
        for name, spec in KEYS.items():
            issued[name] = "mk_" + _derived(secret, name)[:32]
            key_hash = hash_key(issued[name])
            storage.execute("DELETE FROM api_keys WHERE key_hash = ?", (key_hash,))
            storage.insert(
                "api_keys",
                {
                    "key_hash": key_hash,
                    "key_id": "key_" + _derived(secret, f"key {name}")[:16],
                    "org_id": None if spec.org is None else org_id(storage, spec.org),
                    "principal_type": spec.principal_type,
                    "user_id": "sa_" + _derived(secret, f"account {name}")[:16],
                    "scopes": " ".join(spec.scopes),
                    "active": 1,
                    "disabled": int(spec.disabled),
                    "probe": int(spec.probe),
                },
            )
    return issued


def key_secret(storage: Storage) -> bytes:
    """Return what the keys of a database are derived from; made once, so that a kept database keeps its keys."""
    storage.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('key_secret', ?)", (secrets.token_hex(32),))
    return bytes.fromhex(storage.scalar("SELECT value FROM meta WHERE name = 'key_secret'"))


def _derived(secret: bytes, name: str) -> str:
    return hmac.new(secret, name.encode(), hashlib.sha256).hexdigest()


def bearer_token(header: str | None) -> str:
    """Return the token of an Authorization header. Raise UNAUTHORIZED where it is missing or not a bearer header."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise unauthorized("a header 'Authorization: Bearer <key>' is required")
    return token


def unauthorized(message: str) -> ApiError:
    """Build a 401 UNAUTHORIZED with the challenge that HTTP asks for."""
    return ApiError("UNAUTHORIZED", message, {"www-authenticate": "Bearer"})


def find_key(storage: Storage, token: str) -> Row | None:
    """Return the stored key that the token resolves to."""
    return storage.one("SELECT * FROM api_keys WHERE key_hash = ? AND active = 1", (hash_key(token),))


def check_account(row: Row) -> Principal:
    """Return the principal of a key, or raise what keeps it from calling (errors-and-limits, authentication)."""
    if row["disabled"]:
        raise ApiError("ACCOUNT_DISABLED", "the service account is disabled", {"www-authenticate": "Bearer"})
    if row["principal_type"] != "service_account":
        raise ApiError("SERVICE_ACCOUNT_REQUIRED", "the key does not belong to a service account")
    if row["org_id"] is None:
        raise ApiError("PARTNER_ORG_REQUIRED", "the service account belongs to no org")
    return Principal(
        key_id=row["key_id"],
        org_id=row["org_id"],
        user_id=row["user_id"],
        scopes=tuple(row["scopes"].split()),
        probe=bool(row["probe"]),
    )


def authenticate(request: Request, storage: Storage) -> Principal:
    """Return the principal of a request, or raise the 401 or 403."""
    row = find_key(storage, bearer_token(request.headers.get("authorization")))
    if row is None:
        raise unauthorized("the key is unknown or no longer active")
    return check_account(row)


def check_scope(principal: Principal, method: str) -> None:
    """Raise INSUFFICIENT_SCOPE where none of the key's scopes grants the method (getting-started)."""
    grants = GRANTS.get(method)
    if grants is not None and not any(scope in principal.scopes for scope in grants):
        raise ApiError("INSUFFICIENT_SCOPE", f"{method} needs {' or '.join(grants)}")


def rate_limit_of(principal: Principal, settings: Settings) -> RateLimit | None:
    """Return the limit that applies to a key."""
    return settings.probe_rate_limit if principal.probe else settings.rate_limit


def check_rate(principal: Principal, limiter: Limiter, settings: Settings) -> None:
    """Raise PARTNER_RATE_LIMIT_EXCEEDED where the key's window is exhausted."""
    limit = rate_limit_of(principal, settings)
    wait = None if limit is None else limiter.admit(principal.key_id, limit, time.monotonic())
    if wait is not None:
        raise ApiError(
            "PARTNER_RATE_LIMIT_EXCEEDED",
            "too many requests; wait as long as Retry-After says",
            {"retry-after": retry_after(wait)},
        )

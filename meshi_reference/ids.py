"""IDs that the server makes up and shows: of runs, reviews and matches."""

from __future__ import annotations

import hashlib
import secrets
import uuid

from .settings import Settings


def new_public_id(prefix: str, settings: Settings) -> str:
    """Make up a random opaque ID; its form is a variation."""
    if settings.id_style == "uuid":
        return str(uuid.uuid4())
    if settings.id_style == "number":
        return str(secrets.randbelow(9 * 10**17) + 10**17)
    return f"{prefix}_{secrets.token_hex(10)}"


def digest(*parts: str) -> str:
    """Return 40 hexadecimal digits that depend on all parts and on their borders."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8"), digest_size=20).hexdigest()

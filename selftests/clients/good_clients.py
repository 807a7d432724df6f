"""Clients that keep every duty, in the styles in which they are written."""

from __future__ import annotations

from pathlib import Path

from .trial import python

ROOT = Path(__file__).parents[2]
GOOD = Path(__file__).parent / "good"

GOOD_CLIENTS: dict[str, list[str]] = {
    "httpx": python(ROOT / "examples" / "client" / "integrate.py"),
    "shell": ["bash", str(ROOT / "examples" / "shell" / "integrate.sh")],
    "urllib": python(GOOD / "with_urllib.py"),
    "threads": python(GOOD / "with_threads.py"),
    "moody": python(GOOD / "moody.py"),
    "fetch": ["node", str(GOOD / "with_fetch.mjs")],
}

"""What both pages need: templates that escape everything, their assets, and the hashes that a page's policy names."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .text import visible

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Build the templates, which make every text visible and escape it."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    return visible(value) if type(value) is str else value


def asset(name: str) -> str:
    """Return a style or script that the page holds."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def source(text: str) -> str:
    """Return the name of a style or script in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

"""What the pages need: templates that escape everything, their assets, and the hashes that a page's policy names."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..text import visible

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


def scriptless_page(template: str, **shown: Any) -> str:
    """Return a page of many runs as HTML text: it holds its style, and its policy lets nothing else load or run."""
    style = asset("trend.css")
    policy = f"default-src 'none'; style-src {source(style)}; base-uri 'none'; form-action 'none'"
    return environment().get_template(template).render(policy=policy, style=Markup(style), **shown)

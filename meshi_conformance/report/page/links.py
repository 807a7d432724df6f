"""Where a report links to: the documentation's pages, and this project's page of a requirement.

`links` of results.json holds what `--pages-url` and `--site-url` say. The suite knows no address of its own: without
them a source is text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...contract import contract

PAGE = "{page}"
"""Where the name of a page goes in `--pages-url`; at its end, with slashes, where it is left out."""


def stated(pages: str | None, site: str | None, folder: Path) -> dict[str, str | None]:
    """Return `links` for a report in a folder: in a checkout with a built site, that one by its relative path."""
    built = contract.root() / "build" / "site"
    if site is None and (built / "requirements").is_dir():
        site = f"./{os.path.relpath(built, folder)}"
    return {"pages": pages, "site": site}


def page_link(document: dict[str, Any], row: dict[str, Any]) -> str | None:
    """Return the address of the page that a requirement cites, with the section for the browser to look for."""
    base = _safe(document, "pages", r"https?://")
    if base is None:
        return None
    page = quote(row["source"]["page"], safe="")
    address = base.replace(PAGE, page) if PAGE in base else f"{base.rstrip('/')}/{page}/"
    # The anchors of a page's sections are not known; browsers scroll to a text that an address names.
    section = re.sub(r" \(.*?\)|, .*", "", row["source"]["section"])
    return f"{address}#:~:text={_fragment(section)}"


def site_link(document: dict[str, Any], row: dict[str, Any]) -> str | None:
    """Return the address of a requirement's page on the documentation site of this project."""
    base = _safe(document, "site", r"https?://|\.{0,2}/")
    return None if base is None else f"{base.rstrip('/')}/requirements/{quote(row['id'], safe='')}.html"


def _safe(document: dict[str, Any], name: str, form: str) -> str | None:
    """Return an address that the document names; None for one that a browser would run as a script."""
    address = document.get("links", {}).get(name)
    return address if isinstance(address, str) and re.match(form, address) else None


def _fragment(text: str) -> str:
    """Encode a text for a text fragment, in which a hyphen and a comma have a meaning."""
    return quote(text, safe="").replace("-", "%2D")

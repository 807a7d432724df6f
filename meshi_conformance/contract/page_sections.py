"""The sections of a page of the documentation as it was saved, and a fingerprint of each.

A page is HTML, Markdown, or the text that a browser copies. The same section has the same fingerprint in each: only
letters, digits and the signs that mean something in an API count (`_normal`), so markup, line breaks, list signs, table
rules, quotation marks and emphasis do not. What changes in those alone is not seen.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Collection
from html.parser import HTMLParser
from pathlib import Path

WHOLE = ""
"""The title of what comes before the first heading but the page's own: the whole page, where it has no other."""

DIGITS = 16
"""Hexadecimal digits of a fingerprint."""

SKIPPED = frozenset(
    {"script", "style", "template", "nav", "header", "footer", "aside", "button", "svg", "head", "select"}
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})

_ANCHOR = re.compile('Section titled [\u201c"](.+?)[\u201d"]')
"""What a page says to a screen reader beside a heading; a browser copies it with the text."""


def sections(text: str, suffix: str, known: Collection[str] = ()) -> dict[str, str]:
    """Return the text of each section by its title, in the order of the page; sections of one title are joined.

    `suffix` is the file's (`.html`, `.md`, anything else is text). `known` are titles that a line of plain text is
    taken for, besides those that the text itself marks as titles.
    """
    if suffix in (".html", ".htm"):
        parser = _Page()
        parser.feed(text)
        parser.close()
        parts = parser.main_parts or parser.parts
    elif suffix in (".md", ".markdown", ".mdx"):
        parts = _markdown(text)
    else:
        parts = _plain(text, known)
    found: dict[str, str] = {}
    for title, body in parts:
        found[title] = found.get(title, "") + "\n" + body
    return found


def fingerprint(text: str) -> str:
    """Return a fingerprint of what a section says, whatever its markup."""
    return hashlib.sha256(_normal(text).encode()).hexdigest()[:DIGITS]


def page_name(file: Path) -> str:
    """Return the name of the page that a file holds: the folder's for an index."""
    return file.parent.name if file.stem == "index" else file.stem


def _normal(text: str) -> str:
    text = unicodedata.normalize("NFKC", _ANCHOR.sub("", text))
    text = re.sub(r"^\s*(?:[-*+]|\d+\.)\s+", "", text, flags=re.MULTILINE)  # list signs
    text = re.sub(r"-{3,}", "", text)  # rules of tables
    return re.sub(r"[\s|`*#\\\u2018\u2019\u201c\u201d'\"\u2013\u2014\u200b]", "", text)


class _Page(HTMLParser):
    """The titles and texts of an HTML page; those inside `<main>` apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[tuple[str, str]] = [(WHOLE, "")]
        self.main_parts: list[tuple[str, str]] = []
        self._skipping: list[str] = []
        self._in_main = False
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping or tag in SKIPPED:
            if tag not in _VOID:
                self._skipping.append(tag)
        elif tag == "main":
            self._in_main = True
            self.main_parts = self.main_parts or [(WHOLE, "")]
        elif tag in HEADINGS:
            self._title = []
        else:
            self._add("\n" if tag in ("li", "p", "br", "tr", "pre", "div") else " ")

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag in self._skipping:
                while self._skipping.pop() != tag:
                    pass
        elif tag == "main":
            self._in_main = False
        elif tag in HEADINGS and self._title is not None:
            title = _title("".join(self._title))
            self._title = None
            if tag == "h1":
                self._add(f"{title}\n")
                return
            self.parts.append((title, ""))
            if self._in_main:
                self.main_parts.append((title, ""))

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._title is not None:
            self._title.append(data)
        else:
            self._add(data)

    def _add(self, text: str) -> None:
        for parts in (self.parts, self.main_parts if self._in_main else []):
            if parts:
                parts[-1] = (parts[-1][0], parts[-1][1] + text)


_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "wbr"})


def _title(text: str) -> str:
    return " ".join(_ANCHOR.sub("", html.unescape(text)).replace("`", "").split()).rstrip("# ").strip()


def _markdown(text: str) -> list[tuple[str, str]]:
    parts = [(WHOLE, "")]
    fenced = False
    front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if front:
        named = re.search(r"^title:\s*(.+)$", front[1], re.MULTILINE)
        text = (f"# {named[1]}\n" if named else "") + text[front.end() :]
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        heading = None if fenced else re.match(r"#{2,6}\s+(.+)", line)
        if heading:
            parts.append((_title(heading[1]), ""))
            continue
        line = line if fenced else re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line)
        parts[-1] = (parts[-1][0], parts[-1][1] + line + "\n")
    return parts


def _plain(text: str, known: Collection[str]) -> list[tuple[str, str]]:
    titles = {*known, *(title.strip() for title in _ANCHOR.findall(text))}
    parts = [(WHOLE, "")]
    text = _ANCHOR.sub("\n", text)
    # What follows an anchor may begin on its line with the next title.
    for line in text.splitlines():
        title = _title(line)
        if title in titles and title:
            parts.append((title, ""))
        else:
            parts[-1] = (parts[-1][0], parts[-1][1] + line + "\n")
    return parts

"""Recorded traffic from files of any size: HAR files of any tool, and this suite's own spool files.

Each file is gone through twice: first to find where its entries are, when they happened and which keys they carry,
then to read them in the order in which they ended. One entry at a time is held.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import UsageError
from ...exchanges.exchange import Exchange
from ...target.target import CURRENT_BASE, LEGACY_BASE
from ...target.targets_file import HOSTED
from ..state.observation import Coverage
from . import har_entry
from .json_spans import MOST_ENTRY, Cut, NoArchive, Span, entries

BEARERS = frozenset({"Bearer ", "bearer ", "BEARER "})
"""What comes before a key in a bearer header; RFC 9110 has schemes in any case, and one space behind them."""

GZIP = b"\x1f\x8b"
"""How a file begins that gzip has compressed."""

MOST_KEYS = 10_000
"""Keys that are told apart."""


@dataclass
class _File:
    """One file, and the places of the entries to judge."""

    path: Path
    number: int
    spool: bool = False
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[float] = field(default_factory=lambda: array("d"))
    places: array[int] = field(default_factory=lambda: array("Q"))
    shows_keys: bool = False


@dataclass
class Recording:
    """What a first look at the files found. `notes` are for the report: what was cut, what belongs to no known key."""

    files: list[_File] = field(default_factory=list)
    base: str = ""
    legacy: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    entries: int = 0
    elsewhere: int = 0
    unjudged: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def shows_keys(self) -> bool:
        return any(one.shows_keys for one in self.files)

    def exchanges(self) -> Iterator[tuple[Exchange, Coverage]]:
        """Return every exchange with the API, in the order in which they ended."""
        order = _order(self.files)
        streams = [one.path.open("rb") for one in self.files]
        try:
            for number, index in order:
                file = self.files[number]
                try:
                    yield self._exchange(file, index, _at(streams[number], file, index))
                except har_entry.Unusable as reason:
                    self.unjudged[str(reason)] += 1
        finally:
            for stream in streams:
                stream.close()

    def _exchange(self, file: _File, index: int, entry: dict[str, Any]) -> tuple[Exchange, Coverage]:
        place = file.places[index]
        if file.spool:
            return from_spool(entry, f"{file.path.name}, line {place}")
        url = har_entry.address(entry)
        base = self.base if _below(url, self.base) else self.legacy or self.base
        name = entry.get("_exchange")
        if not isinstance(name, str) or len(name) > 40:
            name = f"{file.number + 1}.{place}"
        exchange, coverage = har_entry.exchange(entry, name=name, where=f"{file.path.name}, entry {place}", base=base)
        if base != self.base:
            exchange.other_base = base
        bearer = har_entry.authorization(entry)
        party, known = self._party(bearer, file)
        if known and party is None:
            exchange.key = None
        coverage = Coverage(
            coverage.request_body,
            coverage.answer_headers,
            coverage.answer_body,
            coverage.tick,
            file.number,
            party,
            known,
        )
        return exchange, coverage

    def _party(self, bearer: str | None, file: _File) -> tuple[str | None, bool]:
        """Return the name of the key that was sent, and whether that is known."""
        if bearer is None:
            return None, file.shows_keys
        key = har_entry.key_of(bearer)
        if key is None:
            return None, False
        if not bearer.strip().lower().startswith("bearer"):
            return None, True
        return self.keys.get(key), key in self.keys


def survey(paths: Sequence[Path], base: str | None) -> Recording:
    """Look through the files once. Raise UsageError for a file that cannot be judged, and says why."""
    found = Recording()
    bases: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    for path in dict.fromkeys(one.resolve() for one in paths):
        file = _File(path, len(found.files))
        found.files.append(file)
        try:
            if not path.is_file() and not path.is_dir() and path.exists():
                raise UsageError(f"{path} is not a file, and a recording is read twice. Save it to a file first.")
            with path.open("rb") as stream:
                _survey(stream, file, found, bases, hosts, base)
        except OSError as problem:
            raise UsageError(f"{path} cannot be read: {problem.strerror or problem}.") from None
    found.base, found.legacy = _chosen(base, bases, hosts, found)
    return found


def _survey(
    stream: BinaryIO, file: _File, found: Recording, bases: Counter[str], hosts: Counter[str], base: str | None
) -> None:
    for place, span in enumerate(_spans(stream, file, found), 1):
        found.entries += 1
        entry = span.value
        if entry is None:
            found.unjudged[f"the entry is longer than {MOST_ENTRY >> 20} MiB"] += 1
            continue
        if not isinstance(entry, dict):
            found.unjudged["the entry is not a JSON object"] += 1
            continue
        if file.spool:
            end, below = float(entry["started"]) + float(entry["elapsed"]), ""
            file.shows_keys = True
        else:
            url = har_entry.address(entry)
            below = _base_of(url) if base is None else next((one for one in _with_alias(base) if _below(url, one)), "")
            host, _ = har_entry.split_base(url)
            hosts[host] += 1
            try:
                end = har_entry.moment(entry).ended
            except har_entry.Unusable as reason:
                found.unjudged[str(reason)] += 1
                continue
            if not below:
                found.elsewhere += 1
                continue
            bases[below] += 1
            _note_key(entry, file, found)
            if not har_entry.answered(entry):
                found.unanswered.append(har_entry.method(entry))
                continue
        file.offsets.append(span.offset)
        file.lengths.append(span.length)
        file.ends.append(end)
        file.places.append(place)


def _note_key(entry: dict[str, Any], file: _File, found: Recording) -> None:
    bearer = har_entry.authorization(entry)
    if bearer is None:
        return
    file.shows_keys = True
    key = har_entry.key_of(bearer)
    if key is not None and bearer.strip().lower().startswith("bearer") and len(found.keys) < MOST_KEYS:
        found.keys.setdefault(key, har_entry.role_of(key) or f"key {len(found.keys) + 1}")


def _spans(stream: BinaryIO, file: _File, found: Recording) -> Iterator[Span]:
    start = stream.read(65_536)
    stream.seek(0)
    if not start.strip():
        raise UsageError(f"{file.path} is empty. Give a HAR file, or a spool file of a run of this suite.")
    if start.startswith(GZIP):
        raise UsageError(f"{file.path} is compressed with gzip. Unpack it first: gunzip FILE.")
    kind = _kind_of_lines(start)
    if kind:
        file.spool = kind == "spool"
        yield from _lines(stream, file.spool)
        return
    try:
        yield from entries(stream)
    except NoArchive as problem:
        raise UsageError(
            f"{file.path} is not a recording that can be judged: {problem}. Give an HTTP archive (HAR 1.2), as "
            "browsers and proxies export it, or a spool file of a run of this suite (docs/traffic.md)."
        ) from None
    except Cut as problem:
        if not file.offsets and not found.elsewhere:
            raise UsageError(f"{file.path} is cut short before its first whole entry: {problem}.") from None
        found.notes.append(f"{file.path.name} is cut short: {problem}. The entries before that were judged.")


def _kind_of_lines(start: bytes) -> str:
    """Return `spool` for a file of this suite, `entries` for one with a HAR entry a line; empty for an archive."""
    line = start.partition(b"\n")[0].strip()
    try:
        first = json.loads(line)
    except ValueError:
        # The first line may be longer than what was read.
        return (
            "spool" if line.startswith(b'{"type": "') else "entries" if line.startswith(b'{"startedDateTime"') else ""
        )
    if not isinstance(first, dict):
        return ""
    return "spool" if "type" in first and "at" in first else "entries" if "startedDateTime" in first else ""


def _lines(stream: BinaryIO, spool: bool) -> Iterator[Span]:
    offset = 0
    for line in stream:
        try:
            event = json.loads(line)
        except ValueError:
            event = None  # a last line that a crash cut
        if isinstance(event, dict) and (not spool or event.get("type") == "exchange"):
            yield Span(offset, len(line), event)
        offset += len(line)


def _at(stream: BinaryIO, file: _File, index: int) -> dict[str, Any]:
    stream.seek(file.offsets[index])
    entry: dict[str, Any] = json.loads(stream.read(file.lengths[index]).decode("utf-8", "replace"))
    return entry


def _order(files: list[_File]) -> Iterator[tuple[int, int]]:
    """Return file and index of each entry, in the order in which they ended."""
    if len(files) == 1 and all(a <= b for a, b in zip(files[0].ends, files[0].ends[1:], strict=False)):
        return ((0, index) for index in range(len(files[0].ends)))
    pairs = [(number, index) for number, file in enumerate(files) for index in range(len(file.ends))]
    pairs.sort(key=lambda pair: files[pair[0]].ends[pair[1]])
    return iter(pairs)


def _below(url: str, base: str) -> bool:
    rest = url[len(base) :]
    return url.startswith(base) and (not rest or rest[0] in "/?")


def _with_alias(base: str) -> list[str]:
    """Return a base URL, and its transition alias where it is the documented one."""
    alias = [base.removesuffix(CURRENT_BASE) + LEGACY_BASE] if base.endswith(CURRENT_BASE) else []
    return [base, *alias]


def _base_of(url: str) -> str:
    """Return the base of the Partner API that a URL is below, by its documented path; empty where there is none."""
    host, path = har_entry.split_base(url)
    for known in (CURRENT_BASE, LEGACY_BASE):
        before, found, rest = path.partition(known)
        if found and (not rest or rest[0] == "/"):
            return host + before + known
    return ""


def _chosen(base: str | None, bases: Counter[str], hosts: Counter[str], found: Recording) -> tuple[str, str | None]:
    spooled = any(file.spool for file in found.files)
    if base is not None:
        if not bases and not spooled:
            raise UsageError(f"Nothing in the recording was sent to {base}. {_where(hosts, found)}")
        return base, next(iter(_with_alias(base)[1:]), None)
    current = {one.removesuffix(CURRENT_BASE): one for one in bases if one.endswith(CURRENT_BASE)}
    legacy = {one.removesuffix(LEGACY_BASE): one for one in bases if one not in current.values()}
    places = {**legacy, **current}
    if len(places) > 1:
        known = {url: name for name, url in HOSTED.items()}
        told = ", ".join(f"{known.get(one, one)} ({bases[one]})" for one in places.values())
        raise UsageError(f"The recording holds traffic with {len(places)} servers: {told}. Choose one with --base URL.")
    for place in places:
        return current.get(place) or place + CURRENT_BASE, legacy.get(place)
    if spooled:
        return "", None
    raise UsageError(f"Nothing in the recording was sent to a Partner API. {_where(hosts, found)}")


def _where(hosts: Counter[str], found: Recording) -> str:
    if not found.entries:
        return "It holds no entries."
    named = ", ".join(f"{host or 'an unreadable URL'} ({count})" for host, count in hosts.most_common(5))
    return f"Its {found.entries} entries went to {named}. Name the API's base URL with --base URL."


def from_spool(event: Mapping[str, Any], where: str) -> tuple[Exchange, Coverage]:
    """Return the exchange of an event of a spool file, and what of it the file holds."""
    content, body = event["request_body"], event["body"] or ""
    sent = None if content is None else content.encode("utf-8", "surrogatepass")
    answer = body.encode("utf-8", "surrogatepass")
    exchange = Exchange(
        id=event["id"],
        operation=None,
        test=where,
        method=event["method"],
        path=event["path"],
        key=event["key"],
        request_headers=dict(event["request_headers"]),
        request_body=sent,
        status=event["status"],
        headers=[(name, value) for name, value in event["headers"]],
        body=answer,
        started=event["started"],
        elapsed=event["elapsed"],
        request_size=event["request_bytes"] if sent is not None and event["request_bytes"] > len(sent) else None,
        other_base=event["other_base"],
        scheme=event["scheme"],
    )
    whole_request = sent is None or (len(sent) >= event["request_bytes"] and "\ufffd" not in content)
    party = None if event["key"] in (None, "literal") else event["key"]
    literal = str(event["request_headers"].get("Authorization", ""))
    if event["key"] == "literal" and literal.lower().startswith("bearer "):
        party = literal[7:].strip()
    if str(event["scheme"]) not in BEARERS:
        party = exchange.key = None  # a key under another scheme is none
    exchange.request_headers.pop("Authorization", None)
    return exchange, Coverage(
        whole_request, True, len(answer) >= event["body_bytes"] and "\ufffd" not in body, 0.0, 0, party, True
    )

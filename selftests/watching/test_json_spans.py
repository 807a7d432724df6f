"""Entries are found in HAR files of any layout, wherever a chunk ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from meshi_conformance.watching.traffic import json_spans

ENTRIES = [{"number": number, "text": 'é"\\{[' * 50} for number in range(60)]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [7, 1000, 1 << 20])
@pytest.mark.parametrize("longest", [100, 32 << 20])
def test_each_entry_is_found_at_its_place(
    ascii_only: bool, indent: int | None, chunk: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_spans, "CHUNK", chunk)
    monkeypatch.setattr(json_spans, "MOST_ENTRY", longest)
    log = {"version": "1.2", "pages": [{"id": "é"}], "entries": ENTRIES, "comment": "after"}
    content = json.dumps({"log": log}, ensure_ascii=ascii_only, indent=indent).encode()
    found = list(json_spans.entries(io.BytesIO(content)))
    assert [json.loads(content[one.offset : one.offset + one.length]) for one in found] == ENTRIES
    if longest == 100 and chunk == 7:
        assert all(one.value is None for one in found)
    else:
        assert all(one.value is None or one.value["number"] == place for place, one in enumerate(found))


def test_a_byte_order_mark_is_passed_over() -> None:
    content = b'\xef\xbb\xbf {"log": {"entries": [1, 22]}}'
    assert [one.value for one in json_spans.entries(io.BytesIO(content))] == [1, 22]


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"hello", b'{"log": {}}', b'{"log": {"entries": {}}}', b'{"log": [1]}', b'{"log"', b"{1}"]
)
def test_what_is_no_archive_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(json_spans.NoArchive):
        list(json_spans.entries(io.BytesIO(content)))


@pytest.mark.parametrize("rest", [b"", b",", b', {"b', b', {"b": [1,', b" 2", b', {"b": tru'])
def test_the_entries_before_a_cut_are_found(rest: bytes) -> None:
    found: list[Any] = []
    entries = json_spans.entries(io.BytesIO(b'{"log": {"entries": [{"a": 1}' + rest))
    with pytest.raises(json_spans.Cut, match="byte"):
        found += (one.value for one in entries)
    assert found == [{"a": 1}]

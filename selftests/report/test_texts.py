"""Sentences and addresses that every format of the report shares."""

from __future__ import annotations

from typing import Any

import pytest

from meshi_conformance.report.page.links import page_link, site_link
from meshi_conformance.report.text import gist


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("getRun answered 500\nassert 500 == 200\n +  where 500 = <x>.status", "getRun answered 500"),
        ("assert 403 == 404\n +  where 403 = <getRun answered 403>.status", "403 instead of 404"),
        ("assert False\n +  where False = <getRun answered 500>.accepted", "<getRun answered 500>.accepted is False"),
        ("assert not rows", "this does not hold: not rows"),
        ("", ""),
    ],
)
def test_a_gist_has_no_comparison_of_pytest(reason: str, said: str) -> None:
    assert gist(reason) == said


ROW = {
    "id": "lists.events.order",
    "source": {"page": "endpoint-reference", "section": "GET /events (limit), GET /runs"},
}


def linked(**links: Any) -> dict[str, Any]:
    return {"links": {"pages": None, "site": None, **links}}


def test_without_an_address_nothing_is_a_link() -> None:
    for document in ({}, linked()):
        assert page_link(document, ROW) is None
        assert site_link(document, ROW) is None


def test_a_source_links_to_its_page_and_names_the_section() -> None:
    assert (
        page_link(linked(pages="https://docs.example/partner"), ROW)
        == "https://docs.example/partner/endpoint-reference/#:~:text=GET%20%2Fevents"
    )
    assert site_link(linked(site="https://site.example/x/"), ROW) == (
        "https://site.example/x/requirements/lists.events.order.html"
    )
    assert site_link(linked(site="../site"), ROW) == "../site/requirements/lists.events.order.html"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//x", 5, "file:///etc"])
def test_an_edited_document_links_to_no_script(address: Any) -> None:
    assert page_link(linked(pages=address), ROW) is None
    if address != "//x":
        assert site_link(linked(site=address), ROW) is None

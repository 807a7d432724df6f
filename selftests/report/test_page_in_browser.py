"""The page in a real browser: Debian's Chromium, driven by Playwright. A missing browser is a failure, no skip."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from meshi_conformance import report
from meshi_conformance.report.page import html

from ..browser import Opened, axe_finds
from .samples import HOSTILE, OUTSIDE, hostile_run, plain_run


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("page")
    document = hostile_run(folder)
    return (folder / "report.html").as_uri(), document


@pytest.fixture(scope="module")
def small(sample: tuple[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with a few requirements of each verdict and level, all sections filled, and links to elsewhere."""
    document = sample[1]
    seen: dict[tuple[str, str], int] = {}
    rows = []
    for row in document["requirements"]:
        kind = (row["verdict"], row["level"])
        seen[kind] = seen.get(kind, 0) + 1
        rows += [row] if seen[kind] <= 3 else []
    kept = {row["id"] for row in rows}
    causes = [
        {**one, "requirements": [name for name in one["requirements"] if name in kept]} for one in document["causes"]
    ]
    few = {
        **document,
        "requirements": rows,
        "causes": [one for one in causes if one["requirements"]],
        "links": {"pages": "https://docs.example/{page}.html", "site": "../site"},
    }
    file = tmp_path_factory.mktemp("small") / "report.html"
    file.write_text("".join(html.parts(few, ())), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def opened(browser: Browser, sample: tuple[str, dict[str, Any]]) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield Opened(context, sample[0])
    context.close()


def named(sample: tuple[str, dict[str, Any]], verdict: str, level: str = "documented") -> list[str]:
    return [row["id"] for row in sample[1]["requirements"] if (row["verdict"], row["level"]) == (verdict, level)]


# Hostile answers


def test_nothing_a_server_sent_runs_or_loads(opened: Opened) -> None:
    page = opened.page
    assert "window.hacked" in page.content()
    page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert [url for url in opened.requests if not url.startswith("file:")] == []
    assert len(opened.requests) == 1
    assert opened.said == []
    assert page.locator("iframe, img, link").count() == 0


def test_what_a_server_sent_is_shown_as_it_came(opened: Opened) -> None:
    text = opened.page.locator("#failures .body").first.text_content() or ""
    assert OUTSIDE in text
    assert "<script>window.hacked=1</script>" in text
    assert HOSTILE[:40].replace('"', '\\"') in text


def test_the_policy_stops_a_script_that_got_in(opened: Opened) -> None:
    opened.page.evaluate("""() => {
        const script = document.createElement('script');
        try { script.textContent = 'window.hacked = 2'; document.body.append(script); } catch { }
        const image = new Image();
        image.src = 'http://outside.invalid/x.png';
        document.body.append(image);
    }""")
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in opened.said)


# Filter, search, links


def test_chips_filter_by_verdict_and_level(opened: Opened, sample: tuple[str, dict[str, Any]]) -> None:
    page = opened.page
    chip = page.locator(".chip[data-v=fail]")
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    assert opened.rows().count() == len(named(sample, "fail"))
    page.locator(".chip[data-v=inconclusive]").click()
    both = len(named(sample, "inconclusive")) + len(named(sample, "inconclusive", "implied"))
    assert opened.rows().count() == len(named(sample, "fail")) + both
    page.locator(".chip[data-l=implied]").click()
    assert opened.rows().count() == len(named(sample, "inconclusive", "implied"))
    page.locator("#clear").click()
    assert opened.rows().count() == len(sample[1]["requirements"])
    assert chip.get_attribute("aria-pressed") == "false"


def test_selects_filter_by_family_and_operation(opened: Opened, sample: tuple[str, dict[str, Any]]) -> None:
    opened.page.select_option("#family", "error")
    opened.page.select_option("#operation", "createEvent")
    opened.page.wait_for_timeout(50)
    expected = [
        row for row in sample[1]["requirements"] if row["family"] == "error" and "createEvent" in row["operations"]
    ]
    assert opened.rows().count() == len(expected)


def test_search_finds_by_words_and_says_how_many(opened: Opened) -> None:
    opened.page.fill("#search", "createevent invalid_title")
    opened.page.wait_for_timeout(50)
    assert opened.page.locator("#req-error\\.createEvent\\.INVALID_TITLE").is_visible()
    count = opened.rows().count()
    assert count < 5
    assert (opened.page.locator("#found").text_content() or "").startswith(f"{count} of ")
    opened.page.fill("#search", "no such thing anywhere")
    opened.page.wait_for_timeout(50)
    assert opened.rows().count() == 0


def test_a_link_opens_a_requirement_that_the_filter_hides(opened: Opened, sample: tuple[str, dict[str, Any]]) -> None:
    page = opened.page
    wanted = named(sample, "pass")[-1]
    page.fill("#search", "no such thing anywhere")
    page.wait_for_timeout(50)
    page.evaluate("id => { location.hash = `#req-${id}` }", wanted)
    page.wait_for_timeout(100)
    row = page.locator(f"[id='req-{wanted}']")
    assert row.get_attribute("open") is not None
    box = row.bounding_box()
    assert box
    assert 0 <= box["y"] < 900


def test_a_page_opened_at_a_requirement_shows_it(browser: Browser, sample: tuple[str, dict[str, Any]]) -> None:
    wanted = named(sample, "pass")[-1]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Opened(context, f"{sample[0]}#req-{wanted}")
    opened.page.wait_for_timeout(100)
    row = opened.page.locator(f"[id='req-{wanted}']")
    assert row.get_attribute("open") is not None
    box = row.bounding_box()
    assert box
    assert 0 <= box["y"] < 900
    context.close()


def test_a_cell_of_the_grid_shows_its_requirements(opened: Opened, sample: tuple[str, dict[str, Any]]) -> None:
    opened.page.locator(".grid a.cell[data-f=error][data-o=createEvent]").click()
    expected = [
        row for row in sample[1]["requirements"] if row["family"] == "error" and "createEvent" in row["operations"]
    ]
    assert opened.rows().count() == len(expected)


def test_cells_differ_by_sign_not_by_colour_alone(opened: Opened) -> None:
    signs = opened.page.evaluate("""() => {
        const found = {};
        for (const cell of document.querySelectorAll('.grid a.cell'))
            (found[cell.classList[1]] ??= new Set()).add(cell.firstElementChild.textContent);
        return Object.entries(found).map(([verdict, signs]) => [verdict, [...signs]]);
    }""")
    assert all(len(of_verdict) == 1 for _, of_verdict in signs)
    assert len({of_verdict[0] for _, of_verdict in signs}) == len(signs) > 3


def test_a_curl_line_can_be_copied(browser: Browser, sample: tuple[str, dict[str, Any]]) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = Opened(context, sample[0]).page
    button = page.locator("#failures .exchange .copy").first
    button.click()
    page.wait_for_timeout(100)
    assert button.text_content() == "Copied"
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -sS -i")
    context.close()


def test_the_keyboard_reaches_and_opens_things(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    summary = page.locator("#failures .card > summary").nth(1)
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#failures .card").nth(1).get_attribute("open") is not None
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


# Light and dark, phone, paper, without JavaScript


def brightness(page: Page) -> float:
    return float(
        page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3)"
            ".reduce((sum, part) => sum + Number(part), 0) / 3"
        )
    )


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_page_follows_the_system_and_can_be_turned(
    browser: Browser, sample: tuple[str, dict[str, Any]], scheme: Any, is_dark: bool
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = Opened(context, sample[0]).page
    assert (brightness(page) < 80) is is_dark
    turned = []
    for _ in range(3):
        page.locator("#theme").click()
        turned.append(brightness(page) < 80)
    assert turned == [False, True, is_dark]
    page.locator("#theme").click()
    page.reload()
    assert "light" in (page.locator("#theme").text_content() or "")
    context.close()


CONTRAST = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const known = new Map();
    const rgb = color => {
        if (!known.has(color)) {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            known.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
        }
        return known.get(color);
    };
    const light = ([r, g, b]) => [r, g, b].map(x => x / 255)
        .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
        .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const color = rgb(getComputedStyle(node).backgroundColor);
            if (color[3] === 255) return color;
        }
        return [255, 255, 255];
    };
    const bad = new Set();
    const seen = new Map();
    const texts = 'h1, h2, p, dt, dd, th, td, code, a, button, .badge, .count, .cell, .chip';
    for (const node of document.querySelectorAll(texts)) {
        // The same kind of text in the same kind of place looks the same: ten of each are enough.
        const place = `${node.tagName} ${node.className} in ${node.parentElement.className}`;
        seen.set(place, (seen.get(place) || 0) + 1);
        if (seen.get(place) > 10 || !node.checkVisibility() || !node.textContent.trim()) continue;
        const sides = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
        const ratio = (sides[0] + 0.05) / (sides[1] + 0.05);
        if (ratio < 4.5) bad.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
    }
    return [...bad];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, sample: tuple[str, dict[str, Any]], scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    assert Opened(context, sample[0]).page.evaluate(CONTRAST) == []
    context.close()


def test_the_page_never_scrolls_sideways(opened: Opened) -> None:
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
    for width in (320, 375, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_shows_what_failed_and_no_controls(opened: Opened) -> None:
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#failures .card:not([open])").count() == 0
    assert page.locator("#failures .card .came").first.is_visible()
    assert page.locator("#filter, .copy, #theme, .contents, #requirements").locator("visible=true").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#failures .card[open]").count() == 1


def test_everything_can_be_read_without_javascript(browser: Browser, sample: tuple[str, dict[str, Any]]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Opened(context, sample[0]).page
    assert page.locator(".req").count() == len(sample[1]["requirements"])
    assert page.locator(".req").first.is_visible()
    assert not page.locator("#filter").is_visible()
    assert not page.locator(".copy").first.is_visible()
    row = page.locator(".req").first
    row.locator("summary").first.click()
    assert row.locator("dl").is_visible()
    context.close()


def test_paper_is_a_handful_of_pages(browser: Browser, small: str) -> None:
    context = browser.new_context()
    printed = Opened(context, small).page.pdf(format="A4")
    context.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 5


# Everybody can use it


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, small: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page = Opened(context, small).page
    page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
    found = axe_finds(page)
    context.close()
    assert found == []


def test_axe_notices_what_is_wrong(browser: Browser, small: str) -> None:
    context = browser.new_context(bypass_csp=True)
    page = Opened(context, small).page
    page.evaluate("""() => {
        document.querySelector('#failures .lead').style.color = '#ddd';
        document.querySelector('#failures h2').outerHTML = '<h5>Failures</h5>';
    }""")
    rules = ["color-contrast", "heading-order"]
    found = {one["id"] for one in Axe().run(page, options={"runOnly": rules}).response["violations"]}
    context.close()
    assert found == set(rules)


def test_a_folded_card_shows_that_it_opens(browser: Browser, small: str) -> None:
    context = browser.new_context()
    page = Opened(context, small).page
    signs = page.evaluate("""() => ['#failures .card', '#deviations .card', '.req'].map(which => {
        const node = document.querySelector(`${which}:not([open])`);
        const turned = () => getComputedStyle(node.firstElementChild, '::before').transform;
        const closed = turned();
        node.open = true;
        return [closed, turned()];
    })""")
    context.close()
    assert all(closed not in ("none", opened) for closed, opened in signs)


def test_navigation_stays_in_sight(browser: Browser, small: str) -> None:
    for width in (1280, 390):
        context = browser.new_context(viewport={"width": width, "height": 800})
        page = Opened(context, small).page
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        box = page.locator(".contents").bounding_box()
        context.close()
        assert box
        assert 0 <= box["y"] < 5
        assert box["height"] < 60


def test_filters_stand_in_the_address(browser: Browser, small: str) -> None:
    context = browser.new_context()
    page = Opened(context, small).page
    page.locator(".chip[data-v=fail]").click()
    page.fill("#search", "a & b, c")
    page.wait_for_timeout(50)
    sent = page.url
    assert sent.partition("#")[2].startswith("requirements?verdict=fail&search=")
    other = Opened(context, sent).page
    assert other.locator(".chip[data-v=fail]").get_attribute("aria-pressed") == "true"
    assert other.input_value("#search") == "a & b, c"
    other.locator("#clear").click()
    assert other.url.endswith("#requirements")
    strange = Opened(context, f"{small}#requirements?verdict=%3Cb%3E&family=none&level=implied")
    assert strange.rows().count() == strange.page.locator(".req[data-l=implied]").count()
    assert strange.said == []
    context.close()


def test_sources_are_links_where_an_address_is_known(browser: Browser, small: str) -> None:
    context = browser.new_context()
    card = Opened(context, small).page.locator("#failures .card").first
    named = (card.get_attribute("id") or "").removeprefix("fail-")
    page, site = (card.locator("dl a").nth(number).get_attribute("href") or "" for number in (0, 1))
    context.close()
    assert re.fullmatch(r"https://docs\.example/[a-z-]+\.html#:~:text=[\w%.~/]+", page)
    assert site == f"../site/requirements/{named}.html"


# Twenty thousand exchanges


def test_a_large_report_opens_and_filters_without_lag(browser: Browser, tmp_path: Path) -> None:
    document, events = plain_run(tmp_path, 20_000)
    assert report.write_all(tmp_path, document, events) == []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    started = time.perf_counter()
    page = Opened(context, (tmp_path / "report.html").as_uri()).page
    opening = time.perf_counter() - started
    # From the key press to the next frame that is drawn, layout included.
    spent = page.evaluate("""async () => {
        const search = document.getElementById('search');
        const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        const found = [];
        for (const text of ['c', 'cr', 'createEvent', '', 'invalid', '']) {
            const start = performance.now();
            search.value = text;
            search.dispatchEvent(new Event('input'));
            await frame();
            found.push(performance.now() - start);
        }
        return found;
    }""")
    context.close()
    assert opening < 5, f"opened in {opening:.1f} s"
    assert sorted(spent)[len(spent) // 2] < 200, f"filtered in {spent} ms"

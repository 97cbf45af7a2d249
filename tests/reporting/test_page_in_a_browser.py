"""The page as Chromium shows it: on a desk, on a phone, in the dark, on paper, and to axe, which holds it against WCAG."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reporting.page import write_page
from tests.reporting.paged import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM,
    reason="chromium is not here: how the page looks is not checked; Debian's package of that name brings it",
)

DESK, PHONE = (1280, 900), (360, 740)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    changes = (
        "update reconciliation.fct_breaks set cause = 'unexplained' where break_id = 'b2'",
        "update marts.dim_streams set certified_through = '2026-08-30', differing_days = 3 where stream = 'orb.invoices'",
    )
    write_page(build(folder / "w.duckdb", *changes), folder / "page.html")
    return folder / "page.html"


@contextmanager
def shown(browser: Browser, path: Path, size: tuple[int, int], **how: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", **how)
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    """The rules of WCAG A and AA that axe finds broken."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": WCAG})
    return [rule["id"] for rule in found.response["violations"]]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def requests(browser: Browser, path: Path) -> list[str]:
    """What the page asks for beside itself."""
    asked: list[str] = []
    with shown(browser, path, DESK) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.reload(wait_until="domcontentloaded")
    return [url for url in asked if url != path.as_uri()]


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk, light", "phone, dark"])
def test_who_does_not_see_well_can_read_it(browser: Browser, path: Path, size: tuple[int, int], scheme: str) -> None:
    with shown(browser, path, size, color_scheme=scheme) as page:
        assert violations(page) == []


def test_a_phone_shows_it_whole_and_only_wide_tables_are_scrolled(browser: Browser, path: Path) -> None:
    with shown(browser, path, PHONE) as page:
        assert overflow(page) == 0
        cut = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(each => !each.closest('.wide') && !each.closest('svg')"
            " && each.getBoundingClientRect().right > innerWidth).length"
        )
        assert cut == 0
        charts = page.locator("figure svg")
        assert charts.first.bounding_box()["width"] > 0.8 * PHONE[0]  # type: ignore[index]


def test_nothing_is_asked_of_the_network_and_no_script_is_needed(browser: Browser, path: Path) -> None:
    assert requests(browser, path) == []
    with shown(browser, path, DESK) as page:
        told = page.inner_text("main")
    with shown(browser, path, DESK, java_script_enabled=False, offline=True) as page:
        assert page.inner_text("main") == told


def test_each_link_leads_to_a_section(browser: Browser, path: Path) -> None:
    with shown(browser, path, DESK) as page:
        for link in page.get_by_role("link").all():
            link.click()
            assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top < innerHeight")


def test_texts_of_charts_stand_inside_them(browser: Browser, path: Path) -> None:
    with shown(browser, path, DESK) as page:
        outside = page.evaluate(
            """[...document.querySelectorAll('figure svg text')].filter(text => {
                const [own, all] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
                return own.left < all.left - 1 || own.right > all.right + 1
                    || own.top < all.top - 3 || own.bottom > all.bottom + 3;
            }).map(text => text.textContent)"""
        )
        assert outside == []


def test_on_paper_it_is_light_without_links_and_no_chart_is_torn(browser: Browser, path: Path, tmp_path: Path) -> None:
    with shown(browser, path, DESK, color_scheme="dark") as page:
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(232, 236, 244)"
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 51)"
        assert not page.locator("nav").is_visible()
        torn = page.evaluate(
            "[...document.querySelectorAll('figure, .card, tr')]"
            ".filter(each => getComputedStyle(each).breakInside !== 'avoid').length"
        )
        assert torn == 0
        sheets = page.evaluate(
            "[...document.querySelectorAll('section')].filter(each => getComputedStyle(each).breakBefore === 'page').length"
        )
        page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert sheets < pages <= 8


def test_planted_faults_are_found(browser: Browser, path: Path, tmp_path: Path) -> None:
    def planted(*faults: tuple[str, str]) -> Path:
        text = path.read_text(encoding="utf-8")
        for sound, fault in faults:
            assert sound in text
            text = text.replace(sound, fault)
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        return tmp_path / "page.html"

    pale, mute = ("--muted: #515b6e", "--muted: #b8bec9"), (' aria-label="Waterfall', ' data-label="Waterfall')
    with shown(browser, planted(pale, mute, ('<html lang="en">', "<html>")), DESK) as page:
        assert set(violations(page)) == {"color-contrast", "role-img-alt", "html-has-lang"}
    with shown(browser, planted(("<main>", '<main><p style="width: 500px">wide</p>')), PHONE) as page:
        assert overflow(page) > 100
    assert requests(browser, planted(("<main>", '<main><img src="http://127.0.0.1:9/x">'))) == ["http://127.0.0.1:9/x"]

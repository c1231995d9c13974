"""The page in a real browser: it asks nobody, sorts, turns dark, fits a phone, needs no mouse."""

import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from made_studies import compositions, quickstart
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from reports.document.html_page import html
from reports.document.sections import document
from reports.write import write_reports

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CONTRAST = """() => {
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const numbers = css => css.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => [0.2126, 0.7152, 0.0722]
    .reduce((sum, weight, at) => sum + weight * linear(rgb[at] / 255), 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const back = numbers(getComputedStyle(element).backgroundColor);
      if (back.length < 4 || back[3] > 0) return back;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *:not(svg *):not(svg)")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => !["SCRIPT", "STYLE"].includes(e.tagName))
    .map(e => {
      const [a, b] = [luminance(numbers(getComputedStyle(e).color)), luminance(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 90)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""
"""Texts whose contrast to what lies behind them is under WCAG's 4.5 to 1."""

PARTED = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), parted = [];
  let seen = 0;
  for (let node; (node = texts.nextNode());) {
    for (const found of node.data.matchAll(/\\d\\s(%|points?\\b)/g)) {
      const range = document.createRange();
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].length);
      const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top)));
      if (lines.size) seen += 1;
      if (lines.size > 1) parted.push(node.data);
    }
  }
  return [seen, parted];
}"""
"""How many numbers have a unit, and the texts in which a line ends between the two."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium"),
]


class Opened(NamedTuple):
    """A page with what it asked for and complained of."""

    page: Page
    requests: list[str]
    complaints: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One chromium for all tests of a process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The heat map's report: the longest page."""
    return write_reports(compositions(), tmp_path_factory.mktemp("report")).html


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    """The report, freshly opened."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    found = Opened(page, [], [])
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(report.as_uri())
    yield found
    page.close()


def table_of(page: Page, section: str) -> Locator:
    """The first table of a section."""
    return page.locator(f"#{section} table").first


def column(table: Locator, nth: int) -> list[str]:
    """A column's texts from the top."""
    return table.locator(f"tbody tr td:nth-child({nth})").all_inner_texts()


def test_it_asks_for_itself_only_and_complains_of_nothing(opened: Opened, report: Path) -> None:
    opened.page.mouse.wheel(0, 20_000)
    opened.page.wait_for_load_state("networkidle")

    assert opened.requests == [report.as_uri()]
    assert opened.complaints == []


def test_its_policy_refuses_what_was_smuggled_in(opened: Opened) -> None:
    policy = opened.page.locator("meta[http-equiv='Content-Security-Policy']")
    assert "default-src 'none'" in str(policy.get_attribute("content"))

    with socket.create_server(("127.0.0.1", 0)) as server:
        opened.page.evaluate(
            """port => {
              const box = document.createElement("div");
              box.innerHTML = `<img src="http://127.0.0.1:${port}/x" onerror="window.ran = true">`;
              document.body.append(box);
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
            }""",
            server.getsockname()[1],
        )
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.accept()

    assert opened.page.evaluate("window.ran") is None
    assert len(opened.complaints) >= 2
    assert all("violates" in text for text in opened.complaints)


def test_a_table_sorts_by_number_when_its_head_is_clicked(opened: Opened) -> None:
    table = table_of(opened.page, "numbers")
    before = column(table, 2)
    head = table.get_by_role("columnheader", name="mean, %")

    head.get_by_role("button").click()
    rising = column(table, 2)
    first = head.get_attribute("aria-sort")
    head.get_by_role("button").click()
    falling = column(table, 2)

    known = sorted(float(text) for text in before if text)
    unknown = [""] * before.count("")
    assert unknown
    assert rising == [f"{number:.1f}" for number in known] + unknown
    assert falling == [f"{number:.1f}" for number in reversed(known)] + unknown
    assert (first, head.get_attribute("aria-sort")) == ("ascending", "descending")


def test_rows_stay_whole_when_a_table_sorts(opened: Opened) -> None:
    table = table_of(opened.page, "numbers")
    before = table.locator("tbody tr").all_inner_texts()

    table.get_by_role("button", name="cell").click()

    after = table.locator("tbody tr").all_inner_texts()
    assert sorted(after) == sorted(before)
    assert after != before


def test_one_column_at_a_time_says_that_it_is_sorted(opened: Opened) -> None:
    table = table_of(opened.page, "numbers")

    table.get_by_role("button", name="cell").click()
    table.get_by_role("button", name="mean").click()

    assert table.locator("th[aria-sort]").all_inner_texts() == ["mean, %"]


def test_a_table_sorts_by_keyboard_alone(opened: Opened) -> None:
    page = opened.page
    table = table_of(page, "numbers")
    table.locator("xpath=..").focus()

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    rising = column(table, 2)
    page.keyboard.press("Space")
    falling = column(table, 2)

    assert focused == "mean, %"
    known = sorted(float(text) for text in rising if text)
    assert [float(text) for text in rising if text] == known
    assert [float(text) for text in falling if text] == known[::-1]


def test_the_first_tab_offers_to_skip_to_the_verdicts(opened: Opened) -> None:
    page = opened.page

    page.keyboard.press("Tab")
    seen = page.locator(".skip").bounding_box()
    page.keyboard.press("Enter")

    assert seen is not None
    assert seen["x"] >= 0
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_legible_by_day_and_by_night(opened: Opened, scheme: str) -> None:
    opened.page.emulate_media(color_scheme=scheme)

    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
    assert opened.page.evaluate(CONTRAST) == []


def test_figures_turn_with_the_page(opened: Opened) -> None:
    ink = "getComputedStyle(document.querySelector('figure svg [style*=\"--ink\"]')).fill"
    opened.page.emulate_media(color_scheme="light")
    by_day = opened.page.evaluate(ink)

    opened.page.emulate_media(color_scheme="dark")

    assert (by_day, opened.page.evaluate(ink)) == ("rgb(27, 31, 37)", "rgb(232, 234, 238)")


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_the_page_never_scrolls_sideways(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})

    assert opened.page.evaluate("document.documentElement.scrollWidth") == width


def test_the_claims_are_as_wide_as_the_page_at_1200_px(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 1200, "height": 800})

    tables = opened.page.locator("section:has(h2:text-is('Claims')) .wide:has(table)")

    assert tables.count() == 1
    assert tables.evaluate("one => one.scrollWidth - one.clientWidth") == 0


@pytest.mark.parametrize("width", [360, 900])
def test_no_line_ends_between_a_number_and_its_unit(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})

    seen, parted = opened.page.evaluate(PARTED)

    assert seen > 20
    assert parted == []


@pytest.mark.parametrize("width", [390, 1200])
def test_the_names_on_a_card_leave_its_values_half_of_the_width(opened: Opened, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})
    names = "[...document.querySelectorAll('.card dl')].map(d => [...d.querySelectorAll('dt')]"
    widest = f"{names}.map(e => e.getBoundingClientRect().width / d.clientWidth)).flat()"
    opened.page.evaluate(
        "document.querySelector('.card dt').textContent = 'descriptive 97.5 % interval'"
    )

    shares = opened.page.evaluate(widest)

    assert shares
    assert max(shares) < 0.5


def test_a_screen_reader_finds_headings_figures_and_tables(opened: Opened) -> None:
    page = opened.page

    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => Number(h.tagName[1]))")

    assert page.get_by_role("heading", level=1).all_inner_texts() == [
        "Composition of data augmentations"
    ]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert page.get_attribute("html", "lang") == "en"
    assert page.get_by_role("img", name="Heat map of linear probe, top-1 (%) over 49 cells").count()
    assert page.locator("figure svg:not([aria-label])").count() == 0
    assert page.locator("th:not([scope='col'])").count() == 0
    assert page.locator("table:not(:has(caption))").count() == 0


def test_every_link_of_the_contents_leads_to_its_section(opened: Opened) -> None:
    links = opened.page.eval_on_selector_all(
        "nav a", "all => all.map(a => document.querySelector(a.getAttribute('href'))?.tagName)"
    )

    assert links == ["SECTION"] * 17


def test_a_hostile_name_is_shown_as_it_stands(browser: Browser, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    made = document(quickstart().model_copy(update={"title": name}))
    (tmp_path / "report.html").write_text(html(made), encoding="utf-8")
    page = browser.new_page()

    page.goto((tmp_path / "report.html").as_uri())

    assert page.get_by_role("heading", level=1).inner_text() == name
    assert page.title().startswith(name)
    assert page.locator("img").count() == 0
    page.close()

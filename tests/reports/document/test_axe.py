"""A report passes axe-core's rules of accessibility, by day, by night and in print."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from made_studies import compositions, quickstart
from playwright.sync_api import Browser, sync_playwright

from reports.document.html_page import html
from reports.document.sections import document
from reports.spec import Evidence

CHROMIUM = Path("/usr/bin/chromium")

UNDECIDED = {"color-contrast"}
"""What axe-core leaves to a person: cells in a box that scrolls. `test_browser` computes all contrasts."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.proof,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def findings(browser: Browser, file: Path, scheme: Any, media: Any) -> dict[str, Any]:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(file.as_uri())
    page.emulate_media(color_scheme=scheme, media=media)
    try:
        return Axe().run(page).response
    finally:
        page.close()


def shown(rules: list[dict[str, Any]]) -> dict[str, str]:
    """Rule -> the first element that breaks it."""
    return {rule["id"]: rule["nodes"][0]["html"] for rule in rules}


@pytest.mark.parametrize("made", [quickstart(), compositions()], ids=lambda made: made.study)
@pytest.mark.parametrize(
    ("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("light", "print")]
)
def test_no_rule_is_broken_and_none_is_left_open(
    browser: Browser,
    tmp_path: Path,
    made: Evidence,
    scheme: Literal["light", "dark"],
    media: Literal["screen", "print"],
) -> None:
    page = tmp_path / "report.html"
    page.write_text(html(document(made), linked=True, reload=600), encoding="utf-8")

    found = findings(browser, page, scheme, media)

    assert len(found["passes"]) > 30
    assert shown(found["violations"]) == {}
    assert shown(found["incomplete"]).keys() <= UNDECIDED, shown(found["incomplete"])


def test_a_page_that_breaks_rules_is_found_out(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<html><body><img src=x><p style='color: #ccc'>pale</p></body></html>")

    found = findings(browser, page, "light", "screen")

    assert {"image-alt", "color-contrast", "html-has-lang"} <= shown(found["violations"]).keys()

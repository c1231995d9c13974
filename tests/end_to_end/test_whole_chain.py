"""`ablate run quickstart` from nothing to reports, and once more; MLflow's page of it."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from driving import ablate, command, environment, records, statuses, steps, verdicts
from playwright.sync_api import sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.slow


class Chain(NamedTuple):
    store: Path
    code: int
    out: str
    steps: int
    pages: tuple[bytes, bytes]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The first run, made once."""
    folder = tmp_path_factory.mktemp("chain")
    place = folder / "runs" / "studies" / "quickstart@smoke"
    first = ablate("run", "quickstart", "--scale", "smoke", cwd=folder)
    assert first.returncode == 0, first.stderr
    html, pdf = ((place / name).read_bytes() for name in ("report.html", "report.pdf"))
    store = folder / "runs"
    return Chain(store, first.returncode, first.stdout, steps(store), (html, pdf))


def test_one_command_ends_with_verdicts_and_both_reports(chain: Chain) -> None:
    assert chain.code == 0
    assert "the smoke scale only checks that everything runs; no claim is judged" in chain.out
    page, pdf = chain.pages
    assert page.lower().startswith(b"<!doctype html>")
    assert pdf.startswith(b"%PDF-")
    assert str(chain.store) in chain.out.replace("\n", "")


def test_every_trial_left_one_record_with_its_numbers(chain: Chain) -> None:
    found = records(chain.store)
    cells = sorted((record["cell"], record["seed"]) for record in found)
    arms = [(cell, seed) for cell in ("crop", "crop+colour") for seed in (0, 1)]

    assert cells == sorted(
        [*arms, *(("random encoder", s) for s in (0, 1)), ("permuted labels", 0)]
    )
    assert all(record["state"] == "finished" for record in found)
    # 256 images in batches of 64 over 2 epochs; the control has the first arm's encoder.
    assert chain.steps == 4 * 2 * (256 // 64)
    assert all("loss" in r["curve"] for r in found if r["facts"]["optimiser_steps"])


def test_mlflow_has_all_runs_and_none_running(chain: Chain) -> None:
    # A run for the study, one a trial, one a cell.
    assert statuses(chain.store) == {"FINISHED": 1 + 7 + 4}


@pytest.mark.proof
def test_a_second_run_trains_nothing_and_says_the_same(chain: Chain) -> None:
    began = time.monotonic()

    again = ablate("run", "quickstart", "--scale", "smoke", cwd=chain.store.parent)

    seconds = time.monotonic() - began
    assert again.returncode == 0
    assert verdicts(again.stdout) == verdicts(chain.out)
    assert steps(chain.store) == chain.steps
    assert statuses(chain.store) == {"FINISHED": 12}
    place = chain.store / "studies" / "quickstart@smoke"
    assert (place / "report.html").read_bytes() == chain.pages[0]
    assert (place / "report.pdf").read_bytes() == chain.pages[1]
    assert seconds < 60  # under 20 on an idle machine; here other tests run beside it


@pytest.mark.proof
def test_status_and_report_speak_of_the_finished_study(chain: Chain) -> None:
    status = ablate("status", "--store", chain.store, cwd=chain.store.parent)
    report = ablate("report", "quickstart", "--scale", "smoke", cwd=chain.store.parent)

    assert (status.returncode, report.returncode) == (0, 0)
    assert "7 of 7" in status.stdout
    assert verdicts(report.stdout) == verdicts(chain.out)


@pytest.fixture
def address(chain: Chain) -> Iterator[str]:
    server = subprocess.Popen(
        command("ui", "--store", chain.store),
        cwd=chain.store.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 128 + signal.SIGTERM


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium")
@pytest.mark.proof
def test_mlflows_page_shows_the_runs_below_the_studys_and_asks_nobody_else(address: str) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.route("**/*", lambda route: (asked.append(route.request.url), route.continue_()))
        page.goto(address)
        page.get_by_text("crop+colour (all seeds)").first.wait_for(timeout=90_000)
        text = page.inner_text("body")
        browser.close()

    assert re.match(r"http://127\.0\.0\.1:\d+/", address)
    assert "random encoder (all seeds)" in text
    outside = [url for url in asked if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)]
    assert outside == []

"""MLflow's pages, in chromium: three questions in three clicks, and names that would be code."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, record_of, the_plan, written_study
from driving import command, environment
from hostile_names import NAMES
from made_records import commit
from playwright.sync_api import Page, sync_playwright
from toy_trials import toy_plan, toy_sweep

from ablations.commands.report_tracking import Track
from ablations.compose.planning import compose, planned
from ablations.evidence import evidence, snapshot_of
from ablations.run_files import FILES_OF
from ablations.study.request import Request
from sweeps.planning import Plan
from sweeps.storage import Store, save_plan
from sweeps.tracking import open_tracking

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [pytest.mark.proof, pytest.mark.slow, pytest.mark.timeout(900)]

MEANS = {"crop": 50.0, "crop+colour": 61.0, "random encoder": 30.0}


def a_study(store: Store, folder: Path) -> None:
    """A study with its verdict in MLflow: colour helps by 11 points, and one trial of crop failed."""
    study = written_study(folder, STUDY.replace("seeds: 2", "seeds: 4"))
    for trial in the_plan(study).trials:
        changes: dict[str, Any] = {
            "values": {"top1": MEANS.get(trial.cell, 10.0) + trial.seed},
            "curve": {"step": [0, 1, 2], "loss": [3.0, 2.0, 1.5]},
        }
        if (trial.cell, trial.seed) == ("crop", 3):
            changes |= {"state": "failed", "values": {}, "error": "Diverged: the loss is nan"}
        store.commit(record_of(trial, the_plan(study), **changes), store.running / "log")
    request = Request(study=str(study), store=store.path)
    composed, _ = compose(request)
    plan = planned(composed, store.known())
    with Track(store, composed, plan, None) as track:
        track.settle(evidence(snapshot_of(composed), request, store))
        track.closed = track.tracking.close(timeout=300)
    assert track.closed.trouble is None


IDENTITY = [[int(row == column) for column in range(len(NAMES))] for row in range(len(NAMES))]


def hostile(store: Store) -> tuple[Plan, dict[str, Any]]:
    """A plan whose cells and classes have hostile names, recorded; and what its driver would log."""
    plan = toy_plan(toy_sweep(list(range(len(NAMES)))), store.known())
    named = dict(zip(dict.fromkeys(trial.cell for trial in plan.trials), NAMES, strict=True))
    for trial in (
        trials := [one.model_copy(update={"cell": named[one.cell]}) for one in plan.trials]
    ):
        commit(
            store,
            trial,
            levels={trial.cell: trial.cell},
            error=trial.cell if trial.seed else None,
            state="failed" if trial.seed else "finished",
            values={} if trial.seed else {"top1": 50.0, trial.cell: 1.0},
            curve={"step": [0, 1], trial.cell: [2.0, 1.0]},
            facts={
                "version": 4,
                "data": {"name": trial.cell, "fingerprint": trial.cell, "class_names": NAMES},
                "class_confusion": IDENTITY,
            },
        )
    cells = [one.model_copy(update={"name": named[one.name]}) for one in plan.cells]
    renamed = plan.model_copy(update={"cells": tuple(cells), "trials": tuple(trials)})
    last = {
        "verdicts": {name: name for name in NAMES},
        "cell_verdicts": {name: name for name in NAMES},
        "numbers": {f"mean/{name}": float(nth) for nth, name in enumerate(NAMES)},
        "answer": " ".join(NAMES),
        "note": "\n".join(NAMES),
    }
    return renamed, last


READ = """
import json, os, sys
from mlflow.tracking import MlflowClient
os.chdir(sys.argv[1])
client = MlflowClient("sqlite:///mlflow.db")
[experiment] = [e for e in client.search_experiments() if e.name != "Default"]
runs = client.search_runs([experiment.experiment_id], max_results=5000)
print(json.dumps([
    [r.info.run_name, r.info.status, r.data.tags, r.data.metrics, r.data.params] for r in runs
]))
"""


@pytest.mark.parametrize("way", ["many at once", "MLflow's interface"])
def test_every_run_with_a_hostile_name_is_there_and_no_file_is_elsewhere(
    tmp_path: Path, way: str
) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    plan, last = hostile(store)
    address = f"sqlite:///{store.path}/./mlflow.db" if way != "many at once" else None

    tracking = open_tracking(store, plan, uri=address, files_of=FILES_OF)
    tracking.settle(**last)
    closed = tracking.close(timeout=300)

    assert (closed.written, closed.trouble) == (len(plan.trials), None)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(store.path)], capture_output=True, text=True, check=True
    )
    runs = json.loads(done.stdout.splitlines()[-1])
    of_cells = [tags["sweeps.cell"] for _, _, tags, _, _ in runs if "sweeps.cell" in tags]
    assert sorted(of_cells) == sorted(NAMES)
    [(_, status, tags, metrics, _)] = [run for run in runs if run[2]["sweeps.role"] == "study"]
    assert status == "FAILED"
    means = [value for name, value in metrics.items() if name.startswith("mean/")]
    assert sorted(means) == [float(nth) for nth in range(len(NAMES))]
    assert sum(name.startswith("verdict ") for name in tags) == len(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    files = [path for path in (store.path / "mlartifacts").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        *("config.json", "provenance.json", "log.txt", "confusion.json", "confusion.svg")
    }
    tables = [json.loads(path.read_text()) for path in files if path.name == "confusion.json"]
    assert len(tables) == len(plan.trials)
    assert all(one["classes"] == list(NAMES) for one in tables)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The start page of MLflow for a store with a study, and with one of hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    store = Store(folder / "runs")
    store.prepare()
    a_study(store, folder)
    plan, last = hostile(store)
    save_plan(store, plan)
    tracking = open_tracking(store, plan, files_of=FILES_OF)
    tracking.settle(**last)
    assert tracking.close(timeout=300).trouble is None
    server = subprocess.Popen(
        command("ui", "--store", store.path),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().partition("#")[0]
    finally:
        server.terminate()
        server.communicate(timeout=30)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        found = browser.new_page(viewport={"width": 1600, "height": 1000})
        found.set_default_timeout(90_000)
        yield found
        browser.close()


class Clicks:
    """Counts them."""

    def __init__(self, page: Page) -> None:
        self.page, self.number = page, 0

    def __call__(self, text: str, *, inside: str = "body") -> None:
        self.number += 1
        self.page.locator(inside).get_by_text(text, exact=True).first.click()


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium")
def test_three_clicks_from_the_start_page_say_who_won_by_how_much_and_what_failed(
    address: str, page: Page
) -> None:
    click = Clicks(page)
    page.goto(address)
    page.get_by_text("mine@laptop").first.wait_for()

    click("Model training")
    click("mine@laptop", inside="main")
    page.get_by_text("Highest mean of 2 arms").first.wait_for()
    after_two = page.inner_text("main")
    click("mine@laptop", inside="[role=row]")
    page.get_by_text("Child runs").first.wait_for()
    page.get_by_text("difference/colour helps", exact=True).first.wait_for()
    after_three = page.inner_text("main")

    assert click.number == 3
    for text in (after_two, after_three):
        assert "Highest mean of 2 arms: crop+colour, 62.5 % (n = 4), next: crop, 51.0 %" in text
        assert "+11.0 points" in text
        assert re.search(r"15 of \d\d trials finished, 1 failed", text)
    assert "Failed" in after_three


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium")
def test_the_list_of_views_has_the_arms_without_controls_and_the_failed_trials(
    address: str, page: Page
) -> None:
    page.goto(address)
    page.get_by_text("mine@laptop").first.wait_for()
    click = Clicks(page)
    click("Model training")
    click("mine@laptop", inside="main")

    click("Views")
    click("Arms, best first")
    page.get_by_text("crop+colour (all seeds)").first.wait_for()
    arms = page.inner_text("main")
    first, second = (
        page.get_by_text(f"{cell} (all seeds)", exact=True).first.bounding_box()
        for cell in ("crop+colour", "crop")
    )
    click("Arms, best first")
    page.get_by_text("Failed trials", exact=True).last.click()
    page.get_by_text("crop, seed 3").first.wait_for()
    failed = page.inner_text("main")

    assert first is not None
    assert second is not None
    assert first["y"] < second["y"]
    assert "random encoder (all seeds)" not in arms
    assert "permuted labels" not in arms
    assert "crop, seed 2" not in failed


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium")
def test_no_hostile_name_is_markup_on_the_pages_or_asks_another_server(
    address: str, page: Page
) -> None:
    asked: list[str] = []
    dialogs: list[str] = []
    page.route("**/*", lambda route: (asked.append(route.request.url), route.continue_()))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    for view in ("cells", "runs"):
        page.goto(
            f"{address}#/experiments/2/runs?workflowType=machine_learning&viewStateShareKey={view}"
        )
        page.get_by_text("matching run").first.wait_for()
        page.get_by_text("toy@smoke").last.wait_for()
        page.wait_for_timeout(3000)
    page.get_by_text("toy@smoke", exact=True).last.click()
    page.get_by_text("Child runs").first.wait_for()
    page.get_by_text("verdicts").first.wait_for()
    text = page.inner_text("main")

    assert dialogs == []
    assert page.evaluate("window.ran") is None
    assert page.locator("main img[src='x'], main svg[onload], main [onmouseover]").count() == 0
    assert "<script>alert(1)</script>" in text
    outside = [url for url in asked if not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)]
    assert outside == []

"""A researcher's study from a template to a paper: own code and images, two axes, a kill, a new level."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pypdf
import pytest
from driving import ROOT, ablate, command, environment, records
from PIL import Image
from timed_machine import spare_the_timing

STUDY = """\
name: shapes
title: Stripes and temperature
question: Do stripes help, and equally at both temperatures?
source: section 3.1
design: factorial
axes:
  - kind: levels
    name: views
    field: views.operations
    levels:
      plain: [{kind: crop}]
      stripes: [{kind: crop}, {kind: file, path: mine.py, name: stripes, numbers: 2}]
  - {kind: levels, name: temperature, field: loss.temperature, levels: {low: 0.1, high: 1.0}}
seeds: 2
scales:
  laptop:
    set:
      data: {kind: folder, path: images, size: 16}
      encoder: {kind: resnet, blocks: [1], width: 0.0625, stem: small}
      head: {kind: mlp, hidden_layers: 1, output: 8}
      optimizer: {kind: adamw, learning_rate: 3.0e-2}
      schedule: {kind: constant}
      evaluation.probe.l2: [0.01, 1.0, 100.0]
      batch_size: 16
      epochs: 2
claims:
  - {kind: interaction, name: stripes help at low temperatures, axis: views, better: stripes,
     worse: plain, by: temperature, larger_at: low, smaller_at: high, margin: 0, primary: true,
     statement: More so at a low temperature.}
  - {kind: equivalent, name: temperature is irrelevant, among: [plain / low, plain / high],
     margin: 5, statement: Temperature does not matter.}
figures:
  - {kind: marginal_means, title: Stripes, axis: temperature, group: views}
"""
SIZES = {"ant": 30, "bee": 24, "cow": 18, "dog": 14, "elk_&_50%": 12, "fox": 12, "gnu": 10}


def images(folder: Path) -> Path:
    """7 unequal classes with a stray text file; returns one image, cut off in its middle."""
    chance = np.random.default_rng(7)
    for kind, (label, many) in enumerate(SIZES.items()):
        (folder / label).mkdir(parents=True)
        for nth in range(many):
            light = chance.integers(0, 80)  # hides part of what tells the classes apart
            pixels = chance.integers(light, light + 80, (24, 32, 3)) + np.array([14 * kind, 80, 20])
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{nth}.png")
    (folder / "ant/notes.txt").write_text("taken in spring")
    torn = folder / "bee/3.png"
    torn.write_bytes(torn.read_bytes()[:600])
    return torn


def killed_in_mid_run(folder: Path) -> None:
    """Starts the study and kills its driver as soon as two trials are on record."""
    driver = subprocess.Popen(
        command("run", "shapes.yaml"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 240
    while len(records(folder / "runs")) < 2:
        assert driver.poll() is None, "the driver ended before it could be killed"
        assert time.monotonic() < until, "no two trials finished in time"
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


def compared_with_another(folder: Path) -> None:
    """A second study that differs in one temperature, and one report of both."""
    hues = STUDY.replace("name: shapes", "name: hues").replace("low: 0.1,", "low: 0.2,")
    (folder / "hues.yaml").write_text(hues, encoding="utf-8")
    assert ablate("run", "hues.yaml", cwd=folder).returncode == 0
    both = ablate("compare", "shapes", "hues", cwd=folder)
    assert both.returncode == 0, both.stderr
    assert "exploratory" in both.stdout
    rows = {line.split("  ")[0]: line for line in both.stdout.splitlines()}
    values = {
        (record["cell"], record["config"]["loss"]["temperature"], record["seed"]): record["values"]
        for record in records(folder / "runs")
    }
    by_hand: list[float] = []
    for cell in ("plain", "stripes"):
        low = f"{cell} / low"
        means = [sum(values[low, at, s]["top1"] for s in (0, 1)) / 2 for at in (0.2, 0.1)]
        by_hand.append(means[0] - means[1])
        assert f" {by_hand[-1]:+.1f} " in rows[low]
        assert "the same trials" in rows[f"{cell} / high"]
    # Zeros would be right with the sides or the cells exchanged.
    assert any(by_hand)
    assert by_hand[0] != by_hand[1]
    (compared,) = (folder / "runs/comparisons").glob("*/report.html")
    assert "loss.temperature" in compared.read_text(encoding="utf-8")


def of_the_page(table: str) -> str:
    """The article of the report's tour, with another study's table in place of its own."""
    tour = (ROOT / "ablations/REPORT.md").read_text(encoding="utf-8")
    [article] = re.findall(r"^```latex\n(.*?)^```$", tour, re.MULTILINE | re.DOTALL)
    put = f"\\input{{runs/studies/shapes@laptop/tables/{table}.tex}}"
    named = article.replace("\\input{runs/studies/quickstart@laptop/tables/cells.tex}", put)
    assert named != article
    return named.replace("quickstart", "shapes")


def typeset(folder: Path, article: str) -> str:
    """The text of the article's PDF after two passes of pdfLaTeX without errors or open references."""
    (folder / "paper.tex").write_text(article, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    for _ in range(2):
        done = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")
    log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined" not in log
    pages = pypdf.PdfReader(folder / "paper.pdf").pages
    return "".join(page.extract_text() for page in pages).replace("\u2212", "-")


def shown(value: str) -> str:
    """A value of a CSV as a table prints it: one decimal, whole numbers without."""
    try:
        number = float(value)
    except ValueError:
        return value.removeprefix("'")  # which keeps a spreadsheet from executing a text
    return f"{number:.1f}" if "." in value else value


def puts_its_tables_into_a_paper(folder: Path) -> None:
    """The tour's article with each table holds the rows of its CSV; needs pdfLaTeX with booktabs."""
    asked = ["kpsewhich", "booktabs.sty"]
    if (
        not all(map(shutil.which, ("pdflatex", asked[0])))
        or subprocess.run(asked, check=False).returncode
    ):
        print("no table is typeset: pdflatex or its package booktabs is not installed here")
        return
    for table in ("cells", "marginal-means", "classes", "scorecard"):
        text = typeset(folder, of_the_page(table))
        source = folder / f"runs/studies/shapes@laptop/tables/{table}.csv"
        head, *rows = csv.reader(source.read_text(encoding="utf-8").splitlines())
        assert len(rows) > 1
        for row in (head, *rows):
            # LaTeX draws an underscore as a rule; a CSV has no plus sign.
            wanted, found = (re.sub(r"[\s_+]", "", one) for one in ("".join(map(shown, row)), text))
            assert wanted in found, (table, wanted, text)
    wide = of_the_page("claims").replace("\\input{", "\\resizebox{\\linewidth}{!}{\\input{", 1)
    typeset(folder, wide.replace("claims.tex}", "claims.tex}}"))


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_researcher_gets_from_a_template_to_tables_curves_and_a_frame(tmp_path: Path) -> None:
    torn = images(tmp_path / "images")
    assert ablate("new", "mine", "--template", "own-augmentation", cwd=tmp_path).returncode == 0
    (tmp_path / "shapes.yaml").write_text(STUDY, encoding="utf-8")
    store = tmp_path / "runs"

    broken = ablate("run", "shapes.yaml", cwd=tmp_path)
    assert broken.returncode == 2
    assert "1 of 120 files cannot be read as images: bee/3.png" in broken.stderr
    assert not store.exists()
    torn.unlink()

    before = ablate("plan", "shapes.yaml", cwd=tmp_path)
    assert "is skipped: ant/notes.txt" in before.stdout
    assert "a run executes mine.py" in before.stdout
    assert "FLOP in all" in before.stdout
    assert all(f"\n{what}: " in before.stdout for what in ("memory", "disk", "time"))

    spare_the_timing(store)
    killed_in_mid_run(tmp_path)
    early = {record["key"]: record for record in records(store)}
    ran = ablate("run", "shapes.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = {record["key"]: record for record in records(store)}
    assert len(found) == len(records(store)) == 14
    assert all(found[key] == record for key, record in early.items())

    levels = "{low: 0.1, high: 1.0}"
    (tmp_path / "shapes.yaml").write_text(STUDY.replace(levels, levels[:-1] + ", middle: 0.5}"))
    added = json.loads(ablate("plan", "shapes.yaml", "--json", cwd=tmp_path).stdout)["trials"]
    assert {t["cell"] for t in added if t["todo"]} == {"plain / middle", "stripes / middle"}
    assert {t["key"] for t in added if not t["todo"]} == found.keys()
    (tmp_path / "shapes.yaml").write_text(STUDY, encoding="utf-8")

    place = store / "studies/shapes@laptop"
    page = (place / "report.html").read_text(encoding="utf-8")
    for section in ("curves", "gallery", "classes", "claim1", "claim2"):
        assert f'<section id="{section}"' in page
    assert "\\begin{tabular}" in (place / "tables/marginal-means.tex").read_text(encoding="utf-8")
    assert (place / "figures/curve-loss.pdf").read_bytes().startswith(b"%PDF-")

    puts_its_tables_into_a_paper(tmp_path)

    listed = ablate("status", "shapes", "--trials", cwd=tmp_path).stdout.splitlines()
    keys = [line.split()[-1] for line in listed if " finished " in line]
    assert sorted(keys) == sorted(key[:12] for key in found)
    differ = ablate("diff", keys[0], keys[1], cwd=tmp_path)
    assert "loss.temperature" in differ.stdout

    compared_with_another(tmp_path)

    frame = "import ablations as ab; f = ab.results('shapes.yaml'); "
    frame += (
        "print(len(f), f.groupby('axis.views', observed=True)['metric.top1'].count().to_dict())"
    )
    python = [*command()[:1], "-c", frame]
    told = subprocess.run(
        python, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert told.stdout.split("\n")[-2] == "11 {'plain': 4, 'stripes': 4}"

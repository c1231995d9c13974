"""The largest shipped study, complete: the limits of size and time of its reports."""

import base64
import io
import math
import random
import time
from typing import Any

import numpy as np
import pytest
from made_studies import OPERATIONS, cells, evidence
from PIL import Image

from reports.document import html, pdf
from reports.document.sections import document
from reports.exports import figure_files, table_files
from reports.spec import Heatmap, RanksLike, ViewsStrip
from reports.spec.evidence import Evidence

SEEDS = 10
SECONDS = 60.0
MEGABYTE = 1_000_000


def noise(number: int) -> str:
    """A strip that no PNG makes smaller: three rows of four tiles of 40 px."""
    pixels = np.random.default_rng(number).integers(0, 256, (3 * 40, 4 * 40, 3), np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()


def largest() -> Evidence:
    """Figure 5's 49 pairs at both looks, each trial with 200 points of three curves."""
    names = [a if a == b else f"{a}+{b}" for a in OPERATIONS for b in OPERATIONS]
    chance = random.Random(0)
    made = evidence(
        {name: [30 + 10 * chance.random() for _ in range(SEEDS)] for name in names},
        floor=[20.0 + seed for seed in range(SEEDS)],
        cells=cells("operations", {name: 40.0 + nth / 10 for nth, name in enumerate(names)}),
        figures=(Heatmap(title="t", axis="operations"),),
        claims=(RanksLike(name="r", primary=True),),
        gallery=tuple(
            ViewsStrip(cells=(name,), seed=0, png=noise(nth)) for nth, name in enumerate(names)
        ),
    )
    steps = [float(step) for step in range(1, 201)]

    def curve() -> dict[str, Any]:
        loss = [5 * math.exp(-step / 90) + 0.1 * chance.random() for step in steps]
        return {"step": steps, "loss": loss, "contrastive_accuracy": loss, "knn/validation": loss}

    records = tuple(
        one.model_copy(update={"config": {"epochs": 10}, "curve": curve()}) for one in made.records
    )
    return made.model_copy(update={"records": records})


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_the_largest_report_is_within_its_limits() -> None:
    made = largest()
    began = time.process_time()
    whole = document(made)
    shared = time.process_time() - began
    forms: dict[str, Any] = {
        "html": lambda: html(whole, linked=True).encode(),
        "pdf": lambda: pdf(whole),
        "tables": lambda: b"".join(table_files(whole).values()),
        "figures": lambda: b"".join(figure_files(whole).values()),
    }
    sizes, seconds = dict[str, float](), dict[str, float]()
    for name, make in forms.items():
        began = time.process_time()
        sizes[name] = len(make()) / MEGABYTE
        seconds[name] = shared + time.process_time() - began

    print(sizes, seconds)
    assert sizes["html"] < 10
    assert sizes["pdf"] < 5
    assert max(seconds.values()) < SECONDS

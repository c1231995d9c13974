"""What an arm's augmentations do: saved with its record, read for the report, drawn in it."""

import base64
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from commands import the_plan, written_study
from PIL import Image

from ablations.compose.disk import STRIP_COPIES, STRIP_PLACE, disk_of, strip_bytes
from ablations.compose.planning import compose
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.study.request import Request
from reports.document.sections import document
from reports.figures.gallery import in_a_row, tiles_of
from reports.spec.evidence import Evidence
from sweeps.execution import RunSettings, run_here
from sweeps.storage import Store

FUNCTION = "ablations.trial.stages:run_trial"


@pytest.fixture
def ran(here: Path) -> Store:
    """Both arms at seed 0, and the random encoder."""
    plan = the_plan(written_study(here), store=here / "runs")
    store = Store(here / "runs")
    settings = RunSettings(payload={"device": "cpu", "threads": 1})
    for trial in plan.trials:
        if trial.seed == 0 and trial.cell in ("crop", "crop+colour", "random encoder"):
            run_here(trial, plan, store, FUNCTION, settings)
    return store


def told(store: Store) -> Evidence:
    composed, _ = compose(Request(study=str(store.path.parent / "mine.yaml"), store=store.path))
    return evidence(snapshot_of(composed), composed.request, store)


def test_each_arm_saves_its_strip_and_the_report_shows_it(ran: Store) -> None:
    files = {record.cell: record.files for record in ran.records()}
    assert files == {"crop": ("views.png",), "crop+colour": ("views.png",), "random encoder": ()}

    made = told(ran)

    assert [(strip.cells, strip.seed) for strip in made.gallery] == [
        (("crop",), 0),
        (("crop+colour",), 0),
    ]
    crop, colour = (tiles_of(strip) for strip in made.gallery)
    assert crop.shape == colour.shape == (4, 3, 32, 32, 3)
    assert np.array_equal(crop[:, 0], colour[:, 0])  # the same images
    assert not np.array_equal(crop[:, 1], colour[:, 1])
    (section,) = [s for s in document(made).sections if s.ident == "gallery"]
    [drawn] = section.blocks
    assert drawn.kind == "drawing"
    assert drawn.svg.count("<image ") == 2
    assert "crop; crop+colour" in drawn.alt


def test_the_same_trial_saves_the_same_bytes(ran: Store) -> None:
    plan = the_plan(ran.path.parent / "mine.yaml", store=ran.path)
    trial = next(t for t in plan.trials if (t.cell, t.seed) == ("crop", 0))
    settings = RunSettings(payload={"device": "cpu", "threads": 1})

    run_here(trial, plan, ran, FUNCTION, settings)

    one, two = ((ran.attempt(trial.key, n) / "files" / "views.png").read_bytes() for n in (1, 2))
    assert one == two
    assert len(one) < 40_000


def said_to_be(png: bytes, side: int) -> bytes:
    """The PNG with another width and height in its header."""
    header = b"IHDR" + side.to_bytes(4) * 2 + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4) + png[33:]


@pytest.mark.parametrize(
    "damage",
    [
        "gone",
        "bomb",
        *(
            pytest.param(one, marks=pytest.mark.proof)
            for one in ("cut", "text", "shape", "large", "wide")
        ),
    ],
)
def test_a_damaged_strip_is_left_out_and_the_report_says_that_there_is_none(
    ran: Store, damage: str
) -> None:
    record = next(record for record in ran.records() if record.cell == "crop")
    file = ran.attempt(record.key, record.attempt) / "files" / "views.png"
    other = io.BytesIO()
    Image.new("RGB", (30, 30)).save(other, "PNG")
    content = {
        "cut": file.read_bytes()[:200],
        "text": b"<script>",
        "shape": other.getvalue(),
        "large": file.read_bytes() + bytes(1 << 20),
        "wide": said_to_be(file.read_bytes(), 4_000),  # 48 MB of pixels
        "bomb": said_to_be(file.read_bytes(), 40_000),
    }
    file.unlink()
    if damage in content:
        file.write_bytes(content[damage])

    made = told(ran)

    assert [strip.cells for strip in made.gallery] == [("crop+colour",)]
    (section,) = [s for s in document(made).sections if s.ident == "gallery"]
    assert "No images were saved for crop" in str(section.blocks[-1])


def test_the_plan_counts_the_bytes_of_a_strip_in_its_record_and_in_the_reports(ran: Store) -> None:
    plan = the_plan(str(ran.path.parent / "mine.yaml"))
    crop = next(trial for trial in plan.trials if trial.cell == "crop")
    without = crop.model_copy(update={"role": "floor"})
    [saved] = ran.trials.glob(f"{crop.key}/001/files/views.png")
    size = saved.stat().st_size

    one, other = (disk_of([], [trial], fresh=True).records for trial in (crop, without))

    assert size <= strip_bytes(crop.config) <= 2 * size
    assert one - other == 2 * STRIP_PLACE + (2 + STRIP_COPIES) * strip_bytes(crop.config)


def test_tiles_keep_their_pixels_in_the_row() -> None:
    from reports.spec import ViewsStrip

    pixels = np.arange(3 * 2 * 4 * 2 * 3, dtype=np.uint8).reshape(3 * 2, 4 * 2, 3)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    strip = ViewsStrip(cells=("a",), seed=0, png=base64.b64encode(target.getvalue()).decode())

    tiles = tiles_of(strip)
    row = in_a_row(tiles)

    assert np.array_equal(tiles[1, 2], pixels[4:6, 2:4])  # the second image's second view
    opaque = row[:, row[0, :, 3] == 255, :3]
    assert np.array_equal(opaque, tiles.transpose(2, 0, 1, 3, 4).reshape(2, -1, 3))

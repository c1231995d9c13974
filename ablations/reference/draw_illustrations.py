"""Draws the illustrations of the page again: `python -m ablations.reference.draw_illustrations`.

The same code gives the same pixels, up to the last bit of a processor.
"""

import io
from functools import cache

import numpy as np
from PIL import Image
from pydantic import BaseModel

from ablations.reference.illustrated import ROOT, SEEDS, Example, examples, illustrations
from reports.document import Drawing
from reports.exports import png_of
from reports.figures import frame_of, in_a_row, render
from simclr_core.config import Config
from simclr_core.data import Dataset, Textures, load
from simclr_core.training import views_of_first_epoch

SHOWN = (37, 9)
"""The training images: bright zigzags and dark blocks."""

SCALE = 2
"""Pixels of the illustration to a pixel of an image, along each side."""

SPACE = 4
"""Pixels between the rows."""

PPI = 96.0

COLOURS = 256


def main() -> None:
    """Writes the file of each illustration."""
    for model, illustration in illustrations().items():
        file = ROOT / illustration.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(drawn(model))


def drawn(model: type[BaseModel]) -> bytes:
    """The PNG of a kind that has an illustration."""
    example = examples().get(model)
    image = _views(model) if example is None else _figure(example)
    target = io.BytesIO()
    reduced = image.quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(target, "PNG", optimize=True)
    return target.getvalue()


def _views(model: type[BaseModel]) -> Image.Image:
    """Two images, one a row, and to the right of each its view of every seed."""
    always = {"probability": 1.0} if "probability" in model.model_fields else {}
    views = {"kind": "symmetric", "operations": [model(**always)]}
    columns: list[np.ndarray] = []
    for seed in SEEDS:
        config = Config.model_validate({"data": Textures(), "views": views, "seed": seed})
        image, view, _ = views_of_first_epoch(config, _textures(), 1 + max(SHOWN)).numpy()
        columns += [view] if columns else [image, view]
    tiles = np.stack(columns, axis=1)[list(SHOWN)].transpose(0, 1, 3, 4, 2)
    large = tiles.repeat(SCALE, axis=2).repeat(SCALE, axis=3)
    rows = [np.pad(in_a_row(row[None]), ((0, SPACE), (0, 0), (0, 0))) for row in large]
    return _on_white(Image.fromarray(np.concatenate(rows)))


@cache
def _textures() -> Dataset:
    """Few enough that the images which are shown are those of the first places."""
    return load(Textures(num_images=1 + max(SHOWN), num_test=10), cache=None)


def _figure(example: Example) -> Image.Image:
    frame = frame_of(example.published.values, example.levels)
    figure = render(example.figure, frame, "example", example.metric)
    assert figure is not None
    png = png_of(Drawing(**figure._asdict()), PPI)
    return _on_white(Image.open(io.BytesIO(png)).convert("RGBA"))


def _on_white(image: Image.Image) -> Image.Image:
    """Without transparency: ink would not be legible on a dark page."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


if __name__ == "__main__":
    main()

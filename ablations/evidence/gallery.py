"""The images that the trials of a study saved of their augmentations."""

import base64
import io
from collections.abc import Iterable, Sequence

from PIL import Image

from reports.spec import VIEWS_FILE, VIEWS_IMAGES, ViewsStrip
from sweeps.planning import Trial
from sweeps.record import TrialRecord
from sweeps.storage import Store

MOST_BYTES = 1 << 20

MOST_SIDE = 256
"""px of a view; trials save 40 at most. A small file can hold an image that fills the memory."""


def gallery_of(
    trials: Iterable[Trial], records: Iterable[TrialRecord], store: Store
) -> tuple[ViewsStrip, ...]:
    """The strip of each arm's lowest seed that has one; arms with equal strips share it.

    A file that is not such an image is left out.
    """
    by_key: dict[str, list[TrialRecord]] = {}
    for record in records:
        if VIEWS_FILE in record.files:
            by_key.setdefault(record.key, []).append(record)
    arms: dict[str, tuple[int, str]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        if trial.role == "arm" and trial.cell not in arms and trial.key in by_key:
            png = _read(by_key[trial.key], store)
            if png:
                arms[trial.cell] = (trial.seed, png)
    shared: dict[tuple[int, str], list[str]] = {}
    for cell, strip in arms.items():
        shared.setdefault(strip, []).append(cell)
    return tuple(
        ViewsStrip(cells=tuple(cells), seed=seed, png=png) for (seed, png), cells in shared.items()
    )


def _read(attempts: Sequence[TrialRecord], store: Store) -> str:
    """The newest readable file of a trial's attempts in base64; empty without any."""
    for record in sorted(attempts, key=lambda one: one.attempt, reverse=True):
        file = store.attempt(record.key, record.attempt) / "files" / VIEWS_FILE
        try:
            content = file.read_bytes()
            if len(content) <= MOST_BYTES and _is_strip(content):
                return base64.b64encode(content).decode()
        # Pillow raises all of them for a file that is damaged or too large.
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    return ""


def _is_strip(content: bytes) -> bool:
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        width, height = image.size
        side = width // VIEWS_IMAGES
        if not 0 < side <= MOST_SIDE or width % VIEWS_IMAGES or height % side or height > 16 * side:
            return False
        image.load()
        return image.mode == "RGB"

"""The views of a few images as one small PNG, a file of the trial's record."""

import io

from PIL import Image

from reports.spec import VIEWS_FILE
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.training import views_of_first_epoch
from sweeps.execution import TrialContext


def attach_views(context: TrialContext, config: Config, dataset: Dataset) -> None:
    """Adds the strip to the record of a trial of an arm: rows are image and views, columns images."""
    if context.trial.role != "arm" or not config.epochs:
        return
    shown = views_of_first_epoch(config, dataset)
    num_rows, num_images, _, side, _ = shown.shape
    pixels = shown.permute(0, 3, 1, 4, 2).reshape(num_rows * side, num_images * side, 3)
    target = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(target, "PNG", compress_level=9)
    context.attach(VIEWS_FILE, target.getvalue())

"""The loss of a batch, with the labels that it needs; in the negative control, on wrong pairs.

Shape suffixes: N images of a batch, M = V N views of them, D embedding.
"""

import torch
from torch import Tensor

from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.errors import ConfigurationError
from simclr_core.training.shuffled_positives import another, with_wrong_positives


class BatchLoss:
    """The configuration's loss on the embeddings of a batch, and the images that it may see.

    Labels reach it only if it sees labels; it then sees the images of the fit split alone.
    """

    def __init__(self, config: Config, dataset: Dataset, device: torch.device) -> None:
        """Takes the labels, if any, to the device.

        Raises:
            ConfigurationError: there are no labels, or z does not fit the classes.
        """
        self._loss, self._device = config.loss, device
        self._shuffled, self._seed = config.shuffled_positives, config.seed_of("order")
        self._num_classes = dataset.num_classes
        self._labels: Tensor | None = None
        if not config.loss.sees_labels:
            self.images = dataset.pretraining_images()
            return
        if not dataset.labels_known:
            raise ConfigurationError(
                f"loss: {config.loss.kind} needs the labels of training images, but {dataset.name} "
                "has none; provide them, or use a loss without labels"
            )
        outputs = config.head.num_outputs(config.encoder.num_features)
        if outputs is not None:
            config.loss.check_outputs(outputs, dataset.num_classes)
        self.images, labels, _ = dataset.labelled("fit")
        self._labels = labels.to(device)

    def partners(self, num_images: int, num_views: int, step: int) -> Tensor | None:
        """The control's wrong partners of a step's images, int64 [V, N] on the CPU; else None."""
        if not self._shuffled:
            return None
        # Of labels each view gets a wrong one; of positives the first view keeps its place.
        first = 0 if self._labels is None else 1
        apart = range(first, first + num_views)
        return torch.stack([another(num_images, self._seed, step, a) for a in apart])

    def __call__(self, z_MD: Tensor, index: Tensor, partners_VN: Tensor | None) -> Tensor:
        """The loss of the views of the images at `index` [N]; all three are on the device."""
        num_views, labels_M = len(z_MD) // len(index), None
        if self._labels is not None:
            self._loss.check_outputs(z_MD.shape[1], self._num_classes)
            labels_N = self._labels[index]
            if partners_VN is None:
                labels_M = labels_N.repeat(num_views)
            else:
                labels_M = labels_N[partners_VN].flatten()
        elif partners_VN is not None:
            z_MD = with_wrong_positives(z_MD, partners_VN)
        return self._loss.of_batch(z_MD, num_views, labels_M)

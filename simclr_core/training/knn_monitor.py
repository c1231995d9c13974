"""k-NN accuracy during pre-training, for the curve alone."""

from typing import Literal

import torch
from torch import Tensor, nn

from simclr_core.config import Config
from simclr_core.data import Dataset, Images
from simclr_core.evaluation import features
from simclr_core.probes import Knn, top_k_accuracy
from simclr_core.runtime import Execution
from simclr_core.seeds import generator

POINTS = 10
"""How often they are asked."""

KNN = "knn/validation"
"""What the curve calls them."""

_VOTERS, _ASKED = 2048, 1024
"""Images of the fit and the validation split; the curve selects nothing, a sample does."""


class OnlineKnn:
    """Nearest neighbours on the validation split while pre-training runs; they select nothing."""

    def __init__(self, config: Config, dataset: Dataset, execution: Execution) -> None:
        asked: Knn | None = config.evaluation.knn
        self._neighbours = asked if dataset.labels_known else None
        self.asked_with = "" if self._neighbours is None else self._neighbours.model_dump_json()
        """Which numbers of a curve are comparable."""
        self._execution, self._size = execution, dataset.size
        self._num_classes = dataset.num_classes
        if self._neighbours is not None:
            self._fit, self._fit_labels = _sample(dataset, "fit", _VOTERS)
            self._asked, self._labels = _sample(dataset, "validation", _ASKED)

    def accuracy(self, encoder: nn.Module) -> dict[str, float]:
        """`knn/validation` in per cent; nothing without neighbours to ask, or without labels."""
        if self._neighbours is None:
            return {}
        bank, queries = (
            features(encoder, images, self._size, self._execution)
            for images in (self._fit, self._asked)
        )
        scores = self._neighbours.scores(bank, self._fit_labels, queries, self._num_classes)
        return {KNN: top_k_accuracy(scores, self._labels, 1)}


def _sample(
    dataset: Dataset, part: Literal["fit", "validation"], most: int
) -> tuple[Images, Tensor]:
    """At most so many images of a part with labels, the same in every trial."""
    labelled = dataset.labelled(part)
    order = torch.randperm(len(labelled.labels), generator=generator(0, "curve", part))[:most]
    return labelled.images.select(order), labelled.labels[order]

"""The contract of a loss: everything that configuration, pre-training and reports need from it.

Shape suffixes: M = V N views (rows i, i + N, i + 2 N, ... show one image), D embedding.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal

from jaxtyping import Float, Int64
from torch import Tensor

from simclr_core.base import Departure, Frozen
from simclr_core.losses.contrastive_metrics import pairing_metrics


class Loss(Frozen):
    """A loss on the embeddings of a batch. A member overrides what differs from these defaults."""

    sees_labels: ClassVar[bool] = False
    """Whether labels of training images reach the encoder through this loss."""

    @abstractmethod
    def __call__(self, z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
        """The loss of two views of each image, i and i + M / 2."""

    def of_batch(
        self, z_MD: Float[Tensor, "M D"], num_views: int, labels_M: Int64[Tensor, " M"] | None
    ) -> Float[Tensor, ""]:
        """The loss that pre-training minimises; labels are None unless `sees_labels`."""
        del num_views, labels_M
        return self(z_MD)

    @property
    def takes_many_views(self) -> bool:
        """Whether more than two views of each image are allowed."""
        return False

    @property
    def num_means(self) -> int:
        """The number of means over the views that the value sums."""
        return 1

    def collapsed_value(self, num_rows: int) -> float:
        """The loss of an encoder that maps all images to one point; NaN if unknown."""
        del num_rows
        return math.nan

    def metrics(self, z_MD: Float[Tensor, "M D"], num_views: int) -> dict[str, Tensor]:
        """What is logged next to the loss: numbers on the embeddings' device."""
        return pairing_metrics(z_MD, num_views)

    def check_outputs(self, num_outputs: int, num_classes: int) -> None:
        """Whether z fits the data set's classes.

        Raises:
            ConfigurationError: z does not fit the classes.
        """

    def departures(self) -> Iterable[Departure]:
        """How pre-training with it differs from the paper."""
        return ()


class Supervised(Loss):
    """A loss that sees labels, with a field that says so in every record."""

    sees_labels: ClassVar[bool] = True

    labels: Literal["train"] = "train"
    """States in every record that labels of training images reach the encoder."""

    @abstractmethod
    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] -- others call of_batch
        self, z_MD: Float[Tensor, "M D"], labels_M: Int64[Tensor, " M"]
    ) -> Float[Tensor, ""]:
        """The loss of any number of views with these labels."""

    def of_batch(
        self, z_MD: Float[Tensor, "M D"], num_views: int, labels_M: Int64[Tensor, " M"] | None
    ) -> Float[Tensor, ""]:
        """The loss that pre-training minimises."""
        del num_views
        assert labels_M is not None, "a supervised loss is given labels"
        return self(z_MD, labels_M)

    @property
    def takes_many_views(self) -> bool:
        """True: labels can pair any number of views."""
        return True

    def departures(self) -> Iterable[Departure]:
        """The paper trains its supervised baseline on one view and on all labels."""
        yield Departure(
            "loss.labels",
            "of nine tenths of the training images; the rest choose the probe's l2",
            "of all training images",
        )
        yield Departure("views", "two views of each image in each step", "one view")

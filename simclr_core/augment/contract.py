"""The contract of an operation: everything that views and reports need from it.

Letters: B images of S x S pixels.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor

from simclr_core.base import Departure, Frozen
from simclr_core.chance import Draws


class Operation(Frozen):
    """A random change of each image, in two steps: sample parameters, apply them."""

    published: ClassVar[bool] = True
    """Whether the paper gives its parameters."""

    drawn_on_device: ClassVar[bool] = True
    """Whether its parameters are drawn where the images are; those of a user's file are on the CPU."""

    @property
    def stream(self) -> str:
        """Operations with the same stream draw the same numbers at the same position."""
        return type(self).model_fields["kind"].default

    @abstractmethod
    def draw(self, draws: Draws, shapes: Tensor) -> Any:
        """The parameters for each image: a NamedTuple of tensors with one row for each image.

        `shapes` are the images' own heights and widths, int64 [B, 2].
        """

    @abstractmethod
    def apply(self, images: Tensor, params: Any) -> Tensor:
        """The images changed by the drawn parameters: float32 [B, 3, S, S] in [0, 1] before and after."""

    def departures(self) -> Iterable[Departure]:
        """How it differs from the paper."""
        if not self.published:
            name = self.stream.replace("_", " ")
            yield Departure(f"parameters of {name}", "our choice", "not published")

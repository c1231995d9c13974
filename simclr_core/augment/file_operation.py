"""An operation from a user's file.

Letters: B images of S x S pixels, K uniform numbers an image.
"""

from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor

from simclr_core.augment.contract import Operation
from simclr_core.chance import Draws
from simclr_core.plugins import FromFile, shape_text

_TRIED = 32
"""Images that an operation is tried on one by one."""

_EQUAL = 1e-4
"""Far above the rounding of another batch size, far below what an image shows."""


class FileParams(NamedTuple):
    """K numbers of each image, uniform in [0, 1)."""

    uniform: Tensor


class FileOperation(FromFile, Operation):
    """A custom operation: ``apply(images, uniform, **options) -> images``.

    images: [B, 3, S, S], float32 in [0, 1], before and after; uniform: [B, K], each image's own
    numbers. The result for an image may depend on it and its numbers alone: the first images of a
    run are checked one by one, shape and range always. Custom operations of one name draw the same
    numbers, whatever their files and the other operations.
    """

    drawn_on_device: ClassVar[bool] = False

    numbers: int = Field(default=1, ge=0, le=1 << 20)
    """K, how many numbers an image is given."""

    @property
    def stream(self) -> str:
        """Custom operations of one name draw the same numbers, from whatever file."""
        return f"{self.kind} {self.name}"

    def draw(self, draws: Draws, shapes: Tensor) -> FileParams:
        """The first K uniform numbers of each image."""
        del shapes
        return FileParams(draws.uniform(self.numbers))

    def apply(self, images: Tensor, params: FileParams) -> Tensor:
        """What the file makes of the images.

        Raises:
            PartError: it raises, or breaks a rule.
        """
        together = self._checked(images, params.uniform)
        if not self._tried:
            for i in range(min(len(images), _TRIED)):
                alone = self._checked(images[i : i + 1], params.uniform[i : i + 1])
                if float((alone - together[i]).abs().max()) > _EQUAL:
                    raise self.refused(
                        "must map each image by its own numbers, whatever else is in the batch; take "
                        "random numbers from uniform, and no means over the batch"
                    )
            self._tried.append(True)
        return together

    @cached_property
    def _tried(self) -> list[bool]:
        return []

    def _checked(self, images: Tensor, uniform: Tensor) -> Tensor:
        before = images._version, uniform._version  # noqa: SLF001 -- torch's count of changes in place
        with self.blamed():
            made: Any = self.function(images, uniform)
        if before != (images._version, uniform._version):  # noqa: SLF001
            raise self.refused("must leave what it is given as it is; begin with images.clone()")
        if not isinstance(made, Tensor):
            raise self.refused(f"must give images as a tensor, got {type(made).__name__}")
        if made.shape != images.shape or made.dtype != images.dtype:
            raise self.refused(f"must give {shape_text(images)}, got {shape_text(made)}")
        if made.device != images.device:
            raise self.refused(f"must stay on {images.device}, got images on {made.device}")
        low, high = (float(end) for end in made.aminmax()) if made.numel() else (0.0, 1.0)
        if not (low >= 0 and high <= 1):
            raise self.refused(f"must stay in [0, 1], got {low:.4g} to {high:.4g}; clamp it")
        return made

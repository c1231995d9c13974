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
"""The number of images on which an operation is tested one by one."""

_EQUAL = 1e-4
"""Far above the rounding differences between batch sizes, far below a visible change."""


class FileParams(NamedTuple):
    """K numbers of each image, uniform in [0, 1)."""

    uniform: Tensor


class FileOperation(FromFile, Operation):
    """A custom operation: ``apply(images, uniform, **options) -> images``.

    images: [B, 3, S, S], float32 in [0, 1], before and after; uniform: [B, K], each image's own
    numbers. The result for an image may depend only on this image and its numbers. This is checked on
    the first images of a run; shape and range are checked always. Custom operations of one name draw
    the same numbers, whatever their files and the other operations.
    """

    drawn_on_device: ClassVar[bool] = False

    numbers: int = Field(default=1, ge=0, le=1 << 20)
    """K, the number of random numbers for each image."""

    @property
    def stream(self) -> str:
        """Custom operations with the same name draw the same numbers, whatever their files."""
        return f"{self.kind} {self.name}"

    def draw(self, draws: Draws, shapes: Tensor) -> FileParams:
        """The first K uniform numbers of each image."""
        del shapes
        return FileParams(draws.uniform(self.numbers))

    def apply(self, images: Tensor, params: FileParams) -> Tensor:
        """The images after the custom operation.

        Raises:
            PartError: the operation raises, or breaks a rule.
        """
        together = self._checked(images, params.uniform)
        if not self._tried:
            for i in range(min(len(images), _TRIED)):
                alone = self._checked(images[i : i + 1], params.uniform[i : i + 1])
                if float((alone - together[i]).abs().max()) > _EQUAL:
                    raise self.refused(
                        "must process each image independently of the rest of the batch; take "
                        "random numbers from uniform only, and do not average over the batch"
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
            raise self.refused("must not change its input; begin with images.clone()")
        if not isinstance(made, Tensor):
            raise self.refused(f"must return a tensor of images, got {type(made).__name__}")
        if made.shape != images.shape or made.dtype != images.dtype:
            raise self.refused(f"must return {shape_text(images)}, got {shape_text(made)}")
        if made.device != images.device:
            raise self.refused(f"must return images on {images.device}, got them on {made.device}")
        low, high = (float(end) for end in made.aminmax()) if made.numel() else (0.0, 1.0)
        if not (low >= 0 and high <= 1):
            raise self.refused(
                f"must return values in [0, 1], got {low:.4g} to {high:.4g}; clamp them"
            )
        return made

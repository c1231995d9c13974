"""What a Python file may hold for each family, and what is asked of it (optimisers: optimizers.py).

Nothing is asked before a pre-training; then each rule is checked as long as it costs little, and
what breaks one ends the trial with the file, the name and the rule.

Letters: B images of S x S pixels, M = 2B views, K uniform numbers an image, D embedding.
"""

import math
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from simclr_core.chance import Draws
from simclr_core.plugins.component import FromFile
from simclr_core.seeds import global_chance

_TRIED = 32
"""Images that an operation is tried on one by one."""

_EQUAL = 1e-4
"""Far above what a kernel rounds otherwise for another batch, far below what a picture shows."""


class FileLoss(FromFile):
    """A loss of one's own: ``loss(z_MD, **options) -> scalar``, to be made small.

    z is float32 whatever the precision; rows i and i + M / 2 show one image. It has no weights of
    its own: nothing would move them.
    """

    takes_many_views: ClassVar[bool] = False

    def collapsed_value(self, num_views: int) -> float:  # noqa: ARG002 -- the family's form
        """Not a number: what one point for all images costs here is not known."""
        return math.nan

    def __call__(self, z_MD: Tensor) -> Tensor:
        with torch.autocast(z_MD.device.type, enabled=False):
            z_MD = z_MD if z_MD.dtype == torch.float64 else z_MD.float()
            function = self.function
            if isinstance(function, nn.Module):
                if next(function.parameters(), None) is not None:
                    raise self.refused("must have no weights of its own: nothing would move them")
                function.to(z_MD.device)
            with self.blamed():
                loss: Any = function(z_MD)
        if not isinstance(loss, Tensor):
            raise self.refused(f"must give a tensor of one number, got {type(loss).__name__}")
        if loss.shape != () or not loss.is_floating_point():
            raise self.refused(
                f"must give a tensor of one number, got {_told(loss)}; take its mean"
            )
        if z_MD.requires_grad and torch.is_grad_enabled() and not loss.requires_grad:
            raise self.refused("must give a number that depends on z by differentiable steps")
        return loss


class FileChances(NamedTuple):
    """K numbers of each image, uniform in [0, 1)."""

    uniform: Tensor


class FileOperation(FromFile):
    """An operation of one's own: ``apply(images, uniform, **options) -> images``.

    images: [B, 3, S, S], float32 in [0, 1], before and after; uniform: [B, K], each image's own
    numbers. What becomes of an image depends on it and its numbers alone: on the first pictures of
    a pre-training each one is given alone and compared, shape and range are looked at always. Own
    operations of one name draw the same numbers, in whatever file and beside whatever else.
    """

    numbers: int = Field(default=1, ge=0, le=1 << 20)
    """K, how many numbers an image is given."""

    @property
    def stream(self) -> str:
        """What its numbers are drawn for."""
        return f"{self.kind} {self.name}"

    def draw(self, draws: Draws, shapes: Tensor) -> FileChances:
        """The first K uniform numbers of each image."""
        del shapes
        return FileChances(draws.uniform(self.numbers))

    def apply(self, images: Tensor, chances: FileChances) -> Tensor:
        """What the file makes of the images.

        Raises:
            PartError: it raises, or breaks a rule.
        """
        together = self._checked(images, chances.uniform)
        if not self._tried:
            for i in range(min(len(images), _TRIED)):
                alone = self._checked(images[i : i + 1], chances.uniform[i : i + 1])
                if float((alone - together[i]).abs().max()) > _EQUAL:
                    raise self.refused(
                        "must make of an image what its numbers say, whatever stands beside it in "
                        "the batch; take chance from uniform, and no means over the batch"
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
            raise self.refused(f"must give {_told(images)}, got {_told(made)}")
        if made.device != images.device:
            raise self.refused(f"must stay on {images.device}, got images on {made.device}")
        low, high = (float(end) for end in made.aminmax()) if made.numel() else (0.0, 1.0)
        if not (low >= 0 and high <= 1):
            raise self.refused(f"must stay in [0, 1], got {low:.4g} to {high:.4g}; clamp it")
        return made


class FileEncoder(FromFile):
    """An encoder of one's own: ``build(seed, **options) -> torch.nn.Module``.

    The module maps [B, 3, S, S], float32 in [0, 1], to h, [B, num_features]. What is drawn from the
    global generators while it is built, such as torch's own first weights, depends on the seed.
    """

    num_features: int = Field(ge=1)
    """The length of h."""

    def build(self, seed: int, size: int | None = None) -> nn.Module:  # noqa: ARG002 -- the family's form
        """The network at its initialisation, for images of any side that it takes.

        Raises:
            PartError: the file raises, or makes something else.
        """
        with global_chance(seed, "encoder"):
            network = _module(self, (seed,), (self.num_features,))
        if next(network.parameters(), None) is None:
            raise self.refused("must give a module with weights, got one without")
        return network


class FileHead(FromFile):
    """A head of one's own: ``build(num_features, seed, **options) -> torch.nn.Module``.

    The module maps h, [M, num_features], to z, [M, D] with any D. Chance as an own encoder's.
    """

    def build(self, num_features: int, seed: int) -> nn.Module:
        """The head at its initialisation.

        Raises:
            PartError: the file raises, or makes something else.
        """
        with global_chance(seed, "head"):
            return _module(self, (num_features, seed), None)


class FileSchedule(FromFile):
    """A schedule of one's own: ``share(step, num_steps, steps_per_epoch, **options) -> float``.

    The rate of step 0, 1, ... num_steps - 1 in units of the peak: finite, and not below 0.
    """

    def warmup_steps(self, steps_per_epoch: int) -> int:  # noqa: ARG002 -- the family's form
        """None that is known: collapse is looked for from the first step."""
        return 0

    def share(self, step: int, num_steps: int, steps_per_epoch: int) -> float:
        """The rate of a step.

        Raises:
            PartError: the file raises, or gives something else.
        """
        with self.blamed():
            share: Any = self.function(step, num_steps, steps_per_epoch)
        if not isinstance(share, Real) or not 0 <= float(share) < math.inf:
            raise self.refused(
                f"must give a finite number of at least 0, got {share!r} at step {step}"
            )
        return float(share)


def _module(part: FromFile, given: tuple[int, ...], features: tuple[int] | None) -> nn.Module:
    """What the file builds, watched: each output is to be a vector an image."""
    with part.blamed():
        made: Any = part.named(*given, **part.options)
    if not isinstance(made, nn.Module):
        raise part.refused(f"must give a torch.nn.Module, got {type(made).__name__}")
    inner = part.guarded(made.forward)
    wanted = f"[B, {features[0]}]" if features else "[B, D]"

    def forward(x: Tensor) -> Tensor:
        out: Any = inner(x)
        if not isinstance(out, Tensor) or not out.is_floating_point():
            got = _told(out) if isinstance(out, Tensor) else type(out).__name__
            raise part.refused(f"must map images to a tensor of floats {wanted}, got {got}")
        if out.ndim != 2 or len(out) != len(x) or (features and out.shape[1:] != features):
            raise part.refused(f"must map {len(x)} images to {wanted}, got {_told(out)}")
        return out

    made.forward = forward
    return made


def _told(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} of shape {list(tensor.shape)}"

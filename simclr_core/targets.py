"""What a read-out predicts: the classes, or a transformation of the images (table 3 of the paper).

Table 3 asks which transformations a representation tells apart. Each image is transformed or not by
chance of its own, and the answer takes the place of its class. The chance depends on the image and
its part of the data alone: the same pictures and answers in every trial.

Shape suffixes: B images of side S.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augmentations import Colour, Noise, Rotation, Sobel
from simclr_core.chance import Chance, moved
from simclr_core.values import Frozen


class Classes(Frozen):
    """The data set's own labels."""

    kind: Literal["classes"] = "classes"


class Grey(Frozen):
    """Colour against grey (table 3, first row)."""

    kind: Literal["grey"] = "grey"

    probability: float = Field(default=0.2, gt=0, lt=1)
    """How many images lose their colours: the colour distortion's own share, hence table 3's 80 %
    for who always says colour."""


class Turned(Frozen):
    """By how many quarter turns an image is turned, 0 to 3, each as likely (second row)."""

    kind: Literal["rotation"] = "rotation"


class Noisy(Frozen):
    """The image, or the image with Gaussian noise, each as likely (third row)."""

    kind: Literal["noise"] = "noise"

    deviation: float = Field(default=0.1, gt=0)
    """As in the operation of that name; the paper does not publish its own."""


class Filtered(Frozen):
    """The image, or the length of its gradient by the Sobel filter, each as likely (last row)."""

    kind: Literal["sobel"] = "sobel"


Transformation = Grey | Turned | Noisy | Filtered
"""The targets of table 3."""

AnyTarget = Annotated[Classes | Transformation, Field(discriminator="kind")]

_SEED = 0
"""Not the trial's: seeds repeat trainings, not questions."""


def num_answers(target: Transformation) -> int:
    """How many answers there are: 4 orientations, or yes and no."""
    return 4 if isinstance(target, Turned) else 2


def transformed(
    target: Transformation, squares_B3SS: Float[Tensor, "B 3 S S"], index_B: Tensor, part: str
) -> tuple[Float[Tensor, "B 3 S S"], Int64[Tensor, " B"]]:
    """The images at `index` of a part as the read-out sees them, and the answers."""
    size, device = squares_B3SS.shape[-1], squares_B3SS.device
    shapes = torch.full((len(index_B), 2), size)
    draws = Chance.of(_SEED, 0, index_B.cpu()).at(f"target, {part}", target.kind)
    match target:
        case Grey(probability=probability):
            colour = Colour(jitter_probability=0, drop_probability=probability)
            drops = moved(colour.draw(draws, shapes), device)
            return colour.apply(squares_B3SS, drops), drops.dropped.long()
        case Turned():
            rotation = Rotation(probability=0.75)
            turned = moved(rotation.draw(draws, shapes), device)
            return rotation.apply(squares_B3SS, turned), turned.turns
        case Noisy(deviation=deviation):
            noise = Noise(deviation=deviation, probability=0.5)
            noisy = moved(noise.draw(draws, shapes), device)
            return noise.apply(squares_B3SS, noisy), noisy.disturbed.long()
        case Filtered():
            sobel = Sobel(probability=0.5)
            filtered = moved(sobel.draw(draws, shapes), device)
            return sobel.apply(squares_B3SS, filtered), filtered.filtered.long()

"""What a read-out predicts: the classes, or a transformation of the images (table 3 of the paper).

Table 3 asks which transformations a representation tells apart. Each image is transformed or not,
and the answer takes the place of its class. Which images are depends on their place in their part of
the data alone: the same pictures and answers in every trial.

Shape suffixes: n images of a part, B of them of side S.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augment import (
    Colour,
    Noise,
    NoiseChances,
    Rotation,
    RotationChances,
    Sobel,
    SobelChances,
)
from simclr_core.base import Frozen
from simclr_core.chance import Chance, Draws, moved


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

    deviation: float = Field(default=0.1, gt=0, allow_inf_nan=False)
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


def answers(target: Transformation, num_images: int, part: str) -> Int64[Tensor, " n"]:
    """What is done to each image of a part, as evenly as whole numbers allow.

    Images are ranked by a number of their own, so that always giving the commonest answer is right
    for exactly its share, in every part and trial.
    """
    uniform_n = _draws(target, torch.arange(num_images), part).uniform(1)[:, 0]
    rank_n = uniform_n.argsort(stable=True).argsort(stable=True)
    match target:
        case Turned():
            return rank_n * 4 // num_images
        case Grey(probability=probability):
            return (rank_n < round(probability * num_images)).long()
        case Noisy() | Filtered():
            return (rank_n < num_images // 2).long()


def transformed(
    target: Transformation,
    squares_B3SS: Float[Tensor, "B 3 S S"],
    answers_B: Int64[Tensor, " B"],
    index_B: Int64[Tensor, " B"],
    part: str,
) -> Float[Tensor, "B 3 S S"]:
    """The images at `index` of a part as the read-out sees them, by their answers."""
    device = squares_B3SS.device
    draws = _draws(target, index_B, part)
    chosen_B = answers_B > 0
    match target:
        case Grey():
            colour = Colour(jitter_probability=0)
            drawn = colour.draw(draws, index_B[:, None].expand(-1, 2))
            return colour.apply(squares_B3SS, moved(drawn._replace(dropped=chosen_B), device))
        case Turned():
            return Rotation().apply(squares_B3SS, moved(RotationChances(answers_B), device))
        case Noisy(deviation=deviation):
            disturbed = moved(NoiseChances(chosen_B, draws.keys), device)
            return Noise(deviation=deviation).apply(squares_B3SS, disturbed)
        case Filtered():
            return Sobel().apply(squares_B3SS, moved(SobelChances(chosen_B), device))


def _draws(target: Transformation, index: Tensor, part: str) -> Draws:
    return Chance.of(_SEED, 0, index).at(f"target, {part}", target.kind)

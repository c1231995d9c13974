"""The targets of a probe: the classes, or a transformation of the images (table 3 of the paper).

Table 3 asks which transformations a representation can distinguish. Each image is transformed or not,
and the answer replaces its class. The choice depends only on the position of the image in its split, so
images and answers are the same in every trial.

Shape suffixes: n images of a part, B of them of side S.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from simclr_core.augment import (
    Colour,
    Noise,
    NoiseParams,
    Rotation,
    RotationParams,
    Sobel,
    SobelParams,
)
from simclr_core.base import Departure
from simclr_core.chance import Chance, Draws, moved
from simclr_core.probes.contract import Target

_SEED = 0
"""Not the trial's: seeds repeat training runs, not questions."""


class Classes(Target):
    """The data set's own labels."""

    kind: Literal["classes"] = "classes"

    transforms: ClassVar[bool] = False

    def num_answers(self, num_classes: int) -> int:
        return num_classes

    def answers(self, labels_n: Int64[Tensor, " n"], part: str) -> Int64[Tensor, " n"]:
        del part
        return labels_n

    def transformed(
        self,
        squares_B3SS: Float[Tensor, "B 3 S S"],
        answers_B: Int64[Tensor, " B"],
        index_B: Int64[Tensor, " B"],
        part: str,
    ) -> Float[Tensor, "B 3 S S"]:
        del answers_B, index_B, part
        return squares_B3SS


class Transformation(Target):
    """A target of table 3: yes or no unless a member says otherwise."""

    def num_answers(self, num_classes: int) -> int:
        del num_classes
        return 2

    def answers(self, labels_n: Int64[Tensor, " n"], part: str) -> Int64[Tensor, " n"]:
        """What is done to each image, as evenly as whole numbers allow.

        Images are ranked by a number of their own, so that the commonest answer is right for exactly
        its share, in every part and trial.
        """
        num_images = len(labels_n)
        uniform_n = self._draws(torch.arange(num_images), part).uniform(1)[:, 0]
        return self._of_ranks(uniform_n.argsort(stable=True).argsort(stable=True), num_images)

    def _of_ranks(self, rank_n: Tensor, num_images: int) -> Tensor:
        return (rank_n < num_images // 2).long()

    def transformed(
        self,
        squares_B3SS: Float[Tensor, "B 3 S S"],
        answers_B: Int64[Tensor, " B"],
        index_B: Int64[Tensor, " B"],
        part: str,
    ) -> Float[Tensor, "B 3 S S"]:
        return self._changed(squares_B3SS, answers_B, self._draws(index_B, part), index_B)

    @abstractmethod
    def _changed(self, squares: Tensor, answers: Tensor, draws: Draws, index: Tensor) -> Tensor:
        """The images by their answers, and by each image's own numbers."""

    def _draws(self, index: Tensor, part: str) -> Draws:
        kind: str = type(self).model_fields["kind"].default
        return Chance.of(_SEED, 0, index).at(f"target, {part}", kind)

    def departures(self) -> Iterable[Departure]:
        yield Departure(
            "evaluation.target",
            "each image once, transformed or not at random",
            "how the transformed images were drawn is not published",
        )


class Grey(Transformation):
    """Colour against grey (table 3, first row)."""

    kind: Literal["grey"] = "grey"

    probability: float = Field(default=0.2, gt=0, lt=1)
    """The share of images that lose their colours, as in the colour distortion; this gives table
    3's 80 % for the majority-class baseline."""

    def _of_ranks(self, rank_n: Tensor, num_images: int) -> Tensor:
        return (rank_n < round(self.probability * num_images)).long()

    def _changed(self, squares: Tensor, answers: Tensor, draws: Draws, index: Tensor) -> Tensor:
        colour = Colour(jitter_probability=0)
        params = colour.draw(draws, index[:, None].expand(-1, 2))._replace(dropped=answers > 0)
        return colour.apply(squares, moved(params, squares.device))


class Turned(Transformation):
    """The number of quarter turns of an image, 0 to 3, each equally likely (second row)."""

    kind: Literal["rotation"] = "rotation"

    def num_answers(self, num_classes: int) -> int:
        del num_classes
        return 4

    def _of_ranks(self, rank_n: Tensor, num_images: int) -> Tensor:
        return rank_n * 4 // num_images

    def _changed(self, squares: Tensor, answers: Tensor, draws: Draws, index: Tensor) -> Tensor:
        del draws, index
        return Rotation().apply(squares, moved(RotationParams(answers), squares.device))


class Noisy(Transformation):
    """The image with or without Gaussian noise, each equally likely (third row)."""

    kind: Literal["noise"] = "noise"

    deviation: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    """As in the operation of that name; the paper does not publish its value."""

    def _changed(self, squares: Tensor, answers: Tensor, draws: Draws, index: Tensor) -> Tensor:
        del index
        params = moved(NoiseParams(answers > 0, draws.keys), squares.device)
        return Noise(deviation=self.deviation).apply(squares, params)


class Filtered(Transformation):
    """The image, or the length of its gradient by the Sobel filter, each equally likely (last row)."""

    kind: Literal["sobel"] = "sobel"

    def _changed(self, squares: Tensor, answers: Tensor, draws: Draws, index: Tensor) -> Tensor:
        del draws, index
        return Sobel().apply(squares, moved(SobelParams(answers > 0), squares.device))


AnyTarget = Annotated[Classes | Grey | Turned | Noisy | Filtered, Field(discriminator="kind")]

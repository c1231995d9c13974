"""The views of each image: x~i and x~j of the paper's algorithm 1, or more of them.

Letters: B images padded to H x W, S the side of a view.
"""

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from pydantic import Field
from torch import Tensor

from simclr_core.augment.operations import AnyOperation, Blur, Colour, Crop
from simclr_core.augment.resize import resized_boxes
from simclr_core.base import Departure, Frozen
from simclr_core.chance import Chance, moved, select
from simclr_core.data import centre_boxes

_NAMES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""What the views of the symmetric form are to chance, so that more views leave the first alone."""


class Views(Frozen):
    """The contract of views: the number for each image (`num_views`), and the operations on each."""

    @abstractmethod
    def drawn(self, shapes: Tensor, chance: Chance, size: int) -> "tuple[list[_Step], ...]":
        """The operations on all views, then those on the first alone, on the second, and so on."""

    @property
    @abstractmethod
    def drawn_on_device(self) -> bool:
        """Whether a GPU can draw them without its host: so they are, without custom operations."""

    @abstractmethod
    def departures(self) -> Iterable[Departure]:
        """How they differ from the paper."""


class Symmetric(Views):
    """All views are drawn alike and independently of each other: with two, the paper's default."""

    kind: Literal["symmetric"] = "symmetric"

    operations: tuple[AnyOperation, ...] = Field(default=(Crop(), Colour(), Blur()), min_length=1)
    """The operations on a view, in this order; if the first is not a crop, they apply to the centre
    square."""

    num_views: int = Field(default=2, ge=2, le=len(_NAMES))
    """Views of each image; the paper has two. More leave the first two as they are."""

    def drawn(self, shapes: Tensor, chance: Chance, size: int) -> "tuple[list[_Step], ...]":
        base: list[_Step] = []
        if not isinstance(self.operations[0], Crop):
            base = [(_Centre(), _Boxes(centre_boxes(shapes, size)))]
            shapes = torch.full_like(shapes, size)
        names = _NAMES[: self.num_views]
        return base, *(_steps(self.operations, view, shapes, chance, size) for view in names)

    @property
    def drawn_on_device(self) -> bool:
        return all(operation.drawn_on_device for operation in self.operations)

    def departures(self) -> Iterable[Departure]:
        return _departures(self.operations)


class OneBranch(Views):
    """The asymmetric form of figure 5: one view is a random crop, the other adds operations to it.

    One base crop is drawn for each image and shared by both branches. The first view is the base image,
    the second is the result of the cell's operations on it. The flip is not one of the figure's seven
    operations and is left out of the base; a crop in a cell includes it.
    """

    kind: Literal["one_branch"] = "one_branch"

    num_views: ClassVar[int] = 2

    base: Crop = Crop(flip=0)
    """The crop that both branches share."""

    branch: tuple[AnyOperation, ...] = Field(default=(), examples=[[{"kind": "colour"}]])
    """The operations on the second branch, in this order; if there are none, both views are equal."""

    def drawn(self, shapes: Tensor, chance: Chance, size: int) -> "tuple[list[_Step], ...]":
        square = torch.full_like(shapes, size)
        base = _steps((self.base,), "base", shapes, chance, size)
        return base, [], _steps(self.branch, "branch", square, chance, size)

    @property
    def drawn_on_device(self) -> bool:
        return all(operation.drawn_on_device for operation in self.branch)

    def departures(self) -> Iterable[Departure]:
        yield from _departures(self.branch)
        yield Departure("views.base.flip", json.dumps(self.base.flip), "not published")


AnyViews = Annotated[Symmetric | OneBranch, Field(discriminator="kind")]


def _departures(operations: Iterable[AnyOperation]) -> Iterable[Departure]:
    by_kind = {operation.kind: operation for operation in operations}
    return [one for kind in sorted(by_kind) for one in by_kind[kind].departures()]


def draw_views(
    views: AnyViews,
    images: UInt8[Tensor, "B 3 H W"],
    shapes: Int64[Tensor, "B 2"],
    chance: Chance,
    size: int,
    *,
    chunk: int | None = None,
) -> tuple[Float[Tensor, "B 3 S S"], ...]:
    """The views of each image, float32 in [0, 1], contiguous, on the images' device.

    Two, or `num_views` of the symmetric form; view v of image i is row i of item v.

    Images are zero-padded at the bottom right to one size; ``shapes`` are their own heights and
    widths. A view depends on (seed, epoch, image, view) and its operations only, with one
    exception: a blur whose sigma is drawn per batch takes that of the batch's first image. For
    images padded to one size the result is the same to the bit in whatever batch, order or chunk.

    What will happen is drawn on the images' device, custom operations' numbers on the CPU. Uniform
    numbers and integers are the same bits on every device. What is computed from them rounds
    differently (below 1e-5), and a value next to a border may then fall on either side: a crop's
    side by a pixel, a level of 256, a threshold.

    ``chunk`` images are worked on at a time, so that they stay in the processor's cache; None
    chooses.
    """
    _keep_freed_memory()
    device = images.device
    chunk = _chunk(images, size) if chunk is None else chunk
    drawn_on = device if views.drawn_on_device else torch.device("cpu")
    base, *branches = [
        [(operation, moved(params, device)) for operation, params in steps]
        for steps in views.drawn(shapes.to(drawn_on), chance.to(drawn_on), size)
    ]
    outputs = tuple(torch.empty(len(images), 3, size, size, device=device) for _ in branches)
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        for start in range(0, len(images), chunk):
            rows = slice(start, start + chunk)
            shared = _applied(base, images[rows], rows, size)
            for output, steps in zip(outputs, branches, strict=True):
                output[rows] = _applied(steps, shared, rows, size)
    return outputs


# An operation with its sampled parameters.
_Step = tuple[AnyOperation | "_Centre", Any]


class _Boxes(NamedTuple):
    """The centre squares, one for each image: in the form of sampled parameters."""

    boxes: Tensor


class _Centre(Frozen):
    """The square that probes see: no chance, hence no operation of a study."""

    def apply(self, images: Tensor, params: _Boxes, size: int) -> Tensor:
        [boxes] = params
        upright = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
        return resized_boxes(images, boxes, upright, size, "bilinear")


def _steps(
    operations: tuple[AnyOperation, ...], view: str, shapes: Tensor, chance: Chance, size: int
) -> list[_Step]:
    """What a view's operations will do; the first meets the given shapes, the others S x S.

    An operation's numbers depend on how many operations of its kind precede it, not on the others, so
    that arms which share an operation share its numbers.
    """
    met = Counter[str]()
    steps: list[_Step] = []
    for operation in operations:
        draws = chance.at(view, operation.stream, met[operation.stream])
        met[operation.stream] += 1
        steps.append((operation, operation.draw(draws, shapes)))
        shapes = torch.full_like(shapes, size)
    return steps


def _applied(steps: list[_Step], images: Tensor, rows: slice, size: int) -> Tensor:
    for operation, params in steps:
        some = select(params, rows)
        match operation:
            case Crop() | _Centre():
                images = operation.apply(images, some, size)
            case _:
                images = operation.apply(images, some)
    return images


def _chunk(images: Tensor, size: int) -> int:
    """How many images at a time: as many floats as 128 images of 32 x 32 have, 2^30 on a GPU.

    Measured on Zen 4 (1 MB of second-level cache a core, torch 2.15).
    """
    side = max(images.shape[-2] * images.shape[-1], size * size)
    floats = 128 * 3 * 32 * 32 if images.device.type == "cpu" else 1 << 30
    return max(8, floats // (3 * side))


@cache
def _keep_freed_memory() -> None:
    """Let the C library keep what it frees, once a process.

    glibc hands freed memory above a threshold back to the system, and each new buffer is then paid
    for page by page: 15,000 views/s instead of 25,000 (256 images of 32 px, one thread of Zen 4).
    It raises the threshold to the largest block that it has seen freed, up to 32 MiB; so one such
    block is allocated, untouched, and freed. Elsewhere this does nothing.
    """
    block = torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)
    del block

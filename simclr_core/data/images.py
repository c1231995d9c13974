"""Images in memory: uint8 RGB, of one shape or of many. Shape suffixes: N images, B batch."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr_core.data.decoding import content_hash

_WHOLE_UP_TO = 32
_CENTRE = 0.875  # as ImageNet is tested: 224 of 256


class Batch(NamedTuple):
    """Images side by side, each in the top left corner of its place."""

    images: Tensor
    """uint8 [B, 3, H, W]: zero outside an image's own shape."""

    shapes: Tensor
    """int64 [B, 2]: each image's own height and width."""


class Images:
    """N images as bytes, channels first, each with its own height and width.

    The bytes lie in one flat buffer that several `Images` can share: a selection copies nothing.
    Where all shapes are equal, batches are rows of one array; otherwise each is placed
    alone. Bytes are as decoded, 0 to 255; nothing is scaled, padded or squashed here.
    """

    def __init__(self, buffer: Tensor, starts: Tensor, shapes: Tensor) -> None:
        """Images of `shapes` [N, 2] that begin at `starts` [N] in the flat uint8 `buffer`."""
        self._buffer = buffer
        self._copies: dict[torch.device, Tensor] = {}
        """The same bytes on other devices, shared by all selections."""
        self._starts = starts.cpu()
        self.shapes = shapes.cpu()
        """int64 [N, 2], on the CPU: height and width of each image."""
        self._rows: Tensor | None = None
        if len(shapes) and bool((self.shapes == self.shapes[0]).all()):
            height, width = self.shapes[0].tolist()
            step = 3 * height * width
            if len(buffer) % step == 0 and not bool((self._starts % step).any()):
                self._pixels = buffer.view(-1, 3, height, width)
                self._rows = (self._starts // step).to(buffer.device)
                self._shape = self.shapes[:1].to(buffer.device)

    @classmethod
    def of(cls, images: Sequence[Tensor] | Tensor) -> Self:
        """The uint8 images [3, H, W] of a list, or of one tensor [N, 3, H, W]."""
        sizes = torch.tensor([p.numel() for p in images], dtype=torch.int64)
        shapes = torch.tensor([p.shape[1:] for p in images], dtype=torch.int64).view(-1, 2)
        buffer = (
            torch.cat([p.reshape(-1) for p in images])
            if len(images)
            else torch.empty(0, dtype=torch.uint8)
        )
        return cls(buffer, sizes.cumsum(0) - sizes, shapes)

    def __len__(self) -> int:
        """N."""
        return len(self.shapes)

    @property
    def of_one_shape(self) -> bool:
        """Whether all images have one shape."""
        return self._rows is not None

    @property
    def device(self) -> torch.device:
        """Where the bytes are."""
        return self._buffer.device

    def select(self, index: Tensor) -> "Images":
        """The images at `index` [B], in that order, over the same bytes."""
        index = index.cpu()
        return self._over(self._starts[index], self.shapes[index])

    def followed_by(self, other: "Images") -> "Images":
        """These images and then the other's, which are a selection over the same bytes."""
        same = other._buffer is self._buffer  # noqa: SLF001 -- of this class
        assert same, "both are selections over the same bytes"
        starts = torch.cat([self._starts, other._starts])  # noqa: SLF001 -- of this class
        return self._over(starts, torch.cat([self.shapes, other.shapes]))

    def batch(self, index: Tensor) -> Batch:
        """The images at `index` [B], padded with zeros at the bottom right to the largest."""
        if self._rows is not None:
            rows = self._rows[index.to(self.device)]
            return Batch(self._pixels[rows], self._shape.expand(len(rows), 2))
        shapes = self.shapes[index.cpu()]
        height, width = shapes.amax(0).tolist() if len(shapes) else (0, 0)
        images = self._buffer.new_zeros(len(shapes), 3, height, width)
        for place, image in zip(images, self._each(index), strict=True):
            place[:, : image.shape[1], : image.shape[2]] = image
        return Batch(images, shapes.to(self.device))

    def centre_squares(self, index: Tensor, size: int) -> Tensor:
        """What probes see of the images at `index`: float32 [B, 3, size, size] in [0, 1].

        The square of `centre_boxes`, resized by antialiased bilinear interpolation.
        """
        if self._rows is not None:
            rows = self._rows[index.to(self.device)]
            return _square(self._pixels[rows], size)
        out = torch.empty(len(index), 3, size, size, device=self.device)
        for place, image in zip(out, self._each(index), strict=True):
            place.copy_(_square(image[None], size)[0])
        return out

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device.

        All bytes that this selection shares travel, and they travel once: a later call, of this
        selection or of another one over the same bytes, gives the same copy.
        """
        device = torch.device(device)
        if device == self.device:
            return self
        if device not in self._copies:
            self._copies[device] = self._buffer.to(device)
        return Images(self._copies[device], self._starts, self.shapes)

    def content_hashes(self) -> list[bytes]:
        """SHA-256 over each image's height, width and bytes: equal images, equal hashes."""
        return [
            content_hash(height, width, image.contiguous().cpu().numpy().data)
            for (height, width), image in zip(
                self.shapes.tolist(), self._each(torch.arange(len(self))), strict=True
            )
        ]

    def _over(self, starts: Tensor, shapes: Tensor) -> "Images":
        """Other images over the same bytes."""
        images = Images(self._buffer, starts, shapes)
        images._copies = self._copies
        return images

    def _each(self, index: Tensor) -> list[Tensor]:
        index = index.cpu()
        starts, shapes = self._starts[index].tolist(), self.shapes[index].tolist()
        return [
            self._buffer[start : start + 3 * height * width].view(3, height, width)
            for start, (height, width) in zip(starts, shapes, strict=True)
        ]


def centre_boxes(shapes: Tensor, size: int) -> Tensor:
    """The centre squares that are evaluated, (top, left, height, width) in pixels, int64 [B, 4].

    Their side is 87.5 % of the short side, as in the official code; for a `size` of up to 32 the
    whole of it, since such small images have no margin to spare.
    """
    short_B = shapes.amin(1)
    if size > _WHOLE_UP_TO:
        short_B = (short_B * _CENTRE).round().to(torch.int64).clamp(min=1)
    sides_B2 = short_B[:, None].expand(-1, 2)
    return torch.cat([((shapes - sides_B2) / 2).round().to(torch.int64), sides_B2], dim=1)


def _square(images: Tensor, size: int) -> Tensor:
    """The centre square of images of one shape."""
    [[top, left, side, _]] = centre_boxes(torch.tensor([images.shape[2:]]), size).tolist()
    square = images[:, :, top : top + side, left : left + side].float().div_(255)
    if side == size:
        return square
    square = F.interpolate(square, (size, size), mode="bilinear", antialias=True)
    return square.clamp_(0, 1)

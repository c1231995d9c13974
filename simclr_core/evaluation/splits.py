"""The parts of a data set as a read-out meets them: pictures, features, labels, content hashes."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from simclr_core.data import Images, held_out


class Part(NamedTuple):
    """Pictures with what the frozen encoder says of them, and their labels."""

    images: Images
    x: Tensor
    """float32 [n, d]: the features h of the centre squares."""

    y: Tensor
    """int64 [n]."""

    hashes: tuple[bytes, ...]

    def at(self, index: Tensor) -> "Part":
        """The pictures at `index`, in that order."""
        hashes = tuple(self.hashes[i] for i in index.tolist())
        return Part(self.images.select(index), self.x[index], self.y[index], hashes)

    def followed_by(self, other: "Part") -> "Part":
        """Both parts as one; the other comes from the same data set."""
        return Part(
            self.images.followed_by(other.images),
            torch.cat([self.x, other.x]),
            torch.cat([self.y, other.y]),
            self.hashes + other.hashes,
        )


def tenth_apart(part: Part, name: str) -> tuple[Part, Part]:
    """A part without a tenth of its images, and that tenth, which then serves to choose on.

    Raises:
        DataError: there are fewer than two different pictures.
    """
    apart = held_out(part.hashes, name)
    return part.at((~apart).nonzero()[:, 0]), part.at(apart.nonzero()[:, 0])


def few_labels(part: Part, fraction: float, num_all: int, num_classes: int) -> Part:
    """The images of a part whose labels a probe with few labels sees: equally many of each class.

    Together `fraction` of `num_all` images: for each class the next whole number to
    fraction x num_all / num_classes, at least one; of a class with fewer all. They are the first by
    a hash of their content, so that they depend on no seed, are the same in every trial, and a
    smaller fraction's are among a larger one's.
    """
    wanted = max(1, round(fraction * num_all / num_classes))
    order = sorted(
        range(len(part.hashes)),
        key=lambda i: (hashlib.sha256(b"few labels" + part.hashes[i]).digest(), i),
    )
    taken = [0] * num_classes
    chosen: list[int] = []
    for i, label in zip(order, part.y[torch.tensor(order)].tolist(), strict=True):
        if taken[label] < wanted:
            taken[label] += 1
            chosen.append(i)
    return part.at(torch.tensor(sorted(chosen)))

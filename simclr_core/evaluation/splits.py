"""How the parts of a data set are divided for evaluation."""

import hashlib

import torch

from simclr_core.data import held_out
from simclr_core.probes import Part


def tenth_apart(part: Part, name: str) -> tuple[Part, Part]:
    """A part without a tenth of its images, and that tenth, which then serves to choose on.

    Raises:
        DataError: there are fewer than two different images.
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

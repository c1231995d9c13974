"""Random numbers of the data sets: splitmix64 as a counter-based generator, in integers alone.

The same (key, counter) gives the same 64 bits on every machine and in every order.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from simclr_core.chance import WEYL, mixed

Words = NDArray[np.uint64]
"""Unsigned 64-bit integers; sums and products wrap."""


def mix(words: Words) -> Words:
    """The output of splitmix64 after one step from `words`."""
    steps = (words + np.uint64(WEYL)).view(np.int64)
    return mixed(torch.from_numpy(steps)).numpy().view(np.uint64)


def keys(*path: int, count: int) -> Words:
    """A word for each of `count` items under `path`; a longer list starts with a shorter one."""
    key = np.zeros(1, np.uint64)
    for step in path:
        key = mix(key ^ np.array([step], np.uint64))
    return mix(key + mix(np.arange(count, dtype=np.uint64)))


def permutation(num: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 to num - 1 in an order drawn from `seed`; uniform up to 64-bit collisions."""
    return np.argsort(keys(0x5EED, seed, count=num), kind="stable").astype(np.int64)

"""Chance on the data side: splitmix64 as a counter-based generator, in integers alone.

The same (key, counter) gives the same 64 bits on every machine and in every order: there is no
state, and unsigned 64-bit arithmetic wraps alike everywhere.
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""Unsigned 64-bit integers; sums and products wrap."""


def mix(words: Words) -> Words:
    """The output of splitmix64 (Steele, Lea and Flood 2014) after one step from `words`."""
    z = words + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def keys(*path: int, count: int) -> Words:
    """A word for each of `count` items under `path`; a longer list starts with a shorter one."""
    key = np.zeros(1, np.uint64)
    for step in path:
        key = mix(key ^ np.array([step], np.uint64))
    return mix(key + mix(np.arange(count, dtype=np.uint64)))


def permutation(num: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 to num - 1 in an order drawn from `seed`; uniform up to 64-bit collisions."""
    return np.argsort(keys(0x5EED, seed, count=num), kind="stable").astype(np.int64)

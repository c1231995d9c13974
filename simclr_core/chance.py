"""Stateless randomness: every number is a function of its purpose.

A number is keyed by (seed, epoch, image, view, operation, how-manieth such operation, index). It is
therefore the same in any batch, chunk or order, a resumed run gets the numbers of an uninterrupted one,
and two arms that share an operation draw the same numbers.

Letters: N images, K numbers an image.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Params = TypeVar("Params", bound=tuple[Tensor, ...])

WEYL = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: the step of splitmix64
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORDS = 1 << 64
_TOP_24 = (1 << 24) - 1
_UNIFORM, _INTEGERS, _NORMAL = 0, 1, 2


@dataclass(frozen=True)
class Draws:
    """The numbers of one operation on one view: an endless numbered list for each of N images.

    Repeated calls return the same numbers; ``uniform``, ``integers`` and ``normal`` read three separate
    lists. Uniforms and integers are the same bits on every device; normals pass through a logarithm and
    a cosine, which devices round differently in the last place.
    """

    keys: Int64[Tensor, " N"]
    """The state of splitmix64 where each image's list begins."""

    def uniform(self, num: int) -> Float[Tensor, "N num"]:
        """Numbers 0 to num - 1 of each image: multiples of 2^-24 in [0, 1), exact in float32."""
        return _fraction(_numbered(self.keys, _UNIFORM, num), 40)

    def integers(self, high: Int64[Tensor, "N K"]) -> Int64[Tensor, "N K"]:
        """Integers in [0, high), 1 <= high <= 2^24.

        Multiply and shift (Lemire): a value's probability is off 1 / high by at most 2^-24.
        """
        words_NK = _numbered(self.keys, _INTEGERS, high.shape[1])
        return (_shifted(words_NK, 40) * high) >> 24

    def normal(self, *shape: int) -> Float[Tensor, "N ..."]:
        """Standard normal numbers in the given shape for each image.

        Box and Muller's two from one 64-bit word, so that none exceeds 5.77 (2^-24 in the tail).
        """
        num = math.prod(shape)
        words_NK = _numbered(self.keys, _NORMAL, (num + 1) // 2)
        # 1 - u lies in (0, 1]: the logarithm of 0 is never taken.
        radius_NK = (1 - _fraction(words_NK, 40)).log_().mul_(-2).sqrt_()
        angle_NK = _fraction(words_NK, 16).mul_(2 * math.pi)
        both = torch.cat([radius_NK * angle_NK.cos(), radius_NK * angle_NK.sin()], dim=1)
        return both[:, :num].reshape(-1, *shape)


@dataclass(frozen=True)
class Chance:
    """The random numbers of N images in one epoch, before view and operation are chosen."""

    keys: Int64[Tensor, " N"]
    """(seed, epoch, image) as one 64-bit word for each image."""

    @classmethod
    def of(cls, seed: int, epoch: int | Int64[Tensor, ""], images: Int64[Tensor, " N"]) -> "Chance":
        """The random numbers of the images with these ids; seed, epoch: any integers, modulo 2^64.

        An epoch that is counted on the images' device gives the same bits and is not read.
        """
        word = _mixed_word(WEYL * (seed + 1) % _WORDS)
        if isinstance(epoch, int):
            start = _mixed_word((word + WEYL * (epoch + 1)) % _WORDS)
        else:
            start = mixed((epoch + 1) * _signed(WEYL) + word)
        return cls(mixed((images + 1) * _signed(WEYL) + start))

    def at(self, view: str, operation: str, occurrence: int = 0) -> Draws:
        """The numbers of an operation on a view; ``occurrence`` counts its equals there from 0."""
        name = f"{view}\0{operation}\0{occurrence}".encode()
        word = int.from_bytes(hashlib.sha256(name).digest()[:8], "little")
        return Draws(mixed(self.keys + _signed(WEYL * (word + 1))))

    def to(self, device: torch.device | str) -> "Chance":
        """The same random numbers on another device."""
        return Chance(self.keys.to(device))


def select(params: Params, rows: slice | Tensor) -> Params:
    """The parameters of some of the images."""
    return type(params)(*(field[rows] for field in params))  # pyright: ignore[reportCallIssue] -- a NamedTuple


def moved(params: Params, device: torch.device) -> Params:
    """The parameters on another device."""
    queued = may_queue_copies(device)
    return type(params)(*(field.to(device, non_blocking=queued) for field in params))  # pyright: ignore[reportCallIssue] -- a NamedTuple


def may_queue_copies(device: torch.device) -> bool:
    """Whether a copy from the host's memory to the device may be queued and its source let go.

    Elsewhere it must be waited for: on mps a queued copy reads whatever is in the source's place by
    then (pytorch/pytorch#189690).
    """
    return device.type == "cuda"


def _numbered(keys_N: Tensor, stream: int, num: int) -> Tensor:
    """Words 0 to num - 1 of one of an image's lists: splitmix64, entered at any place. [N, num]."""
    starts_N = mixed(keys_N + _signed(WEYL * (stream + 1)))
    steps_K = torch.arange(1, num + 1, device=keys_N.device) * _signed(WEYL)
    return mixed(starts_N[:, None] + steps_K)


def _fraction(words: Tensor, shift: int) -> Tensor:
    """24 bits of each word as a float32 in [0, 1)."""
    return _shifted(words, shift).bitwise_and_(_TOP_24).to(torch.float32).mul_(2.0**-24)


def mixed(words: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), in int64 that wraps around."""
    words = (words ^ _shifted(words, 30)).mul_(_signed(_MIX_1))
    words = (words ^ _shifted(words, 27)).mul_(_signed(_MIX_2))
    return words ^ _shifted(words, 31)


@lru_cache(1024)
def _mixed_word(word: int) -> int:
    """``mixed`` of one integer, 0 to 2^64 - 1, as a signed one."""
    return int(mixed(torch.tensor(_signed(word))))


def _shifted(words: Tensor, shift: int) -> Tensor:
    """Logical shift to the right: torch's own repeats the sign, the mask takes that away."""
    return (words >> shift).bitwise_and_((1 << (64 - shift)) - 1)


def _signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    word %= _WORDS
    return word - _WORDS if word >> 63 else word

"""The embedded data set: procedural images, built to show how colour can be a shortcut.

Each image is one of ten textures, five patterns in two orientations. Its tint, brightness,
contrast, illumination, period and noise are drawn for each image and are independent of the
class. Two crops of one image therefore share their colour statistics, and a network can use these to
find the partner without looking at the texture. This is the mechanism by which section 3.1 of the
SimCLR paper explains why cropping needs colour distortion. Since the data set is built to show it, no
result on it reproduces the paper. A rotation by 90 degrees turns the two orientations of a pattern into
each other.

All arithmetic is in integers, so the bytes are the same on every machine.
Shape suffixes: N images, H and W their sides in px.
"""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simclr_core.data.contract import Data
from simclr_core.data.decode_cache import Source
from simclr_core.data.decoding import image_of
from simclr_core.data.fingerprints import digest
from simclr_core.data.splitmix import Words, keys, mix

Integers = NDArray[np.int64]

PATTERNS = ("stripes", "dark lines", "bright lines", "zigzag", "blocks")
ORIENTATIONS = ("upright", "level")
CLASS_NAMES = tuple(f"{pattern}, {turn}" for pattern in PATTERNS for turn in ORIENTATIONS)

_SIDE = 32
_PX = 256  # positions count in 1/256 px
_CYCLE = 1 << 16  # phases count in 1/65536 of a period; brightness 1 is 65536 as well
_FULL = 1 << 14  # a pattern runs from -16384 to 16384

# Each of these is drawn for every image, evenly from [low, high), and independent of its class.
_PERIOD = (5 * _PX, 7 * _PX)
_BRIGHTNESS = (11000, 44000)
_CONTRAST = (14000, 44000)  # as a share of the brightness
_HUE = (0, 65536)  # in 1/65536 of a sixth of the colour circle
_SATURATION = (6000, 45000)
_SLOPE = (-12000, 12001)  # of the illumination, from the centre to an edge
_NOISE = 2500

_TRAIN, _TEST = 0, 1


class Textures(Data):
    """Procedural 32 x 32 textures of ten classes; no download, generated in about a second.

    Image i of a split depends only on (version, split, i): a longer set starts with the shorter one.
    Classes alternate, so the numbers of images in the classes differ by at most one.
    """

    kind: Literal["textures"] = "textures"

    cached: ClassVar[bool] = False

    version: Literal[1] = 1
    """The number of the design; a different design gets a different number."""

    num_images: int = Field(default=2000, ge=20, le=1_000_000)
    """Training images."""

    num_test: int = Field(default=1000, ge=10, le=1_000_000)
    """Test images."""

    size: Literal[32] = 32
    """Side of the images and of the views in px."""

    def shown_name(self) -> str:
        return "textures"

    @property
    def expected_images(self) -> int:
        return self.num_images

    def fingerprint(self, cache: Path | None) -> str:
        """SHA-256 over version and parameters."""
        del cache
        return digest("textures", self.version, self.num_images, self.num_test, self.size)

    def source(self) -> Source:
        train, test = generate(_TRAIN, self.num_images), generate(_TEST, self.num_test)
        pixels = np.concatenate([train, test])

        return Source(
            where="textures",
            class_names=CLASS_NAMES,
            labels=[i % 10 for num in (self.num_images, self.num_test) for i in range(num)],
            num_train=self.num_images,
            size=self.size,
            notes=(),
            name=lambda i: f"texture {i}",
            items=lambda: enumerate(pixels),
            decode=lambda pixels: image_of(pixels, self.size),
            estimate=lambda: pixels.size,
        )


def generate(part: int, num: int) -> NDArray[np.uint8]:
    """The first `num` images of train (0) or test (1), uint8 [N, 3, 32, 32]."""
    draw = _Draw(keys(1, part, count=num))
    label = np.arange(num) % len(CLASS_NAMES)
    pattern_NHW = _pattern(draw, label // 2, label % 2)
    light_NHW = _light(draw, pattern_NHW)
    image_N3HW = (light_NHW[:, None] * _tint(draw)[:, :, None, None]) >> 16
    image_N3HW += (_NOISE * draw.noise(3, _SIDE, _SIDE)) >> 16
    return (np.clip(image_N3HW, 0, _CYCLE - 1) >> 8).astype(np.uint8)


class _Draw:
    """Numbers for N images, each from its own key; asked again, the next ones."""

    def __init__(self, key: Words) -> None:
        self._key = key
        self._asked = 0

    def __call__(self, low: int, high: int) -> Integers:
        """Evenly from [low, high): [N]."""
        self._asked += 1
        bits = mix(self._key + np.uint64(self._asked)) >> np.uint64(32)
        return low + ((bits * np.uint64(high - low)) >> np.uint64(32)).astype(np.int64)

    def noise(self, *shape: int) -> Integers:
        """Nearly normal, mean 0, standard deviation 0.58 of 65536: four even numbers summed."""
        self._asked += 1
        key = mix(self._key + np.uint64(self._asked))
        place = np.arange(np.prod(shape), dtype=np.uint64)
        bits = mix(key[:, None] + place)
        total = np.full(bits.shape, -2 * (_CYCLE - 1), np.int64)
        for quarter in range(0, 64, 16):
            total += ((bits >> np.uint64(quarter)) & np.uint64(_CYCLE - 1)).astype(np.int64)
        return total.reshape(len(key), *shape)


def _pattern(draw: _Draw, kind: Integers, turn: Integers) -> Integers:
    """[N, H, W], from -16384 (dark) to 16384 (bright)."""
    centres = np.arange(_SIDE, dtype=np.int64) * _PX + _PX // 2
    upright = (turn == 0)[:, None, None]
    across = np.where(upright, centres[None, None, :], centres[None, :, None])
    along = np.where(upright, centres[None, :, None], centres[None, None, :])
    period, start, other_start = (
        draw(*span)[:, None, None] for span in (_PERIOD, (0, _CYCLE), (0, _CYCLE))
    )
    phase = across * _CYCLE // period + start
    wave = _triangle(phase)
    bend = _triangle(along * _CYCLE // (period * 3 // 2) + other_start)
    rows = _triangle(along * _CYCLE // (2 * period) + other_start)
    choices = (
        3 * wave,
        4 * (wave + 7000),
        -4 * (wave + 7000),
        3 * _triangle(phase + bend),
        4 * np.minimum(wave, rows) - 16000,
    )
    return np.clip(np.choose(kind[:, None, None], choices), -_FULL, _FULL)


def _light(draw: _Draw, pattern_NHW: Integers) -> Integers:
    """Brightness of each point, 65536 for 1: [N, H, W]."""
    brightness, contrast = draw(*_BRIGHTNESS), draw(*_CONTRAST)
    amplitude = (brightness * contrast) >> 16
    flat = brightness[:, None, None] + ((amplitude[:, None, None] * pattern_NHW) >> 14)
    offset = np.arange(_SIDE, dtype=np.int64) * 2 + 1 - _SIDE  # in half px from the centre
    rightward, downward = draw(*_SLOPE)[:, None, None], draw(*_SLOPE)[:, None, None]
    slope = (rightward * offset[None, None, :] + downward * offset[None, :, None]) // _SIDE
    return (flat * (_CYCLE + slope)) >> 16


def _tint(draw: _Draw) -> Integers:
    """What each channel keeps of the light, 65536 for all: [N, 3]."""
    hue, saturation = draw(*_HUE), draw(*_SATURATION)
    sixths = (hue[:, None] + np.array([0, 2, 4]) * _CYCLE) % (6 * _CYCLE)
    pure = np.clip(np.abs(sixths - 3 * _CYCLE) - _CYCLE, 0, _CYCLE)
    return _CYCLE - (((_CYCLE - pure) * saturation[:, None]) >> 16)


def _triangle(phase: Integers) -> Integers:
    """A wave of straight flanks, from 16384 at phase 0 to -16384 at half a cycle and back."""
    return np.abs((phase & (_CYCLE - 1)) - _CYCLE // 2) - _FULL

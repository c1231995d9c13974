"""One file's bytes -> one image: RGB, 8 bits a channel, upright, at most twice `size` across.

Uses only Pillow. An error describes the problem of a file in a phrase; the caller adds its path.
"""

import hashlib
import io
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

DECODING_VERSION = 1
"""Raised by hand when the same file would give different bytes."""

MOST_PIXELS = 178_956_970
"""The most pixels of an image; Pillow warns at half of this number, and refuses more."""

_GREY_OF_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("LA", "PA", "RGBA")  # in small letters where colours are stored times alpha


class NotAnImage(Exception):  # noqa: N818 -- says what the file is not; the caller makes the error
    """The bytes are not an image that can be read completely; the text is a phrase with the reason."""


class DecodedImage(NamedTuple):
    """A decoded image."""

    pixels: bytes
    """Channels first, [3, height, width]."""

    height: int
    width: int

    short_side: int
    """The short side in the file, in px, before any reduction."""

    content: bytes
    """SHA-256 over shape and bytes (`content_hash`)."""


def decode(file: bytes, size: int) -> DecodedImage:
    """The image in a file's bytes, as RGB.

    EXIF orientation is applied; transparency is laid on white; 16-bit grey keeps its high byte; of
    an animation the first frame is taken; a short side above 2 `size` is reduced to 2 `size`,
    antialiased (bicubic), the other side in proportion: never squashed.
    """
    try:
        with Image.open(io.BytesIO(file)) as image:
            _refuse_size(image)
            upright = _rgb(_upright(image), image.format)
    except NotAnImage:
        raise
    except Image.DecompressionBombError:
        raise NotAnImage(_too_many("")) from None
    except UnidentifiedImageError:
        phrase = "empty file" if not file else "not an image in a known format"
        raise NotAnImage(phrase) from None
    except Exception as error:  # a damaged file can end in any exception of any decoder
        phrase = " ".join(str(error).split()) or type(error).__name__
        raise NotAnImage(f"truncated or damaged: {phrase[:100]}") from error
    return reduced(upright, size)


def _refuse_size(image: Image.Image) -> None:
    if math.prod(image.size) > MOST_PIXELS:
        raise NotAnImage(_too_many(f"{image.width:,} x {image.height:,}"))


def _too_many(sides: str) -> str:
    got = f": {sides}" if sides else ""
    return f"more than {MOST_PIXELS:,} pixels{got}; save it smaller"


def reduced(image: Image.Image, size: int) -> DecodedImage:
    """An RGB image, reduced where its short side is above 2 `size`."""
    short_side = min(image.size)
    if short_side > 2 * size:
        width, height = (max(2 * size, round(2 * size * s / short_side)) for s in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)).tobytes()
    width, height = image.size
    return DecodedImage(pixels, height, width, short_side, content_hash(height, width, pixels))


def image_of(pixels_3HW: NDArray[np.uint8], size: int) -> DecodedImage:  # noqa: N803 -- shape suffix
    """An image that is already an array, [3, H, W]."""
    _, height, width = pixels_3HW.shape
    if min(height, width) > 2 * size:
        return reduced(Image.fromarray(pixels_3HW.transpose(1, 2, 0)), size)
    pixels = pixels_3HW.tobytes()
    content = content_hash(height, width, pixels)
    return DecodedImage(pixels, height, width, min(height, width), content)


def num_bytes(file: bytes, size: int) -> int:
    """Bytes that the image in a file will take in memory, from its header; 0 if it has none."""
    try:
        with Image.open(io.BytesIO(file)) as image:
            short_side, long_side = sorted(image.size)
    except Exception:  # noqa: BLE001 -- the decoding names it
        return 0
    scale = min(1.0, 2 * size / short_side)
    return 3 * round(scale * short_side) * round(scale * long_side)


def content_hash(height: int, width: int, pixels: bytes | bytearray | memoryview) -> bytes:
    """SHA-256 over an image's shape and its bytes, channels first."""
    digest = hashlib.sha256(b"%d %d " % (height, width))
    digest.update(pixels)
    return digest.digest()


def _upright(image: Image.Image) -> Image.Image:
    # A JPEG without EXIF is the common case, and asking for its orientation costs a parse.
    if image.format == "JPEG" and "exif" not in image.info:
        return image
    return ImageOps.exif_transpose(image)


_16_BIT_FORMATS = ("PNG", "PPM")
"""Those whose grey of more than 8 bits Pillow may hand over in 32, and which have 16 at most."""


def _rgb(image: Image.Image, file_format: str | None) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    if image.mode in _GREY_OF_16_BIT or image.mode == "I":
        if image.mode == "I" and file_format not in _16_BIT_FORMATS:
            raise NotAnImage("32-bit grey, whose white level is unknown; save it with 8 or 16 bits")
        grey = np.asarray(image).astype(np.int64)
        shown = (grey >> 8).astype(np.uint8)
        shown[grey == image.info.get("transparency", -1)] = 255
        return Image.fromarray(shown).convert("RGB")
    if image.mode == "F":
        raise NotAnImage(
            "floating-point grey, whose white level is unknown; save it with 8 or 16 bits"
        )
    if image.mode.upper() in _ALPHA or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")

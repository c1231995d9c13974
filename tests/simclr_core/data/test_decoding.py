"""One file's bytes -> one RGB picture: every mode, turns, transparency, reduction, damaged files.

Oracles: the arrays that the files were made from, closed forms, the table of the EXIF standard.
"""

import hashlib
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from made_folders import file_of, noise, pixels_of
from PIL import Image

from simclr_core.data.decoding import DecodedImage, NotAnImage, decode, image_of, num_bytes


def _array(picture: DecodedImage) -> np.ndarray:
    """[H, W, 3], as signed integers."""
    flat = np.frombuffer(picture.pixels, np.uint8).astype(np.int64)
    return flat.reshape(3, picture.height, picture.width).transpose(1, 2, 0)


def _random(*shape: int, high: int = 256) -> np.ndarray:
    return np.random.default_rng(7).integers(0, high, shape)


# ---------------------------------------------------------------------------------------- modes


@pytest.mark.parametrize("form", ["png", "bmp", "tiff", "ppm", "webp"])
def test_an_rgb_picture_comes_out_as_it_was_saved(form: str) -> None:
    image = noise(0, 9, 14)
    settings = {"lossless": True} if form == "webp" else {}

    picture = decode(file_of(image, form, **settings), 32)

    assert (picture.height, picture.width, picture.short_side) == (9, 14, 9)
    assert picture.pixels == pixels_of(image).tobytes()
    assert picture.content == hashlib.sha256(b"9 14 " + picture.pixels).digest()


def test_a_jpeg_comes_out_as_pillow_decodes_it() -> None:
    file = file_of(noise(0, 40, 30), "jpeg", quality=90)

    picture = decode(file, 32)

    assert np.array_equal(_array(picture), np.asarray(Image.open(io.BytesIO(file))))


def test_grey_becomes_three_equal_colours() -> None:
    grey = _random(8, 9)

    picture = decode(file_of(Image.fromarray(grey.astype(np.uint8))), 32)

    assert np.array_equal(_array(picture), np.repeat(grey[:, :, None], 3, 2))


def test_black_and_white_becomes_0_and_255() -> None:
    bits = _random(8, 9, high=2)

    picture = decode(file_of(Image.fromarray(bits.astype(bool))), 32)

    assert np.array_equal(_array(picture), np.repeat(255 * bits[:, :, None], 3, 2))


@pytest.mark.parametrize("form", ["png", "gif"])
def test_a_palette_is_looked_up(form: str) -> None:
    places, colours = _random(8, 9, high=5), _random(5, 3)
    image = Image.fromarray(places.astype(np.uint8), "L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(colours.flatten().tolist())

    picture = decode(file_of(image, form), 32)

    assert np.array_equal(_array(picture), colours[places])


def test_cmyk_is_ink_on_white() -> None:
    inks = _random(8, 9, 4)
    image = Image.frombytes("CMYK", (9, 8), inks.astype(np.uint8).tobytes())

    picture = decode(file_of(image, "tiff"), 32)

    expected = (255 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
    assert np.abs(_array(picture) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_shines_through_is_white(mode: str) -> None:
    bands = _random(8, 9, len(mode))
    image = Image.frombytes(mode, (9, 8), bands.astype(np.uint8).tobytes())

    picture = decode(file_of(image), 32)

    colour, alpha = bands[..., :-1], bands[..., -1:] / 255
    expected = alpha * colour + (1 - alpha) * 255
    assert np.abs(_array(picture) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_colour_marked_as_transparent_is_white(mode: str) -> None:
    image = noise(3, 6, 6).quantize(4) if mode == "P" else noise(3, 6, 6).convert(mode)
    marked = image.getpixel((2, 1))
    plain = np.asarray(image.convert("RGB")).astype(np.int64)

    picture = decode(file_of(image, transparency=marked), 32)

    through = np.asarray(image) == np.asarray(marked)
    through = through.all(-1) if mode == "RGB" else through
    assert through[1, 2]
    assert np.array_equal(_array(picture), np.where(through[..., None], 255, plain))


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_grey_of_16_bits_keeps_its_high_byte(form: str) -> None:
    grey = _random(8, 9, high=65536)

    picture = decode(file_of(Image.fromarray(grey.astype(np.uint16)), form), 32)

    assert np.array_equal(_array(picture), np.repeat(grey[:, :, None] // 256, 3, 2))


def test_transparent_grey_of_16_bits_is_laid_on_white() -> None:
    grey = _random(8, 9, high=65536)
    grey[2, 3] = 4711

    picture = decode(file_of(Image.fromarray(grey.astype(np.uint16)), transparency=4711), 32)

    expected = np.where(grey == 4711, 255, grey // 256)
    assert np.array_equal(_array(picture), np.repeat(expected[:, :, None], 3, 2))


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "lime", "blue")]
    file = file_of(frames[0], "gif", save_all=True, append_images=frames[1:])

    picture = decode(file, 32)

    assert np.array_equal(_array(picture), np.broadcast_to([255, 0, 0], (5, 6, 3)))


# ----------------------------------------------------------------------------------- orientation

# Where the standard (EXIF 2.32, tag 0x0112) says that row 0 and column 0 of the file belong.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["jpeg", "png", "tiff"])
def test_a_photograph_is_turned_as_its_exif_says(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = noise(1, 16, 24)
    as_stored = decode(file_of(image, form), 32)

    picture = decode(file_of(image, form, exif=exif), 32)

    assert np.array_equal(_array(picture), UPRIGHT[orientation](_array(as_stored)))


# ------------------------------------------------------------------------------------- reduction


@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 200), (200, 64), (64, 64)])
def test_up_to_twice_the_size_nothing_is_reduced(height: int, width: int) -> None:
    image = noise(2, height, width)

    assert decode(file_of(image), 32).pixels == pixels_of(image).tobytes()


@pytest.mark.parametrize(
    ("shape", "reduced"),
    [((65, 65), (64, 64)), ((480, 640), (64, 85)), ((640, 480), (85, 64)), ((70, 300), (64, 274))],
)
def test_above_it_the_short_side_becomes_twice_the_size_and_the_other_follows(
    shape: tuple[int, int], reduced: tuple[int, int]
) -> None:
    # Middle greys: Pillow clamps what a bicubic filter overshoots after either side.
    image = noise(3, *shape).point(lambda level: 96 + level // 4)

    picture = decode(file_of(image), 32)

    assert (picture.height, picture.width) == reduced
    assert picture.short_side == min(shape)
    expected = TF.resize(
        torch.from_numpy(pixels_of(image).copy()).float(),
        list(reduced),
        interpolation=TF.InterpolationMode.BICUBIC,
        antialias=True,
    )
    # It rounds to whole grey levels after either side.
    difference = torch.from_numpy(_array(picture)).permute(2, 0, 1) - expected
    assert float(difference.abs().max()) < 1.5


def test_a_picture_given_as_an_array_is_reduced_like_a_file() -> None:
    image = noise(3, 100, 90)

    assert image_of(pixels_of(image), 32) == decode(file_of(image), 32)
    assert image_of(pixels_of(image), 50) == decode(file_of(image), 50)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 40))
def test_the_bytes_a_picture_takes_are_told_from_its_header(
    height: int, width: int, size: int
) -> None:
    file = file_of(Image.new("RGB", (width, height)), "bmp")

    expected = len(decode(file, size).pixels)

    # The header's estimate lets the longer side be off by a rounding.
    assert abs(num_bytes(file, size) - expected) <= 3 * 2 * size


def test_a_file_that_is_no_picture_takes_none() -> None:
    assert num_bytes(b"plain text", 32) == 0


# -------------------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    ("file", "phrase"),
    [
        (b"", "empty file"),
        (b"remember the milk", "not an image in a known format"),
        (file_of(noise(0, 40, 40), "jpeg")[:400], "truncated or damaged: "),
        (file_of(noise(0, 40, 40), "jpeg")[:-300], "truncated or damaged: "),
        (file_of(noise(0, 40, 40))[:-900], "truncated or damaged: "),
        (file_of(noise(0, 40, 40), "gif")[:-300], "truncated or damaged: "),
        (
            file_of(Image.new("F", (4, 4)), "tiff"),
            "floating-point grey, whose white level is unknown",
        ),
        (
            file_of(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "tiff"),
            "32-bit grey, whose white level is unknown; save it with 8 or 16 bits",
        ),
        (
            file_of(Image.fromarray(np.full((4, 4), 200, np.int32)), "tiff"),
            "32-bit grey, whose white level is unknown; save it with 8 or 16 bits",
        ),
    ],
    ids=["empty", "text", "jpeg head", "jpeg tail", "png", "gif", "float", "32 bit", "dark 32 bit"],
)
def test_what_cannot_be_read_whole_is_refused_with_a_phrase(file: bytes, phrase: str) -> None:
    with pytest.raises(NotAnImage, match=f"^{phrase}"):
        decode(file, 32)

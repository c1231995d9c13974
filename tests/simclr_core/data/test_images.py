"""Pictures in memory: batches, selections, what probes see, and what identifies a picture."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from simclr_core.data.images import Images

EQUAL = [(40, 52)] * 6
MIXED = [(40, 52), (36, 36), (64, 33), (41, 60), (9, 80), (100, 100)]


def _pictures(shapes: list[tuple[int, int]], *, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (3, *shape), generator=generator, dtype=torch.uint8)
        for shape in shapes
    ]


shapes_drawn = st.one_of(
    st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=6),
    st.integers(1, 6).map(lambda num: [(4, 3)] * num),
)


@given(shapes=shapes_drawn, data=st.data())
def test_a_batch_holds_each_picture_in_its_corner_and_zeros_around(
    shapes: list[tuple[int, int]], data: st.DataObject
) -> None:
    pictures = _pictures(shapes)
    index = data.draw(st.lists(st.integers(0, len(shapes) - 1), min_size=1, max_size=9))

    batch, own = Images.of(pictures).batch(torch.tensor(index))

    assert own.tolist() == [list(shapes[i]) for i in index]
    assert batch.dtype == torch.uint8
    assert batch.shape == (len(index), 3, *(max(shapes[i][side] for i in index) for side in (0, 1)))
    for place, i in zip(batch, index, strict=True):
        height, width = shapes[i]
        assert torch.equal(place[:, :height, :width], pictures[i])
        assert not place[:, height:].any()
        assert not place[:, :, width:].any()


@given(shapes=shapes_drawn, data=st.data())
def test_a_selection_is_the_pictures_at_its_places_in_its_order(
    shapes: list[tuple[int, int]], data: st.DataObject
) -> None:
    images = Images.of(_pictures(shapes))
    index = data.draw(st.lists(st.integers(0, len(shapes) - 1), min_size=1, max_size=9))

    chosen = images.select(torch.tensor(index))

    assert len(chosen) == len(index)
    hashes = images.content_hashes()
    assert chosen.content_hashes() == [hashes[i] for i in index]
    everything = torch.arange(len(index))
    assert torch.equal(chosen.batch(everything)[0], images.batch(torch.tensor(index))[0])


def test_a_tensor_of_pictures_is_taken_as_it_is() -> None:
    pictures = torch.stack(_pictures(EQUAL))

    assert torch.equal(Images.of(pictures).batch(torch.arange(6)).images, pictures)


@pytest.mark.parametrize("size", [16, 32, 33, 48, 64])
@pytest.mark.parametrize("shapes", [EQUAL, MIXED], ids=["one shape", "many shapes"])
def test_probes_see_the_centre_square_as_pillow_cuts_and_resizes_it(
    shapes: list[tuple[int, int]], size: int
) -> None:
    pictures = _pictures(shapes)

    squares = Images.of(pictures).centre_squares(torch.arange(len(shapes)), size)

    assert squares.shape == (len(shapes), 3, size, size)
    for square, picture, (height, width) in zip(squares, pictures, shapes, strict=True):
        short = min(height, width)
        side = short if size <= 32 else round(short * 224 / 256)
        top, left = round((height - side) / 2), round((width - side) / 2)
        image = Image.fromarray(picture.permute(1, 2, 0).numpy())
        cut = image.crop((left, top, left + side, top + side))
        expected = np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR))
        # Pillow rounds to whole grey levels after either side.
        difference = square.permute(1, 2, 0).numpy() - expected.astype(np.float32) / 255
        assert np.abs(difference).max() < 1.01 / 255


def test_at_its_own_size_a_small_picture_is_seen_whole_and_unchanged() -> None:
    pictures = torch.stack(_pictures([(32, 32)] * 3))

    squares = Images.of(pictures).centre_squares(torch.tensor([2, 0]), 32)

    assert torch.equal(squares, pictures[[2, 0]].float() / 255)


def test_what_a_probe_sees_of_a_picture_does_not_depend_on_the_others() -> None:
    pictures = _pictures(MIXED)
    together = Images.of(pictures).centre_squares(torch.arange(6), 24)

    for picture, square in zip(pictures, together, strict=True):
        assert torch.equal(Images.of([picture]).centre_squares(torch.tensor([0]), 24)[0], square)


def test_a_hash_is_sha256_over_shape_and_bytes() -> None:
    picture = torch.arange(18, dtype=torch.uint8).view(3, 2, 3)
    images = Images.of([picture, picture.view(3, 3, 2), picture, picture.flip(0)])

    first, other_shape, again, other_bytes = images.content_hashes()

    assert first == hashlib.sha256(b"2 3 " + bytes(range(18))).digest()
    assert again == first
    assert len({first, other_shape, other_bytes}) == 3


def test_no_pictures_are_no_trouble() -> None:
    images = Images.of([])

    assert len(images) == 0
    assert images.content_hashes() == []


def test_bytes_travel_to_another_device_once_for_all_selections() -> None:
    whole = Images.of(_pictures(MIXED))
    images = whole.select(torch.tensor([4, 1]))

    moved = images.to("meta")

    assert moved.device.type == "meta"
    assert moved.shapes.tolist() == [[9, 80], [36, 36]]
    assert moved.batch(torch.tensor([0, 1])).images.shape == (2, 3, 36, 80)
    assert images.to("cpu") is images
    again = whole.select(torch.tensor([0])).to("meta")
    assert again._buffer is moved._buffer

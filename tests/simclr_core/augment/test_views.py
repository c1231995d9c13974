"""The views of a picture: what they depend on, what they share, in which order they come about."""

import itertools
from typing import get_args

import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from made_parts import made
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from torch import Tensor

from simclr_core.augment.autoaugment import AutoAugment
from simclr_core.augment.blur_sobel import BlurParams
from simclr_core.augment.colour import ColourParams
from simclr_core.augment.file_operation import FileOperation
from simclr_core.augment.motion_blur import MotionBlur
from simclr_core.augment.operations import (
    AnyOperation,
    Blur,
    Colour,
    Crop,
    CropParams,
    Cutout,
    Noise,
    Rotation,
    Sobel,
)
from simclr_core.augment.solarise_equalise import Equalise, Solarise
from simclr_core.augment.views import AnyViews, OneBranch, Symmetric, draw_views
from simclr_core.chance import Chance
from simclr_core.data.images import Images

OPERATIONS = tuple(made(kind) for kind in get_args(get_args(AnyOperation)[0]))
SHAPES = [(40, 52), (36, 36), (64, 33), (41, 60), (33, 64), (50, 50), (40, 40), (64, 64)]
EVERYTHING = (
    Crop(),
    Cutout(),
    Colour(),
    Noise(),
    Blur(),
    Rotation(),
    Sobel(),
    MotionBlur(),
    Crop(),
)
CONTINUOUS = {
    "the paper's default": Symmetric(),
    "everything on both": Symmetric(operations=EVERYTHING),
    "no crop": Symmetric(operations=(Colour(), Blur())),
    "one of one's own": Symmetric(operations=(Crop(), made(FileOperation), Blur())),
    "everything on one branch": OneBranch(branch=EVERYTHING),
    "five views": Symmetric(operations=(Crop(), Sobel(probability=0.5)), num_views=5),
}
"""Forms of which a little rounding makes no more than a little."""
FORMS = {
    **CONTINUOUS,
    "the broader distortions": Symmetric(operations=(Crop(), Colour(), Solarise(), Equalise())),
    "table 1's AutoAugment": Symmetric(operations=(Crop(), AutoAugment())),
}

every_form = pytest.mark.parametrize("views", FORMS.values(), ids=FORMS.keys())


def _pictures(num: int, size: int = 32, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (num, 3, size, size), generator=generator, dtype=torch.uint8)
    return pictures, torch.full((num, 2), size)


def _mixed_pictures(num: int) -> tuple[Tensor, Tensor]:
    pictures, _ = _pictures(num, 64)
    shapes = torch.tensor([SHAPES[i % len(SHAPES)] for i in range(num)])
    for picture, (height, width) in zip(pictures, shapes.tolist(), strict=True):
        picture[:, height:] = 0
        picture[:, :, width:] = 0
    return pictures, shapes


def _chance(num: int, *, seed: int = 0, epoch: int = 0) -> Chance:
    return Chance.of(seed, epoch, torch.arange(num))


# -------------------------------------------------------------------------- what a view depends on


@every_form
def test_views_lie_in_the_unit_interval(views: AnyViews) -> None:
    pictures, shapes = _mixed_pictures(16)

    drawn = draw_views(views, pictures, shapes, _chance(16), 24)

    assert len(drawn) == (views.num_views if isinstance(views, Symmetric) else 2)
    for view in drawn:
        assert view.shape == (16, 3, 24, 24)
        assert view.dtype == torch.float32
        assert view.is_contiguous()
        assert float(view.min()) >= 0
        assert float(view.max()) <= 1


@every_form
@settings(max_examples=15)
@given(order=st.permutations(range(16)), split=st.integers(1, 15), chunk=st.integers(1, 20))
def test_views_depend_neither_on_batch_nor_order_nor_chunk(
    views: AnyViews, order: list[int], split: int, chunk: int
) -> None:
    pictures, shapes = _mixed_pictures(16)
    together = draw_views(views, pictures, shapes, _chance(16), 32)

    for part in (torch.tensor(order[:split]), torch.tensor(order[split:])):
        chance = Chance.of(0, 0, part)
        parted = draw_views(views, pictures[part], shapes[part], chance, 32, chunk=chunk)

        for one, whole in zip(parted, together, strict=True):
            assert torch.equal(one, whole[part])


def test_a_large_batch_gives_the_same_bits_in_chunks_of_any_size() -> None:
    pictures, shapes = _pictures(256)

    reference, *others = (
        torch.cat(draw_views(Symmetric(), pictures, shapes, _chance(256), 32, chunk=chunk))
        for chunk in (128, 1, 7, 64, 100, 256)
    )

    assert all(torch.equal(other, reference) for other in others)


@pytest.mark.parametrize("size", [32, 50])
def test_two_threads_draw_the_same_bits_as_one(size: int) -> None:
    pictures, shapes = _pictures(40, 70)
    views = Symmetric(operations=EVERYTHING)
    threads = torch.get_num_threads()
    try:
        one, two = (
            (
                torch.set_num_threads(number),
                draw_views(views, pictures, shapes, _chance(40), size, chunk=40),
            )[1]
            for number in (1, 2)
        )
    finally:
        torch.set_num_threads(threads)

    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("views", CONTINUOUS.values(), ids=CONTINUOUS.keys())
def test_more_padding_changes_no_more_than_rounding(views: AnyViews) -> None:
    pictures, shapes = _mixed_pictures(16)
    wider = torch.nn.functional.pad(pictures, (0, 37, 0, 11))

    tight, wide = (draw_views(views, p, shapes, _chance(16), 32) for p in (pictures, wider))

    for one, two in zip(tight, wide, strict=True):
        assert float((one - two).abs().max()) < 1e-5


@every_form
def test_what_lies_in_the_padding_is_never_seen(views: AnyViews) -> None:
    pictures, shapes = _mixed_pictures(16)
    spoiled = torch.full_like(pictures, 255)
    for picture, clean, (height, width) in zip(spoiled, pictures, shapes.tolist(), strict=True):
        picture[:, :height, :width] = clean[:, :height, :width]

    one, two = (draw_views(views, p, shapes, _chance(16), 32) for p in (pictures, spoiled))

    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("key", [{"seed": 1}, {"epoch": 1}])
def test_another_seed_or_epoch_gives_other_views(key: dict[str, int]) -> None:
    pictures, shapes = _pictures(20)

    first, second = draw_views(Symmetric(), pictures, shapes, _chance(20), 32)
    other_first, other_second = draw_views(Symmetric(), pictures, shapes, _chance(20, **key), 32)

    assert not (first == other_first).flatten(1).all(1).any()
    assert not (second == other_second).flatten(1).all(1).any()


def test_equal_pictures_with_different_ids_are_seen_differently() -> None:
    pictures, shapes = (t[:1].expand(30, *t.shape[1:]) for t in _pictures(1))

    pair = draw_views(Symmetric(), pictures, shapes, _chance(30), 32)

    assert len({view.numpy().tobytes() for view in torch.cat(pair)}) == 60


def test_automatic_mixed_precision_does_not_reach_the_views() -> None:
    pictures, shapes = _pictures(8)
    plain = draw_views(Symmetric(), pictures, shapes, _chance(8), 32)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = draw_views(Symmetric(), pictures, shapes, _chance(8), 32)

    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))


def test_with_a_sigma_per_batch_a_view_depends_on_its_batch_by_the_first_pictures_sigma_alone() -> (
    None
):
    pictures, shapes = _pictures(40)
    views = Symmetric(operations=(Crop(), Blur(probability=1, sigma_drawn="per_batch")))
    square = torch.full_like(shapes, 32)

    for part in (torch.arange(40), torch.arange(39, -1, -1), torch.arange(7, 30)):
        chance = Chance.of(0, 0, part)
        whole, in_chunks = (
            draw_views(views, pictures[part], shapes[part], chance, 32, chunk=chunk)
            for chunk in (64, 5)
        )

        sigmas = set()
        for name, view, again in zip(("first", "second"), whole, in_chunks, strict=True):
            crops = Crop().draw(chance.at(name, "crop"), shapes[part])
            own = Blur(probability=1).draw(chance.at(name, "blur"), square[part])
            shared = own._replace(sigma=own.sigma[:1].expand(len(part)))
            expected = Blur().apply(Crop().apply(pictures[part], crops, 32), shared)
            assert torch.equal(view, expected)
            assert torch.equal(again, view)
            sigmas.add(float(own.sigma[0]))
        assert len(sigmas) == 2


# ----------------------------------------------------------------------------------- the two forms


@pytest.mark.statistical
def test_all_that_happens_to_one_view_of_the_default_is_independent_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Correlation of 12 numbers on the first view with those on the second, over 5,000 images, as
    # they reach the operations; false-alarm rate 1e-6 in all.
    reached: list[dict[str, Tensor]] = []

    def cropped(_: Crop, pictures: Tensor, params: CropParams, size: int) -> Tensor:
        names = ("top", "left", "height", "width")
        boxes = dict(zip(names, params.boxes.T, strict=True))
        reached.append({**boxes, "flipped": params.flipped})
        return torch.zeros(len(pictures), 3, size, size)

    def noted(_: Colour | Blur, images: Tensor, params: ColourParams | BlurParams) -> Tensor:
        reached[-1] |= {name: one for name, one in params._asdict().items() if one.ndim == 1}
        return images

    monkeypatch.setattr(Crop, "apply", cropped)
    monkeypatch.setattr(Colour, "apply", noted)
    monkeypatch.setattr(Blur, "apply", noted)
    pictures = torch.zeros(5000, 3, 8, 8, dtype=torch.uint8)

    draw_views(Symmetric(), pictures, torch.full((5000, 2), 32), _chance(5000), 8, chunk=5000)

    first, second = reached
    assert list(first) == list(second)
    assert {"flipped", "jittered", "dropped", "blurred", "sigma", "hue", "width"} <= set(first)
    pvalues = {
        (one, two): stats.pearsonr(first[one].double(), second[two].double()).pvalue
        for one, two in itertools.product(first, second)
    }
    assert min(pvalues.values()) > 1e-6 / len(pvalues), min(pvalues, key=pvalues.__getitem__)


def test_both_views_of_the_default_differ_for_every_picture() -> None:
    pictures, shapes = _pictures(50)

    first, second = draw_views(Symmetric(operations=(Crop(),)), pictures, shapes, _chance(50), 32)

    assert not (first == second).flatten(1).all(1).any()


def test_more_views_leave_the_first_as_they_are_and_are_views_of_their_own() -> None:
    pictures, shapes = _pictures(30)
    pair = draw_views(Symmetric(), pictures, shapes, _chance(30), 32)

    many = draw_views(Symmetric(num_views=8), pictures, shapes, _chance(30), 32)

    assert len(many) == 8
    assert torch.equal(many[0], pair[0])
    assert torch.equal(many[1], pair[1])
    assert len({view.numpy().tobytes() for view in torch.cat(many)}) == 240


@pytest.mark.statistical
def test_each_of_eight_views_is_independent_of_each_other() -> None:
    # 28 pairs of views, the strength of the brightness over 5,000 images; false-alarm rate 1e-6.
    chance, shapes = _chance(5000), torch.full((5000, 2), 32)
    names = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

    drawn = [Colour().draw(chance.at(name, "colour"), shapes).brightness.numpy() for name in names]

    pvalues = [stats.pearsonr(one, two).pvalue for one, two in itertools.combinations(drawn, 2)]
    assert len(pvalues) == 28
    assert min(pvalues) > 1e-6 / 28
    pictures, _ = _pictures(8)
    views = draw_views(
        Symmetric(operations=(Colour(),), num_views=8),
        pictures,
        torch.full((8, 2), 32),
        _chance(8),
        32,
    )
    for name, view in zip(names, views, strict=True):
        colour = Colour().draw(_chance(8).at(name, "colour"), torch.full((8, 2), 32))
        still = draw_views(
            Symmetric(operations=(Rotation(probability=0),)),
            pictures,
            torch.full((8, 2), 32),
            _chance(8),
            32,
        )[0]
        assert torch.equal(view, Colour().apply(still, colour))


def test_with_an_identity_cell_both_views_are_the_same_random_crop() -> None:
    pictures, shapes = _mixed_pictures(16)

    first, second = draw_views(OneBranch(branch=()), pictures, shapes, _chance(16), 32)

    assert torch.equal(first, second)
    again, _ = draw_views(OneBranch(branch=()), pictures, shapes, _chance(16, epoch=1), 32)
    assert not torch.equal(first, again)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.kind)
def test_only_one_branch_gets_the_cells_operation_and_gets_it_on_the_base(
    operation: AnyOperation,
) -> None:
    pictures, shapes = _pictures(20)
    chance = _chance(20)

    base, branch = draw_views(OneBranch(branch=(operation,)), pictures, shapes, chance, 32)

    identity, _ = draw_views(OneBranch(), pictures, shapes, chance, 32)
    assert torch.equal(base, identity)
    params = operation.draw(chance.at("branch", operation.stream), shapes)
    assert torch.equal(branch, operation.apply(base, params))
    assert not torch.equal(branch, base)


@pytest.mark.statistical
def test_the_base_crop_and_the_cells_crop_are_independent() -> None:
    # 4 x 4 correlations over 5,000 images, false-alarm rate 1e-6 in all.
    chance, shapes = _chance(5000), torch.full((5000, 2), 32)

    base, cell = (
        Crop().draw(chance.at(view, "crop"), shapes).boxes.numpy() for view in ("base", "branch")
    )

    pvalues = [stats.pearsonr(a, b).pvalue for a, b in itertools.product(base.T, cell.T)]
    assert min(pvalues) > 1e-6 / 16


def test_the_base_image_is_never_mirrored_unless_asked() -> None:
    # A ramp that brightens to the right still does so after any crop, unless it was mirrored.
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(40, 3, 32, 32)
    shapes = torch.full((40, 2), 32)

    straight, _ = draw_views(OneBranch(), ramp, shapes, _chance(40), 32)
    mixed, _ = draw_views(OneBranch(base=Crop()), ramp, shapes, _chance(40), 32)

    assert bool((straight[..., -1] > straight[..., 0]).all())
    rises = (mixed[:, 0, 0, -1] > mixed[:, 0, 0, 0]).tolist()
    assert set(rises) == {True, False}


@pytest.mark.parametrize(
    "pair", [(Cutout(), Rotation()), (Sobel(), Colour()), (Noise(), Blur(probability=1))]
)
def test_operations_come_in_the_order_of_the_cell(pair: tuple[AnyOperation, AnyOperation]) -> None:
    pictures, shapes = _pictures(20)
    chance = _chance(20)

    for cell in (pair, pair[::-1]):
        base, branch = draw_views(OneBranch(branch=cell), pictures, shapes, chance, 32)

        expected = base
        for operation in cell:
            drawn = operation.draw(chance.at("branch", operation.kind), shapes)
            expected = operation.apply(expected, drawn)
        assert torch.equal(branch, expected)

    forwards, backwards = (
        draw_views(OneBranch(branch=cell), pictures, shapes, chance, 32)[1]
        for cell in (pair, pair[::-1])
    )
    assert not torch.equal(forwards, backwards)


# --------------------------------------------------------------------------- what two arms share


def test_arms_that_share_an_operation_draw_the_same_numbers_for_it() -> None:
    pictures, shapes = _pictures(20)
    chance = _chance(20)
    crops, _ = draw_views(Symmetric(operations=(Crop(),)), pictures, shapes, chance, 32)
    turned = Rotation().draw(chance.at("first", "rotation"), shapes)

    coloured, _ = draw_views(Symmetric(operations=(Crop(), Colour())), pictures, shapes, chance, 32)
    both, _ = draw_views(
        Symmetric(operations=(Crop(), Rotation(), Colour())), pictures, shapes, chance, 32
    )

    colour = Colour().draw(chance.at("first", "colour"), shapes)
    assert torch.equal(coloured, Colour().apply(crops, colour))
    assert torch.equal(both, Colour().apply(Rotation().apply(crops, turned), colour))


def test_the_second_of_two_equal_operations_draws_its_own_numbers() -> None:
    pictures, shapes = _pictures(20)
    chance = _chance(20)

    base, branch = draw_views(OneBranch(branch=(Noise(), Noise())), pictures, shapes, chance, 32)

    keys = [Noise().draw(chance.at("branch", "noise", time), shapes) for time in (0, 1)]
    assert not torch.equal(keys[0].keys, keys[1].keys)
    assert torch.equal(branch, Noise().apply(Noise().apply(base, keys[0]), keys[1]))


# ------------------------------------------------------------------------------- outside oracles


def test_the_default_view_is_torchvisions_chain_for_the_drawn_chances() -> None:
    pictures, shapes = _mixed_pictures(40)
    chance = _chance(40)

    pair = draw_views(Symmetric(), pictures, shapes, chance, 32)

    square = torch.full_like(shapes, 32)
    for name, view in zip(("first", "second"), pair, strict=True):
        crop = Crop().draw(chance.at(name, "crop"), shapes)
        colour = Colour().draw(chance.at(name, "colour"), square)
        blur = Blur().draw(chance.at(name, "blur"), square)
        for i, image in enumerate(view):
            expected = TF.resized_crop(
                pictures[i].float() / 255,
                *crop.boxes[i].tolist(),
                size=[32, 32],
                interpolation=TF.InterpolationMode.BICUBIC,
                antialias=True,
            ).clamp(0, 1)
            expected = TF.hflip(expected) if crop.flipped[i] else expected
            if colour.jittered[i]:
                expected = TF.adjust_brightness(expected, float(colour.brightness[i]))
                expected = TF.adjust_contrast(expected, float(colour.contrast[i]))
                expected = TF.adjust_saturation(expected, float(colour.saturation[i]))
                expected = TF.adjust_hue(expected, float(colour.hue[i]))
            if colour.dropped[i]:
                expected = TF.rgb_to_grayscale(expected, 3)
            if blur.blurred[i]:
                expected = TF.gaussian_blur(expected, [3, 3], [float(blur.sigma[i])] * 2)
            assert float((image - expected).abs().max()) < 0.01 / 255  # a hundredth of a grey level


@pytest.mark.parametrize("size", [24, 32, 48])
def test_without_a_crop_in_front_views_start_from_the_square_that_probes_see(size: int) -> None:
    pictures, shapes = _mixed_pictures(16)
    images = Images.of(
        [picture[:, :h, :w] for picture, (h, w) in zip(pictures, shapes.tolist(), strict=True)]
    )
    still = Rotation(probability=0)

    first, second = draw_views(Symmetric(operations=(still,)), pictures, shapes, _chance(16), size)

    assert torch.equal(first, second)
    assert float((first - images.centre_squares(torch.arange(16), size)).abs().max()) < 1e-5


# ----------------------------------------------------------------------------------------- settings


def test_the_defaults_are_the_papers() -> None:
    assert Symmetric().operations == (Crop(), Colour(), Blur())
    assert (Crop().area, Crop().aspect, Crop().flip) == ((0.08, 1.0), (3 / 4, 4 / 3), 0.5)
    assert (Colour().strength, Colour().jitter_probability, Colour().drop_probability) == (
        1,
        0.8,
        0.2,
    )
    assert (Blur().probability, Blur().sigma) == (0.5, (0.1, 2.0))
    assert Blur().sigma_drawn == "per_image"
    assert Symmetric().num_views == 2
    assert OneBranch().base == Crop(flip=0)


@every_form
def test_views_come_back_from_their_settings(views: AnyViews) -> None:
    assert TypeAdapter(AnyViews).validate_python(views.model_dump(mode="json")) == views


@pytest.mark.parametrize(("number", "words"), [(1, "or equal to 2"), (9, "or equal to 8")])
def test_fewer_than_two_or_more_than_eight_views_are_refused(number: int, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Symmetric(num_views=number)


def test_views_without_any_operation_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        TypeAdapter(AnyViews).validate_python({"kind": "symmetric", "operations": []})

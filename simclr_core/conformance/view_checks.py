"""What a function that makes two views must be: the laws that algorithm 1 and appendix A have.

What it gets and returns is said in `examine_views`. All its chance comes from the seed: between two
calls the global generators of torch, numpy and random are somewhere else.

Images are chosen so that one kind of operation shows alone: on a flat colour no crop, flip or blur
is seen, on grey no hue and no saturation, and what brightness and contrast do to a grey pattern is
undone by bringing it to mean 0 and deviation 1.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr_core.conformance.checks import HOLDS, Law, Seen, TheirError, called, fails

Views = Callable[[Tensor, int], tuple[Tensor, Tensor]]

FALSE_ALARM = 1e-6
"""How often a law about a share rejects the right one."""

SEEDS = range(8)
_COPIES = 32
_ALIKE = 0.98
_LEVEL = 1 / 255
_COLOUR = (190, 110, 60)
_BOTH = ("first", "second")


class Subject:
    """The examined function and the side of the images it gets."""

    def __init__(self, views: Views, size: int) -> None:
        self._views = views
        self.size = size
        self._calls = 0
        self._copies: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def __call__(self, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Both views in float64, of its own copies of the images.

        Raises:
            TheirError: it raised, or returned something else.
        """
        return self.on(images.clone(), seed)

    def on(self, images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """The same on these very images."""
        self._calls += 1
        where = f"on uint8 {list(images.shape)}, seed {seed}"
        with _elsewhere(self._calls):
            given: Any = called(self._views, images, seed, where=where)
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise TheirError(f"returns {type(given).__name__} instead of two views {where}")
        for name, view in zip(_BOTH, given, strict=True):
            if not isinstance(view, Tensor) or not view.dtype.is_floating_point:
                kind = view.dtype if isinstance(view, Tensor) else type(view).__name__
                raise TheirError(f"returns {kind} as {name} view {where}, but floats are expected")
            shape = list(view.shape)
            if len(shape) != 4 or shape[:2] != [len(images), 3] or shape[2] != shape[3]:
                raise TheirError(
                    f"returns {shape} as {name} view {where}, but [{len(images)}, 3, s, s] is expected"
                )
        first, second = (view.detach().double() for view in given)
        if first.shape != second.shape:
            raise TheirError(
                f"returns views of {first.shape[-1]} and {second.shape[-1]} px {where}"
            )
        return first, second

    def of_copies(self, kind: str) -> list[tuple[Tensor, Tensor]]:
        """Both views of one image that is repeated 32 times in a batch, at each seed."""
        if kind not in self._copies:
            image = flat(self.size, _COLOUR) if kind == "flat" else pattern(self.size)
            batch = image.expand(_COPIES, -1, -1, -1)
            self._copies[kind] = [self(batch, seed) for seed in SEEDS]
        return self._copies[kind]


@contextmanager
def _elsewhere(place: int) -> Generator[None]:
    """With global generators at another place for each call, and afterwards where they were."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002 -- theirs
    torch.manual_seed(place)
    np.random.seed(place)  # noqa: NPY002 -- what a user's function may draw from
    random.seed(place)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        random.setstate(before[2])


# --------------------------------------------------------------------------------------- images


def flat(size: int, colour: tuple[int, int, int]) -> Tensor:
    """One image of one colour, uint8 [1, 3, S, S]."""
    return torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).repeat(1, 1, size, size)


def pattern(size: int) -> Tensor:
    """One smooth grey pattern without symmetry, far from black and white, uint8 [1, 3, S, S]."""
    rng = torch.Generator().manual_seed(7)
    coarse = torch.randn(1, 1, 6, 6, generator=rng)
    fine = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True)
    fine = (fine - fine.min()) / (fine.max() - fine.min())
    return (70 + 50 * fine).round().to(torch.uint8).repeat(1, 3, 1, 1)


def colourful(num: int, size: int) -> Tensor:
    """Images of colours and edges, uint8 [N, 3, S, S]."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.randint(0, 256, (num, 3, 4, 4), generator=rng).float()
    return F.interpolate(coarse, (size, size), mode="nearest").to(torch.uint8)


def _colours(view: Tensor) -> Tensor:
    """The median colour of each row: [N, 3]; borders that a crop added have no effect."""
    return view.flatten(2).median(dim=2).values


def _likeness(one: Tensor, other: Tensor) -> Tensor:
    """The correlation of rows of both as patterns, mirrored or not, the larger one: [N, M]."""
    a, b = (F.normalize(_standard(view), dim=1) for view in (one, other))
    mirrored = F.normalize(_standard(other.flip(-1)), dim=1)
    return torch.maximum(a @ b.T, a @ mirrored.T)


def _standard(view: Tensor) -> Tensor:
    rows = view.mean(dim=1).flatten(1)
    return rows - rows.mean(dim=1, keepdim=True)


def _distinct_patterns(view: Tensor) -> int:
    """How many rows show another part of the pattern, up to light, contrast and mirroring."""
    alike = _likeness(view, view) >= _ALIKE
    distinct: list[int] = []
    for i in (_standard(view).norm(dim=1) > _LEVEL).nonzero().flatten().tolist():
        if not alike[i, distinct].any():
            distinct.append(i)
    return len(distinct)


# ------------------------------------------------------------------------------------------ laws


def _form(views: Subject) -> Seen:
    for num in (1, 2, 5):
        first, second = views(colourful(num, views.size), 0)
        if not bool(first.isfinite().all() and second.isfinite().all()):
            return fails(f"N = {num}, seed 0: some pixels are not finite numbers")
    return HOLDS


def _left_alone(views: Subject) -> Seen:
    images = colourful(2, views.size)
    before = images.clone()
    views.on(images, 0)
    if torch.equal(images, before):
        return HOLDS
    return fails("N = 2, seed 0: the input images are changed in place")


_NORMALISED_BLACK = (
    ("ImageNet", (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225)),
    ("CIFAR-10", (-0.4914 / 0.2470, -0.4822 / 0.2435, -0.4465 / 0.2616)),
)


def _range(views: Subject) -> Seen:
    black, white = (flat(views.size, (level, level, level)) for level in (0, 255))
    for name, images in (("black", black), ("white", white), ("made", colourful(8, views.size))):
        for seed in range(4):
            both = torch.stack(views(images, seed))
            low, high = float(both.min()), float(both.max())
            if low >= -1e-6 and high <= 1 + 1e-6:
                continue
            where = f"a {name} image, seed {seed}: {low:.4g} to {high:.4g}"
            colour = both[0].flatten(2).median(dim=2).values[0]
            for data, expected in _NORMALISED_BLACK if name == "black" else ():
                if bool((colour - torch.tensor(expected).double()).abs().max() < 0.02):
                    return fails(
                        f"{where}: {data}'s mean and standard deviation are still applied; remove "
                        "the normalisation"
                    )
            return fails(where + ("; divide by 255" if high > 16 else ""))
    return HOLDS


def _in_place(views: Subject) -> Seen:
    """Black and white images in a known order: even jittered white is brighter than black."""
    rng = torch.Generator().manual_seed(5)
    white = torch.rand(64, generator=rng) < 0.5
    images = (255 * white).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 3, views.size, views.size)
    for number, name in enumerate(_BOTH):
        right = total = 0
        for seed in range(4):
            brightness = _colours(views(images, seed)[number]).mean(dim=1)
            lowest = float(brightness.min())
            right += int(((brightness > lowest + 0.05) == white).sum())
            total += len(white)
        # A shuffled order has half of them right, and 180 of 256 once in 10^10 times.
        if right < 0.7 * total:
            return fails(
                f"64 black and white images, seeds 0 to 3: {right} of {total} {name} views are as"
                " bright as the image in their row"
            )
    return HOLDS


def _same_seed(views: Subject) -> Seen:
    for num in (1, 2, 8):
        for seed in range(4):
            images = colourful(num, views.size)
            once, again = torch.stack(views(images, seed)), torch.stack(views(images, seed))
            if not torch.allclose(once, again, rtol=0, atol=1e-6):
                worst = float((once - again).abs().max())
                return fails(
                    f"N = {num}, seed {seed} twice: pixels differ by up to {worst:.3g}; something "
                    "uses a global generator that the seed does not set"
                )
    return HOLDS


def _other_seed(views: Subject) -> Seen:
    images = colourful(8, views.size)
    one, other = torch.stack(views(images, 0)), torch.stack(views(images, 1))
    if not torch.allclose(one, other, rtol=0, atol=1e-6):
        return HOLDS
    return fails("N = 8: seeds 0 and 1 give the same views; the seed has no effect")


def _two_views(views: Subject) -> Seen:
    images = colourful(8, views.size)
    equal = [torch.allclose(*views(images, seed), rtol=0, atol=1e-6) for seed in range(4)]
    if not all(equal):
        return HOLDS
    return fails("N = 8, seeds 0 to 3: both views are equal, pixel by pixel")


def _own_crops(views: Subject) -> Seen:
    seen = views.of_copies("pattern")
    measured = False
    for number, name in enumerate(_BOTH):
        within = max(_distinct_patterns(both[number]) for both in seen)
        between = _distinct_patterns(torch.cat([both[number][:1] for both in seen]))
        measured |= between > 1
        if within < 3 <= max(within, between):
            return fails(
                f"one grey pattern {_COPIES} times in a batch, seeds 0 to {len(SEEDS) - 1}: the"
                f" {name} views of a batch show {_times(within)}, those of {len(SEEDS)} batches"
                f" {between}: one crop is drawn for the whole batch"
            )
    return (
        HOLDS
        if measured
        else Seen("not measured", "no crop was found: all views show the whole image")
    )


def _crops_of_both(views: Subject) -> Seen:
    seen = views.of_copies("pattern")
    if _distinct_patterns(torch.cat([first for first, _ in seen])) < 3:
        return Seen("not measured", "no crop was found: all views show the whole image")
    alike = [_likeness(first, second).diagonal() >= _ALIKE for first, second in seen]
    if not bool(torch.cat(alike).all()):
        return HOLDS
    return fails(
        f"one grey pattern {_COPIES} times in a batch, seeds 0 to {len(SEEDS) - 1}: crops differ from"
        " image to image, and the first and the second view always show the same part"
    )


def _times(parts: int) -> str:
    return "one part of it" if parts == 1 else f"{parts} parts of it"


def _own_colours(views: Subject) -> Seen:
    seen = views.of_copies("flat")
    measured = False
    for number, name in enumerate(_BOTH):
        within, between = _numbers_of_tints([both[number] for both in seen])
        measured |= between > 1
        if within < 3 <= between:
            return fails(
                f"one flat colour {_COPIES} times in a batch, seeds 0 to {len(SEEDS) - 1}: the"
                f" {name} views of a batch have at most {within} tints, those of {len(SEEDS)}"
                f" batches {between}: one jitter is drawn for the whole batch"
            )
    return HOLDS if measured else Seen("not measured", "no colour operation was found")


def _numbers_of_tints(seen: list[Tensor]) -> tuple[int, int]:
    """The most tints of a batch, and those of all batches together."""
    return max(len(_tints(view)) for view in seen), len(_tints(torch.cat(seen)))


def _tints(view: Tensor) -> Counter[tuple[int, ...]]:
    """How often each colour stands among rows that are not grey, in steps of 1/255."""
    colours = _colours(view)
    rows = colours[colours.amax(1) - colours.amin(1) > _LEVEL]
    return Counter(tuple(row) for row in (rows / _LEVEL).round().long().tolist())


def _outside(views: Subject) -> bool:
    both = torch.stack([view for both in views.of_copies("flat") for view in both])
    return bool(both.min() < -1e-6 or both.max() > 1 + 1e-6)


_OUTSIDE = Seen("not measured", "pixels are not in [0, 1]")


def _grey_share(views: Subject) -> Seen:
    if _outside(views):
        return _OUTSIDE
    decided: list[float] = []
    for both in views.of_copies("flat"):
        for view in both:
            colours = _colours(view)
            decided.append(float((colours.amax(1) - colours.amin(1) <= _LEVEL).double().mean()))
    grey, total = round(sum(decided) * _COPIES), len(decided) * _COPIES
    if not grey:
        return Seen("noted", f"none of {total} views is grey")
    if len(set(decided)) > 1 and set(decided) <= {0.0, 1.0}:
        return fails(f"in each batch of {_COPIES}, either all views are grey or none is")
    return _share(grey, total, 0.2, "views are grey")


def _jitter_share(views: Subject) -> Seen:
    if _outside(views):
        return _OUTSIDE
    within, between = _numbers_of_tints([v for both in views.of_copies("flat") for v in both])
    if within < 3 <= between:
        return Seen("not measured", "one jitter is drawn for a whole batch")
    tints = sum((_tints(view) for both in views.of_copies("flat") for view in both), Counter())
    total = tints.total()
    if not total:
        return Seen("not measured", "all views are grey")
    # Jittered colours spread; what stands out is the one that no jitter has touched.
    unchanged = max(tints.values())
    if unchanged == total:
        return Seen("noted", f"all {total} coloured views have one tint: no jitter was found")
    return _share(total - unchanged, total, 0.8, "coloured views are jittered")


def _share(count: int, total: int, paper: float, says: str) -> Seen:
    """Chernoff's bound: P(a share as far off) <= 2 exp(-n KL(found, right))."""
    found = count / total
    kl = sum(q * math.log(q / p) for q, p in ((found, paper), (1 - found, 1 - paper)) if q > 0)
    text = f"{count} of {total} {says}, {found:.2f}; the paper has {paper:g} (appendix A)"
    if total * kl <= math.log(2 / FALSE_ALARM):
        return HOLDS
    return fails(
        f"{text}; a correct pipeline fails this at most once in {1 / FALSE_ALARM:,.0f} times"
    )


def _alone(views: Subject) -> Seen:
    images = colourful(4, views.size)
    for num in (2, 4):
        batch, alone = views(images[:num], 0), views(images[:1], 0)
        if any(
            not torch.allclose(one[:1], other, rtol=0, atol=1e-5)
            for one, other in zip(batch, alone, strict=True)
        ):
            return Seen(
                "noted", f"image 0 has different views on its own and in a batch of {num}, seed 0"
            )
    return Seen(
        "noted", "they do not: image 0 has the same views on its own and in batches of 2 and 4"
    )


VIEW_LAWS: tuple[Law[Subject], ...] = (
    Law("the result is two float batches [N, 3, s, s]", _form, first=True),
    Law("the input images are not changed", _left_alone),
    Law("pixels stay in [0, 1]", _range),
    Law("row i shows image i", _in_place),
    Law("the same seed gives the same views", _same_seed),
    Law("a different seed gives different views", _other_seed),
    Law("the two views differ", _two_views),
    Law("each image has its own crop", _own_crops),
    Law("each view has its own crop", _crops_of_both),
    Law("each image has its own colours", _own_colours),
    Law("a fifth of the views are grey", _grey_share),
    Law("four fifths of the views are jittered", _jitter_share),
    Law("whether views depend on the batch", _alone),
)
"""In order, each by its sentence."""

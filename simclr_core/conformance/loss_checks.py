"""What a contrastive loss must be to be NT-Xent: the laws that equation 1 and algorithm 1 have.

What it gets and returns is said in `examine_loss`. It is called in float64, and where a law says so
in float32 and float16.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr_core.conformance.checks import HOLDS, Law, Seen, TheirError, close, fails
from simclr_core.conformance.loss_cases import (
    TEMPERATURES,
    Case,
    Subject,
    at,
    cases,
    circle,
    drawn,
    one_point,
)
from simclr_core.conformance.loss_variants import EQUATION_1, OTHERS, Form, cosines

SIZES = (8, 2, 3, 5, 32)
"""Images of the batches that must work: what is built for the first meets smaller and larger ones."""

MORE_SIZES = (4, 16, 64, 100, 128, 256, 512)
"""Tried where one of these failed, to say which work. Some forms need O(N^3) numbers."""


# ------------------------------------------------------------------------------------------ laws


def _sizes(loss: Subject) -> Seen:
    wrong: dict[int, str] = {}
    values: dict[int, float] = {}
    for num in (*SIZES, *sorted(SIZES), *MORE_SIZES):
        if num in MORE_SIZES and not wrong:
            break
        case = drawn(num, 4, num)
        try:
            value = loss(case.z1, case.z2, 0.5)
        except TheirError as error:
            wrong[num] = str(error)
            continue
        if not close(value, values.setdefault(num, value), 1e-6):
            return fails(f"{at(0.5, case)}: first {values[num]:.6g}, later {value:.6g}")
    if not wrong:
        return HOLDS
    works = sorted(num for num in values if num not in wrong)
    only = f"; of N = 2 to 512, only {', '.join(map(str, works))} work" if works else ""
    return fails(f"{wrong[min(wrong)]}{only}")


_COLLAPSED: tuple[tuple[Callable[[int], float], str], ...] = (
    (lambda n: math.log(2 * n - 1), ""),
    (math.log, "ln N: negatives of the view's own side are missing"),
    (lambda n: math.log(2 * n), "ln 2N: each view is among its own negatives"),
    (lambda n: math.log(2 * n - 2), "ln(2N - 2): the positive is left out of the denominator"),
)
_MULTIPLES: tuple[tuple[Callable[[int], float], Seen], ...] = (
    (lambda _: 1, HOLDS),
    (lambda _: 2, Seen("differs", "twice algorithm 1's value: the official code's form")),
    (lambda n: 2 * n, fails("2N times algorithm 1's value: the sum over the views")),
    (lambda n: n, fails("N times algorithm 1's value: half the sum over the views")),
    (lambda _: 0.5, fails("half of algorithm 1's value: divided by 2 once too many")),
)


def _mean(loss: Subject) -> Seen:
    found = {num: loss(*one_point(num), 0.5) for num in (2, 3, 5)}
    for multiple, seen in _MULTIPLES:
        for expected, _ in _COLLAPSED:
            if all(close(v, multiple(n) * expected(n), 1e-3) for n, v in found.items()):
                loss.divide_by(multiple)
                if seen.verdict != "fails":
                    return seen
                values = f"{found[2]:.4g} at N = 2 and {found[3]:.4g} at N = 3 for one point"
                return fails(f"{seen.text} ({values})")
    return Seen("not measured", "the value for one point matches neither a mean nor a sum")


def _collapsed(loss: Subject) -> Seen:
    found = {num: loss(*one_point(num), 0.5) for num in (2, 3, 5)}
    for expected, says in _COLLAPSED:
        if all(
            close(value, expected(num), max(1e-6, loss.tolerance())) for num, value in found.items()
        ):
            if not says:
                return HOLDS
            return fails(f"N = 2: {found[2]:.4g} instead of ln 3 = {math.log(3):.4g}, {says}")
    num = min(found)
    return fails(
        f"N = {num}: {found[num]:.6g} instead of ln {2 * num - 1} = {math.log(2 * num - 1):.6g}"
    )


def _equation_1(loss: Subject) -> Seen:
    tolerance = loss.tolerance()
    fitting: list[Form] = list(OTHERS)
    smallest = ""
    for case in cases():
        s = cosines(torch.cat([case.z1, case.z2]).tolist())
        for t in TEMPERATURES:
            value, expected = loss(case.z1, case.z2, t), EQUATION_1.value(s, t)
            if not smallest and not close(value, expected, tolerance):
                smallest = f"{at(t, case)}: {value:.6g}, equation 1 gives {expected:.6g}"
            fitting = [form for form in fitting if close(value, form.value(s, t), tolerance)]
    if not smallest:
        return HOLDS
    return fails(smallest + (f"; {fitting[0].says}" if fitting else ""))


def _attraction(loss: Subject) -> Seen:
    """Only the partner attracts: bringing the two views of an image together lowers the loss."""
    for num in (2, 3, 4, 5):
        for image in range(num):
            axes = torch.eye(2 * num, dtype=torch.float64)
            z1, z2 = axes[:num], axes[num:].clone()
            apart = loss(z1, z2, 0.5)
            z2[image] = F.normalize(z1[image] + 0.2 * z2[image], dim=0)
            together = loss(z1, z2, 0.5)
            if not together < apart - 1e-4:
                return fails(
                    f"N = {num}, all views at right angles, temperature 0.5: when the two views of "
                    f"image {image} move together, the loss goes from {apart:.4g} to {together:.4g}"
                )
    return HOLDS


def _repulsion(loss: Subject) -> Seen:
    """Each other view repels: parting two of them lowers the loss, whatever side they are on."""
    sides = (
        ("the first views of both images", (0, 1)),
        ("the second views of both images", (2, 3)),
        ("the first view of one image and the second of the other", (0, 3)),
        ("the second view of one image and the first of the other", (1, 2)),
    )
    for says, (one, other) in sides:
        values: list[float] = []
        for angle in (10, 80):
            z = torch.eye(4, dtype=torch.float64)
            z[other] = (
                math.cos(math.radians(angle)) * z[one] + math.sin(math.radians(angle)) * z[other]
            )
            values.append(loss(z[:2], z[2:], 0.5))
        near, far = values
        if not far < near - 1e-4:
            how = "stays at" if close(near, far, 1e-4) else f"goes from {near:.4g} to"
            return fails(
                f"N = 2, other views at right angles, temperature 0.5: when {says} move apart from "
                f"10 to 80 degrees, the loss {how} {far:.4g}"
            )
    return HOLDS


def _negative_similarities(loss: Subject) -> Seen:
    near, far = (loss(*circle((0, a), (0, a))[1:], 0.5) for a in (100, 170))
    if far < near - 1e-4:
        return HOLDS
    how = f"stays at {far:.4g}: similarities below 0 are cut off"
    if not close(near, far, 1e-4):
        how = f"goes from {near:.4g} to {far:.4g}"
    return fails(
        "N = 2, both views of an image at one point, temperature 0.5: when the two points move "
        f"apart from 100 to 170 degrees, the loss {how}"
    )


def _temperature(loss: Subject) -> Seen:
    """At a high temperature all embeddings cost what one point costs, at a low one they do not."""
    case = circle((0, 90), (30, 210))
    cold, hot = (loss(case.z1, case.z2, t) for t in (0.1, 100.0))
    reference = loss(*one_point(2), 100.0)
    if close(cold, hot, 1e-6):
        return fails(f"{case.says}: {hot:.4g} at temperature 0.1 and at 100: it has no effect")
    if abs(hot - reference) < 0.05 < abs(cold - reference):
        return HOLDS
    return fails(
        f"{case.says}: at temperature 100 it should be nearly what one point costs,"
        f" {reference:.4g}, and is {hot:.4g} (at 0.1: {cold:.4g}); does it multiply?"
    )


def _nothing_added(loss: Subject) -> Seen:
    """Of views at equal distances each costs ln(2N - 1), however small their exponentials are."""
    corners = F.normalize(torch.eye(4, dtype=torch.float64) - 0.25, dim=1)
    found, expected = loss(corners[:2], corners[2:], 0.01), loss(*one_point(2), 1.0)
    if close(found, expected, max(1e-6, loss.tolerance())):
        return HOLDS
    return fails(
        f"N = 2, four views at equal angles (similarity -1/3), temperature 0.01: {found:.6g}, for one"
        f" point {expected:.6g}; something is added to the exponentials (eps), or cut off"
    )


def _same(loss: Subject, changed: Callable[[Case], tuple[Tensor, Tensor]], says: str) -> Seen:
    tolerance = loss.tolerance()
    for case in cases():
        before, after = loss(case.z1, case.z2, 0.5), loss(*changed(case), 0.5)
        if not close(before, after, tolerance):
            return fails(f"{at(0.5, case)}: {before:.6g}, {says} {after:.6g}")
    return HOLDS


def _permuted(loss: Subject) -> Seen:
    def rolled(case: Case) -> tuple[Tensor, Tensor]:
        order = torch.arange(len(case.z1)).roll(1)
        return case.z1[order], case.z2[order]

    return _same(loss, rolled, "with the last image first")


def _swapped(loss: Subject) -> Seen:
    return _same(loss, lambda case: (case.z2, case.z1), "with both views exchanged")


def _directions(loss: Subject) -> Seen:
    def longer(case: Case) -> tuple[Tensor, Tensor]:
        lengths = torch.linspace(0.5, 3, 2 * len(case.z1), dtype=torch.float64)[:, None]
        first, second = lengths.chunk(2)
        return first * case.z1, second * case.z2

    seen = _same(loss, longer, "with rows of lengths from 0.5 to 3")
    hint = (
        "; it uses the rows unnormalised: normalise them in the loss, or pass it rows of length 1"
    )
    return seen if seen.verdict == "holds" else fails(seen.text + hint)


def _finite_differences(loss: Subject) -> Seen:
    if loss.tolerance() > 1e-6:
        return Seen(
            "not measured",
            "the loss computes in lower precision than float64, so finite differences are noise",
        )
    step = 1e-5
    for case in (circle((0, 90), (30, 210)), drawn(3, 3, 3)):
        found = loss.gradients(case.z1, case.z2, 0.5)
        for side, gradient in enumerate(found):
            for place in range(gradient.numel()):
                moved: list[float] = []
                for sign in (1, -1):
                    both = [case.z1.clone(), case.z2.clone()]
                    both[side].view(-1)[place] += sign * step
                    moved.append(float(loss.tensor(both[0], both[1], 0.5).detach()))
                expected = (moved[0] - moved[1]) / (2 * step)
                row, column = divmod(place, gradient.shape[1])
                if not close(float(gradient[row, column]), expected, 1e-5):
                    return fails(
                        f"{at(0.5, case)}: by number {column} of row {row} of z{side + 1} the gradient"
                        f" says {float(gradient[row, column]):.5g}, differences say {expected:.5g}"
                    )
    return HOLDS


def _both_learn(loss: Subject) -> Seen:
    case = circle((0, 90), (30, 210))
    for name, gradient in zip(("z1", "z2"), loss.gradients(case.z1, case.z2, 0.5), strict=True):
        if not bool(gradient.any()):
            return fails(f"{at(0.5, case)}: no gradient reaches {name}; is it detached?")
    return HOLDS


def _alike(loss: Subject) -> Seen:
    """Exact duplicates and opposites are embeddings as others: no jump, no gradient without a number."""
    for case in (circle((0, 0), (0, 0)), circle((0, 0), (180, 180)), circle((0, 180), (0, 180))):
        moved = drawn(2, 2, 0).z1 * 1e-9
        found, near = loss(case.z1, case.z2, 0.5), loss(case.z1 + moved, case.z2, 0.5)
        finite = all(bool(g.isfinite().all()) for g in loss.gradients(case.z1, case.z2, 0.5))
        if not close(found, near, 1e-5) or not finite:
            numbers = "" if finite else ", and the gradient is not finite"
            return fails(f"{at(0.5, case)}: {found:.5g}, next to it {near:.5g}{numbers}")
    return HOLDS


def _narrow(loss: Subject, dtype: torch.dtype, t: float, tolerance: float) -> Seen:
    name = str(dtype).removeprefix("torch.")
    for num in (2, 8):
        case = drawn(num, 16, num)
        case = case._replace(z1=torch.cat([case.z2[:1], case.z1[1:]]))  # one perfect pair
        z1, z2 = (z.to(dtype) for z in (case.z1, case.z2))
        found, expected = loss(z1, z2, t), loss(z1.double(), z2.double(), t)
        finite = all(bool(g.isfinite().all()) for g in loss.gradients(z1, z2, t))
        if close(found, expected, tolerance) and finite:
            continue
        text = f"{at(t, case)}; row 0 twice: {found:.5g} in {name}, {expected:.5g} in float64"
        if not finite:
            text += ", and the gradient is not finite"
        if not finite or not math.isfinite(found):
            text += (
                f"; exp(1 / {t:g}) = {math.exp(1 / t):.1e} exceeds its range unless the largest "
                "similarity is subtracted first"
            )
        return fails(text)
    return HOLDS


def _small_temperatures(loss: Subject) -> Seen:
    for t in (0.1, 0.05, 0.02, 0.01):
        seen = _narrow(loss, torch.float32, t, 1e-3)
        if seen.verdict != "holds":
            return seen
    return HOLDS


def _half(loss: Subject) -> Seen:
    try:
        return _narrow(loss, torch.float16, 0.05, 0.05)
    except TheirError as error:
        if "not implemented for 'Half'" in str(error):
            return Seen("not measured", f"torch on this processor {error}")
        raise


LOSS_LAWS: tuple[Law[Subject], ...] = (
    Law("every batch size works, and after any other one", _sizes, first=True),
    Law("the loss is the mean over the 2N views", _mean),
    Law("if all images map to one point, the loss is ln(2N - 1)", _collapsed),
    Law("the values are those of equation 1", _equation_1),
    Law("the partner is the other view of the image", _attraction),
    Law("negatives come from both views of the others", _repulsion),
    Law("negative similarities count in full", _negative_similarities),
    Law("similarities are divided by the temperature", _temperature),
    Law("nothing is added to the denominator", _nothing_added),
    Law("the order of the images has no effect", _permuted),
    Law("the two views may be swapped", _swapped),
    Law("only directions matter", _directions),
    Law("the gradient is that of finite differences", _finite_differences),
    Law("the gradient reaches both views", _both_learn),
    Law("duplicate and opposite rows are handled correctly", _alike),
    Law("small temperatures stay finite in float32", _small_temperatures),
    Law("float16 embeddings neither overflow nor underflow", _half),
)
"""In order, each by its sentence."""

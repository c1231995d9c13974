"""Balanced accuracy, accuracy by class and confusions, where the measured classes are unequal."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from reports.document.blocks import AnyBlock, Cell, Section, Text
from reports.document.findings import Findings
from reports.document.formatting import count, number, plural, table
from reports.judging import CLASSES, Outcome, interval_of
from sweeps.intervals import interval

MOST_CELLS = 8
"""Cells whose accuracies by class are listed, those of claims first."""

MOST_CONFUSIONS = 10
"""Confusions that page and PDF show, the most frequent first; the files of the table have all."""

Counts = dict[int, tuple[int, ...]]
"""Seed -> images of each class that the probe got right."""

Matrix = tuple[tuple[int, ...], ...]
"""Rows are true classes, columns predicted ones."""


def class_section(findings: Findings) -> Section:
    """Empty where the classes are as equal as their number of images allows."""
    own = [o for o in findings.found if o.cell.predicts == CLASSES and o.cell.role != "control"]
    images = next((o.facts.class_images for o in own if o.facts.class_images), ())
    blocks: list[AnyBlock] = []
    if images and max(images) - min(images) > 1:
        right = _right(own, images)
        blocks += _tables(findings, own, images, right)
    elif not images and (share := _largest_share(own)):
        text = (
            f"The largest class has {share:.1f} % of the measured images, more than an equal share. "
            "These records are of an earlier version, which did not count by class, so balanced "
            "accuracy is unknown; run the trials again with --again to measure it."
        )
        blocks.append(Text(text=text))
    return Section(ident="classes", title="Balanced accuracy and classes", blocks=tuple(blocks))


def _right(own: Sequence[Outcome], images: tuple[int, ...]) -> dict[str, Counts]:
    """Of each cell and seed whose counts are over the same images."""
    found: dict[str, Counts] = defaultdict(dict)
    for one in own:
        if one.facts.class_images == images and len(one.facts.class_right) == len(images):
            found[one.cell.name][one.trial.seed] = one.facts.class_right
    return found


def _tables(
    findings: Findings, own: Sequence[Outcome], images: tuple[int, ...], right: dict[str, Counts]
) -> Iterator[AnyBlock]:
    low, high = (100 * one / sum(images) for one in (min(images), max(images)))
    caption = (
        "Accuracy of the probe over images, and balanced over classes: the mean of the accuracies of "
        "the classes, each with the same weight (mean over seeds with its 95 % Student-t interval). "
        f"The smallest class has {low:.1f} % of the measured images, the largest {high:.1f} %."
    )
    names = ("cell", "accuracy, %", "balanced, %", "95 % interval", "n")
    rows: list[tuple[Cell | str, ...]] = []
    for cell, seeds in right.items():
        plain = fmean(100 * sum(one) / sum(images) for one in seeds.values())
        shown = interval([balanced(one, images) for one in seeds.values()])
        bounds = Cell(text=interval_of(shown, sign=""), order=shown.low)
        rows.append((cell, number(plain), number(shown.mean), bounds, count(shown.n)))
    yield table("balanced", caption, names, rows, numeric=names[1:])
    cells, labels = _cells_shown(findings, right), _labels(own, images)
    yield _by_class(cells, labels, images, right)
    yield from _confusions(cells, labels, images, _confused(own, right))


def balanced(right: Sequence[int], images: Sequence[int]) -> float:
    """The mean over classes of the share of images that are right, in per cent.

    Classes without an image do not count.
    """
    return 100 * fmean(r / n for r, n in zip(right, images, strict=True) if n)


def _cells_shown(findings: Findings, right: dict[str, Counts]) -> list[str]:
    claimed = dict.fromkeys(cell for verdict in findings.judged for cell in verdict.cells)
    return [cell for cell in dict.fromkeys([*claimed, *right]) if cell in right][:MOST_CELLS]


def _labels(own: Sequence[Outcome], images: tuple[int, ...]) -> Sequence[str]:
    known = next((o.facts.data.class_names for o in own if o.facts.data.class_names), ())
    return known if len(known) == len(images) else [f"class {n}" for n in range(len(images))]


def _by_class(
    cells: list[str], labels: Sequence[str], images: tuple[int, ...], right: dict[str, Counts]
) -> AnyBlock:
    rows = [
        (
            label,
            count(number_of),
            *(
                number(100 * fmean(one[at] for one in right[cell].values()) / number_of)
                if number_of
                else number(None)
                for cell in cells
            ),
        )
        for at, (label, number_of) in enumerate(zip(labels, images, strict=True))
    ]
    left = f" {len(right) - len(cells)} more cells are in the records." * (len(right) > len(cells))
    caption = f"Accuracy by class in per cent, mean over seeds.{left}"
    return table("classes", caption, ("class", "images", *cells), rows, numeric=("images", *cells))


def _confusions(
    cells: list[str],
    labels: Sequence[str],
    images: tuple[int, ...],
    confused: dict[str, NDArray[np.float64]],
) -> Iterator[AnyBlock]:
    """Which class is taken for which, the most frequent first; none if no cell has `confused`."""
    each = np.maximum(np.array(images, float), 1.0)[:, None]
    known = {cell: 100 * confused[cell] / each for cell in cells if cell in confused}
    if not known:
        return
    over_cells = np.mean(list(known.values()), axis=0)
    np.fill_diagonal(over_cells, 0.0)
    order = np.argsort(-over_cells, axis=None, kind="stable")
    pairs = [divmod(int(at), len(images)) for at in order if over_cells.flat[at] > 0]
    rows = [
        (
            labels[true],
            count(images[true]),
            labels[predicted],
            *(number(float(share[true, predicted])) for share in known.values()),
        )
        for true, predicted in pairs
    ]
    most = f"The {MOST_CONFUSIONS} most frequent" if len(rows) > MOST_CONFUSIONS else "All"
    caption = (
        f"{most} of {plural(len(rows), 'confusion')}: of the images of a class, the per cent that the "
        "probe took for another class, mean over seeds; ordered by the mean over the cells shown."
    )
    if len(rows) > MOST_CONFUSIONS:
        caption += " The files of this table have all of them."
    if left := [cell for cell in cells if cell not in known]:
        caption += f" Left out, because not every seed has a confusion matrix: {', '.join(left)}."
    names = ("class", "images", "taken for", *known)
    made = table("confusions", caption, names, rows, numeric=("images", *known))
    if rows:
        yield made.model_copy(update={"shown": MOST_CONFUSIONS})


def _confused(own: Sequence[Outcome], right: dict[str, Counts]) -> dict[str, NDArray[np.float64]]:
    """Mean confusion matrix [C, C] in images of each cell, over the seeds of `right`.

    A cell of which one seed has none is left out: over other seeds than its accuracies by class, its
    confusions could contradict them.
    """
    found: dict[str, list[Matrix]] = defaultdict(list)
    for one in own:
        if one.trial.seed in right.get(one.cell.name, {}):
            found[one.cell.name].append(one.facts.class_confusion)
    return {
        cell: np.mean(np.array(all_, float), axis=0) for cell, all_ in found.items() if all(all_)
    }


def _largest_share(own: Sequence[Outcome]) -> float | None:
    """The share of the largest class where it shows that the classes are unequal."""
    for one in own:
        share, data = one.facts.largest_class_share, one.facts.data
        images, classes = data.test_images, data.classes
        if share is not None and images and classes and one.facts.measured_on != "validation":
            return share if share * images / 100 > images / classes + 1 else None
    return None

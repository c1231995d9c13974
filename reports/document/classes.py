"""Balanced accuracy, and accuracy by class, where the classes of the measured images are unequal."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from reports.document.blocks import AnyBlock, Cell, Section, Text
from reports.document.findings import Findings
from reports.document.formatting import count, number, table
from reports.judging import CLASSES, Outcome, interval_of
from sweeps.intervals import interval

MOST_CELLS = 8
"""Cells whose accuracies by class are listed, those of claims first."""

Counts = dict[int, tuple[int, ...]]
"""Seed -> images of each class that the probe got right."""


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
    yield _by_class(findings, own, images, right)


def balanced(right: Sequence[int], images: Sequence[int]) -> float:
    """The mean over classes of the share of images that are right, in per cent.

    Classes without an image do not count.
    """
    return 100 * fmean(r / n for r, n in zip(right, images, strict=True) if n)


def _by_class(
    findings: Findings, own: Sequence[Outcome], images: tuple[int, ...], right: dict[str, Counts]
) -> AnyBlock:
    claimed = dict.fromkeys(cell for verdict in findings.judged for cell in verdict.cells)
    cells = [cell for cell in dict.fromkeys([*claimed, *right]) if cell in right][:MOST_CELLS]
    known = next((o.facts.data.class_names for o in own if o.facts.data.class_names), ())
    labels = known if len(known) == len(images) else [f"class {n}" for n in range(len(images))]
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


def _largest_share(own: Sequence[Outcome]) -> float | None:
    """The share of the largest class where it shows that the classes are unequal."""
    for one in own:
        share, data = one.facts.largest_class_share, one.facts.data
        images, classes = data.test_images, data.classes
        if share is not None and images and classes and one.facts.measured_on != "validation":
            return share if share * images / 100 > images / classes + 1 else None
    return None

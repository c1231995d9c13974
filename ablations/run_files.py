"""Files of a trial's run in MLflow that are made from its record: the confusion matrix of its probe.

MLflow's process imports this module and calls it for every record, of which there may be thousands:
it needs neither torch nor matplotlib, and draws ten classes in a millisecond.
"""

import json
from collections.abc import Iterator, Sequence
from html import escape

from reports.spec import TrialFacts, facts_of
from sweeps.plain_text import printable
from sweeps.record import TrialRecord

FILES_OF = "ablations.run_files:files_of"
"""`files_of`, for a tracker."""

_MOST_CLASSES = 100
"""No trial of ours records more; a record from elsewhere might."""

_WITH_NUMBERS = 25
"""Classes up to which squares have room for their counts."""

_LONGEST = 24
"""Characters of a class's name in the drawing; the JSON has all of them."""

_INK, _FULL = "#1b1b1b", "#1b4f8f"


def files_of(record: TrialRecord) -> dict[str, str]:
    """`confusion.json` and `confusion.svg`; empty if the trial recorded no confusion matrix.

    Raises:
        ReportError: the facts of the record do not match their version.
    """
    facts = facts_of(record)
    counts = facts.class_confusion
    num = len(counts)
    if not 0 < num <= _MOST_CLASSES:
        return {}
    known = facts.data.class_names
    names = known if len(known) == num else tuple(f"class {nth}" for nth in range(num))
    title = f"Confusion matrix: {record.cell}, seed {record.seed}"
    return {
        "confusion.json": _json(facts, names),
        "confusion.svg": confusion_svg(counts, names, title),
    }


def _json(facts: TrialFacts, names: Sequence[str]) -> str:
    """One line for each row; `pandas.DataFrame(counts, index=classes, columns=classes)` reads it."""
    about = {
        "rows": "true class",
        "columns": "predicted class",
        "numbers": f"images of the {facts.measured_on or 'measured'} split, linear probe, one trial",
        "classes": list(names),
    }
    fields = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in about.items()]
    rows = ",\n".join(f" {json.dumps(row)}" for row in facts.class_confusion)
    return "{" + ",\n".join([*fields, f'"counts": [\n{rows}\n]']) + "}\n"


def confusion_svg(counts: Sequence[Sequence[int]], names: Sequence[str], title: str) -> str:
    """The matrix as an image: true classes downwards, predicted ones to the right.

    The darker a square, the larger its share of the images of its row. Names are text, never markup,
    and of 24 characters at most.
    """
    num = len(counts)
    side, size = (36, 11) if num <= 12 else (24, 9) if num <= _WITH_NUMBERS else (11, 7)
    labels = [_short(name) for name in names]
    gutter = 34 + max(_width(label, size) for label in labels)
    right, bottom = gutter + num * side, gutter + 24 + num * side
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(right + 12, 480)}" '
            f'height="{bottom + 30}" font-family="sans-serif" font-size="{size}" fill="{_INK}">'
        ),
        f"<title>{_text(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="18" font-size="13">{_text(title, 70)}</text>',
        *_labels(labels, gutter, side),
        *_squares(counts, gutter, side),
        (
            f'<rect x="{gutter}" y="{gutter + 24}" width="{num * side}" height="{num * side}" '
            f'fill="none" stroke="{_INK}" stroke-width="0.6"/>'
        ),
        (
            f'<text x="8" y="{bottom + 20}" font-size="10">Rows: true class. Columns: predicted class. '
            "Numbers: images. Colour: share of the row.</text>"
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _labels(labels: Sequence[str], gutter: int, side: int) -> Iterator[str]:
    for nth, label in enumerate(labels):
        y = gutter + 24 + (nth + 0.65) * side
        yield f'<text x="{gutter - 6}" y="{y:.1f}" text-anchor="end">{_text(label)}</text>'
        x, above = gutter + (nth + 0.65) * side, gutter + 18
        yield f'<text transform="translate({x:.1f} {above}) rotate(-90)">{_text(label)}</text>'


def _squares(counts: Sequence[Sequence[int]], gutter: int, side: int) -> Iterator[str]:
    for row, numbers in enumerate(counts):
        images = max(1, sum(numbers))
        for column, number in enumerate(numbers):
            if not number:
                continue
            x, y, share = gutter + column * side, gutter + 24 + row * side, number / images
            yield (
                f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="{_FULL}" '
                f'fill-opacity="{0.06 + 0.94 * share:.3f}"/>'
            )
            if len(counts) <= _WITH_NUMBERS:
                ink = "#ffffff" if share > 0.7 else _INK
                yield (
                    f'<text x="{x + side / 2:g}" y="{y + 0.65 * side:.1f}" text-anchor="middle" '
                    f'fill="{ink}">{number}</text>'
                )


def _short(name: str, most: int = _LONGEST) -> str:
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1]}\u2026"


def _text(text: str, most: int = 1000) -> str:
    return escape(printable(_short(text, most)))


def _width(label: str, size: int) -> int:
    """At most what it takes, in px: characters of other scripts may be as wide as they are high."""
    return round(sum(0.62 if one.isascii() else 1.1 for one in label) * size)

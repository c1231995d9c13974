"""Axes: the factors that a sweep varies. An axis is a list of points: a label and the fields it sets.

To add a kind of axis, write the class with its `points` and name it in `AnyAxis` at the foot.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from sweeps.base import Frozen

Points = dict[str, dict[str, Any]]
"""Label of a level -> the fields that it sets, as dotted names."""


def _checked_word(word: str, what: str) -> str:
    if not word.strip() or word != word.strip():
        raise ValueError(f"{what} {word!r} must not be empty or begin or end with a space")
    if "," in word or any(not character.isprintable() for character in word):
        raise ValueError(
            f"{what} {word!r} must not contain commas or control characters; commas separate the names "
            f"of cells on the command line"
        )
    return word


def _check_labels(levels: Mapping[str, Any]) -> None:
    for label in levels:
        _checked_word(label, "label")


AxisName = Annotated[
    str, Field(min_length=1), AfterValidator(lambda name: _checked_word(name, "the axis name"))
]


class Levels(Frozen):
    """One field that takes several values."""

    kind: Literal["levels"] = "levels"

    name: AxisName = Field(examples=["views"])
    """The name of the axis in tables and figures, and in cells of a study with several axes."""

    field: str = Field(min_length=1, examples=["loss.temperature"])
    """The field that is varied, as a dotted name."""

    levels: dict[str, Any] = Field(min_length=1, examples=[[0.1, 0.5, 1.0]])
    """Label -> value; a plain list of numbers, words or truth values is labelled by its values."""

    @field_validator(
        "levels",
        mode="before",
        json_schema_input_type=dict[str, Any] | tuple[str | int | float | bool | None, ...],
    )
    @classmethod
    def _labelled(cls, levels: Any) -> Any:
        if not isinstance(levels, (list, tuple)):
            return levels
        if nested := [value for value in levels if isinstance(value, (list, tuple, dict))]:
            raise ValueError(f"{nested[0]!r} needs its own label: write `label: value`")
        labels = [label_of(value) for value in levels]
        seen = set[str]()
        for label in labels:
            if label in seen:
                raise ValueError(f"level {label!r} is listed twice; list each level once")
            seen.add(label)
        return dict(zip(labels, levels, strict=True))

    @field_validator("levels")
    @classmethod
    def _printable(cls, levels: dict[str, Any]) -> dict[str, Any]:
        _check_labels(levels)
        return levels

    def num_points(self) -> int:
        """The number of points, without creating them."""
        return len(self.levels)

    def points(self) -> Points:
        """One point for each level."""
        return {label: {self.field: value} for label, value in self.levels.items()}

    def items_of(self) -> dict[str, tuple[str, ...]]:
        """Label -> the items of its point: the label itself."""
        return {label: (label,) for label in self.levels}


class Paired(Frozen):
    """Several fields that change together, such as a batch size and its learning rate."""

    kind: Literal["paired"] = "paired"

    name: AxisName = Field(examples=["views"])
    """The name of the axis in tables and figures, and in cells of a study with several axes."""

    levels: dict[str, dict[str, Any]] = Field(
        min_length=1,
        examples=[
            {
                "256": {"batch_size": 256, "epochs": 100},
                "512": {"batch_size": 512, "epochs": 200},
            }
        ],
    )
    """Label -> {dotted field: value}; every level sets the same fields."""

    @model_validator(mode="after")
    def _same_fields(self) -> Self:
        _check_labels(self.levels)
        every = {field for values in self.levels.values() for field in values}
        for label, values in self.levels.items():
            if lacking := sorted(every - set(values)):
                raise ValueError(
                    f"level {label!r} leaves out {', '.join(lacking)}, which another level sets; all "
                    f"levels must set the same fields"
                )
        if not every:
            raise ValueError("a level must set at least one field")
        return self

    def num_points(self) -> int:
        """The number of points, without creating them."""
        return len(self.levels)

    def points(self) -> Points:
        """One point for each level."""
        return {label: dict(values) for label, values in self.levels.items()}

    def items_of(self) -> dict[str, tuple[str, ...]]:
        """Label -> the items of its point: the label itself."""
        return {label: (label,) for label in self.levels}


class OrderedPairs(Frozen):
    """One or two items in order: single items on the diagonal; `a+b` is a first and then b.

    n items give n + n(n - 1) points, row by row: 7 items give 49 = 7 + 42.
    """

    kind: Literal["ordered_pairs"] = "ordered_pairs"

    name: AxisName = Field(examples=["views"])
    """The name of the axis in tables and figures, and in cells of a study with several axes."""

    field: str = Field(min_length=1, examples=["views.branch"])
    """The field that takes the list [a] or [a, b], as a dotted name."""

    items: dict[str, Any] = Field(
        min_length=1, examples=[{"crop": {"kind": "crop"}, "colour": {"kind": "colour"}}]
    )
    """Label -> item."""

    @field_validator("items")
    @classmethod
    def _apart(cls, items: dict[str, Any]) -> dict[str, Any]:
        for label in items:
            if "+" in label:
                why = "which joins the two items of a pair"
                raise ValueError(f"item {label!r} must not contain '+', {why}")
        _check_labels(items)
        return items

    def num_points(self) -> int:
        """The number of points, without creating them."""
        return len(self.items) ** 2

    def points(self) -> Points:
        """One point for each ordered pair, the first item slowest."""
        return {
            (first if first == second else f"{first}+{second}"): {
                self.field: [a] if first == second else [a, b]
            }
            for first, a in self.items.items()
            for second, b in self.items.items()
        }

    def items_of(self) -> dict[str, tuple[str, ...]]:
        """Label -> its first and second item; for a single item, both are the same."""
        return {
            (first if first == second else f"{first}+{second}"): (first, second)
            for first in self.items
            for second in self.items
        }


def label_of(value: Any) -> str:
    """The label of a plain value: true, none, 0.1, 256, words as they are."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = format(value, "g")
        return short if float(short) == value else repr(value)
    return str(value)


AnyAxis = Annotated[Levels | Paired | OrderedPairs, Field(discriminator="kind")]

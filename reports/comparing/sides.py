"""The sides of a comparison: each is one study or variation with its own evidence."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePath
from typing import NamedTuple

from reports.errors import ReportError
from reports.judging import Outcome, Verdict, cell_intervals, outcomes, verdicts
from reports.spec import CellInfo, Evidence
from sweeps.history_label import difference_first
from sweeps.intervals import Interval
from sweeps.record import TrialRecord


class Source(NamedTuple):
    """Where a side comes from."""

    evidence: Evidence
    store: str
    """The path of its store."""


class Side:
    """One side, with everything derived from its evidence once."""

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        """Unique in the comparison."""
        self.evidence, self.store = source

    @cached_property
    def found(self) -> tuple[Outcome, ...]:
        """The outcomes of its trials."""
        return outcomes(self.evidence)

    @cached_property
    def judged(self) -> tuple[Verdict, ...]:
        """Its own verdicts, as in its own report."""
        return verdicts(self.evidence, self.found)

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Cell -> mean and 95 % interval over its seeds."""
        return cell_intervals(self.found)

    @cached_property
    def numbers(self) -> dict[str, dict[int, Outcome]]:
        """Cell -> seed -> the outcome, where it has a number."""
        cells: dict[str, dict[int, Outcome]] = {}
        for one in self.found:
            if one.values:
                cells.setdefault(one.cell.name, {})[one.trial.seed] = one
        return cells

    def cell(self, name: str) -> CellInfo | None:
        """The cell of a name; None if this side lacks it."""
        return next((one for one in self.evidence.cells if one.name == name), None)

    def record(self, cell: str) -> TrialRecord | None:
        """The record of the cell's first trial that has one, finished ones first."""
        records = [one.record for one in self.found if one.cell.name == cell and one.record]
        return min(records, key=lambda one: one.state != "finished", default=None)


def sides_of(sources: Sequence[Source]) -> tuple[Side, ...]:
    """The sides with their names: the variation or the label, and the store where it is needed.

    Raises:
        ReportError: There are fewer than two, or two are the same.
    """
    if len(sources) < 2:
        raise ReportError("a comparison needs at least two sides")
    labels = [source.evidence.label for source in sources]
    places = Counter((source.store, label) for source, label in zip(sources, labels, strict=True))
    [((store, label), times)] = places.most_common(1)
    if times > 1:
        raise ReportError(f"each side must be another one, but {label} in {store} is named twice")
    names = [source.evidence.variation or source.evidence.label for source in sources]
    if len(set(names)) < len(set(labels)):
        names = [difference_first(label) for label in labels]
    for shorten in (_last_part, str):
        long = Counter(names)
        found = [
            f"{name} in {shorten(source.store)}" if long[name] > 1 else name
            for name, source in zip(names, sources, strict=True)
        ]
        if len(set(found)) == len(found):
            break
    return tuple(Side(name, source) for name, source in zip(found, sources, strict=True))


def _last_part(store: str) -> str:
    return PurePath(store).name


def common_arms(sides: Sequence[Side]) -> tuple[str, ...]:
    """The arms that at least two sides have, in the order of the first side that has them."""
    names = [cell.name for side in sides for cell in side.evidence.cells if cell.role == "arm"]
    times = Counter(names)
    return tuple(name for name in dict.fromkeys(names) if times[name] > 1)

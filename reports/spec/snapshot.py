"""The data that a launch stores for its reports: the study's statement and its resolved cells.

With a snapshot, a report needs neither the trainer nor the images. It is made from the snapshot and the
records in the store at that time.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import Field

from reports.errors import ReportError
from reports.spec.evidence import Deviation, Fact, Stated
from reports.spec.scope import Scope
from sweeps.base import Frozen
from sweeps.history_label import label_of
from sweeps.planning import Cell, Resolved, Sweep, key_of

Route = tuple[str | int, ...]
"""The keys and indices that lead to one value inside nested dictionaries and lists."""


class Statement(Stated):
    """The statement of a study file at one scale, with the fields that a plan uses."""

    control_arm: str | None
    seeds: tuple[int, ...]
    """At this scale, unless a request names others."""

    only: tuple[str, ...] | None
    """The cells that this scale runs; None: all of them."""

    published: dict[str, float]
    """Cell -> published number, in the metric's unit; empty without a table."""


class ResolvedCell(Frozen):
    """One complete configuration, with placeholders for the trial's seed."""

    config: dict[str, Any]
    """At seed 0."""

    chain: tuple[tuple[str, dict[str, Any]], ...]
    """(stage, identity) at seed 0."""

    missing: str | None
    """Why it cannot run; None if it can."""

    seeded: tuple[Route, ...]
    """Where the trial's seed appears in `[config, chain]`."""

    data_name: str
    synthetic: bool
    methods: tuple[Fact, ...]
    deviations: dict[str, tuple[Deviation, ...]] = Field(default_factory=dict)
    """Cell name -> its deviations from the paper; cells with one configuration share this entry."""

    def at(self, seed: int) -> Resolved:
        """Configuration and stage identities of one trial."""
        both: Any = (self.config, self.chain)
        for route in self.seeded:
            both = _replaced(both, route, seed)
        return Resolved(config=both[0], chain=both[1], missing=self.missing)


class Snapshot(Frozen):
    """A study at one scale, resolved: everything that its report needs besides the records."""

    format: Literal[1] = 1
    """Raised when a field changes its meaning; a snapshot of another format is not used."""

    taken: str
    """ISO 8601, UTC."""

    code: str
    """The commit or version of the program that resolved the cells."""

    study: str
    scale: str
    variation: str
    changes: str
    """The request's `--set` and `--data`, as a shell reads them; they give the variation."""

    design: str
    """SHA-256 of the parts of the study file that are not in the statement."""

    statement: Statement
    sweep: Sweep
    """All arms of the scale, without controls and baselines."""

    cells: dict[str, ResolvedCell]
    """Key of a cell's own settings -> its complete configuration."""

    scope: Scope = Scope()
    """Empty in snapshots of earlier versions."""

    @property
    def label(self) -> str:
        """The name of the study's folder in the store."""
        return label_of(self.study, self.scale, self.variation)

    def resolved(self, cell: Cell) -> ResolvedCell:
        """The stored configuration of a cell.

        Raises:
            ReportError: The snapshot has no configuration of the cell.
        """
        found = self.cells.get(key_of(cell.settings))
        if found is None:
            raise ReportError(
                f"each cell needs a resolved configuration, but the snapshot of {self.label} "
                f"({self.taken[:10]}) has none for {cell.name!r}; write the report on a machine "
                "with torch and the images"
            )
        return found

    def resolve(self, cell: Cell) -> Callable[[int], Resolved]:
        """Seed -> resolved trial, for planning."""
        return self.resolved(cell).at


def seed_routes(one: Any, other: Any, route: Route = ()) -> Iterable[Route]:
    """Where two nested values of one shape differ."""
    if one is other:
        return
    if isinstance(one, dict):
        for name in one:
            yield from seed_routes(one[name], other[name], (*route, name))
    elif isinstance(one, list | tuple):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from seed_routes(a, b, (*route, index))
    elif one != other:
        yield route


def _replaced(value: Any, route: Route, seed: int) -> Any:
    """The value with the seed at the end of the route; containers off the route are shared."""
    if not route:
        return seed
    step, *rest = route
    inner = _replaced(value[step], tuple(rest), seed)
    if isinstance(value, dict):
        return {**value, step: inner}
    assert isinstance(step, int), "sequences are indexed by position"
    return type(value)((*value[:step], inner, *value[step + 1 :]))

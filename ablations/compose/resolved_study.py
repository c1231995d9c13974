"""From a study and a request to a sweep, and from its cells to checked configurations and keys.

The steps: load (`read_study`), apply protocols (`of_files`), apply the request (`requested`),
validate (`mistakes_of_files`, `mistakes_of_request`), enumerate cells (`ResolvedStudy.sweep`).
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from ablations.compose.identity import ENCODER, EVALUATION, chain
from ablations.compose.layering import completed, merged, of_files, requested
from ablations.compose.levels import level_setting, level_ways
from ablations.compose.mistakes import mistakes_in, mistakes_of_files, mistakes_of_request
from ablations.compose.variation_name import variation_of
from ablations.errors import StudyError, UsageError
from ablations.study import (
    LoadedStudy,
    Request,
    ScaleName,
    Setting,
    chosen_cells,
    fields_of,
    in_order,
    origin,
    predicts,
    probe_of,
    with_controls,
)
from simclr_core.config import Config, checked, default_settings
from simclr_core.data import AnyData, fingerprint
from simclr_core.errors import DataError, DataMissing
from simclr_core.runtime import resolve_device
from sweeps.planning import Cell, Resolved, Sweep, named_cells

NO_ACCURACIES = ("alignment", "uniformity", "effective_rank")
"""Recorded values that cannot be a study's metric."""

LABELS = "labels: train"
"""Part of the name of each cell whose encoder has seen labels of training images."""


def resolve(study: LoadedStudy, request: Request, *, cache: Path | None = None) -> "ResolvedStudy":
    """The study at the requested scale, checked as a whole.

    Raises:
        StudyError, UsageError: every mistake, one message each, in the order of the file's lines.
    """
    found = mistakes_of_files(study, request.scale, of_files(study))
    try:
        resolved = ResolvedStudy(study, request, cache=cache)
        if request.set or request.data is not None:
            found += mistakes_of_request(study, request.scale, resolved.layers)
    except (StudyError, UsageError) as error:
        raise type(error)(*in_order([*found, *error.sentences])) from error
    if found:
        raise StudyError(*in_order(found))
    return resolved


class ResolvedStudy:
    """A study at a scale, as requested: its sweep, and how cells become configurations.

    `resolve` validates it as a whole; by itself it checks each cell that is resolved.
    """

    def __init__(self, loaded: LoadedStudy, request: Request, *, cache: Path | None = None) -> None:
        self.loaded, self.request = loaded, request
        self.study = loaded.study
        self.scale: ScaleName = request.scale
        self.axes = self.study.axes_at(self.scale)
        self._points = {axis.name: axis.points() for axis in self.axes}
        self._of_axes = {field: axis for axis in self.axes for field in fields_of(axis)}
        self._ways = level_ways(loaded, self.scale)
        self.layers = requested(loaded, request)
        self.base = self.layers.merged()
        self.cache = cache
        self.data: dict[str, AnyData] = {}
        self._fingerprints: dict[str, str | DataMissing] = {}

    @cached_property
    def device(self) -> Literal["cpu", "cuda", "mps"]:
        """The device of all trials.

        Raises:
            ConfigurationError: this machine does not have the requested one.
        """
        return resolve_device(self.request.device)

    @cached_property
    def variation(self) -> str:
        """How all cells differ from the study as written; see `variation_of`."""
        data = None
        if self.request.data is not None:
            data = (self.request.data, self._images())
        files = merged(default_settings(), self.layers.files)
        return variation_of(files, self.layers.requested, data)

    def _images(self) -> str:
        """The identity of the images of `--data`: a hash of their content, else their path."""
        try:
            data = TypeAdapter[AnyData](AnyData).validate_python(self.base["data"])
            return self._fingerprint_of(data)
        except (ValueError, DataError):
            return str(self.request.data)  # each cell reports what is wrong with them

    @property
    def seeds(self) -> tuple[int, ...]:
        """The requested ones, else the scale's, else the study's."""
        return self.request.seeds or self.study.scale(self.scale).seeds or self.study.seeds

    @property
    def metric_name(self) -> str:
        """The study's metric in words: as the study states it, or derived from the arms' evaluations."""
        if self.study.metric_name is not None:
            return self.study.metric_name
        arms = [self.settings(arm) for arm in self.sweep(everything=True).arms()]
        linear = {predicts(one) for one in arms} == {"classes"}
        linear = linear and "mlp" not in {probe_of(one) for one in arms}
        return "linear probe, top-1" if linear else "accuracy of the probe"

    def sweep(self, *, everything: bool = False, seeds: tuple[int, ...] = ()) -> Sweep:
        """The sweep over the requested cells or over all cells, with other seeds if any are given.

        Raises:
            PlanError: a selection by level fits no cell.
        """
        sweep = Sweep(
            study=self.study.name,
            scale=self.scale,
            variation=self.variation,
            axes=self.axes,
            design=self.study.design,
            exclude=self.study.exclude,
            seeds=seeds or self.seeds,
        )
        only = None if everything else chosen_cells(self.study, self.scale)
        if self.request.only is not None and not everything:
            arms = {arm.name: arm.levels for arm in sweep.arms()}
            only = named_cells(self.request.only, arms, sweep.excluded())
        sweep = sweep.model_copy(update={"only": only})
        return with_controls(sweep, self.scale, self.study.control_arm, self.settings)

    def settings(self, cell: Cell) -> dict[str, Any]:
        """A cell's configuration over the trainer's defaults, nested and not yet checked."""
        return merged(self.base, self.settings_of(cell))

    def settings_of(self, cell: Cell) -> list[Setting]:
        """The settings of a cell beyond those that all cells share, each with its place."""
        found: list[Setting] = []
        for field, value in cell.settings.items():
            axis = self._of_axes.get(field)
            points = self._points[axis.name] if axis else {}
            named = cell.levels.get(axis.name) if axis else None
            labels = [named] if named in points else points
            label = next((one for one in labels if points[one].get(field) == value), None)
            if axis and label:
                one = level_setting(self.loaded, self._ways, axis, label, (field, value))
                found.append(one)
            else:  # what a control or baseline sets
                found.append(Setting(field, value, f"{cell.role} {cell.name!r}"))
        return completed(found, self.layers.defaults, self.layers.settings)

    def resolve(self, cell: Cell) -> Callable[[int], Resolved]:
        """Checks a cell's configuration once; each seed then costs a few dictionaries.

        Raises:
            StudyError: the cell's configuration breaks rules, one message each.
        """
        own = self.settings_of(cell)
        try:
            config = checked(merged(self.base, own), self.loaded.texts)
        except ValueError:
            layers = self.layers._replace(settings=[*self.layers.settings, *own])
            found = mistakes_in(layers, self.loaded.texts)
            if found:
                raise StudyError(*(f"{one} (cell {cell.name!r})" for one in found)) from None
            raise
        if cell.role == "arm" and config.loss.sees_labels and LABELS not in cell.name:
            place = self.loaded.file.place(self.study.axes_way(self.scale))
            raise StudyError(
                f"{place}: if a loss sees labels, the name of its cell must say so: add {LABELS!r} "
                f"to the label of cell {cell.name!r} (loss {config.loss.kind})"
            )
        self._refuse_unmeasured_metric(cell, config)
        first = config.at(0).resolved(self.device)
        missing = None
        try:
            data = self._fingerprint(own, config)
        except DataMissing as error:
            data, missing = "missing", str(error)
        (_, encoder), (_, evaluation) = chain(first, data)
        plain, given = first.model_dump(mode="json"), config.seeds.model_dump()

        def at(seed: int) -> Resolved:
            # Only the seeds differ: ten thousand trials need no ten thousand dumps of their models.
            seeds = {name: seed if fixed is None else fixed for name, fixed in given.items()}
            entering = {name: seeds[name] for name in encoder["seeds"]}
            permuting = {"seed": seed} if "seed" in evaluation else {}
            stages = (
                (ENCODER, encoder | {"seeds": entering}),
                (EVALUATION, evaluation | permuting),
            )
            config = plain | {"seed": seed, "seeds": seeds}
            return Resolved(config=config, chain=stages, missing=missing)

        return at

    def _fingerprint_of(self, data: AnyData) -> str:
        """Computed once for each data set, or found missing once."""
        name = data.model_dump_json()
        self.data[name] = data
        if name not in self._fingerprints:
            try:
                self._fingerprints[name] = fingerprint(data, self.cache)
            except DataMissing as error:
                self._fingerprints[name] = error
        found = self._fingerprints[name]
        if isinstance(found, DataMissing):
            raise found
        return found

    def _fingerprint(self, own: list[Setting], config: Config) -> str:
        try:
            return self._fingerprint_of(config.data)
        except DataMissing:
            raise
        except DataError as error:
            source = origin("data.path", [*self.layers.settings, *own])
            place = source.place_of("data.path") if source else "the study"
            raise StudyError(f"{place}: data.path: {error}") from error

    def _refuse_unmeasured_metric(self, cell: Cell, config: Config) -> None:
        # A study whose trials cannot record its metric would run for nothing.
        metric = self.study.metric
        # The controls' rules apply to accuracies in per cent.
        every = config.evaluation.value_names()
        names = [n for n in every if n.removeprefix("validation_") not in NO_ACCURACIES]
        if cell.role != "control" and metric not in names:
            raise StudyError(
                f"{self.loaded.file.place(('metric',))}: metric: must be an accuracy that the "
                f"evaluation of cell {cell.name!r} records, one of {', '.join(names)}; got {metric!r}"
            )

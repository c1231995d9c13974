"""From a study and a request to a sweep, and from its cells to checked configurations and keys."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ablations.compose.identity import ENCODER, EVALUATION, chain
from ablations.compose.mistakes import axes_of, mistakes_of, scale_mistakes, settings_of
from ablations.errors import StudyError
from ablations.study import (
    Request,
    ScaleName,
    Setting,
    Written,
    applied,
    beside,
    chosen_cells,
    companions,
    fields_of,
    origin,
    overlap,
    predicts,
    probe_of,
    variation_of,
    written,
)
from simclr_core.config import Config, checked, default_settings
from simclr_core.data import AnyData, Folder, fingerprint
from simclr_core.errors import DataError, DataMissing
from simclr_core.losses import Labelled
from simclr_core.runtime import resolve_device
from sweeps.planning import Cell, Resolved, Sweep

NO_ACCURACIES = ("alignment", "uniformity", "effective_rank")
"""Values that are recorded and that no study can be judged by."""

LABELS = "labels: train"
"""What the name of a cell says whose encoder has seen labels of training images."""


class Composed:
    """A study at a scale as it was asked for: its sweep, and how cells become configurations."""

    def __init__(self, study: Written, request: Request, *, cache: Path | None = None) -> None:
        self.written, self.request = study, request
        self.study = study.study
        self.scale: ScaleName = request.scale
        self.axes = axes_of(study, self.scale, with_data=request.data is not None)
        self.given = settings_of(study, self.scale, request.data)
        self._written = tuple(self.given)
        self.asked = beside(request.set, Path())
        for one in self.asked:
            self.given += written({one.field: one.value}, lambda _, place=one.place: place)
        self._refuse_settings_of_axes()
        self.base = applied(default_settings(), self.given)
        self.cache = cache
        self._fingerprints: dict[str, str | DataMissing] = {}
        self.folders: dict[str, Folder] = {}
        _raise_all(self._mistakes())

    @cached_property
    def device(self) -> Literal["cpu", "cuda", "mps"]:
        """The device of all trials.

        Raises:
            ConfigurationError: this machine does not have the one asked for.
        """
        return resolve_device(self.request.device)

    @cached_property
    def variation(self) -> str:
        """What all cells have otherwise than the study as it is written; see `variation_of`."""
        before = applied(default_settings(), self._written)
        data = None
        if self.request.data is not None:
            data = (self.request.data, self._images())
        return variation_of(before, self.asked, data)

    def _images(self) -> str:
        """What identifies the images of `--data`: their content, or else where they are."""
        try:
            data = TypeAdapter[AnyData](AnyData).validate_python(self.base["data"])
            return self._fingerprint_of(data)
        except (ValueError, DataError):
            return str(self.request.data)  # each cell is to say what is wrong with them

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those asked for, else the scale's, else the study's."""
        return self.request.seeds or self.study.scale(self.scale).seeds or self.study.seeds

    @property
    def metric_name(self) -> str:
        """The study's metric in words: its own, or by what the arms' read-outs are."""
        if self.study.metric_name is not None:
            return self.study.metric_name
        arms = self.sweep(everything=True).arms()
        asked = {predicts(arm) for arm in arms}
        probes = {probe_of(arm) for arm in arms}
        return (
            "linear probe, top-1"
            if asked == {"classes"} and "mlp" not in probes
            else "accuracy of the read-out"
        )

    def sweep(self, *, everything: bool = False, seeds: tuple[int, ...] = ()) -> Sweep:
        """The sweep as asked for, or over all cells; with other seeds where some are given."""
        only = self.request.only or chosen_cells(self.study, self.scale)
        only = None if everything else only
        sweep = Sweep(
            study=self.study.name,
            scale=self.scale,
            variation=self.variation,
            base=self.base,
            axes=self.axes,
            design=self.study.design,
            seeds=seeds or self.seeds,
            only=only,
        )
        arms = sweep.arms()
        run = [arm for arm in arms if not only or arm.name in only] or arms
        more = tuple(companions(self.scale, self.study.control_arm, run))
        return sweep.model_copy(update={"companions": more})

    def resolve(self, cell: Cell) -> Callable[[int], Resolved]:
        """Checks a cell's configuration once; each seed then costs a few dictionaries.

        Raises:
            StudyError: the cell's configuration breaks rules, one sentence each.
        """
        try:
            config = checked(cell.config, self.written.texts)
        except ValueError:
            _raise_all(self._cell_mistakes(cell))
            raise
        if cell.role == "arm" and isinstance(config.loss, Labelled) and LABELS not in cell.name:
            raise StudyError(
                f"{self._axes_place()}: a cell whose loss sees labels says so in its name: write "
                f"{LABELS!r} into the label of cell {cell.name!r} (loss {config.loss.kind})"
            )
        self._refuse_unmeasured_metric(cell, config)
        first = config.at(0).resolved(self.device)
        missing = None
        try:
            data = self._fingerprint(cell, config)
        except DataMissing as error:
            data, missing = "missing", str(error)
        (_, encoder), (_, readout) = chain(first, data)
        plain, given = first.model_dump(mode="json"), config.seeds.model_dump()

        def at(seed: int) -> Resolved:
            # Only the seeds differ: ten thousand trials need no ten thousand dumps of their models.
            seeds = {name: seed if own is None else own for name, own in given.items()}
            entering = {name: seeds[name] for name in encoder["seeds"]}
            permuting = {"seed": seed} if "seed" in readout else {}
            return Resolved(
                config=plain | {"seed": seed, "seeds": seeds},
                chain=((ENCODER, encoder | {"seeds": entering}), (EVALUATION, readout | permuting)),
                missing=missing,
            )

        return at

    def fingerprint(self, config: Config) -> str:
        """Of a configuration's data; looked for once.

        Raises:
            DataMissing: they are named but not at hand.
            DataError: they are there and cannot be used.
        """
        return self._fingerprint_of(config.data)

    def _fingerprint_of(self, data: AnyData) -> str:
        name = data.model_dump_json()
        if isinstance(data, Folder):
            self.folders[name] = data
        if name not in self._fingerprints:
            try:
                self._fingerprints[name] = fingerprint(data, self.cache)
            except DataMissing as error:
                self._fingerprints[name] = error
        found = self._fingerprints[name]
        if isinstance(found, DataMissing):
            raise found
        return found

    def _fingerprint(self, cell: Cell, config: Config) -> str:
        try:
            return self.fingerprint(config)
        except DataMissing:
            raise
        except DataError as error:
            source = origin("data.path", self._settings_of(cell))
            place = source.place if source else "the study"
            raise StudyError(f"{place}: data.path: {error}") from error

    def _settings_of(self, cell: Cell) -> list[Setting]:
        place = self._axes_place()
        return [*self.given, *(Setting(f, v, place) for f, v in cell.settings.items())]

    def _refuse_settings_of_axes(self) -> None:
        varied = [(field, axis.name) for axis in self.axes for field in fields_of(axis)]
        sentences = [
            f"--set: {setting.field}: this is what axis {name!r} varies; choose cells with --only"
            for setting in self.request.set
            for field, name in dict.fromkeys(varied)
            if overlap(setting.field, field)
        ]
        _raise_all(sentences)

    def _refuse_unmeasured_metric(self, cell: Cell, config: Config) -> None:
        # A study whose trials cannot have its number would run for nothing.
        metric = self.study.metric
        # The controls' rules are of accuracies in per cent.
        every = config.evaluation.value_names()
        names = [n for n in every if n.removeprefix("validation_") not in NO_ACCURACIES]
        if cell.role != "control" and metric not in names:
            raise StudyError(
                f"{self.written.file.place(('metric',))}: metric: must be an accuracy that the "
                f"read-outs of cell {cell.name!r} record, one of {', '.join(names)}; got {metric!r}"
            )

    def _mistakes(self) -> list[str]:
        data = self.request.data
        levels = bool(self.asked) or data is not None
        return scale_mistakes(
            self.written, self.scale, extra=tuple(self.asked), levels=levels, data=data
        )

    def _axes_place(self) -> str:
        with_data = self.request.data is not None
        return self.written.file.place(self.study.axes_way(self.scale, with_data=with_data))

    def _cell_mistakes(self, cell: Cell) -> list[str]:
        return [
            f"{sentence} (cell {cell.name!r})"
            for sentence in mistakes_of(cell.config, self._settings_of(cell), self.written.texts)
        ]


def _raise_all(sentences: list[str]) -> None:
    if sentences:
        raise StudyError(*dict.fromkeys(sentences))

"""From a study and a request to a sweep, and from its cells to checked configurations and keys."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from ablations.compose.identity import ENCODER, READ_OUT, chain
from ablations.errors import StudyError, UsageError
from ablations.study import (
    SCALES,
    Request,
    ScaleName,
    Setting,
    Written,
    applied,
    axes_beside,
    beside,
    chosen_cells,
    companions,
    fields_of,
    origin,
    overlap,
    place,
    predicts,
    probe_of,
    read_yaml,
    variation_of,
    written,
)
from simclr_core.config import Config, checked, default_settings, mistakes
from simclr_core.data import AnyData, Folder, data_at, fingerprint
from simclr_core.errors import DataError, DataMissing
from simclr_core.losses import Labelled
from simclr_core.runtime import resolve_device
from sweeps.errors import PlanError
from sweeps.planning import AnyAxis, Cell, Resolved, Sweep, apply

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
                chain=((ENCODER, encoder | {"seeds": entering}), (READ_OUT, readout | permuting)),
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
        every = config.readouts.value_names()
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
            for sentence in _told(cell.config, self._settings_of(cell), self.written.texts)
        ]


def settings_of(study: Written, scale: ScaleName, data: Path | None = None) -> list[Setting]:
    """What a study's file says for all cells at a scale, in order; with images brought by `--data`.

    Raises:
        UsageError: there are no usable images at `data`.
    """
    file = study.file

    def at(*way: str) -> Callable[[str], str]:
        return lambda key: file.place((*way, key))

    own, folder = study.study.scale(scale), file.path.parent
    given = written(study.study.base, at("base"))
    given += written(own.set, at("scales", scale, "set"))
    given = beside(given, folder)
    if data is not None:
        try:
            images = data_at(data)
        except DataError as error:
            raise UsageError(f"--data: {error}") from error
        # What the study says of data of the same kind, such as their size, still holds.
        before = applied(default_settings(), given)["data"]
        kept = before if isinstance(before, dict) and before.get("kind") == images["kind"] else {}
        given.append(Setting("data", {**kept, **images}, "--data"))
        given += beside(written(own.with_data, at("scales", scale, "with_data")), folder)
    return given


def scale_mistakes(
    study: Written,
    scale: ScaleName,
    *,
    extra: tuple[Setting, ...] = (),
    levels: bool = True,
    data: Path | None = None,
) -> list[str]:
    """What the trainer finds wrong at a scale: in the settings, and in each level by itself.

    Without `levels` only those that the scale has of its own.
    """
    given = [*settings_of(study, scale, data), *extra]
    try:
        base = applied(default_settings(), given)
    except StudyError as error:
        return list(error.sentences)
    found = _told(base, given, study.texts)
    brought = data is not None
    if levels or len(study.study.axes_way(scale, with_data=brought)) > 1:
        found += _level_mistakes(study, scale, base, given, with_data=brought)
    own = study.study.scale(scale)
    if not brought and (own.with_data or own.axes_with_data):
        # As if images were brought.
        place = study.file.place(("scales", scale, "with_data"))
        given.append(Setting("data", {"kind": "folder", "path": "."}, place))
        with_data = written(
            own.with_data, lambda key: study.file.place(("scales", scale, "with_data", key))
        )
        given += beside(with_data, study.file.path.parent)
        found += _checked(given, study.texts)
        if own.axes_with_data and not found:
            base = applied(default_settings(), given)
            found += _level_mistakes(study, scale, base, given, with_data=True)
    return list(dict.fromkeys(found))


def _level_mistakes(
    study: Written,
    scale: ScaleName,
    base: dict[str, Any],
    given: list[Setting],
    *,
    with_data: bool,
) -> Iterator[str]:
    """Each level by itself, the other axes at their first."""
    layers = study.study.layers(scale, with_data=with_data)
    axes = axes_of(study, scale, with_data=with_data)
    first = {f: v for axis in axes for f, v in next(iter(axis.points().values())).items()}
    for axis in axes:
        for label, point in axis.points().items():
            if axis.kind == "ordered_pairs" and label not in axis.items:
                continue
            ways = list(place(layers, axis.name, label))
            where = study.file.place(next((w for w in ways if w in study.file.lines), ways[0]))
            try:
                settings = apply(base, first | point)
            except PlanError as error:
                yield from (f"{where}: {sentence}" for sentence in error.sentences)
                continue
            try:
                checked(settings, study.texts)
            except ValueError:
                marks = [Setting(field, value, where) for field, value in point.items()]
                yield from _told(settings, [*given, *marks], study.texts)


def all_mistakes(study: Written, asked: ScaleName) -> list[str]:
    """What the trainer finds wrong at any scale; the common levels are tried at the one asked for."""
    found = [
        sentence
        for scale in SCALES
        for sentence in scale_mistakes(study, scale, levels=scale == asked)
    ]
    return list(dict.fromkeys(found))


def broken_mistakes(path: Path) -> list[str]:
    """What the trainer finds wrong in a file that is no whole study: its settings by themselves."""
    try:
        file = read_yaml(path)
    except StudyError:
        return []
    scales = file.content.get("scales")
    bodies: list[tuple[tuple[str, ...], object]] = [(("base",), file.content.get("base"))]
    for scale in SCALES:
        own = scales.get(scale) if isinstance(scales, dict) else None
        if isinstance(own, dict):
            bodies.append((("scales", scale, "set"), own.get("set")))
    base: list[Setting] = []
    found: list[str] = []
    for way, body in bodies:
        if isinstance(body, dict):
            given = written(body, lambda key, way=way: file.place((*way, key)))
            given = beside(given, path.parent)
            found += _checked([*base, *given], {})
            base = base or given
    return found


def _checked(given: list[Setting], texts: dict[str, str]) -> list[str]:
    try:
        return _told(applied(default_settings(), given), given, texts)
    except StudyError as error:
        return list(error.sentences)


def _told(settings: dict[str, Any], given: list[Setting], texts: dict[str, str]) -> list[str]:
    # A field that no one set is a default that does not fit: the last setting is then to blame.
    sentences: list[str] = []
    for mistake in mistakes(settings, texts):
        source = origin(mistake.field, given) or (given[-1] if given else None)
        place = source.place if source and source.place else "the study"
        sentences.append(f"{place}: {mistake.field}: {mistake.text}")
    return sentences


def axes_of(study: Written, scale: ScaleName, *, with_data: bool) -> tuple[AnyAxis, ...]:
    """The axes as this scale varies them, with paths as they lead from here."""
    axes = study.study.axes_at(scale, with_data=with_data)
    return axes_beside(axes, study.file.path.parent)


def _raise_all(sentences: list[str]) -> None:
    if sentences:
        raise StudyError(*dict.fromkeys(sentences))

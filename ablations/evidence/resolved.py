"""A study resolved for its report: every cell's configuration, deviations and methods."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.evidence.wording import data_name, method_text
from ablations.study import (
    LoadedStudy,
    PublishedTable,
    Request,
    ScaleName,
    chosen_cells,
    fields_of,
)
from reports.spec import Fact, ResolvedCell, Snapshot, Statement, seed_routes
from sweeps.planning import AnyAxis, Cell, Known, Resolved, key_of, plan
from sweeps.processes import now
from sweeps.provenance import collect, version_of

if TYPE_CHECKING:
    from ablations.compose import ResolvedStudy

METHODS = {
    "data": "images",
    "views": "views",
    "encoder": "encoder",
    "head": "projection head",
    "loss": "loss",
    "optimizer": "optimiser",
    "schedule": "schedule",
    "batch_size": "batch size",
    "epochs": "epochs",
    "precision": "precision",
    "evaluation": "evaluation",
}
"""Field of the configuration -> its name in the report."""

_STATED = {
    *("name", "title", "question", "source", "seeds", "looks", "control_arm", "metric"),
    *("metric_name", "unit", "published", "roles", "claims", "figures"),
}
"""Fields of a study that its statement covers; all others are its design."""


def snapshot_of(composed: "ResolvedStudy") -> Snapshot:
    """Resolves all cells of a study at its scale; needs the trainer."""
    from ablations.evidence.deviations import Paper
    from ablations.evidence.scope import scope_of

    resolved = _Resolving(composed)
    first = composed.seeds[:1]
    everything = composed.sweep(everything=True, seeds=first)
    # The controls go with the first arm that is requested, so a selection has cells of its own.
    sweeps = [everything, composed.sweep(seeds=first)]
    plans = [plan(sweep, resolved, Known()) for sweep in sweeps]
    paper = Paper(composed)
    cells = {cell.name + key_of(cell.settings): cell for one in plans for cell in one.cells}
    for cell in cells.values():
        found = resolved.cells[key_of(cell.settings)]
        found.deviations[cell.name] = paper.deviations(cell, found.config)
    return Snapshot(
        taken=now(),
        code=_code(),
        study=composed.study.name,
        scale=composed.scale,
        variation=composed.variation,
        changes=changes_of(composed.request),
        design=design_of(composed.loaded),
        statement=statement_of(composed.loaded, composed.scale, composed.metric_name),
        sweep=everything.model_copy(update={"added": ()}),
        cells=resolved.cells,
        scope=scope_of(composed, paper),
    )


def changes_of(request: Request) -> str:
    """The options that change all cells, with the absolute path of the images."""
    data = None if request.data is None else request.data.absolute()
    return Request(study="-", set=request.set, data=data).words().removeprefix("-").strip()


def design_of(loaded: LoadedStudy) -> str:
    """A hash of the parts of a study and its protocols that only the trainer can resolve."""
    parts = [loaded.study.model_dump_json(exclude=_STATED)]
    parts += [f"{s} {one.protocol.model_dump_json()}" for s, one in loaded.protocols.items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def statement_of(loaded: LoadedStudy, scale: ScaleName, metric_name: str) -> Statement:
    """The statement of a study file at a scale."""
    study, published = loaded.study, loaded.published
    return Statement(
        title=study.title,
        question=study.question,
        source=study.source,
        metric=study.metric,
        metric_name=metric_name,
        unit=study.unit,
        control_arm=study.control_arm,
        seeds=study.scale(scale).seeds or study.seeds,
        only=chosen_cells(study, scale),
        claims=study.claims,
        figures=study.figures,
        looks=study.looks,
        roles=study.roles_at(scale),
        published={} if published is None else published.values,
        published_source="" if published is None else published.source,
        published_about=_about(published),
        published_tie=0.0 if published is None else published.tie,
    )


def _about(published: PublishedTable | None) -> str:
    if published is None:
        return ""
    return "; ".join(filter(None, (published.what, published.precision)))


def _code() -> str:
    commit = collect(code=Path(__file__).parents[2])["code"]["commit"]
    return f"commit {commit[:12]}" if commit else f"version {version_of('simclr-ablations')}"


class _Resolving:
    """Resolves cells for planning and remembers each configuration that it met."""

    def __init__(self, composed: "ResolvedStudy") -> None:
        self.cells: dict[str, ResolvedCell] = {}
        self._composed = composed
        self._varied = [(field, axis) for axis in composed.axes for field in fields_of(axis)]

    def __call__(self, cell: Cell) -> Callable[[int], Resolved]:
        key = key_of(cell.settings)
        if key not in self.cells:
            at = self._composed.resolve(cell)
            one, other = at(0), at(1)
            self.cells[key] = ResolvedCell(
                config=one.config,
                chain=one.chain,
                missing=one.missing,
                seeded=tuple(seed_routes((one.config, one.chain), (other.config, other.chain))),
                data_name=data_name(one.config["data"]),
                synthetic=one.config["data"]["kind"] == "textures",
                methods=tuple(_methods(one.config, self._varied)),
            )
        return self.cells[key].at


def _methods(config: dict[str, Any], varied: list[tuple[str, AnyAxis]]) -> Iterable[Fact]:
    for field, name in METHODS.items():
        axes = [axis.name for f, axis in varied if f == field or f.startswith(f"{field}.")]
        text = method_text(config.get(field))
        if axes:
            text += f" (varied by axis {', '.join(dict.fromkeys(axes))}; value of the first cell)"
        yield Fact(name=name, text=text)
    if steps := _steps_text(config):
        yield Fact(name="optimiser steps", text=steps)


def _steps_text(config: dict[str, Any]) -> str:
    """The numbers of steps and of warm-up steps, and those of the official code.

    The paper gives only epochs, so this is listed as a method, not as a deviation. Empty if the
    official code has no such schedule, or if the number of images is unknown.
    """
    from ablations.compose import num_images
    from simclr_core.data import num_held_out

    images, batch, epochs = num_images(config["data"]), config["batch_size"], config["epochs"]
    if config["schedule"]["kind"] != "warmup_cosine" or images is None or not epochs:
        return ""
    seen = images - num_held_out(images) if "labels" in config["loss"] else images
    warmup, an_epoch = config["schedule"]["warmup_epochs"], seen // batch
    # model_util.get_train_steps and learning_rate_schedule of the official code.
    theirs = images * epochs // batch + 1, round(warmup * images // batch)
    return (
        f"{epochs * an_epoch:,}, of which {round(warmup * an_epoch):,} are warm-up; each epoch "
        "drops its last, incomplete batch. The official code counts steps over "
        f"all epochs together, which gives {theirs[0]:,} and {theirs[1]:,}"
    )

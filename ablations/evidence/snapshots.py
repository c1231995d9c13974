"""Snapshots in the store: written when a launch starts, read by reports that cannot resolve the study."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import ValidationError

from ablations.errors import StudyError, UsageError
from ablations.evidence.resolved import changes_of, design_of, snapshot_of, statement_of
from ablations.study import Request, ScaleName, read_study, with_controls
from reports.spec import Snapshot
from sweeps.errors import StoreError
from sweeps.planning import Sweep, named_cells
from sweeps.storage import Store, as_store_error, read_json, write_bytes

FILE = "snapshot.json"

IMAGES = "the images are missing or cannot be used"


class Current(NamedTuple):
    """The snapshot that a report is made from."""

    snapshot: Snapshot
    note: str
    """For a stored snapshot: which one, and why the study was not resolved again; else empty."""


def save(snapshot: Snapshot, store: Store) -> None:
    """Replaces the stored snapshot of the study, except for the controls of other selections.

    Raises:
        StoreError: The folder cannot be written.
    """
    file = store.study(snapshot.label) / FILE
    merged = _with_other_cells(snapshot, _read(file))
    with as_store_error(file):
        write_bytes(file, f"{merged.model_dump_json()}\n".encode())


def _with_other_cells(snapshot: Snapshot, before: Snapshot | None) -> Snapshot:
    """With the cells that only `before` has, unless code, study or images have changed since.

    A selection has controls of its own, which a launch or report without it does not resolve.
    """
    if before is None or (before.code, before.design) != (snapshot.code, snapshot.design):
        return snapshot
    if any(before.cells.get(key, cell) != cell for key, cell in snapshot.cells.items()):
        return snapshot
    return snapshot.model_copy(update={"cells": before.cells | snapshot.cells})


def sweep_of(
    snapshot: Snapshot,
    *,
    only: tuple[str, ...] | None = None,
    seeds: tuple[int, ...] = (),
    everything: bool = False,
) -> Sweep:
    """The sweep over the requested cells and seeds, by default the scale's, or over all cells.

    Raises:
        PlanError: a selection by level fits no cell.
    """
    statement = snapshot.statement
    arms = {arm.name: arm.levels for arm in snapshot.sweep.arms()}
    named = None if only is None else named_cells(only, arms, snapshot.sweep.excluded())
    chosen = None if everything else named or statement.only
    sweep = snapshot.sweep.model_copy(
        update={"only": chosen, "seeds": seeds or statement.seeds, "added": ()}
    )
    scale = cast("ScaleName", snapshot.scale)
    return with_controls(
        sweep, scale, statement.control_arm, lambda arm: snapshot.resolved(arm).config
    )


def current(request: Request, store: Store) -> Current:
    """The study as it is now if it can be resolved here, else as it was last stored.

    A report without torch, or after the images were deleted, takes the cells from the store; the
    claims, margins and looks are those that the study file states now.

    Raises:
        UsageError, StudyError: The study or the request is wrong, or torch is not installed and
            no snapshot is stored.
    """
    try:
        from ablations.compose import compose
    except ModuleNotFoundError as error:
        return _without_trainer(request, store, f"{error.name or 'torch'} is not installed here")
    try:
        fresh = snapshot_of(compose(request)[0])
    except (StudyError, UsageError) as error:
        before = stored(request, store) if _of_images(error) else None
        if before is None:
            raise
        return _as_of_now(before, request, IMAGES)
    lacking = _missing(fresh)
    before = stored(request, store) if lacking else None
    if before is not None and _missing(before) < lacking:
        return _as_of_now(before, request, IMAGES)
    with contextlib.suppress(StoreError):
        if store.study(fresh.label).is_dir():
            save(fresh, store)
    return Current(fresh, "")


def _of_images(error: BaseException | None) -> bool:
    """Whether images that are missing or cannot be used are behind an error."""
    from simclr_core.errors import DataError

    while error is not None and not isinstance(error, DataError):
        error = error.__cause__
    return error is not None


def _without_trainer(request: Request, store: Store, why: str) -> Current:
    before = stored(request, store)
    if before is None:
        raise UsageError(
            f"{why}; a report can then only use the snapshot of an earlier launch, but the store "
            f"{store.path} has none for {request.words()}; write the report on a machine with torch"
        )
    return _as_of_now(before, request, why)


def _as_of_now(before: Snapshot, request: Request, why: str) -> Current:
    """The stored cells with the statement of today's study file, where there is one."""
    note = f"{why}: the report uses the cells as stored on {before.taken[:16]}Z ({before.code})"
    try:
        written = read_study(request.study)
    except UsageError:  # the file is not on this machine
        return Current(before, f"{note}, with the claims of that date")
    name = written.study.metric_name or before.statement.metric_name
    statement = statement_of(written, request.scale, name)
    if design_of(written) != before.design:
        statement = statement.model_copy(update={"only": before.statement.only})
        note += "; the study file has since changed in parts that only the trainer can resolve"
    return Current(before.model_copy(update={"statement": statement}), note)


def stored(request: Request, store: Store) -> Snapshot | None:
    """The newest stored snapshot of a request's study, scale, settings and images."""
    wanted = (_name(request), request.scale, changes_of(request))
    found = [one for one in _all(store) if (one.study, one.scale, one.changes) == wanted]
    return max(found, key=lambda one: one.taken, default=None)


def snapshot_at(store: Store, label: str) -> Snapshot | None:
    """The stored snapshot of a study's folder; None if there is none that can be read."""
    return _read(store.study(label) / FILE)


def _all(store: Store) -> Iterator[Snapshot]:
    for file in sorted((store.path / "studies").glob(f"*/{FILE}")):
        if (found := _read(file)) is not None:
            yield found


def _read(file: Path) -> Snapshot | None:
    try:
        return Snapshot.model_validate(read_json(file))
    except ValidationError:  # missing, damaged, or of another format
        return None


def _name(request: Request) -> str:
    try:
        return read_study(request.study).study.name
    except UsageError:
        return Path(request.study).stem


def _missing(snapshot: Snapshot) -> int:
    return sum(cell.missing is not None for cell in snapshot.cells.values())

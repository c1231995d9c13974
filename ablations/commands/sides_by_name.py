"""The sides of a comparison by name, each from what its store has of it."""

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from ablations.commands.collector import unsearched
from ablations.commands.on_record import History, histories
from ablations.commands.terminal import say_all
from ablations.commands.trial_keys import existing_store
from ablations.errors import UsageError
from ablations.evidence import evidence, snapshot_at
from ablations.study import Request, ScaleName, name_in
from reports.comparing import Side, Source, sides_of
from reports.errors import ReportError
from sweeps.storage import Store, load_plan
from sweeps.suggest import did_you_mean

LONGEST = 120
"""Characters of a folder's name."""


class Compared(NamedTuple):
    """The sides of a comparison and the folder of its report."""

    sides: tuple[Side, ...]
    folder: Path


def compared(default: Path, names: Sequence[str]) -> Compared:
    """The sides of these names; the folder is in the first one's store.

    A name is a study, a variation, or either with its scale as `ablate list` shows it; in another store
    it is STORE:NAME. A store alone stands for its only study, or for what the first other side is.

    Raises:
        UsageError: A name fits nothing or several; one message for each.
    """
    mistakes: list[str] = []
    found: list[tuple[Store, str]] = []
    with unsearched():
        others = _labels(default, names)
        for name in names:
            try:
                found.append(_found(default, name, others))
            except UsageError as error:
                mistakes += [one for one in error.sentences if one not in mistakes]
        if mistakes:
            raise UsageError(*mistakes)
        try:
            sides = sides_of([_source(store, label) for store, label in found])
        except ReportError as error:
            raise UsageError(str(error)) from error
    return Compared(sides, found[0][0].path / "comparisons" / _folder(found))


def _split(default: Path, name: str) -> tuple[Path, str]:
    """The store and the study of a name; the study is empty for a store alone."""
    place, colon, study = name.rpartition(":")
    if colon:
        return Path(place), study
    return (Path(name), "") if Store(Path(name)).exists else (default, name)


def _labels(default: Path, names: Sequence[str]) -> list[str]:
    """The labels of the sides that name one, for stores that are named alone."""
    labels: list[str] = []
    for name in names:
        path, study = _split(default, name)
        store = Store(path)
        if not study or not store.exists:
            continue
        fitting = _fitting(histories(store), study)
        say_all(store.messages)
        if len(fitting) == 1:
            labels.append(fitting[0].label)
    return labels


def _found(default: Path, name: str, others: Sequence[str]) -> tuple[Store, str]:
    path, study = _split(default, name)
    store = existing_store(path, "--store" if path == default else name)
    known = histories(store)
    say_all(store.messages)
    fitting = _fitting(known, study) if study else _of_store(known, others)
    if len(fitting) == 1:
        return store, fitting[0].label
    prefix = "" if path == default else f"{path}:"
    labels = [f"{prefix}{one.label}" for one in fitting or known]
    if len(fitting) > 1:
        raise UsageError(f"{name!r} fits {len(fitting)} studies; name one: {', '.join(labels)}")
    names = [*labels, *(one.variation for one in known if one.variation and path == default)]
    raise UsageError(f"the store {store.path} has no study {study!r}{did_you_mean(study, names)}")


def _fitting(known: Sequence[History], study: str) -> list[History]:
    """By label, else by variation, else by study, which is the study as written."""
    name = name_in(study) if study.endswith((".yaml", ".yml")) else study
    for fits in (
        [one for one in known if one.label == name],
        [one for one in known if one.variation == name],
        [one for one in known if one.study == name and not one.variation],
    ):
        if fits:
            return fits
    return []


def _of_store(known: Sequence[History], others: Sequence[str]) -> list[History]:
    same = [one for one in known if one.label in others[:1]]
    return same or list(known)


def _source(store: Store, label: str) -> Source:
    """The evidence of what the last launch requested and what is on record, from snapshot and records."""
    snapshot, plan = snapshot_at(store, label), load_plan(store, label)
    command = "" if plan is None else plan.command
    if snapshot is None or plan is None:
        again = (
            f"`{command.replace('ablate run', 'ablate report', 1)}`"
            if command
            else "`ablate report`"
        )
        raise UsageError(
            f"{label} in the store {store.path} has no snapshot that can be read; write its report with "
            f"{again}, which stores one"
        )
    words = shlex.split(command)
    request = Request(
        study=words[2] if len(words) > 2 else snapshot.study,
        scale=cast("ScaleName", snapshot.scale),
        # All arms: every snapshot has their configurations, and those of the controls that go with them.
        only=tuple(arm.name for arm in snapshot.sweep.arms()),
        seeds=tuple(dict.fromkeys(trial.seed for trial in plan.trials)),
        store=store.path,
    )
    gathered = evidence(snapshot, request, store)
    say_all(store.messages)
    wanted = {trial.key for trial in plan.trials} | {record.key for record in gathered.records}
    planned = tuple(trial for trial in gathered.planned if trial.key in wanted)
    names = {trial.cell for trial in planned}
    cells = tuple(cell for cell in gathered.cells if cell.name in names)
    some = {"command": command, "planned": planned, "cells": cells}
    return Source(gathered.model_copy(update=some), str(store.path))


def _folder(found: Sequence[tuple[Store, str]]) -> str:
    """A name for the comparison; with a hash where the labels are long or of several stores."""
    name = "_vs_".join(label.replace("/", "-") for _, label in found)
    if len({store.path for store, _ in found}) == 1 and len(name) <= LONGEST:
        return name
    parts = "\n".join(f"{store.path}\t{label}" for store, label in found)
    return f"{name[:LONGEST]}-{hashlib.sha256(parts.encode()).hexdigest()[:8]}"

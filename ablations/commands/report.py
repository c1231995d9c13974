"""The command `report`: judges and writes from the snapshot and the records alone."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ablations.commands.collector import unsearched
from ablations.commands.on_record import History, histories
from ablations.commands.terminal import console, say
from ablations.commands.verdict_table import show_board
from ablations.commands.write_reports import show_written, write_all
from ablations.errors import UsageError
from ablations.evidence import current, evidence, snapshot_at
from ablations.study import Request, name_in, parse_assignment
from reports.spec import Evidence
from sweeps.history_label import label_of
from sweeps.storage import Store


class NothingRecordedError(UsageError):
    """There is no store yet, or no arm of the study is on record."""


class Recorded(NamedTuple):
    """What a report is made from."""

    evidence: Evidence
    request: Request
    """As given, or with the settings of the only variation on record."""
    notes: tuple[str, ...]
    """What a reader should know about it."""


def report_study(request: Request) -> int:
    """Judges the records again and writes both reports; returns the exit code.

    Neither the images nor torch, ray and mlflow are needed once a launch has stored its snapshot.

    Raises:
        UsageError: There is no store, or it has no record of the study's arms.
    """
    found = recorded(request)
    for note in found.notes:
        say(note)
    out = console()
    show_board(found.evidence, out)
    return show_written(out, write_all(found.evidence, Store(request.store), found.request))


def recorded(request: Request) -> Recorded:
    """The evidence of a request from its records.

    Of a study that was only run as one variation, without `--set` and `--data` in the request, this is
    the variation.

    Raises:
        NothingRecordedError: There is no store, or it has no record of the study's arms.
    """
    store = Store(request.store)
    store.refuse_foreign()
    if not store.exists:
        raise NothingRecordedError(
            f"--store: there is no store at {request.store}; `ablate run {request.study}` creates one"
        )
    with unsearched():
        request, found = _as_recorded(request, store)
        snapshot, note = current(request, store)
        gathered = evidence(snapshot, request, store)
    arms = {cell.name for cell in gathered.cells if cell.role == "arm"}
    keys = {trial.key for trial in gathered.planned if trial.cell in arms}
    if not any(record.key in keys for record in gathered.records):
        run = f"ablate run {replace(request, recompute=False).words()}"
        none = _nothing_recorded(store, gathered.label, gathered.study, run)
        raise NothingRecordedError(*store.messages, *none)
    return Recorded(gathered, request, (*filter(None, (found, note)), *store.messages))


def _as_recorded(request: Request, store: Store) -> tuple[Request, str]:
    """The request with the settings of the only variation on record, and a note that names them.

    Unchanged if it has settings, if the study itself was run, or if there is not exactly one.
    """
    if request.set or request.data is not None:
        return request, ""
    name = name_in(request.study)
    own = label_of(name, request.scale)
    known = histories(store)
    if own in {one.label for one in known} | {one.label for one in store.summaries()}:
        return request, ""
    found = [one for one in known if (one.study, one.scale) == (name, request.scale) and one.arms]
    if len(found) != 1:
        return request, ""
    # The snapshot has the absolute path of the images.
    before = snapshot_at(store, found[0].label)
    changes = found[0].settings if before is None else before.changes
    note = f"{own} was not run; this is the report of its only variation on record: {changes}"
    return _changed(request, changes), note


def _changed(request: Request, changes: str) -> Request:
    words = shlex.split(changes)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    data = [Path(value) for option, value in pairs if option == "--data"]
    given = tuple(parse_assignment(value) for option, value in pairs if option == "--set")
    return replace(request, set=given, data=data[-1] if data else None)


def _nothing_recorded(store: Store, label: str, study: str, run: str) -> list[str]:
    """The messages for a history without records: which others have some, and what to type."""
    others = [
        _on_record(one)
        for one in histories(store)
        if one.study == study and one.label != label and one.arms
    ]
    none = f"the store {store.path} has no records of the arms of {label}"
    if not others:
        return [f"{none}; `{run}` creates them"]
    if len(others) == 1:
        return [f"{none}; the only records of this study are of {others[0]}"]
    return [f"{none}; this study has records of:", *others]


def _on_record(one: History) -> str:
    return f"{one.label} ({one.arms} trials of arms)" + (f": `{one.report}`" if one.report else "")

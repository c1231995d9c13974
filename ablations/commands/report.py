"""The command `report`: judges and writes from the snapshot and the records alone."""

from dataclasses import replace

from ablations.commands.recorded_runs import nothing_recorded
from ablations.commands.terminal import console, say
from ablations.commands.verdict_table import show_board
from ablations.commands.write_reports import show_written, write_all
from ablations.errors import UsageError
from ablations.evidence import current, evidence
from ablations.study import Request
from sweeps.storage import Store


def report_study(request: Request) -> int:
    """Judges the records again and writes both reports; returns the exit code.

    Neither the images nor torch, ray and mlflow are needed once a launch has stored its snapshot.

    Raises:
        UsageError: There is no store, or it has no record of the study's arms.
    """
    store = Store(request.store)
    store.refuse_foreign()
    if not store.exists:
        raise UsageError(
            f"--store: there is no store at {request.store}; `ablate run {request.study}` creates one"
        )
    snapshot, note = current(request, store)
    gathered = evidence(snapshot, request, store)
    arms = {cell.name for cell in gathered.cells if cell.role == "arm"}
    keys = {trial.key for trial in gathered.planned if trial.cell in arms}
    if not any(record.key in keys for record in gathered.records):
        run = f"ablate run {replace(request, recompute=False).words()}"
        raise nothing_recorded(store, gathered.label, gathered.study, run)
    if note:
        say(note)
    out = console()
    show_board(gathered, out)
    return show_written(out, write_all(gathered, store, request))

"""The command `report`: judges and writes from the snapshot and the records alone."""

from dataclasses import replace

from ablations.commands.collector import unsearched
from ablations.commands.terminal import console, say
from ablations.commands.verdict_table import show_board
from ablations.commands.write_reports import show_written, write_all
from ablations.errors import UsageError
from ablations.evidence import current, evidence
from ablations.study import Request
from reports.spec import Evidence
from sweeps.planning import Plan
from sweeps.storage import Store, launch_history, load_plan, studies


def report_study(request: Request) -> int:
    """Judges the records again and writes both reports; returns the exit code.

    Neither the images nor torch, ray and mlflow are needed once a launch has stored its snapshot.

    Raises:
        UsageError: There is no store, or it has no record of the study's arms.
    """
    gathered, note = recorded(request)
    if note:
        say(note)
    out = console()
    show_board(gathered, out)
    return show_written(out, write_all(gathered, Store(request.store), request))


def recorded(request: Request) -> tuple[Evidence, str]:
    """The evidence of a request from its records, and a note on what it is made from; may be empty.

    Raises:
        UsageError: There is no store, or it has no record of the study's arms.
    """
    store = Store(request.store)
    store.refuse_foreign()
    if not store.exists:
        raise UsageError(
            f"--store: there is no store at {request.store}; `ablate run {request.study}` creates one"
        )
    with unsearched():
        snapshot, note = current(request, store)
        gathered = evidence(snapshot, request, store)
    arms = {cell.name for cell in gathered.cells if cell.role == "arm"}
    keys = {trial.key for trial in gathered.planned if trial.cell in arms}
    if not any(record.key in keys for record in gathered.records):
        run = f"ablate run {replace(request, recompute=False).words()}"
        raise _nothing_recorded(store, gathered.label, gathered.study, run)
    return gathered, note


def _nothing_recorded(store: Store, label: str, study: str, run: str) -> UsageError:
    """The error for a history without records: which others have some, and what to type.

    Trials of arms alone are counted: random encoders and controls may be shared with other histories.
    """
    keys = {summary.key for summary in store.summaries()}
    others: list[str] = []
    for other in studies(store):
        plan = load_plan(store, other)
        if plan is None or plan.study != study or other == label:
            continue
        if arms := sum(trial.key in keys for trial in plan.trials if trial.role == "arm"):
            command = _report_command(store, plan)
            others.append(
                f"{other} ({arms} trials of arms)" + (f": `{command}`" if command else "")
            )
    none = f"the store {store.path} has no records of the arms of {label}"
    if not others:
        return UsageError(f"{none}; `{run}` creates them")
    if len(others) == 1:
        return UsageError(f"{none}; the only records of this study are of {others[0]}")
    return UsageError(f"{none}; this study has records of:", *others)


def _report_command(store: Store, plan: Plan) -> str:
    """Writes its report again, from the folder in which it was run; empty where none was recorded."""
    last = plan.command
    if not last and (before := launch_history(store, plan.label)):
        last = str(before[-1].get("command") or "")
    return last.removesuffix(" --recompute").replace("ablate run ", "ablate report ", 1)

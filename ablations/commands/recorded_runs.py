"""The runs of a study in a store, at all scales and variations."""

from typing import NamedTuple

from ablations.errors import UsageError
from sweeps.planning import Plan
from sweeps.storage import Store, launch_history, load_plan, studies


class Recorded(NamedTuple):
    """One history of a study."""

    label: str
    arms: int
    """Trials of arms on record; random encoders and controls may be shared with other histories."""
    command: str
    """Writes its report again, from the folder in which it was run; empty where none was recorded."""


def recorded(store: Store, study: str) -> list[Recorded]:
    """All histories of a study with arms on record."""
    keys = {summary.key for summary in store.summaries()}
    found: list[Recorded] = []
    for label in studies(store):
        plan = load_plan(store, label)
        if plan is None or plan.study != study:
            continue
        arms = sum(trial.key in keys for trial in plan.trials if trial.role == "arm")
        if arms:
            found.append(Recorded(label, arms, _report_command(store, plan)))
    return found


def nothing_recorded(store: Store, label: str, study: str, run: str) -> UsageError:
    """The error for a history without records: which others have some, and what to type."""
    others = [one for one in recorded(store, study) if one.label != label]
    none = f"the store {store.path} has no record of the arms of {label}"
    if not others:
        return UsageError(f"{none}; `{run}` creates them")
    shown = [
        f"{one.label} ({one.arms} trials of arms)" + (f": `{one.command}`" if one.command else "")
        for one in others
    ]
    if len(others) == 1:
        return UsageError(f"{none}; the only records of this study are of {shown[0]}")
    return UsageError(f"{none}; this study has records of:", *shown)


def _report_command(store: Store, plan: Plan) -> str:
    last = plan.command
    if not last and (before := launch_history(store, plan.label)):
        last = str(before[-1].get("command") or "")
    return last.removesuffix(" --recompute").replace("ablate run ", "ablate report ", 1)

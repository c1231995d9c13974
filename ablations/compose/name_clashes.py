"""Study files with the same `name:` in one store would share a folder, reports and a stamp."""

import shlex

from ablations.compose.resolved_study import ResolvedStudy
from ablations.errors import UsageError
from ablations.study import name_in, path_of
from sweeps.planning import Plan, plan
from sweeps.storage import Store, load_plan


def refuse_another_design(composed: ResolvedStudy, store: Store, label: str) -> None:
    """Refuses a study that would replace that of another file.

    A file that was edited, moved or copied is not refused. A study is refused only if another file
    still has the same name, and has trials on record, none of which this study shares.

    Raises:
        UsageError: names both files.
    """
    before = load_plan(store, label)
    if before is None or (other := _other_file(before, composed)) is None:
        return
    known = store.known()
    theirs = {t.key for t in before.trials if t.role == "arm"} & {s.key for s in known.summaries}
    if not theirs:
        return
    seeds = tuple(dict.fromkeys(trial.seed for trial in before.trials))
    mine = plan(composed.sweep(everything=True, seeds=seeds), composed.resolve, known)
    if theirs.isdisjoint(trial.key for trial in mine.trials):
        raise UsageError(
            f"{composed.request.study} and {other} both have name: {composed.study.name} but "
            f"different designs; {label} in the store {store.path} belongs to {other}, and its "
            "reports would be overwritten; give one of them another name:, or name another store "
            "with --store"
        )


def _other_file(before: Plan, composed: ResolvedStudy) -> str | None:
    """The file of the last plan, if it is another one that still has this name."""
    try:
        words = shlex.split(before.command)
    except ValueError:
        return None
    if words[:2] != ["ablate", "run"] or len(words) < 3:
        return None
    try:
        here, there = path_of(composed.request.study).resolve(), path_of(words[2]).resolve()
    except UsageError:  # it was moved
        return None
    return words[2] if here != there and name_in(str(there)) == composed.study.name else None

"""The output of `status`: the studies of a store, read only from the store."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.commands.collector import unsearched
from ablations.commands.output import plain_table, print_json
from ablations.commands.progress_table import as_json, line, table
from ablations.commands.terminal import console, say_all
from ablations.commands.trial_keys import existing_store
from ablations.errors import UsageError
from ablations.machine_profile import processes_at
from ablations.study import ScaleName
from sweeps.execution import Progress, progress
from sweeps.history_label import study_and_scale
from sweeps.planning import Plan, by_key, counting
from sweeps.record import Summary
from sweeps.storage import Store, load_plan, plans
from sweeps.suggest import did_you_mean

PAUSE = 2.0
"""Seconds between refreshes of `--watch`; running trials report as often."""

METRIC = "top1"
"""The value shown; a study's own metric is in its report."""

KEY = 12
"""Characters of a key that are shown: the commands take a prefix."""


def show_status(
    path: Path,
    study: str | None,
    scale: ScaleName | None,
    *,
    trials: bool,
    watch: bool,
    as_json: bool,
) -> int:
    """Prints the state once, or every two seconds until interrupted; `trials`: each with its key."""
    store = existing_store(path)
    if not watch:
        _print(store, study, scale, trials=trials, json=as_json)
        say_all(store.messages)
        return 0
    labels = _chosen(store, study, scale)
    from rich.live import Live

    try:
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                known = {label: load_plan(store, label) for label in labels}
                live.update(_shown(store, known, trials=trials), refresh=True)
                time.sleep(PAUSE)
    except KeyboardInterrupt:
        return 130
    finally:
        say_all(store.messages)


def _chosen(store: Store, study: str | None, scale: ScaleName | None) -> dict[str, Plan | None]:
    found = plans(store)
    if study in found:
        return {study: found[study]}
    known = {label: study_and_scale(label) for label in found}
    name = None if study is None else _name(study)
    chosen = [
        label
        for label, (of, at) in known.items()
        if (name is None or of == name) and (scale is None or at == scale)
    ]
    if not chosen and (name is not None or scale is not None):
        asked = str(name) if scale is None else f"{name or ''}@{scale}"
        names = [of if scale is None else f"{of}@{at}" for of, at in known.values()]
        raise UsageError(
            f"the store {store.path} has no run of {asked!r}"
            f"{did_you_mean(asked, [*dict.fromkeys(names)])}"
        )
    return {label: found[label] for label in chosen}


def _name(study: str) -> str:
    if "." not in study:
        return study
    from ablations.study import name_in  # it reads study files, which a name does not need

    return name_in(study)


@unsearched()
def _print(
    store: Store, study: str | None, scale: ScaleName | None, *, trials: bool, json: bool
) -> None:
    chosen = _chosen(store, study, scale)
    if not json:
        console().print(_shown(store, chosen, trials=trials))
        return
    found: list[dict[str, Any]] = []
    for plan in chosen.values():
        if plan is not None:
            state = as_json(progress(store, plan, processes=processes_at(store.machine)))
            about = {"study": plan.study, "scale": plan.scale, "variation": plan.variation}
            found.append({**about, **state})
    print_json({"store": str(store.path), "studies": found})


def _shown(store: Store, chosen: Mapping[str, Plan | None], *, trials: bool) -> Any:
    from rich.console import Group

    if not chosen:
        return (
            f"the store {store.path} has no runs yet; start one with `ablate run quickstart` "
            "(a run appears here when its trials begin)"
        )
    parts: list[Any] = []
    summaries = store.summaries()
    for label, plan in chosen.items():
        if plan is None:
            parts += [f"{label}: the last plan cannot be read; the next run will replace it", ""]
            continue
        state = progress(store, plan, processes=processes_at(store.machine), summaries=summaries)
        parts += [f"{label}: {line(state)}", table(state, METRIC, f"{METRIC} %")]
        planned = {trial.key for trial in plan.trials}
        recorded = {one.key for one in summaries if one.label == plan.label}
        # The last run, such as one with --only, may have planned fewer.
        if earlier := len(recorded - planned):
            number = "1 trial" if earlier == 1 else f"{earlier} trials"
            parts.append(f"plus {number} on record from earlier runs with other cells or seeds")
        if trials:
            parts += ["", _by_trial(plan, state, summaries)]
        for cell in state.cells:
            parts += [
                f"failed: {one.cell}, seed {one.seed}: {one.error} (see "
                f"{store.trials / one.key / f'{one.attempt:03d}' / 'log.txt'})"
                for one in cell.failed
            ]
        parts.append("")
    return Group(*parts[:-1])


def _by_trial(plan: Plan, state: Progress, summaries: Sequence[Summary]) -> Any:
    """One row for each trial of the plan, then for those on record from earlier runs."""
    running = {trial.key for trial in state.running}
    attempts = by_key(summaries)
    rows = {trial.key: (trial.cell, trial.seed) for trial in plan.trials}
    earlier = (one for one in summaries if one.label == plan.label and one.key not in rows)
    rows |= {one.key: (one.cell, one.seed) for one in earlier}
    shown = plain_table(
        "cell", "seed", "state", f"{METRIC} %", "key", right=("seed", f"{METRIC} %")
    )
    for key, (cell, seed) in rows.items():
        of = attempts.get(key, ())
        one, measured = counting(of), counting(of, METRIC)
        value = None if measured is None else measured.values.get(METRIC)
        shown.add_row(
            cell,
            str(seed),
            "running" if key in running else "missing" if one is None else one.state,
            "" if value is None else f"{value:.1f}",
            key[:KEY],
        )
    return shown

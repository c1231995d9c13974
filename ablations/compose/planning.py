"""From a request to its plan: what runs, why, and its cost in time and disk space."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean
from typing import Any, Literal, NamedTuple

from ablations.compose.flops import Compute, as_text, compute, weight_bytes
from ablations.compose.identity import ENCODER
from ablations.compose.mistakes import mistakes_of_broken_file
from ablations.compose.resolved_study import ResolvedStudy, resolve
from ablations.errors import StudyError, UsageError
from ablations.study import Request, in_order, path_of, read_study
from sweeps.errors import PlanError
from sweeps.planning import Known, Plan, plan
from sweeps.record import Summary
from sweeps.storage import Store


class Cost(NamedTuple):
    """The cost of a plan; None where there is no measurement to estimate it from."""

    seconds: float | None
    """Seconds for all trials to run, one after the other: of their own turns, where trials of a
    process took turns."""
    measured: int
    """Finished trials that the estimate is based on."""
    encoders: int
    """New encoders to be trained."""
    disk: int | None
    """Bytes that their weights will need in the store."""
    compute: Compute | None
    """Of those encoders and of those whose images are not available; None if none is trained."""


def _refuse_store_inside_data(request: Request) -> None:
    if request.data is None or not request.data.is_dir():
        return
    if request.store.resolve().is_relative_to(request.data.resolve()):
        raise UsageError(
            f"--store: {request.store} is inside the image folder --data {request.data} and would "
            "be read as images; name a folder elsewhere"
        )


def compose(request: Request) -> tuple[ResolvedStudy, Store]:
    """The study as requested, checked as a whole, and its store; nothing is written.

    Raises:
        UsageError, StudyError: all mistakes together, one message each.
        StoreError: the store's folder holds something else.
    """
    store = Store(request.store)
    store.refuse_foreign()
    _refuse_store_inside_data(request)
    try:
        study = read_study(request.study)
    except StudyError as error:
        found = [*error.sentences, *mistakes_of_broken_file(path_of(request.study))]
        raise StudyError(*in_order(found)) from error
    return resolve(study, request, cache=store.cache if store.exists else None), store


def planned(composed: ResolvedStudy, known: Known) -> Plan:
    """The plan of a request.

    Raises:
        UsageError: it names unknown cells.
    """
    request = composed.request
    try:
        found = plan(
            composed.sweep(),
            composed.resolve,
            known,
            failed=request.failed,
            again=request.again,
        )
        return found.model_copy(
            update={"command": f"ablate run {replace(request, recompute=False).words()}"}
        )
    except PlanError as error:
        option = "--only: " if request.only else ""
        raise UsageError(*(f"{option}{sentence}" for sentence in error.sentences)) from error


def cost(the_plan: Plan, known: Known, *, keep: Literal["none", "last"] = "last") -> Cost:
    """The expected cost of the plan's trials, from earlier trials of the same kind in this store."""
    seconds, measured = _seconds(the_plan, known.summaries)
    here = known.artifacts.get(ENCODER, frozenset())
    new = {
        trial.stages[0].key: trial
        for trial in the_plan.todo
        if trial.stages and (trial.rerun or trial.stages[0].key not in here)
    }
    disk = 0 if keep == "none" else _disk([trial.config for trial in new.values()])
    # Without images there is no key yet: the rest of the configuration distinguishes encoders.
    unkeyed = {
        json.dumps({**trial.config, "evaluation": None}): trial
        for trial in the_plan.trials
        if not trial.stages
    }
    operations = compute(trial.config for trial in (*new.values(), *unkeyed.values()))
    return Cost(seconds, measured, len(new), disk, operations)


def _seconds(the_plan: Plan, summaries: Iterable[Summary]) -> tuple[float | None, int]:
    by_cell: dict[str, list[float]] = defaultdict(list)
    for summary in summaries:
        if summary.label == the_plan.label and summary.state == "finished" and not summary.reused:
            by_cell[summary.cell].append(summary.cost_seconds)
    arms = {trial.cell for trial in the_plan.trials if trial.role == "arm"}
    of_arms = [one for cell in arms for one in by_cell.get(cell, ())]
    measured = sum(map(len, by_cell.values()))
    if not the_plan.todo:
        return 0.0, measured
    if not of_arms:
        return None, 0
    usual = fmean(of_arms)
    return sum(fmean(by_cell.get(trial.cell) or [usual]) for trial in the_plan.todo), measured


def _disk(configs: Iterable[dict[str, Any]]) -> int | None:
    """The bytes of each encoder's and head's weights.

    None if one of them is a custom component: planning executes no file.
    """
    total = 0
    for config in configs:
        head = as_text(config["head"] if config["epochs"] else {"kind": "none"})
        size = weight_bytes(as_text(config["encoder"]), head, config["data"]["size"])
        if size is None:
            return None
        total += size
    return total

"""From a request to its plan: what runs, why, and its cost in time and disk space."""

import json
from dataclasses import replace
from typing import Literal, NamedTuple

from ablations.compose.counted import Counted
from ablations.compose.disk import Disk, disk_of
from ablations.compose.durations import Duration, Expected, as_planned, duration, expected
from ablations.compose.energy import Energy, energy_of
from ablations.compose.flops import Compute, compute
from ablations.compose.identity import ENCODER
from ablations.compose.memory import Memory, peak_memory
from ablations.compose.mistakes import mistakes_of_broken_file
from ablations.compose.resolved_study import ResolvedStudy, resolve
from ablations.errors import StudyError, UsageError
from ablations.machine_profile import Machine
from ablations.study import Request, in_order, path_of, read_study
from sweeps.errors import PlanError
from sweeps.planning import Known, Plan, plan
from sweeps.storage import Store


class Cost(NamedTuple):
    """The cost of a plan; None where there is nothing to estimate it from."""

    expected: Expected | None
    """The seconds of each trial to run."""
    duration: Duration | None
    """Of the whole launch."""
    slots: int
    """Trials at a time."""
    processes: int
    """Worker processes at a time."""
    encoders: int
    """New encoders to be trained."""
    memory: Memory | None
    """The trial that takes most."""
    disk: Disk
    """What the store will hold in addition."""
    energy: Energy | None
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


def cost(
    the_plan: Plan,
    known: Known,
    machine: Machine | None = None,
    *,
    device: Literal["cpu", "cuda", "mps"] = "cpu",
    slots: int | None = None,
    keep: Literal["none", "last"] = "last",
    recompute: bool = False,
) -> Cost:
    """The expected cost of the plan's trials, from earlier ones in this store and the machine's profile."""
    counted = Counted()
    if machine is not None and machine.device != device:
        machine = None
    here = known.artifacts.get(ENCODER, frozenset())
    new = {
        trial.stages[0].key: trial
        for trial in the_plan.todo
        if trial.stages and (trial.rerun or trial.stages[0].key not in here)
    }
    # Without images there is no key yet: the rest of the configuration distinguishes encoders.
    unkeyed = {
        json.dumps({**trial.config, "evaluation": None}): trial
        for trial in the_plan.trials
        if not trial.stages
    }
    operations = compute(counted(trial.config) for trial in (*new.values(), *unkeyed.values()))
    slots = slots or (1 if machine is None else machine.slots)
    processes = slots if machine is None else machine.processes
    found = expected(the_plan, known.summaries, machine, here, counted)
    whole = None if found is None else duration(found, the_plan.todo, processes)
    power = None if machine is None or whole is None else energy_of(whole.middle, machine)
    own = [one for one in known.summaries if one.label == the_plan.label]
    todo = [trial.model_copy(update={"config": counted(trial.config)}) for trial in the_plan.todo]
    trials = [(trial.cell, trial.config) for trial in todo]
    worker = None if machine is None else machine.resident
    memory = peak_memory(
        trials, as_planned(the_plan, known.summaries), device, worker=worker, recompute=recompute
    )
    encoders = () if keep == "none" else [trial.config for trial in new.values()]
    return Cost(
        expected=found,
        duration=whole,
        slots=slots,
        processes=processes,
        encoders=sum(bool(trial.config["epochs"]) for trial in new.values()),
        memory=memory,
        disk=disk_of(encoders, todo, fresh=not own),
        energy=power,
        compute=operations,
    )

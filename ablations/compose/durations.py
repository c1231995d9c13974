"""How long a plan takes: each trial's expected seconds, and from them the whole in its slots.

A cell with finished trials of its configuration takes as long as these on average. A trial whose encoder
is there, or is trained by a trial before it, only evaluates. Any other is estimated from the miniature
trial of the machine's profile: training grows with the floating-point operations of the network and with
the pixels of the views, evaluation with the images and the length of h. Where there are both, the ratio
of what trials took to what the profile says of them corrects the rest.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any, NamedTuple

from ablations.compose.flops import (
    as_text,
    images_of_an_epoch,
    num_features,
    num_images,
    num_test,
    num_views_of,
    operations,
)
from ablations.machine_profile import Machine
from ablations.machine_timing import LAPTOP
from sweeps.planning import Plan, Trial
from sweeps.record import Summary

START = 12.0
"""Seconds until the first trial of a launch begins: Ray and the workers' imports (AMD EPYC, 2 cores)."""

SPREAD = 0.25
"""The standard deviation of ln(actual / estimated) where no two trials of a cell are on record."""

TENTH = 1.2816
"""The 90 % quantile of the normal distribution."""

A_PERMUTATION = 0.25
"""Fits of a permutation of the labels, compared with all fits of an evaluation."""

_SIDE, _VIEWS = 32, 2
"""Of the miniature trial."""


class Duration(NamedTuple):
    """Seconds of a whole launch, from its start to its last trial."""

    low: float
    """The 10 % quantile."""
    middle: float
    high: float
    """The 90 % quantile."""
    source: str
    """What it is estimated from, in words."""


class Expected(NamedTuple):
    """The seconds of trials, by key, and how sure they are."""

    seconds: dict[str, float]
    spread: float
    """The standard deviation of ln(actual / expected), taken as common to all trials."""
    source: str


class _Model(NamedTuple):
    """The seconds of a trial by the machine's profile."""

    training: float
    evaluation: float


def expected(
    the_plan: Plan,
    summaries: Iterable[Summary],
    machine: Machine | None,
    encoders: Collection[str] = (),
    counted: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> Expected | None:
    """What each trial to run takes; None where there is nothing to estimate it from.

    `encoders` are the keys of those that the store has; `counted` adds to a configuration the number
    of images in its folder.
    """
    configs = configs_of(the_plan)
    own = [one for one in as_planned(the_plan, summaries) if one.state == "finished"]
    by_cell: dict[str, list[float]] = defaultdict(list)
    evaluated: dict[str, list[float]] = defaultdict(list)
    for one in own:
        (evaluated if one.reused else by_cell)[one.cell].append(one.cost_seconds)
    modelled = {cell: _modelled(counted(config), machine) for cell, config in configs.items()}
    ratios = [
        fmean(by_cell[cell]) / sum(of) for cell, of in modelled.items() if of and cell in by_cell
    ]
    correction = fmean(ratios) if ratios else 1.0
    arms = {trial.cell for trial in the_plan.trials if trial.role == "arm"}
    of_arms = [one for cell in arms for one in by_cell.get(cell, ())]
    seconds: dict[str, float] = {}
    trained = set[str]()
    for trial in the_plan.todo:
        model, encoder = modelled[trial.cell], trial.stages[0].key
        there = encoder in trained or (encoder in encoders and not trial.rerun)
        trained.add(encoder)
        if there and trial.cell in evaluated:
            seconds[trial.key] = fmean(evaluated[trial.cell])
        elif there and model is not None:
            seconds[trial.key] = correction * model.evaluation
        elif trial.cell in by_cell:
            seconds[trial.key] = fmean(by_cell[trial.cell])
        elif model is not None:
            seconds[trial.key] = correction * sum(model)
        elif of_arms:
            seconds[trial.key] = fmean(of_arms)
        else:
            return None
    if own:
        number = "1 finished trial" if len(own) == 1 else f"{len(own)} finished trials"
        return Expected(seconds, _spread(by_cell.values()), f"{number} here")
    return Expected(seconds, SPREAD, "the machine's profile; no such trial has finished here")


def as_planned(the_plan: Plan, summaries: Iterable[Summary]) -> list[Summary]:
    """The trials of the study whose cell still has their configuration, at whatever seed."""
    configs = {cell: of_any_seed(config) for cell, config in configs_of(the_plan).items()}
    return [
        one
        for one in summaries
        if one.label == the_plan.label
        and one.cell in configs
        and of_any_seed(one.config) == configs[one.cell]
    ]


def configs_of(the_plan: Plan) -> dict[str, dict[str, Any]]:
    """Cell -> the configuration of one of its trials: the seed changes neither duration nor memory."""
    return {trial.cell: trial.config for trial in reversed(the_plan.trials)}


def duration(found: Expected, todo: Sequence[Trial], processes: int) -> Duration:
    """The whole of the trials in so many processes; those that share an encoder follow each other.

    The trials' own seconds add up to those of their process, where several take turns.
    """
    jobs: dict[str, float] = defaultdict(float)
    for trial in todo:
        jobs[trial.stages[0].key] += found.seconds[trial.key]
    free = [0.0] * max(1, min(processes, len(jobs)))
    for seconds in jobs.values():
        heapq.heappush(free, heapq.heappop(free) + seconds)
    whole = max(free)
    factor = math.exp(TENTH * found.spread)
    start = START if todo else 0.0
    return Duration(start + whole / factor, start + whole, start + whole * factor, found.source)


def rounds_of(todo: Sequence[Trial]) -> list[tuple[Trial, ...]]:
    """The trials of each seed, in the plan's order: a round that pairs every cell."""
    by_seed: dict[int, list[Trial]] = defaultdict(list)
    for trial in todo:
        by_seed[trial.seed].append(trial)
    return [tuple(one) for one in by_seed.values()]


def rounds_within(found: Expected, todo: Sequence[Trial], processes: int, seconds: float) -> int:
    """How many whole rounds, the first of the plan, are expected to end within this time."""
    rounds, done = rounds_of(todo), list[Trial]()
    for number, one in enumerate(rounds):
        done += one
        if duration(found, done, processes).middle > seconds:
            return number
    return len(rounds)


def _spread(cells: Iterable[Sequence[float]]) -> float:
    """Pooled over cells with two trials or more; without any, `SPREAD`."""
    logs = [[math.log(max(one, 1e-3)) for one in cell] for cell in cells if len(cell) > 1]
    squares = math.fsum((one - fmean(cell)) ** 2 for cell in logs for one in cell)
    degrees = sum(len(cell) - 1 for cell in logs)
    return math.sqrt(squares / degrees) if degrees else SPREAD


def of_any_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what differs from seed to seed."""
    found = dict(config)
    for name in ("seed", "seeds"):
        found.pop(name, None)
    return found


def _modelled(config: Mapping[str, Any], machine: Machine | None) -> _Model | None:
    """None where it is unknown."""
    train, test = num_images(config["data"]), num_test(config)
    if machine is None or machine.miniature is None or train is None:
        return None
    small, num_views = machine.miniature, num_views_of(config)
    network = small.step * (1 - small.views)
    # A forward pass is a third of a step's, and evaluation takes one view of each image.
    forward = network / (3 * _VIEWS)
    fit = max(small.evaluation - forward, 0.0) * num_features(as_text(config["encoder"]))
    permuted = config["evaluation"]["permuted_labels"] or 0
    fit *= (1 + permuted * A_PERMUTATION) / num_features(as_text(LAPTOP["encoder"]))
    if config["encoder"]["kind"] == "pixels":
        return _Model(0.0, (train + test) * fit)
    pair, seen = _operations(config), images_of_an_epoch(config)
    if pair is None or seen is None:
        return None
    ratio = pair / _of_the_miniature()
    evaluation = (train + test) * (fit + forward * ratio * _VIEWS / num_views)
    pixels = config["data"]["size"] ** 2 * num_views / (_SIDE**2 * _VIEWS)
    step = network * ratio + small.step * small.views * pixels
    batches = seen // config["batch_size"] * config["epochs"]
    return _Model(batches * config["batch_size"] * step, evaluation)


def _operations(config: Mapping[str, Any]) -> int | None:
    return operations(
        as_text(config["encoder"]),
        as_text(config["head"]),
        config["data"]["size"],
        num_views_of(config),
        twice=config["gradient_cache"] is not None,
    )


@lru_cache(maxsize=1)
def _of_the_miniature() -> int:
    from simclr_core.config import check

    found = _operations(check({**LAPTOP, "epochs": 1}).model_dump(mode="json"))
    assert found, "the miniature has a network"
    return found

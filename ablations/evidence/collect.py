"""From a study, its plan and its records to the one value that reports are made from."""

from collections.abc import Iterable, Iterator
from typing import Literal

from ablations.errors import UsageError
from ablations.evidence.gallery import gallery_of
from ablations.evidence.snapshots import sweep_of
from ablations.evidence.stamp import stamp_of
from ablations.study import CONTROL, SHUFFLED, SHUFFLED_SEEDS, Request, predicts
from reports.spec import (
    CellInfo,
    Evidence,
    ExcludedCell,
    Fact,
    PlannedTrial,
    Snapshot,
    Stated,
    facts_of,
)
from sweeps.errors import PlanError
from sweeps.planning import Cell, Known, Plan, Trial, chain_keys, plan
from sweeps.record import TrialRecord
from sweeps.storage import Store

CONTROLS: dict[str, Literal["permuted labels", "shuffled positives"]] = {
    CONTROL: "permuted labels",
    SHUFFLED: "shuffled positives",
}
"""Cell -> which control of the report it is."""


def evidence(snapshot: Snapshot, request: Request, store: Store) -> Evidence:
    """The evidence of a request: its own trials, and all others of the study that are on record.

    It depends on nothing but the snapshot, the request and the store.

    Raises:
        UsageError: The request names unknown cells.
    """
    statement = snapshot.statement
    known = store.known()
    cells, trials = _with_recorded(snapshot, known, _requested(snapshot, request, known))
    controls = _other_controls(snapshot, request, known, cells, trials)
    records = tuple(store.records([trial.key for trial in (*trials, *controls)]))
    keys_of_arms = {trial.key for trial in trials if trial.role == "arm"}
    first = min((r.started for r in records if r.key in keys_of_arms), default=None)
    arms = _scale_arms(snapshot)
    resolved = [snapshot.resolved(cell) for cell in cells]
    of_first_trial = resolved[[cell.name for cell in cells].index(trials[0].cell)]
    return Evidence(
        **{name: getattr(statement, name) for name in Stated.model_fields},
        study=snapshot.study,
        scale=snapshot.scale,
        variation=snapshot.variation,
        changes=snapshot.changes if snapshot.variation else "",
        synthetic_data=any(one.synthetic for one in resolved),
        data_name=of_first_trial.data_name,
        data_facts=_data_facts(records),
        cells=tuple(_cell_info(snapshot, cell) for cell in cells),
        scale_arms=arms,
        scale_levels=snapshot.sweep.levels(),
        excluded=tuple(_excluded(snapshot, known)),
        scale_published={
            arm: statement.published[arm] for arm in arms if arm in statement.published
        },
        places=snapshot.sweep.places(),
        scope=snapshot.scope,
        planned=(*(_planned(snapshot, request, trial) for trial in trials), *controls),
        records=records,
        gallery=gallery_of(trials, records, store),
        stamp=stamp_of(snapshot, store, first=first),
        methods=of_first_trial.methods,
        command=f"ablate run {request.words()}",
    )


def _requested(snapshot: Snapshot, request: Request, known: Known) -> Plan:
    try:
        sweep = sweep_of(snapshot, only=request.only, seeds=request.seeds or ())
        return plan(sweep, snapshot.resolve, known)
    except PlanError as error:
        option = "--only: " if request.only else ""
        raise UsageError(*(f"{option}{sentence}" for sentence in error.sentences)) from error


def _cell_info(snapshot: Snapshot, cell: Cell) -> CellInfo:
    return CellInfo(
        name=cell.name,
        role=cell.role,
        control=CONTROLS.get(cell.name),
        levels=cell.levels,
        floor=cell.floor,
        predicts=predicts(snapshot.resolved(cell).config),
        published=snapshot.statement.published.get(cell.name),
        deviations=snapshot.resolved(cell).deviations.get(cell.name, ()),
    )


def _planned(snapshot: Snapshot, request: Request, trial: Trial) -> PlannedTrial:
    return PlannedTrial(
        key=trial.key,
        cell=trial.cell,
        seed=trial.seed,
        reason=trial.reason,
        command=_trial_command(snapshot, request, trial),
    )


def _with_recorded(snapshot: Snapshot, known: Known, asked: Plan) -> tuple[list[Cell], list[Trial]]:
    """The requested trials, and every other trial of this study and scale that is on record."""
    mine = [summary for summary in known.summaries if summary.label == asked.label]
    seeds = tuple(sorted({one.seed for one in (*asked.trials, *mine)}))
    keys = {summary.key for summary in known.summaries}
    everything = plan(sweep_of(snapshot, seeds=seeds, everything=True), snapshot.resolve, known)
    here = {(trial.cell, trial.seed) for trial in asked.trials}
    # A reference is evaluated once: with another seed it would be listed a second time.
    once = {trial.key for trial in asked.trials if trial.role == "reference"}
    trials = {(trial.cell, trial.seed): trial for trial in asked.trials}
    for trial in everything.trials:
        place = (trial.cell, trial.seed)
        if place not in here and trial.key in keys and trial.key not in once:
            trials[place] = trial
    names = {cell for cell, _ in trials}
    chosen = {cell.name: cell for cell in (*everything.cells, *asked.cells) if cell.name in names}
    order = [cell.name for cell in everything.cells if cell.name in chosen]
    order += [name for name in chosen if name not in order]
    ranked = sorted(trials.values(), key=lambda trial: (trial.seed, order.index(trial.cell)))
    return [chosen[name] for name in order], ranked


def _excluded(snapshot: Snapshot, known: Known) -> Iterator[ExcludedCell]:
    own = [one.cell for one in known.summaries if one.label == snapshot.label]
    for cell, reason in snapshot.sweep.excluded().items():
        yield ExcludedCell(name=cell, reason=reason, records=own.count(cell))


def _scale_arms(snapshot: Snapshot) -> tuple[str, ...]:
    only = snapshot.statement.only
    return tuple(arm.name for arm in snapshot.sweep.arms() if only is None or arm.name in only)


def _other_controls(
    snapshot: Snapshot,
    request: Request,
    known: Known,
    cells: Iterable[Cell],
    trials: Iterable[Trial],
) -> tuple[PlannedTrial, ...]:
    """Controls of these very encoders that were run with other cells or seeds: they count too."""
    here = {trial.key for trial in trials}
    named = {cell.name: cell for cell in cells}
    encoders = {trial.stages[0].key for trial in trials if trial.stages}
    shuffled = {
        _shuffled_key(snapshot, named[trial.cell], trial.seed)
        for trial in trials
        if SHUFFLED in named
        and trial.role == "arm"
        and named[trial.cell].floor == named[SHUFFLED].floor
    }
    found: dict[str, PlannedTrial] = {}
    for one in known.summaries:
        mine = (one.label, one.role) == (snapshot.label, "control") and one.cell in named
        of_these = shuffled if one.cell == SHUFFLED else encoders
        if mine and one.key not in here and one.stages and one.stages[0].key in of_these:
            command = f"ablate trial {request.trial_words(one.key, only=None, seeds=None)}"
            found[one.key] = PlannedTrial(
                key=one.key, cell=one.cell, seed=one.seed, reason=one.state, command=command
            )
    return tuple(found.values())


def _shuffled_key(snapshot: Snapshot, arm: Cell, seed: int) -> str:
    """The key that the encoder of an arm has when it is trained on shuffled positives."""
    (stage, identity), *_ = snapshot.resolved(arm).at(seed).chain
    [(_, key)] = chain_keys([(stage, identity | {"shuffled_positives": True})])
    return key


_DATA = {
    "name": "data set",
    "test_images_in_train": "test images that are also training images",
    "deviations": "differences in the images",
}
"""Facts of the images whose names in the report are not those of their fields."""


def _data_facts(records: Iterable[TrialRecord]) -> tuple[Fact, ...]:
    # The trials of one study share their data, so equal facts are listed once.
    facts: dict[str, dict[str, None]] = {}
    for data in (facts_of(record).data for record in records):
        for field, value in data if data.name else ():
            if value is None or field == "class_names":
                continue
            text = ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
            facts.setdefault(_DATA.get(field, field.replace("_", " ")), {})[text] = None
    return tuple(Fact(name=name, text="; ".join(texts)) for name, texts in facts.items())


def _trial_command(snapshot: Snapshot, request: Request, trial: Trial) -> str:
    usual = snapshot.statement.seeds
    # The arm of a control depends on the requested cells; no other trial does.
    only = request.only if trial.role == "control" else None
    first = 1 if trial.role in ("control", "reference") else len(usual)
    if trial.cell == SHUFFLED:
        first = SHUFFLED_SEEDS
    seeds = None if trial.seed in usual[:first] else (trial.seed,)
    return f"ablate trial {request.trial_words(trial.key, only=only, seeds=seeds)}"

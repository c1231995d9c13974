"""From a study, its plan and its records to the one value that reports are made from."""

from collections.abc import Iterable
from typing import Any, Literal

from ablations.compose import Composed, chain, num_images, part_text, planned
from ablations.evidence.deviations import Paper, value_text
from ablations.evidence.stamp import stamp_of
from ablations.study import (
    CONTROL,
    SHUFFLED,
    SHUFFLED_SEEDS,
    PublishedTable,
    chosen_cells,
    predicts,
)
from reports.spec import CellInfo, Evidence, Fact, PlannedTrial
from simclr_core.config import Config
from simclr_core.errors import DataMissing
from sweeps.planning import Cell, Known, Plan, Trial, chain_keys, plan
from sweeps.record import Summary, TrialRecord
from sweeps.storage import Store

METHODS = {
    "data": "images",
    "views": "views",
    "encoder": "encoder",
    "head": "projection head",
    "loss": "loss",
    "optimizer": "optimiser",
    "schedule": "schedule",
    "batch_size": "batch size",
    "epochs": "epochs",
    "precision": "precision",
    "evaluation": "read-outs",
}
"""Field of the configuration -> what the report calls it."""


CONTROLS: dict[str, Literal["permuted labels", "shuffled positives"]] = {
    CONTROL: "permuted labels",
    SHUFFLED: "shuffled positives",
}
"""Cell -> which control of the report it is."""


def evidence(composed: Composed, store: Store) -> Evidence:
    """All that is known of a study at its scale: what was asked for, and what else is on record."""
    study, request = composed.study, composed.request
    known = store.known()
    asked = planned(composed, known)
    cells, trials = _with_recorded(composed, known, asked)
    other_controls = _other_controls(composed, known, trials, cells, asked.label)
    keys = [trial.key for trial in (*trials, *other_controls)]
    records = tuple(store.records(keys))
    keys_of_arms = {trial.key for trial in trials if trial.role == "arm"}
    published = composed.written.published
    paper = Paper(composed)
    arms = _scale_arms(composed)
    first = trials[0].config if trials else composed.base
    return Evidence(
        study=study.name,
        title=study.title,
        question=study.question,
        source=study.source,
        scale=composed.scale,
        variation=composed.variation,
        built_data=_built(trials),
        data_name=data_name(first["data"]),
        data_facts=_data_facts(records),
        metric=study.metric,
        metric_name=composed.metric_name,
        unit=study.unit,
        cells=tuple(
            CellInfo(
                name=cell.name,
                role=cell.role,
                control=CONTROLS.get(cell.name),
                levels=cell.levels,
                floor=cell.floor,
                predicts=predicts(cell),
                published=published.values.get(cell.name) if published else None,
                deviations=paper.deviations(cell, trials),
            )
            for cell in cells
        ),
        scale_arms=arms,
        scale_published={
            arm: published.values[arm] for arm in arms if published and arm in published.values
        },
        published_tie=published.tie if published else 0.0,
        places=composed.sweep(everything=True).places(),
        planned=tuple(
            PlannedTrial(
                key=trial.key,
                cell=trial.cell,
                seed=trial.seed,
                reason=trial.reason,
                command=_trial_command(composed, trial),
            )
            for trial in trials
        )
        + other_controls,
        records=records,
        roles=study.roles_at(composed.scale),
        claims=study.claims,
        figures=study.figures,
        looks=study.looks,
        stamp=stamp_of(
            composed,
            store,
            asked.label,
            first=min((r.started for r in records if r.key in keys_of_arms), default=None),
        ),
        published_source="" if published is None else published.source,
        published_about=_about(published),
        methods=_methods(composed, first),
        command=f"ablate run {request.words()}",
    )


def data_name(data: dict[str, Any]) -> str:
    """What a reader calls the images."""
    match data:
        case {"kind": "textures", **more}:
            num = more.get("num_images")
            return f"textures (synthetic, {num} images)" if num else "textures (synthetic)"
        case {"kind": kind, **more}:
            name = str(more.get("name") or {"cifar10": "CIFAR-10"}.get(kind, kind))
            num = more.get("num_images")
            return f"{name} ({num} images)" if num else name
        case _:
            return "unknown"


def _with_recorded(composed: Composed, known: Known, asked: Plan) -> tuple[list[Cell], list[Trial]]:
    """What was asked for, and beside it every trial of this study and scale that is on record."""
    mine = [summary for summary in known.summaries if summary.label == asked.label]
    seeds = tuple(sorted({*composed.seeds, *(summary.seed for summary in mine)}))
    keys = {summary.key for summary in known.summaries}
    everything = plan(composed.sweep(everything=True, seeds=seeds), composed.resolve, known)
    here = {(trial.cell, trial.seed) for trial in asked.trials}
    # What stands beside the arms once has no seed of its own to be there a second time.
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


def _scale_arms(composed: Composed) -> tuple[str, ...]:
    only = chosen_cells(composed.study, composed.scale)
    arms = composed.sweep(everything=True).arms()
    return tuple(arm.name for arm in arms if only is None or arm.name in only)


def _other_controls(
    composed: Composed,
    known: Known,
    trials: Iterable[Trial],
    cells: Iterable[Cell],
    label: str,
) -> tuple[PlannedTrial, ...]:
    """Controls of these very encoders that were run beside other cells or seeds: they count too."""
    here = {trial.key: trial for trial in trials}
    encoders = {trial.stages[0].key: trial.cell for trial in trials if trial.stages}
    floors = {cell.name: cell.floor for cell in cells}
    found: dict[str, PlannedTrial] = {}
    for one in known.summaries:
        mine = (one.label, one.role) == (label, "control")
        if not mine or one.key in here or one.cell not in floors or not one.stages:
            continue
        arm = encoders.get(_controlled(composed, one))
        if arm is not None and (one.cell != SHUFFLED or floors[arm] == floors[SHUFFLED]):
            command = f"ablate trial {composed.request.trial_words(one.key, only=None, seeds=None)}"
            found[one.key] = PlannedTrial(
                key=one.key, cell=one.cell, seed=one.seed, reason=one.state, command=command
            )
    return tuple(found.values())


def _controlled(composed: Composed, control: Summary) -> str:
    """The key of the encoder that a control speaks of: its own, or that of the true pairs."""
    if control.cell != SHUFFLED:
        return control.stages[0].key
    try:
        config = Config.model_validate(control.config | {"shuffled_positives": False})
        (_, encoder), _ = chain_keys(chain(config, composed.fingerprint(config)))
    except (ValueError, DataMissing):  # of another time, or of images that are gone
        return ""
    return encoder


def _about(published: PublishedTable | None) -> str:
    if published is None:
        return ""
    return "; ".join(filter(None, (published.what, published.precision)))


def _built(trials: Iterable[Trial]) -> bool:
    kinds = {trial.config["data"]["kind"] for trial in trials}
    return "textures" in kinds


DATA_FACTS = {"name": "data set", "deviations": "deviations in the images"}
"""Facts of a record's data that a reader needs more words for."""


def _data_facts(records: Iterable[TrialRecord]) -> tuple[Fact, ...]:
    # The trials of one study have their data in common; what several say is said once.
    facts: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in record.facts.get("data", {}).items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            facts.setdefault(DATA_FACTS.get(name, str(name)), {})[text or "none"] = None
    return tuple(Fact(name=name, text="; ".join(texts)) for name, texts in facts.items())


def _methods(composed: Composed, config: dict[str, Any]) -> tuple[Fact, ...]:
    from ablations.study import fields_of

    varied = {field: axis.name for axis in composed.axes for field in fields_of(axis)}
    facts: list[Fact] = []
    for field, name in METHODS.items():
        axes = [axis for f, axis in varied.items() if f == field or f.startswith(f"{field}.")]
        text = _method_text(config.get(field))
        if axes:
            text += f" (varied by the axis {', '.join(dict.fromkeys(axes))}; here that of the first cell)"
        facts.append(Fact(name=name, text=text))
    if steps := _steps_text(config):
        facts.append(Fact(name="optimiser steps", text=steps))
    return tuple(facts)


def _steps_text(config: dict[str, Any]) -> str:
    """How many steps and how many of warm-up, and what the official code counts instead.

    The paper gives epochs alone; so it is a method and no deviation. Empty where the official code
    has no such schedule, or the number of images is not known.
    """
    images, batch, epochs = num_images(config["data"]), config["batch_size"], config["epochs"]
    if config["schedule"]["kind"] != "warmup_cosine" or images is None or not epochs:
        return ""
    seen = images - max(1, round(images / 10)) if "labels" in config["loss"] else images
    warmup, a_epoch = config["schedule"]["warmup_epochs"], seen // batch
    # model_util.get_train_steps and learning_rate_schedule of the official code.
    theirs = images * epochs // batch + 1, round(warmup * images // batch)
    return (
        f"{epochs * a_epoch:,}, of which {round(warmup * a_epoch):,} are warm-up: each epoch leaves out "
        "its last, incomplete batch. The official code counts over all epochs together: "
        f"{theirs[0]:,} and {theirs[1]:,}"
    )


def _method_text(value: Any) -> str:
    if isinstance(value, list) and len(value) > 8 and not isinstance(value[0], (dict, list)):
        return f"{len(value)} values from {value_text(value[0])} to {value_text(value[-1])}"
    if not isinstance(value, dict):
        return value_text(value)
    kind = str(value.get("kind", "")).replace("_", " ")
    if kind == "file":
        kind = part_text(value)
        value = {name: inner for name, inner in value.items() if name not in ("name", "sha256")}
    rest = [
        f"{name.replace('_', ' ')} "
        f"{_method_text(inner) if isinstance(inner, (dict, list)) else value_text(inner)}"
        for name, inner in value.items()
        if name not in ("kind", "path") and inner not in (None, {})
    ]
    return ", ".join([*([kind] if kind else []), *rest])


def _trial_command(composed: Composed, trial: Trial) -> str:
    request = composed.request
    usual = composed.study.scale(composed.scale).seeds or composed.study.seeds
    # Which arm the control goes with depends on the cells asked for; all others stand by themselves.
    only = request.only if trial.role == "control" else None
    first = 1 if trial.role in ("control", "reference") else len(usual)
    if trial.cell == SHUFFLED:
        first = SHUFFLED_SEEDS
    seeds = None if trial.seed in usual[:first] else (trial.seed,)
    return f"ablate trial {request.trial_words(trial.key, only=only, seeds=seeds)}"

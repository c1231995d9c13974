"""The calls: each makes a request, gathers the evidence, and gives its part of it."""

import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Unpack

import pandas as pd

from ablations.commands import compared_sides, how, perform_run, recorded_evidence, together
from ablations.evidence import current, evidence
from ablations.notebook.asked import Scale, Selection, request_of
from ablations.notebook.frames import curve_frame, difference_frame, trial_frame, verdict_frame
from ablations.notebook.outcome import ReportFiles, RunResult
from ablations.study import Request
from reports.errors import ReportError
from reports.judging import outcomes
from reports.spec import Evidence, Snapshot
from sweeps.storage import Store


def run(
    study: str | Path,
    *,
    scale: Scale = "laptop",
    store: str | Path = "runs",
    again: bool = False,
    failed: bool = False,
    recompute: bool = False,
    keep: Literal["none", "last"] = "last",
    tracking: str | None = None,
    slots: int | None = None,
    budget: str | None = None,
    **selection: Unpack[Selection],
) -> RunResult:
    """Runs the missing trials, judges the claims and writes the reports, as `ablate run` does.

    Arguments are the options of `ablate run`, such as `budget="2h"`; an ablate.toml is not read.
    Progress and the verdict board are printed. Trials that failed raise nothing: `messages` has one
    sentence for each.

    Raises:
        StudyError, UsageError: The study or an argument is wrong; nothing was run.
        StoreError, TrackingError: The store or the tracking address cannot be used.
        ReportError: A report could not be written; the trials are saved.
        KeyboardInterrupt: Finished trials are saved, and the next call continues.
    """
    given = together(
        request=lambda: request_of(
            study,
            scale=scale,
            store=store,
            again=again,
            failed=failed,
            recompute=recompute,
            **selection,
        ),
        how=lambda: how(keep, None if slots is None else str(slots), budget),
    )
    done = perform_run(given["request"], given["how"], tracking=tracking)
    if done.reports.missing:
        raise ReportError("\n".join(done.reports.missing))
    return RunResult(
        study=done.evidence.label,
        counts=_counts(done.evidence),
        messages=done.messages,
        report=_files(done.store.study(done.evidence.label)),
        store=done.store.path,
        verdicts=verdict_frame(done.evidence),
    )


def results(
    study: str | Path,
    *,
    scale: Scale = "laptop",
    store: str | Path = "runs",
    controls: bool = False,
    **selection: Unpack[Selection],
) -> pd.DataFrame:
    """One row for each trial on record, by the report's rules; see ablations/notebook/README.md.

    Columns: study, scale, variation, cell, `axis.NAME` for each axis, seed, role, state, collapsed,
    `metric.NAME` for each value (accuracies in per cent), seconds, attempt, key, error. `controls`:
    with the trials of controls.

    Raises:
        StudyError, UsageError: The study or an argument is wrong.
        StoreError: The store's folder holds something else.
    """
    snapshot, gathered = _gathered(request_of(study, scale=scale, store=store, **selection))
    return trial_frame(gathered, _metrics(snapshot, gathered, controls), controls=controls)


def curves(
    study: str | Path,
    *,
    scale: Scale = "laptop",
    store: str | Path = "runs",
    controls: bool = False,
    **selection: Unpack[Selection],
) -> pd.DataFrame:
    """The training curves of these trials in long form: key, cell, seed, step, metric, value.

    A trial that took its encoder from another one has that encoder's curve. Unknown values have no row.

    Raises:
        StudyError, UsageError: The study or an argument is wrong.
        StoreError: The store's folder holds something else.
    """
    _, gathered = _gathered(request_of(study, scale=scale, store=store, **selection))
    return curve_frame(gathered, controls=controls)


def verdicts(
    study: str | Path,
    *,
    scale: Scale = "laptop",
    store: str | Path = "runs",
    **selection: Unpack[Selection],
) -> pd.DataFrame:
    """One row for each claim, as the report judges it.

    `difference` with `low` and `high` is in the metric's unit (per step for `increases`), tau-b for
    `ranks_like`; `level` is the interval's, such as 0.975; NaN is unknown.

    Raises:
        StudyError, UsageError: The study or an argument is wrong.
        StoreError: The store's folder holds something else.
    """
    _, gathered = _gathered(request_of(study, scale=scale, store=store, **selection))
    return verdict_frame(gathered)


def compare(*names: str, store: str | Path = "runs") -> pd.DataFrame:
    """Studies, variations or stores side by side, as `ablate compare` names them; writes nothing.

    One row for each arm and other side, against the first side: arm, first, other, `mean.first`,
    `mean.other`, difference (the other minus the first, in the metric's unit), low, high, level, n
    (pairs, or all seeds if unpaired), how, remark. NaN is unknown. It is exploratory: nothing of it
    was fixed before the runs.

    Raises:
        UsageError: Fewer than two names, or a name fits nothing or several.
        StoreError: A store's folder holds something else.
    """
    return difference_frame(compared_sides(Path(store), names))


def report(
    study: str | Path,
    *,
    scale: Scale = "laptop",
    store: str | Path = "runs",
    **selection: Unpack[Selection],
) -> ReportFiles:
    """Judges the records again and writes the reports, as `ablate report` does.

    Raises:
        StudyError, UsageError: The study or an argument is wrong, or the store has no record of its
            arms.
        StoreError: The store's folder holds something else.
        ReportError: A report could not be written.
    """
    from reports.write import write_reports

    request = request_of(study, scale=scale, store=store, **selection)
    found = recorded_evidence(request)
    _warn(*found.notes)
    folder = Store(request.store).study(found.evidence.label)
    write_reports(found.evidence, folder)
    return _files(folder)


def _gathered(request: Request) -> tuple[Snapshot, Evidence]:
    store = Store(request.store)
    store.refuse_foreign()
    snapshot, note = current(request, store)
    gathered = evidence(snapshot, request, store)
    _warn(note, *store.messages)
    return snapshot, gathered


def _warn(*notes: str) -> None:
    for note in filter(None, notes):
        warnings.warn(note, stacklevel=4)


def _metrics(snapshot: Snapshot, gathered: Evidence, controls: bool) -> Iterable[str]:  # noqa: FBT001
    """The values that the cells' evaluations record, also where no trial has finished."""
    try:
        from simclr_core.config import Config
    except ImportError:  # without torch: those of the records
        return (gathered.metric,)
    names: dict[str, None] = {}
    configs: dict[str, Any] = {}
    chosen = {cell.name for cell in gathered.cells if controls or cell.role != "control"}
    for one in snapshot.cells.values():
        if chosen & one.deviations.keys():
            configs.setdefault(repr(one.config["evaluation"]), one.config)
    for config in configs.values():
        names |= dict.fromkeys(Config.model_validate(config).evaluation.value_names())
    return names


def _counts(gathered: Evidence) -> dict[str, int]:
    states = {outcome.trial.key: outcome.state for outcome in outcomes(gathered)}
    return dict.fromkeys(("finished", "no number", "failed", "missing"), 0) | Counter(
        states.values()
    )


def _files(folder: Path) -> ReportFiles:
    return ReportFiles(
        html=folder / "report.html",
        pdf=folder / "report.pdf",
        tables=folder / "tables",
        figures=folder / "figures",
    )

"""Evidence as tidy data frames, by the selection rules of the report.

The attempt that counts stands for its trial; records whose key is not planned are left out. Columns
and their types are the same for an empty store.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import pandas as pd

from reports.comparing import How, Side, cell_differences
from reports.judging import Decision, Outcome, Verdict, outcomes, verdicts
from reports.spec import AnyClaim, CellInfo, Evidence, RanksLike
from sweeps.record import TrialRecord

STATES = ("finished", "no number", "failed")
ROLES: tuple[str, ...] = get_args(CellInfo.model_fields["role"].annotation)
KINDS: tuple[str, ...] = tuple(
    claim.model_fields["kind"].default for claim in get_args(get_args(AnyClaim)[0])
)


def trial_frame(evidence: Evidence, metrics: Iterable[str], *, controls: bool) -> pd.DataFrame:
    """One row for each trial on record, in the plan's order; `metrics` have a column in any case."""
    found = _recorded(evidence, controls=controls)
    records = [record for _, record in found]
    measured = [record.values for record in records]  # noqa: PD011 -- a field of records
    axes = dict.fromkeys(axis for cell in evidence.cells for axis in cell.levels)
    names = dict.fromkeys([*metrics, *(name for values in measured for name in values)])
    columns: dict[str, pd.Series] = {
        "study": _words([evidence.study] * len(found), [evidence.study]),
        "scale": _words([evidence.scale] * len(found), [evidence.scale]),
        "variation": _words([evidence.variation] * len(found), [evidence.variation]),
        "cell": _cells(found, evidence),
    }
    for axis in axes:
        levels = [outcome.cell.levels.get(axis) for outcome, _ in found]
        known = [cell.levels.get(axis) for cell in evidence.cells]
        columns[f"axis.{axis}"] = _words(levels, known)
    columns |= {
        "seed": _series([outcome.trial.seed for outcome, _ in found], "Int64"),
        "role": _words([outcome.cell.role for outcome, _ in found], ROLES),
        "state": _words([outcome.state for outcome, _ in found], STATES),
        "collapsed": _series([outcome.facts.collapsed for outcome, _ in found], "boolean"),
    }
    for name in names:
        numbers = [values.get(name) for values in measured]
        columns[f"metric.{name}"] = _series(numbers, "float64")
    columns |= {
        "seconds": _series([record.seconds for record in records], "float64"),
        "attempt": _series([record.attempt for record in records], "Int64"),
        "key": _series([record.key for record in records], "string"),
        "error": _series([record.error for record in records], "string"),
    }
    return pd.DataFrame(columns)


def curve_frame(evidence: Evidence, *, controls: bool) -> pd.DataFrame:
    """One row for each known value of a metric at a step of pre-training."""
    rows: list[tuple[Any, ...]] = []
    found = _recorded(evidence, controls=controls)
    for outcome, record in found:
        steps = record.curve.get("step", [])
        for metric, values in record.curve.items():
            if metric != "step":
                place = (record.key, outcome.cell.name, outcome.trial.seed)
                rows += [
                    (*place, step, metric, value)
                    for step, value in zip(steps, values, strict=True)
                    if value is not None
                ]
    keys, cells, seeds, steps, metrics, values = zip(*rows, strict=True) if rows else [()] * 6
    return pd.DataFrame(
        {
            "key": _series(keys, "string"),
            "cell": _words(cells, [cell.name for cell in evidence.cells]),
            "seed": _series(seeds, "Int64"),
            "step": _series(steps, "Int64"),
            "metric": _words(metrics, metrics),
            "value": _series(values, "float64"),
        }
    )


def verdict_frame(evidence: Evidence) -> pd.DataFrame:
    """One row for each claim, in the study's order."""
    judged = verdicts(evidence)
    shown = [verdict.shown for verdict in judged]
    levels = [one.level if math.isfinite(one.low) else math.nan for one in shown]
    return pd.DataFrame(
        {
            "claim": _series([verdict.claim.name for verdict in judged], "string"),
            "kind": _words([verdict.claim.kind for verdict in judged], KINDS),
            "primary": _series([verdict.claim.primary for verdict in judged], "boolean"),
            "decision": _words([verdict.decision.value for verdict in judged], list(Decision)),
            "verdict": _series([verdict.words for verdict in judged], "string"),
            "difference": _series([one.mean for one in shown], "float64"),
            "low": _series([one.low for one in shown], "float64"),
            "high": _series([one.high for one in shown], "float64"),
            "level": _series(levels, "float64"),
            "n": _series([one.n for one in shown], "Int64"),
            "p": _series([verdict.p for verdict in judged], "float64"),
            "paper": _series([verdict.published for verdict in judged], "float64"),
            "margin": _series([_margin(verdict) for verdict in judged], "float64"),
            "note": _series([verdict.note for verdict in judged], "string"),
        }
    )


def difference_frame(sides: Sequence[Side]) -> pd.DataFrame:
    """One row for each arm of a comparison and each side but the first."""
    found = cell_differences(sides)
    by_name = {side.name: side for side in sides}
    shown = [one.shown for one in found]
    means = {
        f"mean.{sign}": [
            side.intervals[one.cell].mean if one.cell in side.intervals else None
            for one in found
            for side in [by_name[one.side] if sign == "other" else sides[0]]
        ]
        for sign in ("first", "other")
    }
    names = [side.name for side in sides]
    return pd.DataFrame(
        {
            "arm": _words([one.cell for one in found], [one.cell for one in found]),
            "first": _words(names[:1] * len(found), names),
            "other": _words([one.side for one in found], names),
            **{name: _series(values, "float64") for name, values in means.items()},
            "difference": _series([one.mean for one in shown], "float64"),
            "low": _series([one.low for one in shown], "float64"),
            "high": _series([one.high for one in shown], "float64"),
            "level": _series([one.level for one in shown], "float64"),
            "n": _series([one.n for one in shown], "Int64"),
            "how": _words([one.how.value for one in found], list(How)),
            "remark": _series([one.remark for one in found], "string"),
        }
    )


def _recorded(evidence: Evidence, *, controls: bool) -> list[tuple[Outcome, TrialRecord]]:
    return [
        (outcome, outcome.record)
        for outcome in outcomes(evidence)
        if outcome.record is not None and (controls or outcome.cell.role != "control")
    ]


def _margin(verdict: Verdict) -> float:
    return math.nan if isinstance(verdict.claim, RanksLike) else verdict.claim.margin


def _cells(found: Iterable[tuple[Outcome, TrialRecord]], evidence: Evidence) -> pd.Series:
    names = [outcome.cell.name for outcome, _ in found]
    return _words(names, [cell.name for cell in evidence.cells])


def _words(values: Iterable[str | None], known: Iterable[str | None]) -> pd.Series:
    categories = [word for word in dict.fromkeys(known) if word is not None]
    # As objects: their type does not depend on whether there is any, or on pandas' version.
    index = pd.Index([str(word) for word in categories], dtype="object")
    return pd.Series(pd.Categorical(list(values), categories=index))


def _series(values: Sequence[Any], dtype: str) -> pd.Series:
    return pd.Series(list(values), dtype=dtype)

"""A study's cells as MLflow's runs: mean, interval and counts over their seeds."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlflow.entities import Metric, Run, RunTag

from sweeps.intervals import interval
from sweeps.planning import has_number
from sweeps.record import Summary
from sweeps.tracking.names import TAG_PREFIX, name_of
from sweeps.tracking.new_run import TOGETHER, NewRun, RunWriter, Stopped
from sweeps.tracking.one_trial import changes, level_params, milliseconds_now


class _Known(NamedTuple):
    """The known state of a cell's run, without a request to the server."""

    number: str
    status: str
    metrics: dict[str, float]
    tags: dict[str, str]


class CellRuns:
    """The runs of a study's cells, below the study's own run."""

    def __init__(
        self, writer: RunWriter, brief: Mapping[str, Any], tags: dict[str, str], runs: Iterable[Run]
    ) -> None:
        """`tags` are on each run of a cell; `runs` are those that exist."""
        self._writer, self._brief, self._tags = writer, brief, tags
        self._known = {
            run.data.tags[f"{TAG_PREFIX}cell"]: _Known(
                run.info.run_id, run.info.status, dict(run.data.metrics), dict(run.data.tags)
            )
            for run in runs
        }

    def update(self, counted: Mapping[str, Summary], last: Mapping[str, Any]) -> None:
        """Adds and renews runs, given the attempts that count and the driver's last message.

        Raises:
            Stopped: the tracker was asked to stop.
        """
        keys: dict[str, list[str]] = {}
        for key, cell in self._brief["trials"]:
            keys.setdefault(cell, []).append(key)
        given, verdicts = last.get("cells") or {}, last.get("cell_verdicts") or {}
        new: list[tuple[str, NewRun]] = []
        for cell, role, levels in self._brief["cells"]:
            summaries = [counted[key] for key in keys.get(cell, ()) if key in counted]
            finished = [one for one in summaries if one.state == "finished"]
            values = _computed(finished)
            if cell in given:
                values |= _given(given[cell], self._brief["metric"])
            if not summaries and not values:
                continue
            failed = len(summaries) - len(finished)
            values["cell/failed"] = float(failed)
            status = "FAILED" if failed else "FINISHED"
            tags = {"verdicts": verdicts[cell][:4900]} if cell in verdicts else {}
            if cell in self._known:
                self._renew(cell, values, tags, status)
                continue
            now = milliseconds_now()
            run = NewRun(
                name=f"{cell} (all seeds)",
                began=now,
                ended=now,
                status=status,
                tags={**self._tags, f"{TAG_PREFIX}cell": cell, "role": role},
                mark=tags,
                params=level_params(cell, role, levels),
                metrics=tuple(Metric(name, value, now, 0) for name, value in values.items()),
            )
            new.append((cell, run))
        for first in range(0, len(new), TOGETHER):
            if self._writer.watch.stop():
                raise Stopped("stopped at the runs of the cells")
            some = new[first : first + TOGETHER]
            numbers = self._writer.write([one for _, one in some], (first, len(new)))
            for (cell, one), number in zip(some, numbers, strict=True):
                metrics = {metric.key: metric.value for metric in one.metrics}
                self._known[cell] = _Known(number, one.status, metrics, {**one.tags, **one.mark})

    def _renew(
        self, cell: str, values: dict[str, float], tags: dict[str, str], status: str
    ) -> None:
        run, client = self._known[cell], self._writer.client
        changed = changes(run.metrics, values)
        new = [RunTag(name, text) for name, text in tags.items() if run.tags.get(name) != text]
        if changed or new:
            now = milliseconds_now()
            metrics = [Metric(name, value, now, 0) for name, value in changed.items()]
            client.log_batch(run.number, metrics=metrics[:900], tags=new)
            self._writer.watch.step(0, 0)
        if changed or status != run.status:
            client.set_terminated(run.number, status=status)
        self._known[cell] = _Known(
            run.number, status, {**run.metrics, **changed}, {**run.tags, **tags}
        )


def _computed(finished: list[Summary]) -> dict[str, float]:
    """Mean, 95 % Student-t interval and number of seeds; an unknown interval is left out."""
    values: dict[str, float] = {"cell/n": float(len(finished))} if finished else {}
    for name in dict.fromkeys(name for one in finished for name in one.values):
        known = [one.values[name] or 0.0 for one in finished if has_number(one, name)]
        if not known:
            continue
        found, metric = interval(known), f"cell/{name_of(name)}"
        values[metric] = found.mean
        if not math.isnan(found.low):
            values |= {f"{metric}_low": found.low, f"{metric}_high": found.high}
    return values


def _given(summary: list[Any], name: str) -> dict[str, float]:
    n, mean, low, high = summary
    metric = f"cell/{name_of(name)}"
    values = {"cell/n": n, metric: mean, f"{metric}_low": low, f"{metric}_high": high}
    return {name: math.nan if value is None else float(value) for name, value in values.items()}

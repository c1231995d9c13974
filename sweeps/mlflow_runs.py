"""A study as MLflow's runs: one for the study, below it one a trial and one a cell.

Each run is found again by its tags, so that writing twice changes nothing. A trial's run is written
when its record is in place, all at once, and marked last: one without its mark was cut off, and is
completed. Only the study's own run is open while a launch goes on.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mlflow.entities import Experiment, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from sweeps.attempts import by_key, counting, has_number
from sweeps.errors import TrackingError
from sweeps.intervals import interval
from sweeps.launches import launches
from sweeps.mlflow_trial import OURS, add_metrics, level_params, name_of, write_trial
from sweeps.nearest import did_you_mean
from sweeps.record import Summary
from sweeps.store import Store
from sweeps.tracking import artifact_root, own_uri


class Runs:
    """The runs of one study in one store."""

    def __init__(self, client: MlflowClient, store: Store, brief: Mapping[str, Any]) -> None:
        self.client, self.store, self.brief = client, store, brief
        self.label: str = brief["label"]
        self._settled = False
        self._close_abandoned()
        experiment = self._experiment()
        self.experiment: str = experiment.experiment_id
        self._trials: dict[str, Run] = {}
        self._cells: dict[str, Run] = {}
        parents: list[Run] = []
        for run in self._ours(f"tags.`{OURS}store` = '{store.identity}'", [self.experiment]):
            match run.data.tags.get(f"{OURS}role"):
                case "study":
                    parents.append(run)
                case "trial":
                    self._trials[run.data.tags[f"{OURS}key"]] = run
                case "cell":
                    self._cells[run.data.tags[f"{OURS}cell"]] = run
                case _:
                    continue
        self.parent = self._reopened(min(parents, key=_started, default=None))

    def update(self, last: Mapping[str, Any]) -> int:
        """Writes what is missing, and closes the study's run if this is the last time.

        Gives the number of trials' runs that were added or renewed.
        """
        if last.get("gone"):
            if not self._settled:
                self._end("KILLED")
            return 0
        counted = _counted(self.store.summaries(), self.brief)
        written = 0
        for summary in counted.values():
            run = self._trials.get(summary.key)
            attempt = None if run is None else run.data.tags.get(f"{OURS}attempt")
            if attempt == str(summary.attempt):
                continue
            record = self.store.record(summary.key, summary.attempt)
            if record is None:
                continue
            if run is not None and attempt is not None:
                # Its curve would run on into the new attempt's.
                self.client.delete_run(run.info.run_id)
                run = None
            self._trials[record.key] = write_trial(
                self.client, self.parent, self.store, record, run
            )
            written += 1
        self._update_cells(counted, last.get("cells"))
        if last.get("close") or last.get("settle"):
            self._note(last.get("note") or "")
            for file in last.get("files") or ():
                self.client.log_artifact(self.parent.info.run_id, file)
            self._end("KILLED" if last.get("interrupted") else "FINISHED")
            self._settled = True
        return written

    # The study's own run

    def _experiment(self) -> Experiment:
        found = self.client.get_experiment_by_name(self.label)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return found
        own = self.brief["uri"] == own_uri(self.store)
        place = (artifact_root(self.store) / self.label.replace("/", "-")).as_uri() if own else None
        try:
            number = self.client.create_experiment(self.label, artifact_location=place)
        except MlflowException:
            # Another store may have made it at the same moment on a server that both use.
            found = self.client.get_experiment_by_name(self.label)
            if found is None:
                raise
            return found
        return self.client.get_experiment(number)

    def _reopened(self, found: Run | None) -> Run:
        if found is None:
            found = self.client.create_run(
                self.experiment, run_name=self.label, tags=self._tags("study")
            )
        if self.brief["reopen"]:
            self.client.update_run(found.info.run_id, status="RUNNING")
        elif found.info.status == "RUNNING":
            self.client.update_run(found.info.run_id, status="FINISHED")
        return found

    def _end(self, status: str) -> None:
        if self.brief["reopen"] or status == "FINISHED":
            self.client.set_terminated(self.parent.info.run_id, status=status)

    def _note(self, note: str) -> None:
        lines = [note, ""] if note else []
        lines += ["| launch | trials | finished | failed | died | left | command |", "|-" * 7 + "|"]
        for one in launches(self.store, self.label)[-50:]:
            cells = [one.get(name, "?") for name in ("finished", "failed", "died", "left")]
            words = [one["launch"], one.get("trials", "?"), *cells, f"`{one.get('command')}`"]
            lines.append(f"| {' | '.join(str(word).replace('|', '/') for word in words)} |")
        text = "\n".join(lines)[-7900:]
        self.client.set_tag(self.parent.info.run_id, "mlflow.note.content", text)

    # Cells

    def _update_cells(
        self, counted: Mapping[str, Summary], told: Mapping[str, list[Any]] | None
    ) -> None:
        keys: dict[str, list[str]] = {}
        for key, cell in self.brief["trials"]:
            keys.setdefault(cell, []).append(key)
        for cell, role, levels in self.brief["cells"]:
            summaries = [counted[key] for key in keys.get(cell, ()) if key in counted]
            finished = [one for one in summaries if one.state == "finished"]
            values = _cell_values(finished, self.brief["interval"])
            if told is not None and cell in told:
                values |= _told_values(told[cell], self.brief["metric"])
            if finished or values:
                self._write_cell(cell, role, levels, values)

    def _write_cell(
        self, cell: str, role: str, levels: dict[str, str], values: dict[str, float]
    ) -> None:
        run = self._cells.get(cell)
        if run is None:
            tags = self._tags("cell") | {
                f"{OURS}cell": cell,
                "mlflow.parentRunId": self.parent.info.run_id,
            }
            run = self.client.create_run(self.experiment, run_name=f"{cell} (all seeds)", tags=tags)
            names = level_params(cell, role, levels)
            self.client.log_batch(
                run.info.run_id, params=[Param(name, text) for name, text in names.items()]
            )
        before = run.data.metrics
        # What is no longer known cannot be taken away in MLflow, but it can be said.
        values |= {name: math.nan for name in before if name not in values}
        changed = {
            name: value
            for name, value in values.items()
            if name not in before or not _same(before[name], value)
        }
        if changed:
            now = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
            metrics = [Metric(name, value, now, 0) for name, value in changed.items()]
            add_metrics(self.client, run.info.run_id, metrics)
        if changed or run.info.status != "FINISHED":
            self.client.set_terminated(run.info.run_id, status="FINISHED")
            run = self.client.get_run(run.info.run_id)
        self._cells[cell] = run

    # Helpers

    def _tags(self, role: str) -> dict[str, str]:
        return {
            f"{OURS}role": role,
            f"{OURS}store": self.store.identity,
            f"{OURS}study": self.label,
        }

    def _ours(self, condition: str, experiments: list[str]) -> Iterable[Run]:
        token: str | None = None
        while True:
            page = self.client.search_runs(
                experiments, condition, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _close_abandoned(self) -> None:
        """Ends what earlier trackers of this store, all dead by now, left open in any study."""
        experiments = [one.experiment_id for one in self.client.search_experiments()]
        condition = (
            f"tags.`{OURS}store` = '{self.store.identity}' and attributes.status = 'RUNNING'"
        )
        for run in list(self._ours(condition, experiments)) if experiments else ():
            self.client.set_terminated(run.info.run_id, status="KILLED")


def find_experiment(client: MlflowClient, label: str) -> str:
    """The number of a study's experiment; TrackingError if nothing was tracked of it."""
    found = client.get_experiment_by_name(label)
    if found is None:
        raise TrackingError(
            f"nothing of {label} was tracked yet; run it once more: what is on record is not"
            " trained again, and tracking catches up"
        )
    return str(found.experiment_id)


def find_trial(client: MlflowClient, store: Store, labels: list[str], key: str) -> tuple[str, str]:
    """Experiment and run of the trial whose key begins so; TrackingError unless there is one."""
    found: dict[str, tuple[str, str]] = {}
    known: list[str] = []
    for label in labels:
        experiment = client.get_experiment_by_name(label)
        if experiment is None:
            continue
        condition = f"tags.`{OURS}store` = '{store.identity}' and tags.`{OURS}role` = 'trial'"
        for run in client.search_runs([experiment.experiment_id], condition, max_results=50000):
            known.append(run.data.tags[f"{OURS}key"])
            if known[-1].startswith(key):
                found.setdefault(known[-1], (run.info.experiment_id, run.info.run_id))
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise TrackingError(f"{key!r} begins {len(found)} keys; write more of it")
    raise TrackingError(f"no run of a trial has a key like {key!r}{did_you_mean(key, known)}")


def _counted(summaries: Iterable[Summary], brief: Mapping[str, Any]) -> dict[str, Summary]:
    """Of each trial of the study the attempt that counts."""
    planned = {key for key, _ in brief["trials"]}
    mine = (one for one in summaries if one.key in planned or one.label == brief["label"])
    return {
        key: one
        for key, attempts in by_key(mine).items()
        if (one := counting(attempts, brief["metric"])) is not None
    }


def _cell_values(finished: list[Summary], level: float) -> dict[str, float]:
    """Mean, Student's t interval and number of seeds; an unknown interval is left out."""
    values: dict[str, float] = {"cell/n": float(len(finished))} if finished else {}
    for name in dict.fromkeys(name for one in finished for name in one.values):
        known = [one.values[name] or 0.0 for one in finished if has_number(one, name)]
        if not known:
            continue
        found = interval(known, level)
        values[f"cell/{name_of(name)}"] = found.mean
        if not math.isnan(found.low):
            values[f"cell/{name_of(name)}_low"] = found.low
            values[f"cell/{name_of(name)}_high"] = found.high
    return values


def _told_values(told: list[Any], metric: str) -> dict[str, float]:
    n, mean, low, high = told
    values = {"cell/n": n, f"cell/{name_of(metric)}": mean}
    values |= {f"cell/{name_of(metric)}_low": low, f"cell/{name_of(metric)}_high": high}
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def _same(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))


def _started(run: Run) -> int:
    return int(run.info.start_time or 0)

"""A study as MLflow's runs: one for the study, below it one a trial and one a cell.

Each run is found again by its tags, so that writing twice changes nothing. A trial's run is written
when its record is in place, all at once, and marked last: one without its mark was cut off, and is
completed. Only the study's own run is open while a launch goes on. It ends as FAILED where a trial
failed or is missing, and carries the verdicts.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mlflow.entities import Experiment, Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from sweeps.intervals import interval
from sweeps.planning import by_key, counting, has_number
from sweeps.record import Summary
from sweeps.storage import Store, launch_history
from sweeps.tracking.client import artifact_root, own_database, own_uri
from sweeps.tracking.experiment_view import show_cells
from sweeps.tracking.logged_history import save_logged
from sweeps.tracking.new_run import NewRun, OtherTables, write_run, write_runs
from sweeps.tracking.one_trial import TAG_PREFIX, level_params, name_of, trial_run
from sweeps.tracking.write_guard import Stopped, Watch

_TOGETHER = 100
"""Runs in one transaction of the store's own database."""


class Runs:
    """The runs of one study in one store."""

    def __init__(
        self,
        client: MlflowClient,
        store: Store,
        brief: Mapping[str, Any],
        watch: Watch = Watch(),  # noqa: B008 -- a frozen value
    ) -> None:
        self.client, self.store, self.brief, self.watch = client, store, brief, watch
        self.label: str = brief["label"]
        self.identity = store.identity
        self.own = brief["uri"] == own_uri(store)
        self._settled = False
        self._close_abandoned()
        experiment = self._experiment()
        self.experiment: str = experiment.experiment_id
        self.location = str(experiment.artifact_location)
        show_cells(client, experiment, brief["metric"])
        self._trials: dict[str, tuple[str, str | None]] = {}
        self._cells: dict[str, _CellRun] = {}
        parents: list[Run] = []
        for run in self._ours(f"tags.`{TAG_PREFIX}store` = '{self.identity}'", [self.experiment]):
            number, tags = run.info.run_id, run.data.tags
            match tags.get(f"{TAG_PREFIX}role"):
                case "study":
                    parents.append(run)
                case "trial":
                    self._trials[tags[f"{TAG_PREFIX}key"]] = (
                        number,
                        tags.get(f"{TAG_PREFIX}attempt"),
                    )
                case "cell":
                    known = _CellRun(number, run.info.status, dict(run.data.metrics), dict(tags))
                    self._cells[tags[f"{TAG_PREFIX}cell"]] = known
                case _:
                    continue
        self.parent = self._reopened(min(parents, key=_started, default=None))

    def update(self, last: Mapping[str, Any]) -> int:
        """Writes what is missing, and closes the study's run if this is the last time.

        Gives the number of trials' runs that were added or renewed.

        Raises:
            Stopped: it was to stop; the study's run is closed, and what is missing can be added later.
        """
        if last.get("gone"):
            if not self._settled:
                self._end("KILLED")
            return 0
        counted = _counted(self.store.summaries(), self.brief)
        try:
            written = self._write_trials(counted)
            self._update_cells(counted, last)
        except Stopped:
            if not self._settled:
                self._end("KILLED")
            raise
        if last.get("close") or last.get("settle"):
            self._note(last.get("note") or "")
            for file in last.get("files") or ():
                self.client.log_artifact(self.parent.info.run_id, file)
            save_logged(self.store, self.label, last, self.brief["metric"])
            self._mark(counted, last.get("verdicts") or {})
            self._end("KILLED" if last.get("interrupted") else self._outcome(counted))
            self._settled = True
        return written

    # Trials

    def _write_trials(self, counted: Mapping[str, Summary]) -> int:
        missing = [
            one
            for one in counted.values()
            if self._trials.get(one.key, ("", None))[1] != str(one.attempt)
        ]
        tags = {**self._tags("trial"), "mlflow.parentRunId": self.parent.info.run_id}
        written, together = 0, _TOGETHER if self.own else 1
        for first in range(0, len(missing), together):
            if self.watch.stop():
                raise Stopped(f"stopped at {written:,} of {len(missing):,} runs")
            records = [
                self.store.record(one.key, one.attempt) for one in missing[first : first + together]
            ]
            found = [record for record in records if record is not None]
            begun = [self._begun(record.key) for record in found]
            new = [trial_run(record, self.store, tags) for record in found]
            numbers = self._write(new, begun, (written, len(missing)))
            for record, number in zip(found, numbers, strict=True):
                self._trials[record.key] = (number, str(record.attempt))
            written += len(found)
            self.watch.step(written, len(missing))
        return written

    def _begun(self, key: str) -> str | None:
        """The run to complete, which was cut off; one that is whole and of another attempt goes."""
        number, attempt = self._trials.pop(key, (None, None))
        if number is not None and (self.own or attempt is not None):
            # Its curve would run on into the new attempt's.
            self.client.delete_run(number)
            return None
        return number

    def _write(
        self, new: list[NewRun], begun: list[str | None], state: tuple[int, int]
    ) -> list[str]:
        if self.own:
            try:
                file = own_database(self.store)
                return write_runs(file, self.experiment, self.location, new)
            except OtherTables:
                self.own = False
        return [
            write_run(self.client, self.experiment, one, run, lambda: self.watch.step(*state))
            for one, run in zip(new, begun, strict=True)
        ]

    # The study's own run

    def _experiment(self) -> Experiment:
        found = self.client.get_experiment_by_name(self.label)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return found
        place = artifact_root(self.store) / self.label.replace("/", "-")
        # MLflow itself would put the files of a local database into the working folder.
        local = self.brief["uri"].startswith("sqlite:")
        try:
            number = self.client.create_experiment(
                self.label, artifact_location=place.as_uri() if local else None
            )
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
        if self.brief["reopen"] or status != "KILLED":
            self.client.set_terminated(self.parent.info.run_id, status=status)

    def _outcome(self, counted: Mapping[str, Summary]) -> str:
        """FAILED where a trial of the plan failed, or was to run and left no record."""
        done = {one.key for one in counted.values() if one.state == "finished"}
        failed = any(
            key in counted and counted[key].state == "failed" for key, _ in self.brief["trials"]
        )
        return "FAILED" if failed or not done.issuperset(self.brief["todo"]) else "FINISHED"

    def _mark(self, counted: Mapping[str, Summary], verdicts: Mapping[str, str]) -> None:
        """Puts the counts of trials and each claim's verdict on the study's run."""
        keys = {key for key, _ in self.brief["trials"]}
        states = [counted[key].state for key in keys if key in counted]
        failed = states.count("failed")
        said = f"{states.count('finished')} of {len(keys)} finished"
        tags = {"trials": f"{said}, {failed} failed" if failed else said}
        if verdicts:
            tags["verdicts"] = "; ".join(f"{name}: {text}" for name, text in verdicts.items())
        tags |= {f"verdict {name_of(name)}"[:240]: text for name, text in verdicts.items()}
        # A claim that is no longer made keeps no verdict.
        gone = [n for n in self.parent.data.tags if n.startswith("verdict ") and n not in tags]
        for name in gone if verdicts else ():
            self.client.delete_tag(self.parent.info.run_id, name)
        self.client.log_batch(
            self.parent.info.run_id,
            tags=[RunTag(name, text[:4900]) for name, text in tags.items()][:100],
        )

    def _note(self, note: str) -> None:
        lines = [note, ""] if note else []
        lines += ["| launch | trials | finished | failed | died | left | command |", "|-" * 7 + "|"]
        for one in launch_history(self.store, self.label)[-50:]:
            cells = [one.get(name, "?") for name in ("finished", "failed", "died", "left")]
            words = [one["launch"], one.get("trials", "?"), *cells, f"`{one.get('command')}`"]
            lines.append(f"| {' | '.join(str(word).replace('|', '/') for word in words)} |")
        text = "\n".join(lines)[-7900:]
        self.client.set_tag(self.parent.info.run_id, "mlflow.note.content", text)

    # Cells

    def _update_cells(self, counted: Mapping[str, Summary], last: Mapping[str, Any]) -> None:
        keys: dict[str, list[str]] = {}
        for key, cell in self.brief["trials"]:
            keys.setdefault(cell, []).append(key)
        told, said = last.get("cells") or {}, last.get("cell_verdicts") or {}
        new: list[tuple[str, NewRun]] = []
        for cell, role, levels in self.brief["cells"]:
            summaries = [counted[key] for key in keys.get(cell, ()) if key in counted]
            finished = [one for one in summaries if one.state == "finished"]
            values = _cell_values(finished, self.brief["interval"])
            if cell in told:
                values |= _given_values(told[cell], self.brief["metric"])
            if not summaries and not values:
                continue
            failed = len(summaries) - len(finished)
            values["cell/failed"] = float(failed)
            status = "FAILED" if failed else "FINISHED"
            tags = {"verdicts": said[cell][:4900]} if cell in said else {}
            if cell in self._cells:
                self._renew_cell(self._cells[cell], values, tags, status)
            else:
                new.append(
                    (
                        cell,
                        self._new_cell(
                            cell, level_params(cell, role, levels), values, tags, status
                        ),
                    )
                )
        for first in range(0, len(new), _TOGETHER):
            if self.watch.stop():
                raise Stopped("stopped at the runs of the cells")
            some = new[first : first + _TOGETHER]
            numbers = self._write([one for _, one in some], [None] * len(some), (first, len(new)))
            for (cell, one), number in zip(some, numbers, strict=True):
                metrics = {metric.key: metric.value for metric in one.metrics}
                self._cells[cell] = _CellRun(number, one.status, metrics, {**one.tags, **one.mark})

    def _new_cell(
        self,
        cell: str,
        params: dict[str, str],
        values: dict[str, float],
        tags: dict[str, str],
        status: str,
    ) -> NewRun:
        now = _now()
        below = {f"{TAG_PREFIX}cell": cell, "mlflow.parentRunId": self.parent.info.run_id}
        metrics = tuple(Metric(name, value, now, 0) for name, value in values.items())
        return NewRun(
            name=f"{cell} (all seeds)",
            began=now,
            ended=now,
            status=status,
            tags=self._tags("cell") | below,
            mark=tags,
            params=params,
            metrics=metrics,
        )

    def _renew_cell(
        self, run: "_CellRun", values: dict[str, float], tags: dict[str, str], status: str
    ) -> None:
        # What is no longer known cannot be taken away in MLflow, but it can be said.
        values |= {name: math.nan for name in run.metrics if name not in values}
        changed = {
            name: value
            for name, value in values.items()
            if name not in run.metrics or not _same(run.metrics[name], value)
        }
        new = [RunTag(name, text) for name, text in tags.items() if run.tags.get(name) != text]
        if changed or new:
            now = _now()
            metrics = [Metric(name, value, now, 0) for name, value in changed.items()]
            self.client.log_batch(run.number, metrics=metrics[:900], tags=new)
            self.watch.step(0, 0)
        if changed or status != run.status:
            self.client.set_terminated(run.number, status=status)
        cell = run.tags[f"{TAG_PREFIX}cell"]
        self._cells[cell] = _CellRun(
            run.number, status, {**run.metrics, **changed}, {**run.tags, **tags}
        )

    # Helpers

    def _tags(self, role: str) -> dict[str, str]:
        return {
            f"{TAG_PREFIX}role": role,
            f"{TAG_PREFIX}store": self.identity,
            f"{TAG_PREFIX}study": self.label,
        }

    def _ours(self, condition: str, experiments: list[str]) -> Iterable[Run]:
        token: str | None = None
        while True:
            page = self.client.search_runs(
                experiments, condition, max_results=1000, page_token=token
            )
            yield from page
            self.watch.step(0, 0)
            token = page.token
            if not token:
                return

    def _close_abandoned(self) -> None:
        """Ends what earlier trackers of this store, all dead by now, left open in any study."""
        experiments = [one.experiment_id for one in self.client.search_experiments()]
        condition = (
            f"tags.`{TAG_PREFIX}store` = '{self.identity}' and attributes.status = 'RUNNING'"
        )
        for run in list(self._ours(condition, experiments)) if experiments else ():
            self.client.set_terminated(run.info.run_id, status="KILLED")


class _CellRun(NamedTuple):
    """What is known of a cell's run without asking."""

    number: str
    status: str
    metrics: dict[str, float]
    tags: dict[str, str]


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


def _given_values(told: list[Any], metric: str) -> dict[str, float]:
    n, mean, low, high = told
    values = {"cell/n": n, f"cell/{name_of(metric)}": mean}
    values |= {f"cell/{name_of(metric)}_low": low, f"cell/{name_of(metric)}_high": high}
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def _same(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))


def _started(run: Run) -> int:
    return int(run.info.start_time or 0)


def _now() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp() * 1000)

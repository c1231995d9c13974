"""A study as runs in MLflow: one for the study and, below it, one for each trial and each cell.

Each run is found again by its tags, so that writing twice changes nothing. A trial's run is written
when its record is in place, all at once, and marked last: one without its mark was cut off, and is
completed. Only the study's own run is open during a launch. It ends as FAILED where a trial failed
or is missing, and carries the verdicts.
"""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Experiment, Metric, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from sweeps.history_label import difference_first
from sweeps.planning import by_key, counting
from sweeps.record import Summary
from sweeps.storage import Store
from sweeps.tracking.address import artifact_root, own_database, own_uri
from sweeps.tracking.cell_runs import CellRuns
from sweeps.tracking.experiment_view import show_cells
from sweeps.tracking.logged_history import logged_files, save_logged
from sweeps.tracking.logged_models import delete_models
from sweeps.tracking.made_files import further_files
from sweeps.tracking.names import NOTE, TAG_PREFIX, as_markdown
from sweeps.tracking.new_run import BATCH, TOGETHER, RunWriter, Stopped, Watch
from sweeps.tracking.one_trial import changes, milliseconds_now, trial_run
from sweeps.tracking.study_summary import COUNTS, summary_of


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
        self._settled = False
        self._close_abandoned()
        experiment = self._experiment()
        self.experiment: str = experiment.experiment_id
        show_cells(client, experiment, brief["metric"])
        ours = self._ours(f"tags.`{TAG_PREFIX}store` = '{self.identity}'", [self.experiment])
        runs: dict[str, list[Run]] = {"study": [], "trial": [], "cell": []}
        for run in ours:
            runs.get(run.data.tags.get(f"{TAG_PREFIX}role", ""), []).append(run)
        first = min(runs["study"], key=lambda run: int(run.info.start_time or 0), default=None)
        self.parent = self._reopened(first)
        self._trials: dict[str, tuple[str, str | None]] = {
            run.data.tags[f"{TAG_PREFIX}key"]: (
                run.info.run_id,
                run.data.tags.get(f"{TAG_PREFIX}attempt"),
            )
            for run in runs["trial"]
        }
        self._writer = RunWriter(
            client,
            self.experiment,
            str(experiment.artifact_location),
            own_database(store) if brief["uri"] == own_uri(store) else None,
            watch,
        )
        self._cells = CellRuns(self._writer, brief, self._tags("cell"), runs["cell"])

    def update(self, last: Mapping[str, Any]) -> int:
        """Writes what is missing, and closes the study's run if `last` says so.

        Returns the number of trials' runs that were added or renewed.

        Raises:
            Stopped: a stop was requested; the study's run is closed, and the next launch adds what is
                missing.
        """
        if last.get("gone"):
            if not self._settled:
                self._end("KILLED")
            return 0
        counted = _counted(self.store.summaries(), self.brief)
        try:
            written = self._write_trials(counted)
            self._cells.update(counted, last)
        except Stopped:
            if not self._settled:
                self._end("KILLED")
            raise
        if last.get("close") or last.get("settle"):
            self._summarize(counted, last)
            self._add_files([Path(file) for file in last.get("files") or ()])
            save_logged(self.store, self.label, last, self.brief["metric"])
            self._end("KILLED" if last.get("interrupted") else self._outcome(counted))
            self._settled = True
        return written

    def _write_trials(self, counted: Mapping[str, Summary]) -> int:
        missing = [
            one
            for one in counted.values()
            if self._trials.get(one.key, ("", None))[1] != str(one.attempt)
        ]
        tags = self._tags("trial")
        written, together = 0, TOGETHER if self._writer.own else 1
        for first in range(0, len(missing), together):
            if self.watch.stop():
                raise Stopped(f"stopped at {written:,} of {len(missing):,} runs")
            some = missing[first : first + together]
            found = [record for one in some if (record := self.store.record(one.key, one.attempt))]
            begun = [self._begun(record.key) for record in found]
            makes = self.brief.get("files_of")
            new = [trial_run(one, self.store, tags, further_files(makes, one)) for one in found]
            numbers = self._writer.write(new, (written, len(missing)), begun)
            for record, number in zip(found, numbers, strict=True):
                self._trials[record.key] = (number, str(record.attempt))
            written += len(found)
            self.watch.step(written, len(missing))
        return written

    def _begun(self, key: str) -> str | None:
        """The incomplete run to continue; deletes a complete run of another attempt."""
        number, attempt = self._trials.pop(key, (None, None))
        if number is not None and (self._writer.own or attempt is not None):
            # Its curve would run on into the new attempt's.
            self.client.delete_run(number)
            with contextlib.suppress(MlflowException):  # a server before MLflow 3 has no models
                for model, stays in delete_models(self.client, self.experiment, number):
                    self.store.messages.append(_left(model.model_uri, key, attempt, stays=stays))
            return None
        return number

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
                self.experiment, run_name=difference_first(self.label), tags=self._own_tags("study")
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
        """FAILED if a trial of the plan failed, or should have run but has no record."""
        done = {one.key for one in counted.values() if one.state == "finished"}
        failed = any(
            key in counted and counted[key].state == "failed" for key, _ in self.brief["trials"]
        )
        return "FAILED" if failed or not done.issuperset(self.brief["todo"]) else "FINISHED"

    def _summarize(self, counted: Mapping[str, Summary], last: Mapping[str, Any]) -> None:
        """Puts the answer, the numbers, each verdict and the counts of trials on the study's run."""
        keys = {key for key, _ in self.brief["trials"]}
        tags, numbers, note = summary_of(self.store, self.label, keys, counted, last)
        run, data, now = self.parent.info.run_id, self.parent.data, milliseconds_now()
        self.client.set_tag(run, NOTE, note)
        if "answer" in tags:
            text = as_markdown(tags["answer"])
            self.client.set_experiment_tag(self.experiment, NOTE, text)
        if not (last.get("verdicts") or last.get("answer")):
            # A launch that was not judged says nothing against what an earlier one measured.
            numbers = {name: number for name, number in numbers.items() if name in COUNTS}
        else:
            # A claim that is no longer made has no verdict.
            gone = [n for n in data.tags if n.startswith("verdict ") and n not in tags]
            for name in gone:
                self.client.delete_tag(run, name)
            numbers = changes(data.metrics, numbers)
        metrics = [Metric(name, value, now, 0) for name, value in numbers.items()]
        for first in range(0, len(metrics), BATCH):
            self.client.log_batch(run, metrics=metrics[first : first + BATCH])
        self.client.log_batch(run, tags=[RunTag(name, text) for name, text in tags.items()])

    def _add_files(self, files: list[Path]) -> None:
        """Logs these files to the study's run.

        In the store's own database those of an earlier launch that lay in the same folders, such as a
        figure that the report no longer has, are removed.
        """
        for file in files:
            self.client.log_artifact(self.parent.info.run_id, str(file), self._folder_of(file))
            self.watch.step(0, 0)
        if not (files and self._writer.own):
            return
        repository = get_artifact_repository(str(self.parent.info.artifact_uri))
        for old in logged_files(self.store, self.label):
            folder = self._folder_of(old)
            if folder is not None and old not in files:
                repository.delete_artifacts(f"{folder}/{old.name}")

    def _folder_of(self, file: Path) -> str | None:
        """Where the run has a file of the study's folder: where that has it; at the top else."""
        study = self.store.study(self.label)
        inside = file.is_relative_to(study) and file.parent != study
        return file.parent.relative_to(study).as_posix() if inside else None

    # Helpers

    def _own_tags(self, role: str) -> dict[str, str]:
        about = {"role": role, "store": self.identity, "study": self.label}
        return {f"{TAG_PREFIX}{name}": text for name, text in about.items()}

    def _tags(self, role: str) -> dict[str, str]:
        """The tags of a run below the study's own."""
        return {**self._own_tags(role), "mlflow.parentRunId": self.parent.info.run_id}

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
        """Ends the runs that earlier trackers of this store, all dead by now, left open in any study."""
        experiments = [one.experiment_id for one in self.client.search_experiments()]
        condition = (
            f"tags.`{TAG_PREFIX}store` = '{self.identity}' and attributes.status = 'RUNNING'"
        )
        for run in list(self._ours(condition, experiments)) if experiments else ():
            self.client.set_terminated(run.info.run_id, status="KILLED")


def _left(model: str, key: str, attempt: str | None, *, stays: bool) -> str:
    """The message about a model of an attempt that counts no more."""
    became = (
        "stays in MLflow without its run, as a version of it is registered"
        if stays
        else "was removed from MLflow with its run"
    )
    return (
        f"trial {key} was repeated, so the model {model} of attempt {attempt} {became}; `ablate export "
        f"{key} --mlflow` logs the new one"
    )


def _counted(summaries: Iterable[Summary], brief: Mapping[str, Any]) -> dict[str, Summary]:
    """The attempt that counts of each trial of the study."""
    planned = {key for key, _ in brief["trials"]}
    mine = (one for one in summaries if one.key in planned or one.label == brief["label"])
    return {
        key: one
        for key, attempts in by_key(mine).items()
        if (one := counting(attempts, brief["metric"])) is not None
    }

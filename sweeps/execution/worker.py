"""A warm worker: an actor of Ray Tune that runs job after job in one process.

This module imports Ray, so it is imported only where trials are executed.
"""

import faulthandler
import gc
from pathlib import Path
from typing import Any

from ray import tune

from sweeps.errors import SweepError
from sweeps.execution.trial_runner import Job, drop_temporary_artifacts, run_trial
from sweeps.storage import Store


class Worker(tune.Trainable):
    """Each step runs one trial of the job; after the last the actor takes the next job."""

    frozen = False
    """Whether the first trial is over, and what it left is no longer searched for garbage."""

    def setup(self, config: dict[str, Any]) -> None:
        # While a trial runs, its log is the standard error: a crash in native code leaves the
        # Python stack there, from which the launch reads why the process died.
        faulthandler.enable(file=2)
        self.job = Job.model_validate_json(Path(config["job"]).read_text(encoding="utf-8"))
        self.place = 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        store = Store(self.job.store)
        trial = self.job.trials[self.place]
        self.place += 1
        last = self.place == len(self.job.trials)
        try:
            ran = run_trial(self.job, trial, store)
            if last:
                drop_temporary_artifacts(self.job, store)
        except SweepError as error:
            return {"ended": (trial.key, "trouble", str(error), 0), "done": True}
        gc.collect()
        if not self.frozen:
            # 470,000 objects of imported modules, whose search took 0.26 s of processor time a trial.
            gc.freeze()
            self.frozen = True
        return {"ended": tuple(ran), "done": last or ran.state == "stopped"}

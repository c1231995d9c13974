"""A warm worker: an actor of Ray Tune that runs pack after pack in one process.

This module imports Ray, so it is imported only where trials are executed.
"""

import faulthandler
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune

from sweeps.errors import SweepError
from sweeps.execution.budget import may_begin
from sweeps.execution.pack import HELD, Ended, Pack, PackRun
from sweeps.execution.trial_runner import drop_temporary_artifacts, run_in_worker
from sweeps.storage import Store


class Worker(tune.Trainable):
    """Each step gives the result of one trial of the pack; after the last it takes the next pack."""

    frozen = False
    """Whether the first trial is over, and what it left is no longer searched for garbage."""

    def setup(self, config: dict[str, Any]) -> None:
        # While a trial runs alone, its log is the standard error: a crash in native code leaves the
        # Python stack there, from which the launch reads why the process died.
        faulthandler.enable(file=2)
        pack = Pack.model_validate_json(Path(config["pack"]).read_text(encoding="utf-8"))
        self.alone = pack.members == 1 and pack.shared is None
        self.results = _alone(pack) if self.alone else _together(pack)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        ended, done = next(self.results, (None, True))
        gc.collect()
        if not self.frozen and self.alone:
            # 470,000 objects of imported modules, whose search took 0.26 s of processor time a trial.
            # In a pack others are still at work, and what they leave must be found.
            gc.freeze()
            self.frozen = True
        return {"ended": ended, "done": done}


def _alone(pack: Pack) -> Iterator[tuple[Ended, bool]]:
    """The results of the pack's trials, one after the other in this thread; True with the last."""
    for job in pack.jobs:
        store = Store(job.store)
        for trial in job.trials:
            if not may_begin(job.limit, trial.key, store.running, job.launch):
                yield (trial.key, HELD, None, 0), True
                return
            last = trial is job.trials[-1]
            try:
                ran = run_in_worker(job, trial, store)
                if last:
                    drop_temporary_artifacts(job, store)
            except SweepError as error:
                yield (trial.key, "trouble", str(error), 0), True
                return
            stopped = ran.state == "stopped"
            yield (
                (ran.key, ran.state, ran.error, ran.attempt),
                stopped or (last and job is pack.jobs[-1]),
            )
            if stopped:
                return


def _together(pack: Pack) -> Iterator[tuple[Ended, bool]]:
    """The results of members that run at once; which is the last shows only when all have ended."""
    return ((ended, False) for ended in PackRun(pack).results())

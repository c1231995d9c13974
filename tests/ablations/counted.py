"""One trial in this process, with each optimiser step counted and a checkpoint after each.

As a script, for tests that kill it: `counted.py STUDY KEY STORE COUNTER`.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from commands import the_plan

from simclr_core.augment.views import draw_views
from sweeps.execution import Outcome, RunSettings, TrialContext, TrialResult, run_here
from sweeps.storage import Store


def counted_trial(context: TrialContext) -> Outcome:
    """The product's trial; a line for each step's views."""
    from ablations.trial.stages import run_trial

    trainer: Any = importlib.import_module("simclr_core.training.step")
    counter = Path(context.payload["counter"])

    def counting(*arguments: Any, **named: Any) -> Any:
        with counter.open("a") as file:
            file.write(f"{context.seed}\n")
        return draw_views(*arguments, **named)

    trainer.draw_views = counting
    try:
        payload = {name: told for name, told in context.payload.items() if name != "counter"}
        context.payload = payload
        return run_trial(context)
    finally:
        trainer.draw_views = draw_views


def run_counted(study: Path, key: str, store: Path, counter: Path, **payload: Any) -> TrialResult:
    plan = the_plan(study, store=store)
    trial = next(trial for trial in plan.trials if trial.key == key)
    told = {"device": "cpu", "threads": 1, "checkpoint_seconds": 0.0, "counter": str(counter)}
    settings = RunSettings(payload={**told, **payload})
    return run_here(trial, plan, Store(store), f"{__name__}:counted_trial", settings)


def steps(counter: Path) -> int:
    return len(counter.read_text().splitlines()) if counter.exists() else 0


if __name__ == "__main__":
    # Under its own name, by which the engine imports the function.
    importlib.import_module("counted").run_counted(
        Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    )

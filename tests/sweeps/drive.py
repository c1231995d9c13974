"""A driver in a process of its own, for tests that kill it: `drive.py STORE OPTIONS-AS-JSON`."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from toy_trials import toy_plan, toy_sweep

from sweeps.execution import Budget, RunSettings, execute
from sweeps.storage import Store
from sweeps.tracking.trackers import open_tracking


def main() -> None:
    store, options = Store(sys.argv[1]), json.loads(sys.argv[2])
    sweep = toy_sweep(options["levels"], seeds=tuple(options["seeds"]), **options.get("base", {}))
    plan = toy_plan(sweep, store.known(), options.get("by_cell"), **options.get("how", {}))
    settings = RunSettings(
        slots=options.get("slots", 2),
        workers=options.get("workers"),
        threads=options.get("threads", 1),
        payload={
            "counter": options["counter"],
            "pause": options.get("pause", 0.0),
            "gate": options.get("gate"),
        },
        keep=options.get("keep", "last"),
        command="drive.py",
    )
    tracking = (
        open_tracking(store, plan, uri=options["tracking"]) if "tracking" in options else None
    )
    budget = None
    if limit := options.get("budget"):
        expected = {trial.key: limit["by_seed"][trial.seed] for trial in plan.todo}
        budget = Budget(limit["seconds"], expected)
    began = time.time()
    execution = execute(
        plan,
        store,
        f"toy_trials:{options.get('trial', 'toy_trial')}",
        settings,
        on_record=None if tracking is None else tracking.record,
        budget=budget,
    )
    result = dataclasses.asdict(execution) | {"wall": time.time() - began, "pid": os.getpid()}
    if tracking is not None:
        result["tracking"] = tracking.close(interrupted=execution.interrupted)._asdict()
    Path(options["result"]).write_text(json.dumps(result, default=str))


if __name__ == "__main__":
    main()

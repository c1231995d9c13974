"""The profile of a machine that was timed, so that few tests wait seconds for the timing itself."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablations.machine_profile import Machine

SLOTS = 2  # trials side by side


def timed_machine() -> "Machine":
    """What a first run on the CPU of this machine would measure, in kind."""
    import torch

    from ablations.machine_profile import Machine
    from sweeps.provenance import cpu_name, usable_cores

    return Machine(
        cpu=cpu_name(),
        cores=usable_cores(),
        device="cpu",
        torch=torch.__version__,
        threads=1,
        slots=SLOTS,
        memory_format="channels_last",
        rates=(),
        timed="2026-01-01T00:00:00Z",
    )


def spare_the_timing(store: Path) -> None:
    """Tells a store what its first run on the CPU would time: one test of the timing is enough."""
    from sweeps.storage.store import Store

    Store(store).prepare()
    (store / "machine.json").write_text(timed_machine().model_dump_json(), encoding="utf-8")

"""The energy of a plan: the power that was measured here, or an assumption that is named as one."""

from typing import NamedTuple

from ablations.machine_profile import Machine
from reports.spec import WATTS_OF_A_CORE, WATTS_OF_A_GPU


class Energy(NamedTuple):
    """What a plan is expected to draw."""

    kilowatt_hours: float
    source: str
    """Measured power, or the assumption."""


def energy_of(seconds: float, machine: Machine) -> Energy:
    """The power at work, for the whole time."""
    if machine.device == "cpu" and machine.watts is not None:
        watts, source = machine.watts, "measured by the processor while it was timed"
    elif machine.device == "cpu":
        cores = min(machine.cores, machine.slots * machine.threads)
        watts, source = WATTS_OF_A_CORE * cores, f"assumed: {WATTS_OF_A_CORE:g} W a core"
    else:
        gpus = machine.workers or 1
        watts, source = WATTS_OF_A_GPU * gpus, f"assumed: {WATTS_OF_A_GPU:g} W a GPU"
    return Energy(watts * seconds / 3.6e6, f"{watts:.0f} W, {source}")

"""From a study and a request to resolved configurations, keys and a plan."""

from ablations.compose.counted import Counted
from ablations.compose.detectable import Detectable, detectable_effects
from ablations.compose.durations import (
    Duration,
    Expected,
    duration,
    expected,
    rounds_of,
    rounds_within,
)
from ablations.compose.flops import Compute, compute, num_images
from ablations.compose.foresight import foreseen, kernel_by_kernel, left_out
from ablations.compose.identity import ENCODER, chain
from ablations.compose.name_clashes import refuse_another_design
from ablations.compose.origins import Origin, origins_of
from ablations.compose.planning import Cost, compose, cost, planned
from ablations.compose.plugin_files import Executed, executed, own_texts, part_text
from ablations.compose.prepare_data import decode, skipped
from ablations.compose.recorded import as_configured
from ablations.compose.resolved_study import ResolvedStudy

__all__ = [
    "ENCODER",
    "Compute",
    "Cost",
    "Counted",
    "Detectable",
    "Duration",
    "Executed",
    "Expected",
    "Origin",
    "ResolvedStudy",
    "as_configured",
    "chain",
    "compose",
    "compute",
    "cost",
    "decode",
    "detectable_effects",
    "duration",
    "executed",
    "expected",
    "foreseen",
    "kernel_by_kernel",
    "left_out",
    "num_images",
    "origins_of",
    "own_texts",
    "part_text",
    "planned",
    "refuse_another_design",
    "rounds_of",
    "rounds_within",
    "skipped",
]

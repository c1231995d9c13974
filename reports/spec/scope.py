"""How much pre-training a study takes, at its scale and in a full replication."""

from pydantic import Field

from sweeps.base import Frozen


class Pretraining(Frozen):
    """The pre-training of one encoder."""

    data: str
    """The name of the images."""

    images: int | None
    """Training images; None if they were not counted."""

    size: int
    """Side of the views in px."""

    epochs: int
    batch: int
    network: str
    """The encoder in words."""

    operations: int | None
    """Floating-point operations of f and g, forward and backward; None if images or network are
    unknown to planning."""


class Scope(Frozen):
    """The pre-training of all arms of a study, one encoder for each arm and seed."""

    here: dict[str, Pretraining] = Field(default_factory=dict)
    """Arm -> its pre-training at this scale."""

    full: dict[str, Pretraining] = Field(default_factory=dict)
    """The same for all arms that the study has at paper scale."""

    full_seeds: int = 0
    """Seeds for each arm at paper scale."""

    papers: Pretraining | None = None
    """The encoder whose time the paper states: ResNet-50, 100 epochs, batch 4096."""


PAPERS_HOURS, PAPERS_CORES = 1.5, 128
"""Training `Scope.papers` takes about 1.5 hours on 128 TPU v3 cores (section 2.2, footnote 2)."""

WATTS_OF_A_CORE = 5.0
"""Assumed where no energy was measured: a server processor's design power divided by its threads is
2 to 6 W."""

WATTS_OF_A_GPU = 300.0
"""Assumed: a GPU at work, of 250 to 700 W by design."""


def flop_text(operations: float) -> str:
    """An approximate number of operations, in the unit that leaves few digits."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if operations < 999.5:
            return f"{operations:.3g} {unit}"
        operations /= 1000
    return f"{operations:,.0f} PFLOP" if operations >= 99.5 else f"{operations:.3g} PFLOP"

"""SimCLR as the paper writes it: views t and t', encoder f, head g, NT-Xent; a probe on h.

`run(config)` is a whole trial; `pretrain` and `read_out` are its two stages.
"""

from simclr_core.augment import AnyViews, OneBranch, Symmetric, draw_views
from simclr_core.callbacks import Curve, Observer
from simclr_core.config import READOUT_VERSION, TRAINER_VERSION, Config, check
from simclr_core.conformance import Finding, examine_loss, examine_views
from simclr_core.data import AnyData, Dataset, Tensors, Textures, fingerprint, load
from simclr_core.errors import ConfigurationError, DataError, DataMissing, Diverged, SimclrError
from simclr_core.evaluation import ReadOut, read_out
from simclr_core.runtime import Execution
from simclr_core.training import Pretrained, pretrain
from simclr_core.trial import Result, run

__all__ = [
    "READOUT_VERSION",
    "TRAINER_VERSION",
    "AnyData",
    "AnyViews",
    "Config",
    "ConfigurationError",
    "Curve",
    "DataError",
    "DataMissing",
    "Dataset",
    "Diverged",
    "Execution",
    "Finding",
    "Observer",
    "OneBranch",
    "Pretrained",
    "ReadOut",
    "Result",
    "SimclrError",
    "Symmetric",
    "Tensors",
    "Textures",
    "check",
    "draw_views",
    "examine_loss",
    "examine_views",
    "fingerprint",
    "load",
    "pretrain",
    "read_out",
    "run",
]

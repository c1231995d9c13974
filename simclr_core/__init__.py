"""SimCLR as the paper describes it: views t and t', encoder f, head g, NT-Xent; a probe on h.

`run(config)` is a whole trial; `pretrain` and `evaluate` are its two stages.
"""

from simclr_core.augment import AnyViews, OneBranch, Symmetric, draw_views
from simclr_core.callbacks import Curve, Observer
from simclr_core.config import EVALUATION_VERSION, TRAINER_VERSION, Config, check
from simclr_core.conformance import Finding, examine_loss, examine_views
from simclr_core.data import AnyData, Dataset, Tensors, Textures, fingerprint, load
from simclr_core.errors import ConfigurationError, DataError, DataMissing, Diverged, SimclrError
from simclr_core.evaluation import Evaluated, evaluate
from simclr_core.runtime import Execution
from simclr_core.training import Pretrained, pretrain
from simclr_core.trial import Result, run

__all__ = [
    "EVALUATION_VERSION",
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
    "Evaluated",
    "Execution",
    "Finding",
    "Observer",
    "OneBranch",
    "Pretrained",
    "Result",
    "SimclrError",
    "Symmetric",
    "Tensors",
    "Textures",
    "check",
    "draw_views",
    "evaluate",
    "examine_loss",
    "examine_views",
    "fingerprint",
    "load",
    "pretrain",
    "run",
]

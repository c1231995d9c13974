"""One trial: pre-training and evaluation of the trainer as stages of the engine."""

from ablations.trial.encoder_artifact import UNREADABLE, WEIGHTS

__all__ = [
    "UNREADABLE",
    "WEIGHTS",
]

"""What makes two trials the same: the stages of a configuration."""

from typing import Any

from simclr_core.config import EVALUATION_VERSION, TRAINER_VERSION, Config

ENCODER = "encoder"
"""The stage up to the end of pre-training; its artifact is the encoder's final weights."""

EVALUATION = "evaluation"
"""The stage that measures a finished encoder."""

Chain = tuple[tuple[str, dict[str, Any]], ...]


def chain(config: Config, data: str) -> Chain:
    """The two stages of a resolved configuration; `data` is the fingerprint of its images.

    They include the trainer's versions, which are raised by hand when its numbers change.
    """
    encoder = config.encoder_identity() | {"data": data, "trainer": TRAINER_VERSION}
    evaluation = config.evaluation_identity() | {"version": EVALUATION_VERSION}
    return ((ENCODER, encoder), (EVALUATION, evaluation))

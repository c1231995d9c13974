"""The configuration of a trial: its schema, and how settings by dotted field become one."""

from simclr_core.config.former_names import in_present_names
from simclr_core.config.messages import message_of, miscounted
from simclr_core.config.overrides import (
    check,
    checked,
    default_settings,
    kind_of,
    mistakes,
    models_of,
    overridden,
    value_at,
)
from simclr_core.config.schema import EVALUATION_VERSION, TRAINER_VERSION, Config

__all__ = [
    "EVALUATION_VERSION",
    "TRAINER_VERSION",
    "Config",
    "check",
    "checked",
    "default_settings",
    "in_present_names",
    "kind_of",
    "message_of",
    "miscounted",
    "mistakes",
    "models_of",
    "overridden",
    "value_at",
]

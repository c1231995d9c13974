"""Names of fields in the configurations of records of format 2 and before."""

from collections.abc import Mapping
from typing import Any


def in_present_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded configuration with each field under its present name; a present one as it is.

    `readouts` became `evaluation`, in it `part` became `split` and `neighbours` became `knn`; `cell` of
    views on one branch became `branch`. Values are not changed.
    """
    renamed = _renamed(config, {"readouts": "evaluation"})
    for field, names in _INSIDE.items():
        if isinstance(renamed.get(field), Mapping):
            renamed[field] = _renamed(renamed[field], names)
    return renamed


_INSIDE = {
    "evaluation": {"part": "split", "neighbours": "knn"},
    "views": {"cell": "branch"},
}


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}

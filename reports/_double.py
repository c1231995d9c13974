"""Stands in for sweeps.record until it lands."""

from typing import Any, Literal

from sweeps.values import Frozen


class TrialRecord(Frozen):
    """What a trial left."""

    format: int = 1
    key: str
    study: str = ""
    scale: str | None = None
    cell: str
    role: str = "arm"
    levels: dict[str, str] = {}
    seed: int
    config: dict[str, Any] = {}
    stages: Any = ()
    state: Literal["finished", "failed"]
    values: dict[str, float | None] = {}
    facts: dict[str, Any] = {}
    curve: dict[str, list[Any]] = {}
    error: str | None = None
    log: str | None = None
    provenance: Any = None
    started: str = ""
    seconds: float = 0.0
    attempt: int = 1
    launch: str = ""

"""From the arguments of a call to the request that the command line would make."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from ablations.commands import together
from ablations.errors import UsageError
from ablations.study import SCALES, Request, one_of, parse_assignment, parse_seeds

Scale = Literal["smoke", "laptop", "gpu", "paper"]
Device = Literal["auto", "cpu", "cuda", "mps"]


class Selection(TypedDict, total=False):
    """Arguments that every call takes, as the options of the command line with these names."""

    only: str | Iterable[str] | None
    """Cells; None: those that the scale runs."""
    seeds: int | Iterable[int] | None
    """A count, or the seeds themselves; None: those of the study."""
    set: Mapping[str, Any] | None
    """Field -> value, for all cells."""
    data: Path | str | None
    """A folder or archive of images that replaces the study's."""
    device: Device
    """The default is auto."""


def request_of(
    study: str | Path,
    *,
    scale: str,
    store: str | Path,
    only: str | Iterable[str] | None = None,
    seeds: int | Iterable[int] | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002 -- the option's name
    data: Path | str | None = None,
    device: str = "auto",
    again: bool = False,
    failed: bool = False,
    recompute: bool = False,
) -> Request:
    """The request of a call.

    Raises:
        UsageError: Arguments are wrong, one message for each; names and values of fields are checked
            later.
    """
    values = together(
        scale=lambda: one_of("scale", scale, SCALES),
        device=lambda: one_of("device", device, ("auto", "cpu", "cuda", "mps")),
        only=lambda: _cells(only),
        seeds=lambda: None if seeds is None else parse_seeds(_list(seeds)),
        set=lambda: _settings(set or {}),
    )
    return Request(
        study=str(study),
        store=Path(store),
        data=None if data is None else Path(data),
        again=again,
        failed=failed,
        recompute=recompute,
        **values,
    )


def _cells(only: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if only is None:
        return None
    names = (only,) if isinstance(only, str) else tuple(only)
    if not names:
        raise UsageError("only: must name at least one cell, got none")
    return names


def _list(seeds: int | Iterable[int]) -> str:
    return str(seeds) if isinstance(seeds, int) else "".join(f"{seed}," for seed in seeds)


def _settings(given: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = [f"{name}={json.dumps(value, default=str)}" for name, value in given.items()]
    return tuple(together(**{t: lambda text=t: parse_assignment(text) for t in texts}).values())

"""A user's request as one value; the command line and tests construct it."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ablations.errors import UsageError
from ablations.study.assignments import Setting
from ablations.study.schema import ScaleName
from sweeps.suggest import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Request:
    """One study at one scale, and the changes to its file."""

    study: str
    """A shipped name or a path."""

    scale: ScaleName = "laptop"
    only: tuple[str, ...] | None = None
    """Cells; None: those that the scale runs."""

    seeds: tuple[int, ...] | None = None
    """None: those of the study."""

    set: tuple[Setting, ...] = ()
    """Fields for all cells."""

    data: Path | None = None
    """A folder or archive of images that replaces the study's."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    store: Path = Path("runs")
    again: bool = False
    failed: bool = False
    recompute: bool = False
    """Recompute activations in the backward pass; not part of any key, since the results are identical."""

    def words(self) -> str:
        """The study and options that select the same trials, quoted for a shell."""
        return shlex.join([self.study, *self._options(self.only, self.seeds)])

    def trial_words(
        self, key: str, *, only: tuple[str, ...] | None, seeds: tuple[int, ...] | None
    ) -> str:
        """The same for one trial, whose plan has only these cells and seeds."""
        return shlex.join([self.study, key, *self._options(only, seeds)])

    def _options(
        self, only: tuple[str, ...] | None, seeds: tuple[int, ...] | None
    ) -> Iterator[str]:
        if self.scale != "laptop":
            yield from ("--scale", self.scale)
        if only is not None:
            yield from ("--only", ",".join(only))
        for setting in self.set:
            yield from ("--set", f"{setting.field}={json.dumps(setting.value)}")
        if seeds is not None:
            yield from ("--seeds", seeds_text(seeds))
        if self.data is not None:
            yield from ("--data", str(self.data))
        if self.device != "auto":
            yield from ("--device", self.device)
        if self.store != Path("runs"):
            yield from ("--store", str(self.store))
        if self.recompute:
            yield "--recompute"


def seeds_text(seeds: tuple[int, ...]) -> str:
    """Parses the value of `--seeds`: a count, or a list with commas."""
    if seeds == tuple(range(len(seeds))):
        return str(len(seeds))
    return ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")


def one_of(name: str, word: str, known: tuple[str, ...]) -> str:
    """The word, if it is among the known ones; `name` is that of the option or argument.

    Raises:
        UsageError: It is not.
    """
    if word in known:
        return word
    raise UsageError(
        f"{name}: must be one of {', '.join(known)}, got {word!r}"
        f"{did_you_mean(word, known, listed=True)}"
    )


def parse_hours(name: str, text: str) -> float:
    """Seconds of `2h`, `1.5h`, `90m`, `45s` or `2d`; a bare number is hours. `name` is the option's.

    Raises:
        UsageError: the text is none of these, or not above 0.
    """
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    words = text.strip().lower()
    unit = words[-1:] if words[-1:] in seconds else "h"
    number = words.removesuffix(unit)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", number) or not float(number):
        raise UsageError(f"{name}: must be a time such as 2h, 1.5h or 90m, got {text!r}")
    return float(number) * seconds[unit]


def parse_seeds(text: str) -> tuple[int, ...]:
    """`5` means seeds 0 to 4; `7,8` these two; `7,` only seed 7.

    Raises:
        UsageError: the text is none of these.
    """
    parts = [part.strip() for part in text.split(",")]
    named = len(parts) > 1
    if named and not parts[-1]:
        parts = parts[:-1]
    if not parts or not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError(
            "--seeds: must be a count such as 5 (seeds 0 to 4), or a list such as 7,8 or 7, (only "
            f"seed 7), got {text!r}"
        )
    if longest := max((part for part in parts if len(part) > 10), key=len, default=None):
        raise UsageError(f"--seeds: a seed must be below 2147483648, got {longest[:20]}...")
    numbers = tuple(int(part) for part in parts)
    if not named:
        if not 1 <= numbers[0] <= 10_000:
            raise UsageError(
                f"--seeds: a count must be 1 to 10000, got {text!r}; to run only seed {text}, "
                f"write {text},"
            )
        return tuple(range(numbers[0]))
    if max(numbers) >= 2**31:
        raise UsageError(f"--seeds: a seed must be below 2147483648, got {max(numbers)}")
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"--seeds: each seed may be given only once, got {text!r}")
    return numbers

"""The three seeds of a trial, and the random streams derived from them."""

import hashlib
import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from pydantic import Field

from simclr_core.base import Frozen
from simclr_core.callbacks import Observer

Source = Literal["initialisation", "order", "views"]
"""A source of randomness in pre-training."""


class Seeds(Frozen):
    """One seed for each source of randomness in pre-training; None uses the trial's seed.

    If one of them is fixed over the trials, only the others contribute to the spread.
    """

    initialisation: int | None = Field(default=None, ge=0, lt=2**63, examples=[0])
    """Draws the initial weights of encoder and head, each from its own stream."""

    order: int | None = Field(default=None, ge=0, lt=2**63, examples=[0])
    """Shuffles the images in each epoch."""

    views: int | None = Field(default=None, ge=0, lt=2**63, examples=[0])
    """Draws the parameters of all views."""

    def of(self, source: Source) -> int | None:
        """The seed of one source."""
        return {"initialisation": self.initialisation, "order": self.order, "views": self.views}[
            source
        ]

    def filled(self, seed: int) -> "Seeds":
        """The same seeds, with `seed` instead of each None."""
        missing = {source: seed for source in get_args(Source) if self.of(source) is None}
        return self.model_copy(update=missing)


def generator(seed: int, *stream: str | int) -> torch.Generator:
    """A CPU generator that depends on the seed and the name of its stream alone.

    Streams of one seed are independent of each other, so that drawing more numbers from one
    (a deeper head) leaves the others (the encoder) as they are.
    """
    return torch.Generator().manual_seed(_state(seed, *stream))


@contextmanager
def global_chance(seed: int, *stream: str | int) -> Generator[None]:
    """Within it the global generators of torch, numpy and Python begin where seed and stream say.

    Afterwards they go on as if nothing had been. The trainer draws from none of them; a part of the
    user's own may (a layer's first weights, dropout), and is then a function of the trial's seed.
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 -- what users' files draw from
    with torch.random.fork_rng(devices):
        state = _state(seed, *stream)
        torch.manual_seed(state)
        random.seed(state)
        np.random.seed(state % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


class KeepsChance:
    """The observer of a trial with custom components, which may draw from the global generators.

    Whatever runs while the observer is asked leaves these generators as they were.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """To the observer."""
        self._observer.metrics(step, values)

    def progress(self, done: int, total: int) -> None:
        """To the observer."""
        self._observer.progress(done, total)

    def should_stop(self) -> bool:
        """What the observer says."""
        with _kept_chance():
            return self._observer.should_stop()


@contextmanager
def _kept_chance() -> Generator[None]:
    """Puts the global generators back at the end: within, another trial of this process may run."""
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(torch_state)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)


def _state(seed: int, *stream: str | int) -> int:
    name = "/".join(str(part) for part in (seed, *stream))
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % 2**63

"""Several training runs at once in one process and one thread: how many views per second they reach.

On a GPU each run has its own stream, and its step is captured there as one graph. The thread queues
the runs' steps in turn and waits for none of them, so that small steps fill the GPU together. On a
CPU the same code runs one step after the other.
"""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.callbacks import Curve
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.runtime import Execution
from simclr_core.seeds import Seeds, global_chance
from simclr_core.training.capture import EAGER_STEPS
from simclr_core.training.pretraining import Training

MOST = 32
"""Members at most: torch has that many streams for a GPU, and then uses the first one again."""

GAIN = 0.05
"""A doubling of the members pays if it adds more than this share of views per second."""

_WARM_UP = EAGER_STEPS + 2
"""Rounds that are not timed: those before the capture, the capture, and one replay."""


class Pace(NamedTuple):
    """How fast members ran together."""

    views_per_second: float
    """Of all members."""

    seconds: float
    """Of a round, in which each member takes one step."""

    memory: int | None
    """Bytes of the GPU that torch has reserved in this process; None on other devices."""


class Member:
    """One of the training runs: its own weights, optimiser, seeds, trace, and on a GPU its stream.

    Its steps are those of `pretrain`, without metrics, k-NN and checkpoints. After its last epoch it
    begins again with the first one, from the weights that it has.
    """

    def __init__(self, config: Config, dataset: Dataset, execution: Execution) -> None:
        device = execution.resolved_device
        self._config = config = config.resolved(device)
        self._stream = torch.cuda.Stream() if device == "cuda" else None
        seed = config.seed_of("initialisation")
        with self._on_its_stream(), global_chance(seed, "pre-training"):
            encoder = execution.place(config.encoder.build(seed, dataset.size))
            self._training = Training(config, dataset, encoder, execution, Curve(), None)
        self._steps_per_epoch = self._training.num_images // config.batch_size
        self.done = 0
        """The steps that were queued."""

    @property
    def views(self) -> int:
        """The views of a step."""
        return self._config.batch_size * self._config.views.num_views

    @property
    def encoder(self) -> nn.Module:
        """The encoder in training."""
        return self._training.encoder

    @property
    def why_eager(self) -> str | None:
        """Why its steps are run kernel by kernel; None where a graph is replayed."""
        return self._training.why_eager

    def losses(self) -> Tensor:
        """The loss of each step of its first pass over all epochs, in nats, float64 on the CPU."""
        with self._on_its_stream():
            return self._training.losses(self.done).cpu()

    def step(self) -> None:
        """Queues its next step."""
        with self._on_its_stream():
            epochs_done, within = divmod(self.done, self._steps_per_epoch)
            if not within:
                epoch = epochs_done % self._config.epochs
                if not epoch:
                    self._training.step.begin(0)
                self._training.begin_epoch(epoch)
            self._training.advance()
        self.done += 1

    @contextmanager
    def _on_its_stream(self) -> Generator[None]:
        if self._stream is None:
            yield
            return
        with torch.cuda.stream(self._stream):
            yield


class SideBySide:
    """Members that take turns on one data set."""

    def __init__(self, dataset: Dataset, execution: Execution | None = None) -> None:
        self._dataset, self._execution = dataset, execution or Execution()
        self.members: list[Member] = []

    def add(self, config: Config) -> Member:
        """A further member.

        Raises:
            ConfigurationError: the batch is larger than the data set, or there is no such device.
            torch.OutOfMemoryError: the device has no memory for it.
        """
        with self._execution.in_force():
            member = Member(config, self._dataset, self._execution)
        self._wait()
        self.members.append(member)
        return member

    def run(self, rounds: int, members: Iterable[Member] | None = None) -> float:
        """The seconds of so many rounds, until the device has finished them.

        Raises:
            torch.OutOfMemoryError: the device has no memory for them.
        """
        running = self.members if members is None else list(members)
        with self._execution.in_force():
            self._wait()
            began = time.perf_counter()
            for _ in range(rounds):
                for member in running:
                    member.step()
            self._wait()
        return time.perf_counter() - began

    def pace(self, rounds: int, num: int | None = None) -> Pace:
        """How fast the first `num` members run, all by default; new ones are warmed up before.

        Raises:
            torch.OutOfMemoryError: the device has no memory for them.
        """
        running = self.members[:num]
        self.run(_WARM_UP, [member for member in running if member.done < _WARM_UP])
        seconds = self.run(rounds, running) / rounds
        return Pace(sum(member.views for member in running) / seconds, seconds, self._memory())

    def rates(self, config: Config, rounds: int) -> Callable[[int], float | None]:
        """Number of members -> their views per second together; None where they need more memory.

        Each member has another seed. What was added for one number is used again for the next one.
        """

        def rate_of(num: int) -> float | None:
            with suppress(torch.OutOfMemoryError):
                while len(self.members) < num:
                    seed = config.seed + len(self.members)
                    self.add(config.model_copy(update={"seed": seed, "seeds": Seeds()}))
                return self.pace(rounds, num).views_per_second
            # Here and not above: the error's frames hold the members until it is dealt with.
            self.let_go()
            return None

        return rate_of

    def let_go(self) -> None:
        """Ends all members; torch gives the GPU's memory back, which other processes may need."""
        self.members.clear()
        torch.cuda.empty_cache()

    def _wait(self) -> None:
        if self._execution.resolved_device == "cuda":
            torch.cuda.synchronize()

    def _memory(self) -> int | None:
        return torch.cuda.memory_reserved() if self._execution.resolved_device == "cuda" else None


def members_that_pay(rate_of: Callable[[int], float | None]) -> int:
    """The number of members after which a doubling adds at most `GAIN`: 1, 2, 4, ... up to `MOST`.

    `rate_of` gives the views per second of so many members together, or None where they need more
    memory than there is; it is called once for each number, in this order, and not beyond the
    answer's double. 0 if one member alone needs too much.
    """
    best, rate = 0, 0.0
    num = 1
    while num <= MOST:
        found = rate_of(num)
        if found is None or found <= (1 + GAIN) * rate:
            break
        best, rate = num, found
        num *= 2
    return best

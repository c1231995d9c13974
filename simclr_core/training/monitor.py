"""Logs and monitors pre-training: metrics, k-NN, collapse, divergence."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simclr_core.callbacks import Observer
from simclr_core.config import Config
from simclr_core.data import Dataset
from simclr_core.runtime import Execution
from simclr_core.training.collapse import CollapseWatch
from simclr_core.training.divergence import DivergenceWatch
from simclr_core.training.knn_monitor import KNN, POINTS, OnlineKnn
from simclr_core.training.step import StepResult
from simclr_core.training.trace import Trace

_LOGGED = 200
"""Approximate number of logged steps."""


class Monitor:
    """Sees each step of one pre-training run and logs about 200 of them to an observer."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        execution: Execution,
        observer: Observer,
        steps: tuple[int, int],
        rate: Callable[[int], float],
        trace: Trace,
    ) -> None:
        """`steps` are those of the run and of an epoch; `rate` is the learning rate of each."""
        self._config, self._observer, self._rate = config, observer, rate
        self._trace = trace
        self._num_steps, steps_per_epoch = steps
        self._every = max(1, self._num_steps // _LOGGED)
        self._knn_steps = {round(self._num_steps * i / POINTS) for i in range(1, POINTS + 1)}
        self._knn = OnlineKnn(config, dataset, execution)
        self._divergence = DivergenceWatch(self._num_steps, rate)
        self._collapse = CollapseWatch(
            config.loss.collapsed_value,
            steps_per_epoch,
            config.schedule.warmup_steps(steps_per_epoch),
            config.loss.num_means,
        )
        self._rows: dict[int, dict[str, float]] = {}
        self._logged_at, self._seconds, self._began = 0, 0.0, 0.0

    def begin_step(self) -> None:
        """Starts the clock of the throughput."""
        self._began = time.perf_counter()

    def end_step(self, done: int, result: StepResult, encoder: nn.Module) -> None:
        """After step number `done`, counted from 1; its device is waited for where it is logged.

        Raises:
            Diverged: a loss since the last logged step is not finite.
        """
        self._collapse.end_step(done, self._trace)
        if (done - 1) % self._every == 0 or done == self._num_steps:
            num_views = len(result.z_MD) // self._config.batch_size
            metrics = self._config.loss.metrics(result.z_MD, num_views)
            losses, *numbers = _read(self._divergence.unseen(done, self._trace), *metrics.values())
            values = {
                "loss": float(losses[-1]),
                **{name: float(number) for name, number in zip(metrics, numbers, strict=True)},
                "learning_rate": self._rate(done - 1),
            }
            self._seconds += time.perf_counter() - self._began
            pairs = (done - self._logged_at) * self._config.batch_size
            self._log(done, {**values, "pairs_per_second": pairs / self._seconds})
            self._seconds, self._logged_at = 0.0, done
            self._divergence.check(losses)
            self._collapse.judge()
        else:
            self._seconds += time.perf_counter() - self._began
        if done in self._knn_steps:
            self._log(done, self._knn.accuracy(encoder))

    def finite(self, done: int) -> bool:
        """Whether all losses since the last logged step are finite."""
        return bool(self._divergence.unseen(done, self._trace).isfinite().all())

    def finish(self, encoder: nn.Module) -> None:
        """Looks at the finished encoder.

        Raises:
            Diverged: a weight or a statistic of batch norm is not finite.
        """
        self._divergence.check_weights(encoder)

    def facts(self) -> dict[str, Any]:
        """Whether it collapsed."""
        return self._collapse.facts()

    def state(self, done: int) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "rows": self._rows,
            "neighbours": self._knn.asked_with,
            "collapse": self._collapse.state(done, self._trace),
        }

    def restore(self, state: Mapping[str, Any], done: int, device: torch.device) -> None:
        """Resumes after step `done` and logs again what was logged before it."""
        self._collapse.restore(state["collapse"], done, device)
        self._divergence.begin(done)
        self._logged_at = done
        for step, values in state["rows"].items():
            if state["neighbours"] != self._knn.asked_with:
                # Trials that share an encoder may differ in their k-NN: unknown, and not mixed.
                values.pop(KNN, None)
            if values:
                self._log(step, values)

    def _log(self, done: int, values: dict[str, float]) -> None:
        self._rows.setdefault(done, {}).update(values)
        self._observer.metrics(done, values)


def _read(first: Tensor, *others: Tensor) -> list[Tensor]:
    """Tensors of numbers on one device, on the host in the first one's type.

    It waits for the device once.
    """
    numbers = first, *others
    flat = torch.cat([each.reshape(-1).to(first.dtype) for each in numbers]).cpu()
    return list(flat.split([each.numel() for each in numbers]))

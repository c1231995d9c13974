"""Reading out a frozen encoder: features once, then probe and neighbours on them."""

import math
from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from simclr_core.config import Config
from simclr_core.data import Dataset, held_out
from simclr_core.errors import Diverged
from simclr_core.execution import Execution
from simclr_core.features import features, state_hash
from simclr_core.observer import Curve, Observer
from simclr_core.probe import LogisticProbe, top_k_accuracy
from simclr_core.seeds import generator

_TOP_5_FROM = 6
"""Classes at which top-5 begins to say something."""


class ReadOut(NamedTuple):
    """What the read-outs of a trial found."""

    values: dict[str, float]
    """Per cent, by the names of `ReadOuts.value_names`."""

    facts: dict[str, Any]
    """How they were found, and what shows that nothing leaked."""


class _Part(NamedTuple):
    x: Tensor
    y: Tensor
    hashes: tuple[bytes, ...]


def read_out(
    config: Config,
    dataset: Dataset,
    state: dict[str, Tensor],
    execution: Execution | None = None,
    observer: Observer | None = None,
) -> ReadOut:
    """All read-outs of a configuration, on the encoder with this state.

    The encoder is frozen: its weights and batch norm statistics are hashed before and after. The
    test part is asked for once, when everything has been chosen and fitted; where the values are
    to be measured on the validation part it is not asked for at all.

    Raises:
        DataError: the data set has no labels.
        Diverged: the encoder's features are no numbers.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    dataset.require_labels()
    measured_on = config.readouts.part
    with execution.in_force():
        encoder = config.encoder.build(0, dataset.size)
        encoder.load_state_dict(state)
        encoder = execution.place(encoder).requires_grad_(requires_grad=False).eval()
        before = state_hash(encoder.state_dict())
        tests_read = dataset.reads["test"]

        def part(name: Any) -> _Part:
            images, labels, hashes = dataset.labelled(name)
            x = features(encoder, images, dataset.size, execution)
            if not bool(x.isfinite().all()):
                raise Diverged(
                    "the finished encoder's features are no numbers; lower "
                    "optimizer.learning_rate or warm up longer"
                )
            return _Part(x, labels, hashes)

        if measured_on == "test":
            fit, validation = part("fit"), part("validation")
        else:
            fit, validation = _tenth_apart(part("fit"), dataset.name)
        if config.readouts.permuted_labels:
            parts = (fit, validation, part(measured_on))
            values, facts = _permuted(config, dataset.num_classes, parts, observer)
        else:
            fitted = _Fitted(config, dataset.num_classes, fit, validation)
            read_before = dataset.reads["test"] - tests_read
            asked = part(measured_on)
            values, facts = fitted.measured(asked)
            seen = set(fit.hashes) | set(validation.hashes)
            facts |= {
                "test_reads_before_evaluation": read_before,
                "shared_images": sum(content in seen for content in asked.hashes),
            }
        facts |= {"measured_on": measured_on, "test_reads": dataset.reads["test"] - tests_read}
        after = state_hash(encoder.state_dict())
    return ReadOut(values, {**facts, "encoder_hash_before": before, "encoder_hash_after": after})


def _tenth_apart(part: _Part, name: str) -> tuple[_Part, _Part]:
    """A part without a tenth of its images, and that tenth, which then serves as validation."""
    apart = held_out(part.hashes, f"the fit part of {name}")
    rest, tenth = (
        _Part(part.x[at], part.y[at], tuple(part.hashes[i] for i in at.nonzero()[:, 0].tolist()))
        for at in (~apart, apart)
    )
    return rest, tenth


class _Fitted:
    """Probe and neighbours with all choices made, before any image of the last part was seen."""

    def __init__(self, config: Config, num_classes: int, fit: _Part, validation: _Part) -> None:
        self._prefix = config.readouts.prefix
        self._ks = (1, 5) if num_classes >= _TOP_5_FROM else (1,)
        self._num_classes = num_classes
        self._neighbours = config.readouts.neighbours
        self._x = torch.cat([fit.x, validation.x])
        self._y = torch.cat([fit.y, validation.y])
        self._probe = None
        self._facts: dict[str, Any] = {}
        self._values: dict[str, float] = {}
        if (probe := config.readouts.probe) is not None:
            choice = probe.choose((fit.x, fit.y), (validation.x, validation.y), num_classes)
            self._probe = probe.fit(self._x, self._y, num_classes, choice.l2)
            if config.readouts.part == "test":
                self._values["validation_top1"] = max(choice.accuracies)
            self._facts = {
                "l2": choice.l2,
                "l2_at_the_edge": len(probe.l2) > 1 and choice.l2 in (min(probe.l2), max(probe.l2)),
                "probe_converged": self._probe.converged,
                "probe_iterations": self._probe.iterations,
                "candidates_not_converged": len(choice.unconverged),
            }

    def measured(self, asked: _Part) -> tuple[dict[str, float], dict[str, Any]]:
        """Values in per cent and facts, from the one look at the part that was asked for."""
        values = dict(self._values)
        for k in self._ks:
            if self._probe is not None:
                scores = self._probe.scores(asked.x)
                values[f"{self._prefix}top{k}"] = top_k_accuracy(scores, asked.y, k)
            if self._neighbours is not None:
                scores = self._neighbours.scores(self._x, self._y, asked.x, self._num_classes)
                values[f"{self._prefix}knn_top{k}"] = top_k_accuracy(scores, asked.y, k)
        return values, dict(self._facts)


def _permuted(
    config: Config, num_classes: int, parts: tuple[_Part, _Part, _Part], observer: Observer
) -> tuple[dict[str, float], dict[str, Any]]:
    """The negative control: labels permuted over all parts in use, then choice, fit and test.

    The parts are those to fit, to choose and to measure on. Whatever the probe then finds above the
    largest class's share has come another way than through the images.
    """
    fit, validation, asked = parts
    probe = config.readouts.probe
    assert isinstance(probe, LogisticProbe), "permuted labels have a probe to fit"
    labels = torch.cat([fit.y, validation.y, asked.y])
    sizes = [len(fit.y), len(validation.y), len(asked.y)]
    num = config.readouts.permuted_labels
    accuracies: list[float] = []
    for i in range(num):
        order = torch.randperm(len(labels), generator=generator(config.seed, "permuted", i))
        y_fit, y_validation, y_asked = labels[order].split(sizes)
        choice = probe.choose((fit.x, y_fit), (validation.x, y_validation), num_classes)
        fitted = probe.fit(
            torch.cat([fit.x, validation.x]),
            torch.cat([y_fit, y_validation]),
            num_classes,
            choice.l2,
        )
        accuracies.append(top_k_accuracy(fitted.scores(asked.x), y_asked, 1))
        observer.progress(i + 1, num)
        if observer.should_stop():
            break
    top1 = torch.tensor(accuracies, dtype=torch.float64)
    error = float(top1.std()) / math.sqrt(len(top1)) if len(top1) > 1 else math.nan
    values = {
        "permuted/mean": float(top1.mean()),
        "permuted/standard_error": error,
        "permuted/largest_class_share": 100 * max(Counter(labels.tolist()).values()) / len(labels),
    }
    return values, {"permutations": len(top1)}

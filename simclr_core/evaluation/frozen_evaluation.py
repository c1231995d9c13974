"""Evaluation of a frozen encoder: features once, then probe, k-NN and geometry on them."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.callbacks import Curve, Observer
from simclr_core.config import Config
from simclr_core.data import Dataset, Images
from simclr_core.errors import ConfigurationError, Diverged
from simclr_core.evaluation.frozen_features import features, represented, state_hash
from simclr_core.evaluation.permuted_labels import permuted
from simclr_core.evaluation.random_init import random_head
from simclr_core.evaluation.splits import few_labels, tenth_apart
from simclr_core.networks import up_to
from simclr_core.plugins import files_of
from simclr_core.probes import (
    Geometry,
    Part,
    Target,
    Task,
    alignment,
    confusion_matrix,
    effective_rank,
    labelled,
    right_by_class,
    top_k_accuracy,
    uniformity,
)
from simclr_core.runtime import Execution
from simclr_core.seeds import KeepsChance, global_chance

_TOP_5_FROM = 6
"""Classes from which top-5 is informative."""

_PROBE = "top{k}"
"""The values of the probe on all labels."""

_MOST_CONFUSED = 100
"""Classes up to which a trial records which are taken for which: 10,000 counts, 70 kB of its record."""

_BATCH = 512
"""Images whose views are in memory at a time."""


class Evaluated(NamedTuple):
    """The results of a trial's evaluation."""

    values: dict[str, float]
    """By the names of `Evaluation.value_names`; accuracies in per cent."""

    facts: dict[str, Any]
    """How the values were found, and evidence that nothing leaked."""


def evaluate(
    config: Config,
    dataset: Dataset,
    state: dict[str, Tensor],
    execution: Execution | None = None,
    observer: Observer | None = None,
    *,
    head: Mapping[str, Tensor] | None = None,
    pause: Callable[[], object] | None = None,
) -> Evaluated:
    """The evaluation of a configuration, on the encoder with this state.

    `head` is the trained head's state, needed where `evaluation.layer` is one of its layers; the
    head of a random encoder is built here. Both are frozen: their weights and batch norm statistics
    are hashed before and after. The test split is read once, when everything has been chosen and
    fitted, or never, where values are measured on the validation split.

    `pause` is called between parts of the work: other trials of this process may run then. With a
    custom component it is not.

    Raises:
        DataError: the data set has no labels.
        ConfigurationError: the trained head's state is missing, or the probe's batch is larger than the
            number of images to fit on.
        Diverged: the encoder's features are not finite.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    if any(files_of(config.model_dump(mode="json"))):
        observer, pause = KeepsChance(observer), None
    dataset.require_labels()
    chance = global_chance(0, "reading out")  # old name: seeds a stream
    with execution.in_force(), chance, execution.own_stream():
        networks = _networks(config, dataset, state, execution, head)
        network = nn.Sequential(*networks.values()).requires_grad_(requires_grad=False).eval()
        before = _hashes(networks, "before")
        frozen = _Frozen(network, config.evaluation.target, dataset, execution, pause)
        values, facts = _measured(config, frozen, observer)
        after = _hashes(networks, "after")
    return Evaluated(values, {**facts, **before, **after})


def _networks(
    config: Config,
    dataset: Dataset,
    state: dict[str, Tensor],
    execution: Execution,
    head: Mapping[str, Tensor] | None,
) -> dict[str, nn.Module]:
    """The encoder, and the head up to the evaluated layer where that is one of its layers."""
    encoder = config.encoder.build(0, dataset.size)
    encoder.load_state_dict(state)
    encoder = execution.place(encoder)
    if config.evaluation.layer == "h":
        return {"encoder": encoder}
    return {"encoder": encoder, "head": _up_to_layer(config, encoder, dataset, execution, head)}


def _up_to_layer(
    config: Config,
    encoder: nn.Module,
    dataset: Dataset,
    execution: Execution,
    state: Mapping[str, Tensor] | None,
) -> nn.Module:
    """From h to the evaluated layer of the head."""
    if config.epochs == 0:
        images = dataset.pretraining_images()
        head = random_head(config, encoder.eval(), images, dataset.size, execution)
    else:
        if state is None:
            raise ConfigurationError(
                f"evaluation.layer: {config.evaluation.layer} needs the trained head's state in addition "
                "to the encoder's: evaluate(..., head=trained.head)"
            )
        head = execution.place(config.head.build(config.encoder.num_features, 0))
        head.load_state_dict(state)
    return up_to(head, config.evaluation.layer)


def _hashes(networks: Mapping[str, nn.Module], when: str) -> dict[str, str]:
    return {
        f"{name}_hash_{when}": state_hash(network.state_dict())
        for name, network in networks.items()
    }


class _Frozen(NamedTuple):
    """The frozen encoder, and what it makes of images."""

    encoder: nn.Module
    """Up to the evaluated layer."""
    target: Target
    dataset: Dataset
    execution: Execution
    pause: Callable[[], object] | None

    @property
    def num_classes(self) -> int:
        """How many answers the target has."""
        return self.target.num_answers(self.dataset.num_classes)

    def part(self, name: Literal["fit", "validation", "test"]) -> Part:
        """A part of the data set with the features of its centre squares, and the answers."""
        images, labels, hashes = self.dataset.labelled(name)
        labels = self.target.answers(labels, name)

        def change(squares: Tensor, index: Tensor) -> Tensor:
            return self.target.transformed(squares, labels[index], index, name)

        x = features(
            self.encoder,
            images,
            self.dataset.size,
            self.execution,
            change,
            self.pause,
        )
        if not bool(x.isfinite().all()):
            raise Diverged(
                "the finished encoder's features are not finite; lower "
                "optimizer.learning_rate or warm up longer"
            )
        # Probes compute in float64, which mps has not.
        device = self.execution.resolved_device
        x = x.to("cpu" if device == "mps" else device)
        return Part(images, x, labels, hashes)

    def task(self, fit: Part, validation: Part, seed: int, observer: Observer) -> Task:
        """What a probe may use."""

        def represent(views: Tensor) -> Tensor:
            return represented(self.encoder, views, self.execution)

        return Task(
            fit=fit,
            validation=validation,
            num_classes=self.num_classes,
            size=self.dataset.size,
            represent=represent,
            device=torch.device(self.execution.resolved_device),
            seed=seed,
            observer=observer,
        )

    def pairs(self, geometry: Geometry, images: Images) -> tuple[Tensor, Tensor]:
        """The features of two views of each image, on the CPU."""
        device = torch.device(self.execution.resolved_device)
        images = images.to(device)
        first: list[Tensor] = []
        second: list[Tensor] = []
        for index in torch.arange(len(images)).split(_BATCH):
            views = geometry.two_views(images, index, self.dataset.size)
            for side, view in zip((first, second), views, strict=True):
                side.append(represented(self.encoder, view, self.execution).cpu())
        return torch.cat(first), torch.cat(second)


def _measured(
    config: Config, frozen: _Frozen, observer: Observer
) -> tuple[dict[str, float], dict[str, Any]]:
    """Values and facts: everything is chosen and fitted before the last part is read."""
    dataset, part, measured_on = frozen.dataset, frozen.part, config.evaluation.split
    tests_read = dataset.reads["test"]
    if measured_on == "test":
        fit, validation = part("fit"), part("validation")
    else:
        fit, validation = tenth_apart(part("fit"), f"the fit split of {dataset.name}")
    task = frozen.task(fit, validation, config.seed, observer)
    if config.evaluation.permuted_labels:
        values, facts = permuted(config, task, part(measured_on))
    else:
        fitted = _Fitted(config, frozen, task)
        read_before = dataset.reads["test"] - tests_read
        asked = part(measured_on)
        values, facts = fitted.measured(asked)
        seen = set(fit.hashes) | set(validation.hashes)
        largest = torch.bincount(asked.y, minlength=frozen.num_classes).max()
        facts |= {
            "largest_class_share": 100 * float(largest) / len(asked.y),
            "test_reads_before_evaluation": read_before,
            "shared_images": sum(content in seen for content in asked.hashes),
        }
    facts |= {"measured_on": measured_on, "test_reads": dataset.reads["test"] - tests_read}
    return values, facts


class _Fitted:
    """All that is fitted, with all choices made, before any image of the last part was seen."""

    def __init__(self, config: Config, frozen: _Frozen, task: Task) -> None:
        self._evaluation, self._frozen = config.evaluation, frozen
        self._scores: dict[str, Callable[[Tensor], Tensor]] = {}
        self._facts: dict[str, Any] = {}
        self._values: dict[str, float] = {}
        train, num_classes = task.train, task.num_classes
        if (probe := self._evaluation.probe) is not None:
            solution = probe.solve(task)
            self._scores[_PROBE] = solution.scores
            self._facts |= solution.facts
            if self._evaluation.split == "test" and solution.validation_top1 is not None:
                self._values["validation_top1"] = solution.validation_top1
            for fraction in self._evaluation.label_fractions:
                few = few_labels(task.fit, fraction, len(train.y), num_classes)
                solution, name = probe.solve_few(task, few), labelled(fraction)
                self._scores[f"top{{k}}{name}"] = solution.scores
                facts = {"images": len(few.y), **solution.facts}
                self._facts |= {f"{fact}{name}": value for fact, value in facts.items()}
        if (knn := self._evaluation.knn) is not None:
            self._scores["knn_top{k}"] = lambda x: knn.scores(train.x, train.y, x, num_classes)

    def measured(self, asked: Part) -> tuple[dict[str, float], dict[str, Any]]:
        """Values and facts, from the one look at the last part."""
        values, prefix = dict(self._values), self._evaluation.prefix
        facts = dict(self._facts)
        for name, scores in self._scores.items():
            found = scores(asked.x)
            if name == _PROBE and self._evaluation.target.kind == "classes":
                facts |= _by_class(found, asked.y)
            for k in (1, 5) if self._frozen.num_classes >= _TOP_5_FROM else (1,):
                values[prefix + name.format(k=k)] = top_k_accuracy(found, asked.y, k)
        if (geometry := self._evaluation.geometry) is not None:
            first, second = self._frozen.pairs(geometry, asked.images)
            values[f"{prefix}alignment"] = alignment(first, second, geometry.alpha)
            values[f"{prefix}uniformity"] = uniformity(asked.x, geometry.t)
            values[f"{prefix}effective_rank"] = effective_rank(asked.x)
        return values, facts


def _by_class(scores: Tensor, labels: Tensor) -> dict[str, Any]:
    """Counts by class, and which classes were taken for which where there are not too many."""
    right, images = right_by_class(scores, labels)
    facts: dict[str, Any] = {"class_right": right.tolist(), "class_images": images.tolist()}
    if len(images) <= _MOST_CONFUSED:
        facts["class_confusion"] = confusion_matrix(scores, labels).tolist()
    return facts

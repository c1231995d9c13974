"""Reading out a frozen encoder: features once, then probe, neighbours and geometry on them."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from simclr_core.callbacks import Curve, Observer
from simclr_core.chance import Chance
from simclr_core.config import Config
from simclr_core.data import Dataset, Images
from simclr_core.errors import ConfigurationError, Diverged
from simclr_core.evaluation.frozen_features import features, represented, state_hash
from simclr_core.evaluation.permuted_labels import permuted
from simclr_core.evaluation.random_init import random_head
from simclr_core.evaluation.splits import Part, few_labels, tenth_apart
from simclr_core.networks import up_to
from simclr_core.probes import (
    AnyTarget,
    Choice,
    ChoosingProbe,
    Classes,
    Features,
    Fitted,
    Geometry,
    SgdProbe,
    alignment,
    answers,
    effective_rank,
    labelled,
    num_answers,
    top_k_accuracy,
    transformed,
    uniformity,
)
from simclr_core.runtime import Execution
from simclr_core.seeds import global_chance

_TOP_5_FROM = 6
"""Classes at which top-5 begins to say something."""

_BATCH = 512
"""Pictures whose views are in memory at a time."""


class Evaluated(NamedTuple):
    """What the read-outs of a trial found."""

    values: dict[str, float]
    """By the names of `Evaluation.value_names`; accuracies in per cent."""

    facts: dict[str, Any]
    """How they were found, and what shows that nothing leaked."""


def evaluate(
    config: Config,
    dataset: Dataset,
    state: dict[str, Tensor],
    execution: Execution | None = None,
    observer: Observer | None = None,
    *,
    head: Mapping[str, Tensor] | None = None,
) -> Evaluated:
    """All read-outs of a configuration, on the encoder with this state.

    Where `evaluation.layer` is one of the head's, `head` is its state; that of a random encoder is
    built here. Encoder and head are frozen: their weights and batch norm statistics are hashed
    before and after. The
    test part is asked for once, when everything has been chosen and fitted; where the values are
    to be measured on the validation part it is not asked for at all.

    Raises:
        DataError: the data set has no labels.
        ConfigurationError: a layer of a trained head is to be read out, and there is no state of it.
        Diverged: the encoder's features are no numbers.
        ConfigurationError: the probe's batch is larger than what it is fitted on.
    """
    execution = execution or Execution()
    observer = Curve() if observer is None else observer
    dataset.require_labels()
    measured_on = config.evaluation.split
    with execution.in_force(), global_chance(0, "reading out"):
        encoder = config.encoder.build(0, dataset.size)
        encoder.load_state_dict(state)
        encoder = execution.place(encoder)
        read = {"encoder": encoder}
        if config.evaluation.layer != "h":
            read["head"] = _up_to_layer(config, encoder, dataset, execution, head)
        network = nn.Sequential(*read.values()).requires_grad_(requires_grad=False).eval()
        before = {
            f"{name}_hash_before": state_hash(part.state_dict()) for name, part in read.items()
        }
        tests_read = dataset.reads["test"]
        frozen = _Frozen(network, config.evaluation.target, dataset, execution)
        part = frozen.part
        if measured_on == "test":
            fit, validation = part("fit"), part("validation")
        else:
            fit, validation = tenth_apart(part("fit"), f"the fit part of {dataset.name}")
        if config.evaluation.permuted_labels:
            parts = (fit, validation, part(measured_on))
            values, facts = permuted(config, frozen.num_classes, parts, frozen.seen, observer)
        else:
            fitted = _Fitted(config, frozen, fit, validation, observer)
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
        after = {f"{name}_hash_after": state_hash(part.state_dict()) for name, part in read.items()}
    return Evaluated(values, {**facts, **before, **after})


def _up_to_layer(
    config: Config,
    encoder: nn.Module,
    dataset: Dataset,
    execution: Execution,
    state: Mapping[str, Tensor] | None,
) -> nn.Module:
    """From h to the layer of the head that is read out."""
    if config.epochs == 0:
        images = dataset.pretraining_images()
        head = random_head(config, encoder.eval(), images, dataset.size, execution)
    else:
        if state is None:
            raise ConfigurationError(
                f"evaluation.layer: {config.evaluation.layer} needs the trained head's state beside the "
                "encoder's: evaluate(..., head=trained.head)"
            )
        head = execution.place(config.head.build(config.encoder.num_features, 0))
        head.load_state_dict(state)
    return up_to(head, config.evaluation.layer)


class _Frozen(NamedTuple):
    """The frozen encoder, and what it says of pictures."""

    encoder: nn.Module
    """Up to the layer that is read out."""
    target: AnyTarget
    dataset: Dataset
    execution: Execution

    @property
    def num_classes(self) -> int:
        """How many answers there are to what is asked."""
        target = self.target
        return self.dataset.num_classes if isinstance(target, Classes) else num_answers(target)

    def part(self, name: Literal["fit", "validation", "test"]) -> Part:
        """A part of the data set with the features of its centre squares, and the answers."""
        images, labels, hashes = self.dataset.labelled(name)
        change: Callable[[Tensor, Tensor], Tensor] | None = None
        if not isinstance(target := self.target, Classes):
            labels = told = answers(target, len(images), name)
            change = lambda squares, index: transformed(  # noqa: E731 -- one of two values
                target, squares, told[index], index, name
            )
        x = features(self.encoder, images, self.dataset.size, self.execution, change)
        if not bool(x.isfinite().all()):
            raise Diverged(
                "the finished encoder's features are no numbers; lower "
                "optimizer.learning_rate or warm up longer"
            )
        return Part(images, x, labels, hashes)

    def seen(self, probe: SgdProbe, train: Part, seed: int) -> Features:
        """The features of the images as the probe sees them, from one epoch to the next."""
        device = torch.device(self.execution.resolved_device)
        if (crop := probe.crop) is None:
            x = train.x.to(device)
            return lambda _, index: x[index.to(device)]
        images = train.images.to(device)

        def cropped(epoch: int, index: Tensor) -> Tensor:
            parts: list[Tensor] = []
            for some in index.split(_BATCH):
                chance = Chance.of(seed, epoch, some)
                view = probe.view(crop, images, some, chance, self.dataset.size)
                parts.append(represented(self.encoder, view, self.execution))
            return torch.cat(parts)

        return cropped

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


_Scores = Callable[[Tensor], Tensor]
"""Features [n, d] -> scores [n, C]."""


class _Fitted:
    """All that is fitted, with all choices made, before any image of the last part was seen."""

    def __init__(
        self, config: Config, frozen: _Frozen, fit: Part, validation: Part, observer: Observer
    ) -> None:
        evaluation = self._evaluation = config.evaluation
        num_classes = frozen.num_classes
        self._frozen = frozen
        self._ks = (1, 5) if num_classes >= _TOP_5_FROM else (1,)
        self._scores: dict[str, _Scores] = {}
        self._facts: dict[str, Any] = {}
        self._values: dict[str, float] = {}
        train = fit.followed_by(validation)
        probe = evaluation.probe
        if isinstance(probe, SgdProbe):
            seen = frozen.seen(probe, train, config.seed)
            layers = probe.fit(seen, train.y[None], num_classes, config.seed, observer)
            self._scores["top{k}"] = layers.scores
        elif probe is not None:
            choice = probe.choose((fit.x, fit.y), (validation.x, validation.y), num_classes)
            fitted = probe.fit(train.x, train.y, num_classes, choice.l2)
            self._scores["top{k}"] = fitted.scores
            if evaluation.split == "test":
                self._values["validation_top1"] = max(choice.accuracies)
            self._facts |= _chosen(probe, choice)
            if isinstance(fitted, Fitted):
                self._facts |= {
                    "probe_converged": fitted.converged,
                    "probe_iterations": fitted.iterations,
                    "candidates_not_converged": len(choice.unconverged),
                }
            for fraction in evaluation.label_fractions:
                few = few_labels(fit, fraction, len(train.y), num_classes)
                choice = probe.choose((few.x, few.y), (validation.x, validation.y), num_classes)
                by_few = probe.fit(few.x, few.y, num_classes, choice.l2)
                name = labelled(fraction)
                self._scores[f"top{{k}}{name}"] = by_few.scores
                facts = {"images": len(few.y), **_chosen(probe, choice)}
                self._facts |= {f"{fact}{name}": value for fact, value in facts.items()}
        if (neighbours := evaluation.knn) is not None:
            self._scores["knn_top{k}"] = lambda x: neighbours.scores(
                train.x, train.y, x, num_classes
            )

    def measured(self, asked: Part) -> tuple[dict[str, float], dict[str, Any]]:
        """Values and facts, from the one look at the part that was asked for."""
        values, prefix = dict(self._values), self._evaluation.prefix
        for name, scores in self._scores.items():
            found = scores(asked.x)
            for k in self._ks:
                values[prefix + name.format(k=k)] = top_k_accuracy(found, asked.y, k)
        if (geometry := self._evaluation.geometry) is not None:
            first, second = self._frozen.pairs(geometry, asked.images)
            values[f"{prefix}alignment"] = alignment(first, second, geometry.alpha)
            values[f"{prefix}uniformity"] = uniformity(asked.x, geometry.t)
            values[f"{prefix}effective_rank"] = effective_rank(asked.x)
        return values, dict(self._facts)


def _chosen(probe: ChoosingProbe, choice: Choice) -> dict[str, Any]:
    edges = (min(probe.l2), max(probe.l2))
    return {"l2": choice.l2, "l2_at_the_edge": len(probe.l2) > 1 and choice.l2 in edges}

"""The contracts of probes and targets: everything that evaluation, configuration and reports need.

Shape suffixes: n images, v validation images, d features, C classes, B images of side S.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from simclr_core.base import Departure, Frozen
from simclr_core.callbacks import Observer
from simclr_core.data import Images

Labels = tuple[Tensor, Tensor]
"""Of the images to fit on and of those to choose on, int64 [n] and [v]."""


class Part(NamedTuple):
    """Images with their features under the frozen encoder, and their labels."""

    images: Images
    x: Tensor
    """float32 [n, d]: the features of the centre squares, where probes are fitted."""

    y: Tensor
    """int64 [n]."""

    hashes: tuple[bytes, ...]

    def at(self, index: Tensor) -> "Part":
        """The images at `index`, in that order."""
        hashes = tuple(self.hashes[i] for i in index.tolist())
        return Part(self.images.select(index), self.x[index], self.y[index], hashes)

    def followed_by(self, other: "Part") -> "Part":
        """Both parts as one; the other is of the same data set."""
        return Part(
            self.images.followed_by(other.images),
            torch.cat([self.x, other.x]),
            torch.cat([self.y, other.y]),
            self.hashes + other.hashes,
        )


class Task(NamedTuple):
    """The data that a probe may use."""

    fit: Part
    validation: Part
    num_classes: int
    size: int
    """Side of the views in px."""

    represent: Callable[[Tensor], Tensor]
    """Views [B, 3, S, S] on `device` -> their features there, float32 [B, d]."""

    device: torch.device
    seed: int
    observer: Observer

    @property
    def train(self) -> Part:
        """All training images: those to fit on, then those to choose on."""
        return self.fit.followed_by(self.validation)


class Solution(NamedTuple):
    """A fitted probe."""

    scores: Callable[[Tensor], Tensor]
    """Features [n, d] -> scores [n, C]; the class with the largest is the prediction."""

    facts: dict[str, Any]
    """Facts of the fit, for the record."""

    validation_top1: float | None = None
    """The validation accuracy of the choice, in per cent; None if nothing was chosen."""


class Probe(Frozen):
    """A classifier on frozen features. A member overrides what differs from these defaults."""

    summary: ClassVar[str]
    """A short description for a report's list of deviations from the paper."""

    papers: ClassVar[bool] = False
    """Whether it is the paper's on ImageNet (B.6), whose fields are compared one by one."""

    chooses: ClassVar[bool] = False
    """Whether it chooses on the validation split; such a probe needs only the cached features."""

    uses_seed: ClassVar[bool] = False
    """Whether its solution depends on the trial's seed."""

    @property
    def images_per_step(self) -> int:
        """The least number of training images that it needs."""
        return 1

    @abstractmethod
    def solve(self, task: Task) -> Solution:
        """The probe of all training images."""

    @abstractmethod
    def solve_each(self, task: Task, labels: Sequence[Labels]) -> Iterator[Solution]:
        """The probe of all training images under each of several labellings."""

    def solve_few(self, task: Task, few: Part) -> Solution:
        """The probe of a few training images, of a probe that `chooses`."""
        raise NotImplementedError


class Fit(Protocol):
    """The solution of a penalised probe for one l2."""

    @property
    def converged(self) -> bool:
        """False if it ran out of steps."""
        ...

    def scores(self, features_nd: Tensor, /) -> Tensor:
        """Features [n, d] -> scores [n, C]; the class with the largest is the prediction."""
        ...


class Choice(NamedTuple):
    """The validation accuracy of each candidate."""

    l2: float
    candidates: list[float]
    accuracies: list[float]
    """Per cent on the validation split, of each candidate."""

    unconverged: list[float]
    """The candidates whose fit ran out of steps."""

    fitted: Any
    """The chosen candidate's `Fit`."""

    @classmethod
    def of(
        cls, candidates: list[float], accuracies: list[float], fits: "Sequence[Fit]"
    ) -> "Choice":
        """The candidate with the highest accuracy; of equal ones the first."""
        best = max(range(len(candidates)), key=accuracies.__getitem__)
        unconverged = [l2 for l2, fit in zip(candidates, fits, strict=True) if not fit.converged]
        return cls(candidates[best], candidates, accuracies, unconverged, fits[best])


class PenalisedProbe(Probe):
    """A probe on cached features whose l2 is chosen on the validation split."""

    chooses: ClassVar[bool] = True

    l2: tuple[float, ...]

    labellings_at_once: ClassVar[int] = 1
    """How many labellings are fitted together."""

    @abstractmethod
    def solutions(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[Sequence[float]],
    ) -> Sequence[Sequence[Any]]:
        """The `Fit` of each labelling, for each of its values of l2."""

    def choose_each(
        self,
        fit: tuple[Float[Tensor, "n d"], Int[Tensor, "L n"]],
        validation: tuple[Float[Tensor, "v d"], Int[Tensor, "L v"]],
        num_classes: int,
    ) -> list[Choice]:
        """Under each labelling, the l2 with the highest accuracy on the validation split.

        Of equal ones the largest.
        """
        candidates = sorted(self.l2, reverse=True)
        choices: list[Choice] = []
        fits = self.solutions(*fit, num_classes, [candidates] * len(fit[1]))
        for fitted, labels_v in zip(fits, validation[1], strict=True):
            accuracies = [top_k_accuracy(one.scores(validation[0]), labels_v, 1) for one in fitted]
            choices.append(Choice.of(candidates, accuracies, fitted))
        return choices

    def fit_each(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
        l2s: Sequence[float],
        near: Sequence[Any] | None = None,
    ) -> list[Any]:
        """The solution of each labelling for its l2; it may start from one that is `near`."""
        del near
        fits = self.solutions(features_nd, labels_Ln, num_classes, [[l2] for l2 in l2s])
        return [fitted for [fitted] in fits]

    def choose(
        self,
        fit: tuple[Float[Tensor, "n d"], Int[Tensor, " n"]],
        validation: tuple[Float[Tensor, "v d"], Int[Tensor, " v"]],
        num_classes: int,
    ) -> Choice:
        """`choose_each` of one labelling."""
        (x_nd, y_n), (x_vd, y_v) = fit, validation
        [choice] = self.choose_each((x_nd, y_n[None]), (x_vd, y_v[None]), num_classes)
        return choice

    def fit(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_n: Int[Tensor, " n"],
        num_classes: int,
        l2: float,
        near: Any = None,
    ) -> Any:
        """`fit_each` of one labelling."""
        start = None if near is None else [near]
        [fitted] = self.fit_each(features_nd, labels_n[None], num_classes, [l2], start)
        return fitted

    def solve(self, task: Task) -> Solution:
        """Chosen on the validation split, then fitted on all training images."""
        fit, validation, train = task.fit, task.validation, task.train
        choice = self.choose((fit.x, fit.y), (validation.x, validation.y), task.num_classes)
        fitted = self.fit(train.x, train.y, task.num_classes, choice.l2, choice.fitted)
        return self._solution(choice, fitted)

    def solve_few(self, task: Task, few: Part) -> Solution:
        """Chosen on the whole validation split, fitted on the few images alone."""
        validation = task.validation
        choice = self.choose((few.x, few.y), (validation.x, validation.y), task.num_classes)
        by_few = self.fit(few.x, few.y, task.num_classes, choice.l2, choice.fitted)
        return Solution(by_few.scores, self._l2_facts(choice), max(choice.accuracies))

    def solve_each(self, task: Task, labels: Sequence[Labels]) -> Iterator[Solution]:
        """Some labellings at a time; the observer may stop in between."""
        fit, validation, train = task.fit, task.validation, task.train
        for start in range(0, len(labels), self.labellings_at_once):
            y_fit, y_validation = (
                torch.stack(part)
                for part in zip(*labels[start : start + self.labellings_at_once], strict=True)
            )
            choices = self.choose_each(
                (fit.x, y_fit), (validation.x, y_validation), task.num_classes
            )
            y_train = torch.cat([y_fit, y_validation], dim=1)
            l2s, near = zip(*((choice.l2, choice.fitted) for choice in choices), strict=True)
            fits = self.fit_each(train.x, y_train, task.num_classes, l2s, near)
            for i, (choice, fitted) in enumerate(zip(choices, fits, strict=True)):
                yield self._solution(choice, fitted)
                task.observer.progress(start + i + 1, len(labels))
                if task.observer.should_stop():
                    return

    def _solution(self, choice: Choice, fitted: Any) -> Solution:
        facts = {**self._l2_facts(choice), **self._fit_facts(choice, fitted)}
        return Solution(fitted.scores, facts, max(choice.accuracies))

    def _l2_facts(self, choice: Choice) -> dict[str, Any]:
        edges = (min(self.l2), max(self.l2))
        return {"l2": choice.l2, "l2_at_the_edge": len(self.l2) > 1 and choice.l2 in edges}

    def _fit_facts(self, choice: Choice, fitted: Any) -> dict[str, Any]:
        """What else a record holds of the fit."""
        del choice, fitted
        return {}


class Target(Frozen):
    """What a probe predicts."""

    transforms: ClassVar[bool] = True
    """Whether images are transformed, and the answer says how; else they are as they are."""

    @abstractmethod
    def num_answers(self, num_classes: int) -> int:
        """How many answers there are, in a data set with this many classes."""

    @abstractmethod
    def answers(self, labels_n: Int64[Tensor, " n"], part: str) -> Int64[Tensor, " n"]:
        """The correct answer for each image of a split with these labels."""

    @abstractmethod
    def transformed(
        self,
        squares_B3SS: Float[Tensor, "B 3 S S"],
        answers_B: Int64[Tensor, " B"],
        index_B: Int64[Tensor, " B"],
        part: str,
    ) -> Float[Tensor, "B 3 S S"]:
        """The images at `index` of a part as they are evaluated, by their answers."""

    def departures(self) -> Iterable[Departure]:
        """How it differs from the paper."""
        return ()


def right_by_class(
    scores_nC: Float[Tensor, "n C"], labels_n: Int[Tensor, " n"]
) -> tuple[Int[Tensor, " C"], Int[Tensor, " C"]]:
    """Of each class, how many images have the largest score for it, and how many images it has.

    The sums give `top_k_accuracy` with k = 1; for equal scores, the smaller class number comes first.
    """
    labels_n, best_n = labels_n.cpu(), _predicted(scores_nC)
    num_classes = scores_nC.shape[1]
    right = torch.bincount(labels_n[best_n == labels_n], minlength=num_classes)
    return right, torch.bincount(labels_n, minlength=num_classes)


def confusion_matrix(
    scores_nC: Float[Tensor, "n C"], labels_n: Int[Tensor, " n"]
) -> Int[Tensor, "C C"]:
    """How many images of the class of a row have the largest score for the class of a column.

    Its diagonal and the sums of its rows are those of `right_by_class`; equal scores as there.
    """
    num_classes = scores_nC.shape[1]
    pairs_n = labels_n.cpu() * num_classes + _predicted(scores_nC)
    return torch.bincount(pairs_n, minlength=num_classes**2).view(num_classes, num_classes)


def _predicted(scores_nC: Float[Tensor, "n C"]) -> Int64[Tensor, " n"]:
    """Of each image, the class with the largest score, on the CPU."""
    return scores_nC.argsort(dim=1, descending=True, stable=True)[:, 0].cpu()


def top_k_accuracy(scores_nC: Float[Tensor, "n C"], labels_n: Int[Tensor, " n"], k: int) -> float:
    """The share, in per cent, of images whose class is among the k with the largest scores.

    For equal scores, the smaller class number comes first.
    """
    best_nk = scores_nC.argsort(dim=1, descending=True, stable=True)[:, :k]
    right_n = (best_nk == labels_n.to(best_nk.device)[:, None]).any(dim=1)
    return 100 * float(right_n.double().mean())

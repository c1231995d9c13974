"""The measurements on a finished encoder."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simclr_core.base import Departure, Frozen, disagreement
from simclr_core.networks import Layer
from simclr_core.probes.geometry import Geometry
from simclr_core.probes.knn import Knn
from simclr_core.probes.logistic import LogisticProbe
from simclr_core.probes.mlp import MlpProbe
from simclr_core.probes.ridge import RidgeProbe
from simclr_core.probes.sgd import SgdProbe
from simclr_core.probes.targets import AnyTarget, Classes

AnyProbe = Annotated[LogisticProbe | RidgeProbe | MlpProbe | SgdProbe, Field(discriminator="kind")]

_Fraction = Annotated[float, Field(gt=0, lt=1)]


class Evaluation(Frozen):
    """The evaluation of a trial, all of it on the same features of the frozen encoder."""

    split: Literal["test", "validation"] = "test"
    """The split on which the final values are measured. "validation" is for studies that choose
    settings: the test split is never read; the validation split replaces it, and a tenth of the fit
    split replaces the validation split. The values are validation_top1, validation_knn_top1, ..."""

    layer: Layer = "h"
    """The layer that is evaluated: h, as in the paper; z = g(h), the head's output; or g1 to g3,
    its hidden layers after their ReLU (section 4.2, table 3)."""

    target: AnyTarget = Classes()
    """The target of the probe: the classes, or how the images were transformed (table 3).
    Accuracies keep their names: top1 is then the share of correct answers to that question."""

    probe: AnyProbe | None = LogisticProbe()
    """The probe, which is linear except for kind mlp: gives top1, and top5 if there are more than
    five classes."""

    label_fractions: tuple[_Fraction, ...] = Field(default=(), examples=[[0.01, 0.1]])
    """Fractions of the training labels for which the probe is also fitted, such as 0.01 and 0.1:
    gives top1@1%, top1@10%. The images come from the fit split, equally many of each class, and are
    the same in every trial. l2 is chosen on the whole validation split, whose labels are not
    counted, and the probe is fitted only on the few images."""

    knn: Knn | None = Knn()
    """Nearest neighbours: gives knn_top1, and knn_top5 if there are more than five classes."""

    geometry: Geometry | None = Field(default=None, examples=[{"alpha": 2.0, "t": 2.0}])
    """Gives alignment, uniformity and effective_rank of the layer, without labels; None: not measured."""

    permuted_labels: int = Field(default=0, ge=0)
    """If above 0, the trial is the negative control and measures nothing else: the probe is fitted
    and tested this many times on labels permuted over the whole data set, before any split."""

    @model_validator(mode="after")
    def _measures_something(self) -> "Evaluation":
        if self.probe is None and self.knn is None:
            raise disagreement("probe or knn must be set, got neither")
        if self.permuted_labels and self.probe is None:
            raise disagreement("permuted_labels needs a probe, but probe is null")
        named = [labelled(fraction) for fraction in self.label_fractions]
        if len(set(named)) < len(named):
            raise disagreement(
                "label_fractions must have different names, got {named}", named=", ".join(named)
            )
        if self.label_fractions and not (self.probe and self.probe.chooses):
            raise disagreement(
                "label_fractions need a probe that is fitted on cached features (logistic, ridge "
                "or mlp), got {kind}",
                kind="null" if self.probe is None else self.probe.kind,
            )
        if self.target.transforms and self.probe and not self.probe.chooses:
            raise disagreement(
                "target {target} needs a probe that is fitted on cached features (logistic, ridge "
                "or mlp), got {kind}",
                target=self.target.kind,
                kind=self.probe.kind,
            )
        if self.target.transforms and self.geometry is not None:
            raise disagreement(
                "geometry must be null under target {target}, because it describes the "
                "untransformed images",
                target=self.target.kind,
            )
        return self

    def value_names(self) -> tuple[str, ...]:
        """The names of a trial's values; top-5 is left out if there are at most 5 classes."""
        if self.permuted_labels:
            return ("permuted/mean", "permuted/standard_error", "permuted/largest_class_share")
        tops = ("top1",) if self.target.transforms else ("top1", "top5")
        names: list[str] = []
        if self.probe is not None:
            names += tops
        for fraction in self.label_fractions:
            names += [f"{top}{labelled(fraction)}" for top in tops]
        if self.knn is not None:
            names += [f"knn_{top}" for top in tops]
        if self.geometry is not None:
            names += ["alignment", "uniformity", "effective_rank"]
        chosen = self.probe is not None and self.probe.chooses and self.split == "test"
        return (*["validation_top1"] * chosen, *(self.prefix + name for name in names))

    def departures(self, *, supervised: bool) -> Iterable[Departure]:
        """How it differs from the paper, whose supervised encoders are evaluated without a probe."""
        summary = "none" if self.probe is None else self.probe.summary
        if self.target.transforms:
            yield Departure(
                "evaluation.probe",
                summary,
                "an MLP whose shape and training are not published (table 3)",
            )
        elif not supervised and (self.probe is None or not self.probe.papers):
            yield Departure(
                "evaluation.probe",
                summary,
                "SGD for 90 epochs on crops and flips, not regularised (B.6)",
            )
        yield from self.target.departures()
        if self.split == "validation":
            yield Departure(
                "evaluation.split",
                "measured on the validation split without reading the test split: for choosing "
                "settings, not a result",
                "measured on the test split",
            )

    @property
    def prefix(self) -> str:
        """The prefix of the names of final values, so that none is mistaken for a test value."""
        return "" if self.split == "test" else "validation_"


def labelled(fraction: float) -> str:
    """The suffix of value names for the share of labels used: @1%."""
    return f"@{100 * fraction:g}%"

"""What is measured on a finished encoder."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from simclr_core.neighbours import Neighbours
from simclr_core.probe import LogisticProbe
from simclr_core.values import Frozen


class ReadOuts(Frozen):
    """The read-outs of a trial, all on the same cached features of the frozen encoder."""

    part: Literal["test", "validation"] = "test"
    """Where the final values are measured. "validation" is for studies that choose settings: the
    test part is never asked for, the validation part takes its place, and a tenth of the fit part
    that of the validation part; the values are validation_top1, validation_knn_top1, ..."""

    probe: LogisticProbe | None = LogisticProbe()
    """The linear probe: top1, and top5 where there are more than five classes."""

    neighbours: Neighbours | None = Neighbours()
    """Nearest neighbours: knn_top1, and knn_top5 where there are more than five classes."""

    permuted_labels: int = Field(default=0, ge=0)
    """Above 0 the trial is the negative control and measures nothing else: the probe is fitted and
    tested this many times on labels permuted over the whole data set, before any split."""

    @model_validator(mode="after")
    def _measures_something(self) -> "ReadOuts":
        if self.probe is None and self.neighbours is None:
            raise PydanticCustomError(
                "disagreement", "probe or neighbours must be set, got neither", {}
            )
        if self.permuted_labels and self.probe is None:
            raise PydanticCustomError(
                "disagreement", "permuted_labels needs a probe to fit, got probe null", {}
            )
        return self

    def value_names(self) -> tuple[str, ...]:
        """What a trial records, in per cent; top-5 is left out where there are at most 5 classes."""
        if self.permuted_labels:
            return ("permuted/mean", "permuted/standard_error", "permuted/largest_class_share")
        chosen = () if self.probe is None or self.part == "validation" else ("validation_top1",)
        probe = () if self.probe is None else ("top1", "top5")
        neighbours = () if self.neighbours is None else ("knn_top1", "knn_top5")
        return (*chosen, *(self.prefix + name for name in (*probe, *neighbours)))

    @property
    def prefix(self) -> str:
        """What stands before the names of final values, so that none is taken for a test value."""
        return "" if self.part == "test" else "validation_"

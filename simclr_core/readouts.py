"""What is measured on a finished encoder."""

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from simclr_core.neighbours import Neighbours
from simclr_core.probe import LogisticProbe
from simclr_core.values import Frozen


class ReadOuts(Frozen):
    """The read-outs of a trial, all on the same cached features of the frozen encoder."""

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

"""Configurations of earlier records are read under the present names of their fields."""

import pytest

from simclr_core.config.former_names import in_present_names
from simclr_core.config.schema import Config

FORMER = {
    "views": {"kind": "one_branch", "cell": [{"kind": "blur"}]},
    "readouts": {"part": "validation", "neighbours": {"k": 7}, "layer": "h"},
    "epochs": 3,
}
"""As a record of format 2 holds it."""


def test_a_configuration_of_format_2_is_one_of_today_with_the_same_values() -> None:
    config = Config.model_validate(in_present_names(FORMER) | {"schedule": {"kind": "constant"}})

    assert (config.evaluation.split, config.evaluation.layer) == ("validation", "h")
    assert config.evaluation.knn is not None
    assert config.evaluation.knn.k == 7
    assert config.model_dump()["views"]["branch"][0]["kind"] == "blur"
    assert config.epochs == 3


@pytest.mark.parametrize("changes", [{}, {"seed": 3}])
def test_a_configuration_of_today_stays_as_it_is(changes: dict[str, int]) -> None:
    present = Config().model_copy(update=changes).model_dump(mode="json")

    assert in_present_names(present) == present

"""Studies that choose settings: all is measured on the validation split, no test image is asked for."""

from typing import Any

import pytest
import torch
from made_trials import HERE, Listener, made_dataset, random_pictures, small_config, trained

from reports.judging import negative_controls
from simclr_core.data.dataset import Dataset, held_out, load
from simclr_core.data.images import Images
from simclr_core.data.textures import Textures
from simclr_core.errors import DataError
from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate

VALIDATION = {"evaluation.split": "validation"}


def textures(num: int = 400, num_test: int = 60) -> Dataset:
    """The embedded data set, freshly counted; its validation split has 40 images."""
    return load(Textures(num_images=num, num_test=num_test), cache=None)


def found_by(dataset: Dataset, **changes: Any) -> Evaluated:
    """The read-outs of a random encoder."""
    state = trained({"epochs": 0}).state
    return evaluate(small_config(changes), dataset, state, HERE, Listener())


def with_validation_as_test(dataset: Dataset) -> Dataset:
    """A data set that never had the test split: the fit split to train on, validation as its test."""
    fit, validation = dataset.labelled("fit"), dataset.labelled("validation")
    pictures = [
        part.images.batch(torch.arange(len(part.labels))).images for part in (fit, validation)
    ]
    return Dataset(
        name="made",
        fingerprint="made",
        size=dataset.size,
        class_names=dataset.class_names,
        images=Images.of(torch.cat(pictures)),
        labels=torch.cat([fit.labels, validation.labels]),
        contents=[*fit.hashes, *validation.hashes],
        num_train=len(fit.labels),
    )


@pytest.mark.parametrize("changes", [{}, {"evaluation.permuted_labels": 3}])
def test_the_test_part_is_never_asked_for(changes: dict[str, Any]) -> None:
    dataset = textures()

    facts = found_by(dataset, **VALIDATION, **changes).facts

    assert dataset.reads == {"fit": 1, "validation": 1}
    assert (facts["test_reads"], facts["measured_on"]) == (0, "validation")
    assert found_by(dataset, **changes).facts["test_reads"] == 1


@pytest.mark.parametrize("changes", [{}, {"evaluation.permuted_labels": 3}])
def test_it_is_the_test_of_a_data_set_that_has_the_validation_part_as_its_test_part(
    changes: dict[str, Any],
) -> None:
    dataset = textures()
    other = with_validation_as_test(dataset)

    found, expected = found_by(dataset, **VALIDATION, **changes), found_by(other, **changes)

    names = [name for name in expected.values if name != "validation_top1"]
    prefix = "" if changes else "validation_"
    assert found.values == {prefix + name: expected.values[name] for name in names}
    assert found.facts.get("l2") == expected.facts.get("l2")
    assert found.facts.get("shared_images") == expected.facts.get("shared_images")


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"evaluation.knn": None},
        {"evaluation.probe": None},
        {"evaluation.permuted_labels": 2},
    ],
)
def test_the_values_are_those_that_were_announced(part: str, changes: dict[str, Any]) -> None:
    settings = {"evaluation.split": part, **changes}

    values = found_by(textures(), **settings).values

    assert set(values) == set(small_config(settings).evaluation.value_names())


def test_labels_that_are_permuted_are_found_no_better_than_chance() -> None:
    # The probe's choice is made within the fit split: 45 candidates tried on the part that is told
    # would stand above chance by the choice alone. Beyond 4 standard errors: 3 in 100,000.
    values = found_by(textures(), **VALIDATION, **{"evaluation.permuted_labels": 20}).values

    above = values[negative_controls.PERMUTED_MEAN] - values[negative_controls.PERMUTED_CHANCE]
    assert above <= negative_controls.MOST_ERRORS * values[negative_controls.PERMUTED_ERROR]


def test_validation_images_that_were_also_fitted_on_are_counted() -> None:
    dataset = textures()
    [first] = dataset._validation.nonzero()[:1, 0].tolist()
    [other] = (~dataset._validation[: dataset.num_train]).nonzero()[:1, 0].tolist()
    contents = list(dataset._contents)
    contents[first] = contents[other]
    dataset._contents = tuple(contents)

    assert found_by(dataset, **VALIDATION).facts["shared_images"] == 1
    assert found_by(textures(), **VALIDATION).facts["shared_images"] == 0


def test_a_fit_part_of_one_picture_holds_nothing_apart() -> None:
    dataset = made_dataset(random_pictures(4, 32), torch.arange(4), 2)

    with pytest.raises(DataError, match="the fit split of made has fewer than two different"):
        found_by(dataset, **VALIDATION)


def test_copies_are_held_out_together() -> None:
    contents = [bytes([number % 7]) * 32 for number in range(40)]

    apart = held_out(contents, "made").tolist()

    sides = {
        content: {apart[i] for i in range(40) if contents[i] == content} for content in contents
    }
    assert all(len(side) == 1 for side in sides.values())
    assert 0 < sum(apart) < 40

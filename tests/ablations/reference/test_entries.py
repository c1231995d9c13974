"""Every field of a study and of the configuration is described, by its model's own words."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from ablations.errors import UsageError
from ablations.reference import ITEM, Entry, entries_below, every_entry, kinds
from ablations.study import Study
from simclr_core.config import Config

LISTING = every_entry()


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def reachable(*roots: type[BaseModel]) -> set[type[BaseModel]]:
    """Every model that a model's fields lead to."""
    found: set[type[BaseModel]] = set()
    left = list(roots)
    while left:
        if (model := left.pop()) not in found:
            found.add(model)
            for field in model.model_fields.values():
                left += models_in(field.annotation)
    return found


MODELS = reachable(Study, Config)


def defined(entry: Entry) -> str:
    """The field's name in its model."""
    by_alias = {field.alias or name: name for name, field in entry.owner.model_fields.items()}
    return by_alias[entry.path[-1]]


def refusals(entry: Entry) -> list[str]:
    """What the model says against the field's example, by itself."""
    try:
        entry.owner.model_validate({entry.path[-1]: entry.example})
    except ValidationError as error:
        found = error.errors(include_url=False)
        return [one["msg"] for one in found if one["loc"][:1] == (entry.path[-1],)]
    return []


def test_every_field_of_every_model_is_listed_exactly_once() -> None:
    fields = {(model, name) for model in MODELS for name in model.model_fields if name != "kind"}
    listed = [(entry.owner, defined(entry)) for entry in LISTING.entries]

    assert set(listed) == fields
    assert len(listed) == len(fields)


def test_every_kind_of_every_family_is_listed_with_its_meaning() -> None:
    tagged = {model for model in MODELS if "kind" in model.model_fields}
    found = {kind.model: kind for _, kind in kinds()}

    assert found.keys() == tagged
    assert all(kind.meaning for kind in found.values())
    assert {kind.name for kind in found.values()} >= {"lars", "crop", "beats", "bars", "logistic"}


@pytest.mark.parametrize(
    "entry", LISTING.entries, ids=lambda entry: f"{entry.owner.__name__}.{entry.path[-1]}"
)
def test_a_field_has_its_models_words_a_type_and_an_example_that_is_accepted(entry: Entry) -> None:
    field = entry.owner.model_fields[defined(entry)]

    assert entry.meaning
    assert entry.meaning == " ".join(str(field.description).split())
    assert entry.takes
    if entry.example is None:
        below = [one for one in LISTING.entries if one.path[: len(entry.path)] == entry.path]
        assert entry.models
        assert len(below) > 1 or entry.models[0] in LISTING.homes
    else:
        assert refusals(entry) == []


@pytest.mark.parametrize(
    ("name", "takes", "bounds", "default"),
    [
        ("optimizer.lars.momentum", "number", "at least 0, below 1", 0.9),
        ("batch_size", "whole number", "at least 2, at most 1,000,000", 4096),
        ("seed", "whole number", "at least 0, below 2^63", 0),
        ("encoder.resnet.stem", "one of imagenet, cifar, small", "", "imagenet"),
        (
            "encoder.blocks",
            "list of whole numbers or null",
            "at least one item, at most 4 items; each at most 200",
            None,
        ),
        ("optimizer.betas", "pair of numbers", "each at least 0, below 1", [0.9, 0.999]),
        ("claims.increases.along", "list of texts", "at least one item", None),
        ("shuffled_positives", "true or false", "", False),
        ("loss.sup_con.labels", "always train", "", "train"),
        ("roles", "mapping of names to texts or lists of texts", "", {}),
    ],
)
def test_type_range_and_default_are_those_of_the_model(
    name: str, takes: str, bounds: str, default: Any
) -> None:
    [entry] = entries_below(name).entries

    assert (entry.takes, entry.range, entry.default) == (takes, bounds, default)


def test_units_are_those_that_the_descriptions_state() -> None:
    units = {(entry.name, entry.unit) for entry in LISTING.entries if entry.unit}

    assert units == {
        *((f"data.{name}", "images") for name in ("num_images", "num_test")),
        *((name, "images") for name in ("batch_size", "gradient_cache")),
        ("evaluation.probe.batch_size", "images"),
        *((name, "px") for name in ("data.size", "encoder.patch", "encoder.side")),
        (f"views.operations.{ITEM}.sigma", "px"),
        *((name, "epochs") for name in ("epochs", "schedule.warmup_epochs")),
        ("evaluation.probe.epochs", "epochs"),
        (f"claims.{ITEM}.margin", "the metric's unit"),
    }


def test_a_source_is_a_place_that_the_description_names() -> None:
    sources = {entry.name: entry.source for entry in LISTING.entries if entry.source}

    assert sources["evaluation.layer"] == "section 4.2, table 3"
    assert sources["views.operations.N.strength"] == "appendices A and B.9"
    assert all(
        part in entry.meaning
        for entry in LISTING.entries
        if entry.source
        for part in entry.source.split(", ")
    )
    # No description of the configuration names a table, a figure or a section without its being a source.
    silent = [
        entry.name
        for entry in LISTING.entries
        if entry.part == "configuration"
        and re.search(r"(table|figure|section|appendix) \w", entry.meaning)
        and not entry.source
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("optimizer.lars.trust", ["optimizer.trust"]),
        ("optimizer.trust", ["optimizer.trust"]),
        ("base.optimizer.trust", ["optimizer.trust"]),
        ("scales.gpu.set.epochs", ["epochs"]),
        ("views.operations.1.strength", ["views.operations.N.strength"]),
        ("views.operations.N.colour.strength", ["views.operations.N.strength"]),
        ("evaluation.geometry.views.operations.solarise.threshold", None),
    ],
)
def test_a_prefix_leads_to_a_field_wherever_a_study_writes_it(
    prefix: str, names: list[str] | None
) -> None:
    found = [entry.name for entry in entries_below(prefix).entries]

    assert found == (names or ["evaluation.geometry.views.operations.N.threshold"])


def test_below_a_prefix_are_the_fields_of_all_its_kinds() -> None:
    listing = entries_below("optimizer")
    by_kind = {entry.when.get("optimizer") for entry in listing.entries}

    assert by_kind == {None, "lars", "sgd", "adamw", "file"}


def test_a_name_of_a_study_and_of_the_configuration_gives_both() -> None:
    parts = {entry.part for entry in entries_below("seeds").entries}

    assert parts == {"study", "configuration"}


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("optimizr", "; did you mean 'optimizer'?"),
        ("optimizer.momentun", "did you mean 'optimizer.momentum'"),
        ("momentm", "; did you mean 'optimizer.momentum'?"),
        ("qqq", "; there are 'name', 'title'"),
        ("optimizer.", "no field 'optimizer.'"),
    ],
)
def test_an_unknown_prefix_is_answered_with_the_nearest_names(prefix: str, end: str) -> None:
    with pytest.raises(UsageError) as error:
        entries_below(prefix)

    [sentence] = error.value.sentences
    assert sentence.startswith(f"fields: no field {prefix!r}")
    assert end in sentence

"""Settings as users write them: how they go over the defaults, and all their mistakes at once."""

import re
from typing import Any

import pytest

from simclr_core.augment.operations import Blur, Colour, Crop
from simclr_core.augment.views import OneBranch, Symmetric
from simclr_core.config.overrides import (
    check,
    kind_of,
    mistakes,
    models_of,
    overridden,
    value_at,
)
from simclr_core.config.schema import Config
from simclr_core.errors import ConfigurationError
from simclr_core.networks.encoders import ResNet
from simclr_core.networks.heads import LinearHead, MlpHead
from simclr_core.optim.optimizers import Lars

FIELDS = (
    "data, views, shuffled_positives, encoder, head, loss, optimizer, schedule, batch_size, "
    "gradient_cache, epochs, precision, evaluation, seed, seeds"
)


def lines(settings: dict[str, Any]) -> list[str]:
    return [str(mistake) for mistake in mistakes(settings)]


# --------------------------------------------------------------------------- over the defaults


def test_no_settings_are_the_defaults() -> None:
    assert check({}) == Config()


def test_a_dotted_field_is_the_nested_one() -> None:
    assert check({"encoder.width": 2}) == check({"encoder": {"width": 2}})
    assert check({"encoder.width": 2}).encoder == ResNet(width=2)


def test_a_mapping_with_a_kind_replaces_and_one_without_refines() -> None:
    replaced = check({"optimizer.momentum": 0.5, "optimizer": {"kind": "lars", "trust": 0.1}})
    refined = check({"optimizer.momentum": 0.5, "optimizer": {"trust": 0.1}})

    assert replaced.optimizer == Lars(trust=0.1)
    assert refined.optimizer == Lars(trust=0.1, momentum=0.5)


def test_settings_over_others_leave_them_and_what_is_set_as_they_were() -> None:
    base, value = {"a": {"b": 1, "c": [1, {"d": 2}]}}, {"e": [1]}

    one = overridden(base, [("a.b", 2), ("a.c.1.d", 3)])
    other = overridden(base, [("a.f", value), ("a.f.e", [2]), ("a.b", {"kind": "x"})])

    assert base == {"a": {"b": 1, "c": [1, {"d": 2}]}}
    assert value == {"e": [1]}
    assert one == {"a": {"b": 2, "c": [1, {"d": 3}]}}
    assert other == {"a": {"b": {"kind": "x"}, "c": [1, {"d": 2}], "f": {"e": [2]}}}


def test_a_default_list_is_read_as_the_kinds_of_its_items() -> None:
    assert value_at({"views": {"kind": "symmetric"}}, "views.operations") == [
        {"kind": "crop"},
        {"kind": "colour"},
        {"kind": "blur"},
    ]
    assert value_at({"views": {"kind": "one_branch"}}, "views.operations") is None


def test_later_settings_go_over_earlier_ones() -> None:
    assert check({"head": {"kind": "linear"}, "head.output": 32}).head == LinearHead(output=32)
    assert check({"head.output": 32, "head": {"kind": "mlp"}}).head == MlpHead()


def test_blocks_alone_replace_the_default_depth() -> None:
    assert check({"encoder.blocks": [1, 1]}).encoder == ResNet(depth=None, blocks=(1, 1))


def test_an_item_of_a_default_list_can_be_refined() -> None:
    views = check({"views.operations.1.strength": 0.5}).views

    assert views == Symmetric(operations=(Crop(), Colour(strength=0.5), Blur()))


def test_a_list_is_replaced_as_a_whole() -> None:
    views = check({"views.operations": [{"kind": "crop"}]}).views

    assert views == Symmetric(operations=(Crop(),))


def test_another_form_of_views_brings_its_own_defaults() -> None:
    assert check({"views": {"kind": "one_branch"}}).views == OneBranch()


def test_null_switches_a_read_out_off_and_an_empty_mapping_leaves_it() -> None:
    assert check({"evaluation.probe": None}).evaluation.probe is None
    assert check({"evaluation.probe": {}}) == Config()


def test_settings_are_not_changed_by_being_checked() -> None:
    settings: dict[str, Any] = {"views.operations": [{"kind": "crop"}], "encoder": {"width": 2}}

    check(settings | {"views.operations.0.flip": 0.0, "encoder.stem": "cifar"})

    assert settings == {"views.operations": [{"kind": "crop"}], "encoder": {"width": 2}}


# ------------------------------------------------------------------------------------- wording


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"encoder.widths": 2}, "encoder.widths: no such field; did you mean encoder.width?"),
        ({"batchsize": 3}, "batchsize: no such field; did you mean batch_size?"),
        ({"temperature": 1}, "temperature: no such field; did you mean loss.temperature?"),
        ({"zzz.top": 1}, f"zzz: no such field; there are {FIELDS}"),
        ({"head": {"kind": "none", "output": 3}}, "head.output: no such field; there are kind"),
        ({"loss.temperature": -1}, "loss.temperature: must be greater than 0, got -1"),
        ({"loss.temperature": 1e999}, "loss.temperature: must be a finite number, got inf"),
        ({"loss.temperature": "warm"}, "loss.temperature: must be a number, got 'warm'"),
        ({"encoder.depth": 19}, "encoder.depth: must be 10, 18, 34, 50, 101 or 152, got 19"),
        ({"head.hidden_layers": 4}, "head.hidden_layers: must be at most 3, got 4"),
        ({"epochs": 20.5}, "epochs: must be a whole number, got 20.5"),
        ({"epochs": None}, "epochs: must be a whole number, got None"),
        ({"batch_size": 1}, "batch_size: must be at least 2, got 1"),
        ({"seed": -1}, "seed: must be at least 0, got -1"),
        (
            {"precision": "fp16"},
            "precision: must be 'auto', 'fp32' or 'bf16', got 'fp16'; did you mean bf16?",
        ),
        (
            {"optimizer": {"kind": "adam"}},
            "optimizer.kind: must be one of lars, sgd, adamw, file, got 'adam'; did you mean adamw?",
        ),
        ({"head": 3}, "head: must be a mapping of fields, got 3"),
        (
            {"optimizer": {"kind": "sgd", "momentum": 0, "nesterov": True}},
            "optimizer: nesterov needs momentum above 0, got momentum 0",
        ),
        (
            {"optimizer": {"kind": "adamw", "betas": [1, 0.9]}},
            "optimizer.betas.0: must be less than 1, got 1",
        ),
        (
            {"encoder.width": 0.3},
            (
                "encoder: 64 x width must be a whole number of channels, got width 0.3; the "
                "nearest is 0.296875"
            ),
        ),
        (
            {"encoder": {"kind": "vit", "patch": 12}, "data": {"kind": "textures"}},
            (
                "encoder.patch: must divide data.size, got patches of 12 px for images of 32 px; the "
                "nearest possible value is 8"
            ),
        ),
        (
            {"encoder": {"kind": "vit", "dim": 64}},
            "encoder: heads must divide dim, got 3 heads of dim 64",
        ),
        (
            {"encoder": {"kind": "vit", "dim": 66}},
            (
                "encoder: fixed positions need a dim that is a multiple of 4, got 66; use learned "
                "ones or 68"
            ),
        ),
        (
            {"encoder": {"kind": "vit", "mlp_ratio": 1.3}},
            "encoder: dim x mlp_ratio must be a whole number of units, got 192 x 1.3",
        ),
        (
            {"encoder": {"kind": "pixels"}},
            (
                "epochs: must be 0 if the encoder is raw pixels, since there are no weights to "
                "train, got 100"
            ),
        ),
        (
            {"encoder": {"depth": 18, "blocks": [1, 1]}},
            (
                "encoder: either depth or blocks must be set, but not both, got depth 18 and "
                "blocks [1, 1]"
            ),
        ),
        ({"epochs": 5}, "schedule.warmup_epochs: must not exceed epochs, got 10.0 of 5"),
        (
            {"evaluation.probe": None, "evaluation.knn": None},
            "evaluation: probe or knn must be set, got neither",
        ),
        (
            {"evaluation.probe": None, "evaluation.permuted_labels": 20},
            "evaluation: permuted_labels needs a probe, but probe is null",
        ),
        ({"evaluation.probe.l2": []}, "evaluation.probe.l2: must have at least 1 item, got []"),
        ({"evaluation.probe.l2": [1, -1]}, "evaluation.probe.l2.1: must be greater than 0, got -1"),
        ({"views.operations": []}, "views.operations: must have at least 1 item, got []"),
        (
            {"views.operations": [{"kind": "crop"}, {"kind": "color"}]},
            (
                "views.operations.1.kind: must be one of crop, cutout, colour, sobel, noise, blur, "
                "rotation, solarise, equalise, motion_blur, auto_augment, file, got 'color'; did you "
                "mean colour?"
            ),
        ),
        (
            {"views.operations.0.area": [0.5, 0.1]},
            (
                "views.operations.0.area: area must be a pair with 0 < least <= largest <= 1, got "
                "(0.5, 0.1)"
            ),
        ),
        (
            {"loss": {"kind": "sup_con"}, "evaluation.split": "validation"},
            (
                "evaluation.split: must be test under loss sup_con, got validation: the encoder has seen "
                "the labels that would choose the probe's l2"
            ),
        ),
        (
            {"loss": {"kind": "sup_con"}, "evaluation.label_fractions": [0.1]},
            (
                "evaluation.label_fractions: must be empty under loss sup_con, got [0.1]: the "
                "encoder has already seen all labels"
            ),
        ),
        (
            {"evaluation.label_fractions": [0.5, 0.5000001]},
            "evaluation: label_fractions must have different names, got @50%, @50%",
        ),
        (
            {"views.num_views": 3, "loss": {"kind": "nt_logistic"}},
            "views.num_views: must be 2 because loss nt_logistic takes two views, got 3",
        ),
        ({"views.num_views": 9}, "views.num_views: must be at most 8, got 9"),
        ({"views.operations.7.strength": 1}, "views.operations.7: no such item in the list"),
        ({"data": {"kind": "textures", "size": 64}}, "data.size: must be 32, got 64"),
    ],
)
def test_a_mistake_says_field_rule_value_and_way_out(settings: dict[str, Any], line: str) -> None:
    assert lines(settings) == [line]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_fields() -> None:
    settings = {
        "batch_size": 1,
        "loss.temperature": 0,
        "encoder": {"depth": 19, "width": 0},
        "head.outputs": 3,
    }

    assert [mistake.field for mistake in mistakes(settings)] == [
        "encoder.depth",
        "encoder.width",
        "head.outputs",
        "loss.temperature",
        "batch_size",
    ]


def test_a_rule_between_fields_is_told_beside_the_mistakes_of_others() -> None:
    assert lines({"epochs": 5, "batch_size": "many"}) == [
        "batch_size: must be a whole number, got 'many'",
        "schedule.warmup_epochs: must not exceed epochs, got 10.0 of 5",
    ]


def test_a_rule_between_fields_is_not_told_of_fields_that_are_wrong_themselves() -> None:
    assert lines({"epochs": -5}) == ["epochs: must be at least 0, got -5"]


def test_check_raises_with_one_line_a_mistake() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check({"epochs": -1, "seed": -1})

    assert (
        str(caught.value) == "epochs: must be at least 0, got -1\nseed: must be at least 0, got -1"
    )


def test_settings_without_a_mistake_have_none() -> None:
    assert mistakes({"epochs": 0, "encoder.blocks": [1]}) == []


# ------------------------------------------------------------------------------- suggestions

FAMILIES = {
    name: {kind: model for model in models_of(field.annotation) if (kind := kind_of(model))}
    for name, field in Config.model_fields.items()
}
MEMBERS = [(family, kind) for family, members in FAMILIES.items() for kind in members]
NAMES = sorted({f for family, kind in MEMBERS for f in FAMILIES[family][kind].model_fields})


def suggested(line: str) -> str | None:
    found = re.search(r"no such field; did you mean ([^ ?]+)\?", line)
    return found[1] if found else None


def refused(settings: dict[str, Any], field: str) -> list[str]:
    return [line for line in lines({**settings, field: None}) if f"{field}: no such field" in line]


@pytest.mark.parametrize(("family", "kind"), MEMBERS)
def test_a_slip_in_a_field_is_answered_with_a_field_that_is_accepted_there(
    family: str, kind: str
) -> None:
    whole = {family: {"kind": kind}}
    for name in FAMILIES[family][kind].model_fields:
        if name in ("kind", "l2"):
            continue
        slip = f"{family}.{name[:2]}{name[3:]}" if len(name) > 3 else f"{family}.{name}{name[-1]}"
        (line,) = refused(whole, slip)

        field = suggested(line)

        assert field is not None, line
        assert refused(whole, field) == [], line


@pytest.mark.parametrize("name", NAMES)
def test_a_field_in_the_wrong_place_is_answered_with_one_that_is_accepted_or_with_none(
    name: str,
) -> None:
    for place in ("", "loss.", "encoder.", "data."):
        for line in refused({}, place + name):
            field = suggested(line)

            assert field is None or refused({}, field) == [], line


def test_an_item_of_a_list_is_suggested_with_its_place() -> None:
    (line,) = lines({"views.operations.1.strengths": 0.5})

    assert suggested(line) == "views.operations.1.strength"


def test_of_very_many_mistakes_some_are_put_in_words_and_the_rest_counted() -> None:
    found = lines({f"k{i}": 1 for i in range(300)})

    assert len(found) == 31
    assert found[-1] == "configuration: has 270 more mistakes; fix these first"

"""A configuration: the paper's by default, whole in JSON, and every field of it in a key."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from made_parts import made
from pydantic import BaseModel, ValidationError

from simclr_core.augment.operations import AnyOperation, Blur, Colour, Crop
from simclr_core.augment.views import AnyViews, OneBranch, Symmetric
from simclr_core.config.schema import Config
from simclr_core.data.cifar10 import Cifar10
from simclr_core.data.dataset import AnyData
from simclr_core.data.image_folder import Folder
from simclr_core.losses.contrastive import AnyLoss, NTXent
from simclr_core.networks.encoders import AnyEncoder, ResNet
from simclr_core.networks.heads import AnyHead, MlpHead
from simclr_core.networks.pixels import Pixels
from simclr_core.networks.vit import VisionTransformer
from simclr_core.optim.optimizers import AnyOptimizer, Lars
from simclr_core.optim.schedules import AnySchedule, WarmupCosine
from simclr_core.probes.geometry import Geometry
from simclr_core.probes.sgd import SgdProbe
from simclr_core.probes.spec import AnyProbe, Evaluation
from simclr_core.probes.targets import AnyTarget


def members(family: Any) -> tuple[type[BaseModel], ...]:
    """The kinds of a family: of a union under its alias, or the only one."""
    if get_origin(family) is Annotated:
        return get_args(get_args(family)[0])
    return (family,)


FAMILIES = {
    "data": AnyData,
    "views": AnyViews,
    "encoder": AnyEncoder,
    "head": AnyHead,
    "loss": AnyLoss,
    "optimizer": AnyOptimizer,
    "schedule": AnySchedule,
}

ALL_OPERATIONS = tuple(made(operation) for operation in members(AnyOperation))


MEASURED = Evaluation(geometry=Geometry(views=Symmetric(operations=ALL_OPERATIONS)))  # pyright: ignore[reportArgumentType]
"""All that the read-outs measure."""


def complete(kind: type[BaseModel]) -> BaseModel:
    """A member of a family, with every kind of operation where operations stand."""
    if kind is Symmetric:
        return Symmetric(operations=ALL_OPERATIONS)  # pyright: ignore[reportArgumentType]
    if kind is OneBranch:
        return OneBranch(branch=ALL_OPERATIONS)  # pyright: ignore[reportArgumentType]
    if kind is VisionTransformer:
        return VisionTransformer(patch=1)  # which every side is a multiple of
    return made(kind)


def configurations() -> Iterator[Config]:
    """Configurations in which every kind of every family stands at least once."""
    for field, family in FAMILIES.items():
        for kind in members(family):
            if kind is Pixels:  # never trained: a test of their own
                continue
            yield Config().model_copy(update={field: complete(kind)}).resolved("cpu")
    probes = [Evaluation(probe=kind()) for kind in members(AnyProbe)]
    targets = [Evaluation(target=kind()) for kind in members(AnyTarget)]
    for evaluation in (*probes, *targets, MEASURED):
        yield Config().model_copy(update={"evaluation": evaluation}).resolved("cpu")


TRIED = (
    *(1, 2, 3, 30, 96, 200, 0.3, 0.25, 0.5, 0.9, True, False, "name"),
    *([0.2, 0.9], [1, 1], [2.0], {"a": 1}, {}, "0" * 64),
)
"""Values for a field that is a number, a switch, a text, a list, a mapping, a hash or a part left
out by default."""

TOGETHER: dict[tuple[type[BaseModel], str], dict[str, Any]] = {
    (ResNet, "blocks"): {"depth": None},
    (Evaluation, "label_fractions"): {"probe": {"kind": "logistic"}},
    (Evaluation, "geometry"): {"target": {"kind": "classes"}},
    (Folder, "subset_seed"): {"num_images": 100},
    (Cifar10, "subset_seed"): {"num_images": 100},
}
"""What must change with a field."""


def literals(annotation: Any) -> list[Any]:
    if get_origin(annotation) is None:
        return []
    inner = [literals(argument) for argument in get_args(annotation)]
    own = [a for a in get_args(annotation) if isinstance(a, str | int) and not isinstance(a, type)]
    return own + [value for values in inner for value in values]


def with_another(value: BaseModel, name: str) -> BaseModel | None:
    """The same value with one field changed; None where its type allows one value alone."""
    kind = type(value)
    allowed = literals(kind.model_fields[name].annotation)
    for candidate in (*allowed, *TRIED):
        settings = value.model_dump() | TOGETHER.get((kind, name), {}) | {name: candidate}
        try:
            other = kind.model_validate(settings)
        except ValidationError:
            continue
        if getattr(other, name) != getattr(value, name):
            return other
    assert len(allowed) == 1, f"nothing tried is another {kind.__name__}.{name}"
    return None


def changes(value: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    """Every field below a value, dotted, with the value in which it alone is changed."""
    for name in type(value).model_fields:
        here = getattr(value, name)
        if isinstance(here, BaseModel):
            for path, inner in changes(here):
                yield f"{name}.{path}", value.model_copy(update={name: inner})
        elif isinstance(here, tuple) and any(isinstance(item, BaseModel) for item in here):
            for i, item in enumerate(here):
                for path, inner in changes(item):
                    items = (*here[:i], inner, *here[i + 1 :])
                    yield f"{name}.{i}.{path}", value.model_copy(update={name: items})
        elif (other := with_another(value, name)) is not None:
            yield name, other


CHANGED = [(path, base, other) for base in configurations() for path, other in changes(base)]
"""Every field of every kind: about 300 pairs of configurations."""


def identities(config: Config) -> tuple[str, str]:
    """As they enter keys; a precision that is left open is that of cuda."""
    config = config.resolved("cuda")
    both = config.encoder_identity(), config.evaluation_identity()
    first, second = (json.dumps(identity, sort_keys=True) for identity in both)
    return first, second


# ---------------------------------------------------------------------------------- the defaults


def test_the_defaults_are_the_papers_own_protocol() -> None:
    config = Config()

    assert (config.batch_size, config.epochs) == (4096, 100)
    assert config.encoder == ResNet(depth=50, width=1, stem="imagenet")
    assert config.encoder.num_features == 2048
    assert config.head == MlpHead(hidden_layers=1, output=128)
    assert config.loss == NTXent(temperature=0.1)
    assert isinstance(config.optimizer, Lars)
    assert config.optimizer.peak(4096) == pytest.approx(4.8)
    rest = config.optimizer.momentum, config.optimizer.weight_decay, config.optimizer.trust
    assert rest == (0.9, 1e-6, 0.001)
    assert config.schedule == WarmupCosine(warmup_epochs=10)
    assert config.views == Symmetric(operations=(Crop(), Colour(), Blur()))
    assert (config.data.kind, config.data.size) == ("folder", 224)


def test_every_field_says_what_it_is() -> None:
    models: list[type[BaseModel]] = [Config, Evaluation, Config().seeds.__class__, Geometry]
    families = (*FAMILIES.values(), AnyOperation, AnyProbe, AnyTarget)
    models += [kind for family in families for kind in members(family)]

    for model in models:
        for name, field in model.model_fields.items():
            assert name == "kind" or field.description, f"{model.__name__}.{name}"


# ------------------------------------------------------------------------------------------ JSON


def test_every_kind_and_every_field_goes_through_json_and_back() -> None:
    assert len(CHANGED) > 200

    for path, _, other in CHANGED:
        assert isinstance(other, Config)
        # Not every pair of values goes together: three views ask for a loss that takes them.
        together = path != "views.num_views" or other.loss.takes_many_views
        if path in ("evaluation.split", "evaluation.label_fractions"):
            together = not other.loss.sees_labels
        if path == "evaluation.layer":
            together = other.evaluation.layer in other.head.layers
        if together:
            assert Config.model_validate_json(other.model_dump_json()) == other, path


# ---------------------------------------------------------------------------------------- identity


def test_every_field_enters_a_key_except_where_data_lie_and_what_only_stands_for_seeds() -> None:
    for path, base, other in CHANGED:
        assert isinstance(other, Config)
        assert isinstance(base, Config)
        (encoder, readout), (encoder_2, readout_2) = identities(base), identities(other)
        moved = (encoder != encoder_2, readout != readout_2)
        if path == "seed":
            # An SGD probe draws its batches and crops by it.
            assert moved == (False, isinstance(base.evaluation.probe, SgdProbe)), path
        elif path.startswith("data.") or path.endswith(".path"):
            assert moved == (False, False), path
        elif path.startswith("evaluation."):
            assert moved == (False, True), path
        else:
            assert moved == (True, False), path


def test_another_kind_of_any_family_is_another_identity() -> None:
    for field, family in FAMILIES.items():
        if field != "data":
            found = [
                identities(Config().model_copy(update={field: made(kind)}).resolved("cpu"))
                for kind in members(family)
            ]
            assert len(set(found)) == len(found), field


def test_the_order_and_number_of_operations_enter_the_identity() -> None:
    crop, colour = Crop(), Colour()
    orders = [(crop, colour), (colour, crop), (crop,), (crop, colour, colour)]

    found = {
        identities(Config(views=Symmetric(operations=order)).resolved("cpu")) for order in orders
    }

    assert len(found) == 4


@pytest.mark.parametrize(
    ("loss", "taken"),
    [
        ({"kind": "nt_xent"}, True),
        ({"kind": "sup_con"}, True),
        ({"kind": "cross_entropy"}, True),
        ({"kind": "nt_xent", "negatives": "one_view"}, False),
        ({"kind": "nt_xent", "decoupled": True}, False),
        ({"kind": "nt_logistic"}, False),
        ({"kind": "margin_triplet"}, False),
    ],
)
def test_more_than_two_views_are_taken_by_losses_that_have_a_meaning_for_them(
    loss: dict[str, Any], *, taken: bool
) -> None:
    settings = {"views": {"kind": "symmetric", "num_views": 3}, "loss": loss}

    if taken:
        assert Config.model_validate(settings).loss.kind == loss["kind"]
    else:
        with pytest.raises(ValidationError, match="takes two views, got 3"):
            Config.model_validate(settings)


@pytest.mark.parametrize("source", ["initialisation", "order", "views"])
def test_a_trials_seed_stands_for_each_seed_that_is_not_set(source: str) -> None:
    by_seed = Config(seed=5).resolved("cpu")
    by_field = Config.model_validate({"seed": 5, "seeds": {source: 5}}).resolved("cpu")
    other = Config.model_validate({"seed": 5, "seeds": {source: 6}}).resolved("cpu")

    assert identities(by_seed) == identities(by_field)
    assert identities(by_seed) != identities(other)
    assert identities(by_seed) != identities(Config(seed=6).resolved("cpu"))


def test_permutations_depend_on_the_trials_seed_and_so_does_their_identity() -> None:
    seeds = {"initialisation": 0, "order": 0, "views": 0}
    one, other = (
        Config.model_validate({"seed": s, "seeds": seeds, "evaluation": {"permuted_labels": 3}})
        for s in (1, 2)
    )

    assert one.resolved("cpu").encoder_identity() == other.resolved("cpu").encoder_identity()
    assert one.evaluation_identity() != other.evaluation_identity()


def test_what_the_permuted_control_does_not_measure_leaves_it_as_it_is() -> None:
    def control(**evaluation: Any) -> tuple[str, str]:
        return identities(
            Config.model_validate({"evaluation": {"permuted_labels": 3, **evaluation}})
        )

    more = {"knn": {"k": 5}, "geometry": {}, "label_fractions": [0.1]}
    assert control() == control(**more) == control(knn=None)
    assert control() != control(probe={"kind": "ridge"})
    assert control() != control(layer="z")
    assert control() != control(target={"kind": "noise"})


def test_the_random_encoder_is_shared_by_all_that_share_its_network_and_first_seed() -> None:
    counts = ("encoder.", "precision", "seeds.initialisation")
    for path, base, other in CHANGED:
        assert isinstance(other, Config)
        random = [c.model_copy(update={"epochs": 0}) for c in (base, other)]
        first, second = (identities(config)[0] for config in random)
        enters = path.startswith(counts) and path != "encoder.path"
        assert (first != second) == enters, path


def test_raw_pixels_depend_on_their_side_alone_and_on_no_seed() -> None:
    raw = Config(encoder=Pixels(), epochs=0)

    for path, _, other in CHANGED:
        also_raw = other.model_copy(update={"encoder": raw.encoder, "epochs": 0})
        assert identities(also_raw)[0] == identities(raw)[0], path
    assert identities(Config(encoder=Pixels(side=16), epochs=0))[0] != identities(raw)[0]
    assert raw.resolved("cuda").encoder_identity() == raw.resolved("cpu").encoder_identity()


def test_a_random_encoder_is_no_trained_one() -> None:
    trained = Config().resolved("cpu")

    assert identities(trained) != identities(trained.model_copy(update={"epochs": 0}))


def test_identities_are_plain_json() -> None:
    for config in configurations():
        for identity in (config.encoder_identity(), config.evaluation_identity()):
            assert json.loads(json.dumps(identity, allow_nan=False)) == identity


# -------------------------------------------------------------------------------------- choices


@pytest.mark.parametrize(
    ("device", "expected"), [("cuda", "bf16"), ("cpu", "fp32"), ("mps", "fp32")]
)
def test_precision_follows_the_device_unless_it_is_set(device: Any, expected: str) -> None:
    assert Config().resolved(device).precision == expected
    assert Config(precision="bf16").resolved(device).precision == "bf16"
    assert Config(precision="fp32").resolved(device).precision == "fp32"


def test_resolving_twice_changes_nothing() -> None:
    once = Config(seed=3).resolved("cpu")

    assert once.resolved("cuda") == once


def test_a_configuration_cannot_be_changed_and_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().epochs = 3  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Config.model_validate({"epoch": 3})

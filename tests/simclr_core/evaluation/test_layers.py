"""Reading out the head's layers: table 3's h against g(h), and all that lies between."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from made_trials import HERE, Listener, equal_states, small_config, textures, trained
from torch import Tensor

from simclr_core.config.overrides import mistakes
from simclr_core.config.schema import Config
from simclr_core.errors import ConfigurationError
from simclr_core.evaluation.frozen_evaluation import Evaluated, evaluate
from simclr_core.evaluation.frozen_features import features, state_hash
from simclr_core.networks.heads import LinearHead, MlpHead, NoHead, up_to
from simclr_core.probes.contract import top_k_accuracy
from simclr_core.trial import run

DEEP: dict[str, Any] = {"head": {"kind": "mlp", "hidden_layers": 2, "hidden": 12, "output": 6}}


def by_hand(h: Tensor, state: dict[str, Tensor], layer: str) -> Tensor:
    """Linear, batch norm by its running statistics, ReLU: from the names and numbers of the state."""
    depth = {"h": 0, "g1": 1, "g2": 2, "z": 3}[layer]
    for place in range(depth):
        linear, norm = (f"{3 * place}.", f"{3 * place + 1}.")
        h = h @ state[linear + "weight"].T
        h = (h - state[norm + "running_mean"]) / (state[norm + "running_var"] + 1e-5).sqrt()
        h = h * state[norm + "weight"] + state.get(norm + "bias", torch.zeros(()))
        h = F.relu(h) if place < 2 else h
    return h


def h_of(part: Any, state: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    encoder = small_config().encoder.build(0)
    encoder.load_state_dict(state)
    images, labels, _ = textures().labelled(part)
    return features(encoder, images, textures().size, HERE), labels


def neighbours_of(config: Config, state: dict[str, Tensor], head: dict[str, Tensor]) -> float:
    """The accuracy of nearest neighbours on a layer that is computed by hand."""
    (x, y), (asked, answers) = (h_of(part, state) for part in ("train", "test"))
    layer = config.evaluation.layer
    bank, queries = by_hand(x, head, layer), by_hand(asked, head, layer)
    neighbours = config.evaluation.knn
    assert neighbours is not None
    return top_k_accuracy(neighbours.scores(bank, y, queries, 10), answers, 1)


def found_at(layer: str, **changes: Any) -> tuple[Config, Evaluated, dict[str, Tensor]]:
    config = small_config({**DEEP, "evaluation.layer": layer, **changes})
    done = trained({**DEEP, **changes})
    found = evaluate(config, textures(), done.state, HERE, Listener(), head=done.head)
    return config, found, done.state


# ------------------------------------------------------------------------------- a trained head


@pytest.mark.parametrize("layer", ["h", "g1", "g2", "z"])
def test_what_is_read_is_the_layer_that_was_asked_for(layer: str) -> None:
    config, found, state = found_at(layer)

    head = trained(DEEP).head
    assert found.values["knn_top1"] == neighbours_of(config, state, head)
    if layer == "h":
        assert "head_hash_before" not in found.facts
    else:
        assert found.facts["head_hash_before"] == found.facts["head_hash_after"]
    assert found.facts["encoder_hash_before"] == state_hash(state)


def test_the_layers_tell_different_things() -> None:
    found = {layer: found_at(layer)[1].values["knn_top1"] for layer in ("h", "g1", "g2", "z")}

    assert len(set(found.values())) > 2


def test_training_is_the_same_whatever_is_read_afterwards() -> None:
    plain, deep = trained(DEEP), trained({**DEEP, "evaluation.layer": "z"})

    assert equal_states(plain.state, deep.state)
    assert equal_states(plain.head, deep.head)
    assert plain.head.keys() == MlpHead(**DEEP["head"]).build(16, 0).state_dict().keys()


def test_a_whole_trial_reads_its_own_head() -> None:
    config = small_config({**DEEP, "evaluation.layer": "g2"})

    values = run(config, execution=HERE).values

    assert values == found_at("g2")[1].values


def test_a_head_without_weights_is_read_like_any_other() -> None:
    none = {"head": {"kind": "none"}}
    plain, deep = (
        run(small_config({**none, **more}), execution=HERE)
        for more in ({}, {"evaluation.layer": "z"})
    )

    assert plain.values == deep.values


def test_without_the_heads_state_it_says_what_is_missing() -> None:
    config = small_config({**DEEP, "evaluation.layer": "z"})

    with pytest.raises(
        ConfigurationError,
        match=r"^evaluation\.layer: z needs the trained head's state .*head=trained",
    ):
        evaluate(config, textures(), trained(DEEP).state, HERE, Listener())


# -------------------------------------------------------------------------------- a random head


@pytest.mark.parametrize("layer", ["g1", "g2", "z"])
def test_a_random_encoders_head_is_where_training_would_begin_with_its_own_statistics(
    layer: str,
) -> None:
    config, found, state = found_at(layer, epochs=0)

    head = config.head.build(config.encoder.num_features, config.seed)
    (x, _) = h_of("train", state)
    assert len(x) < 512, "one batch: each layer's statistics are those of all images"
    for linear, norm in ((head[0], head[1]), (head[3], head[4]), (head[6], head[7])):
        x = x @ linear.weight.detach().T
        norm.running_mean.copy_(x.mean(0))
        norm.running_var.copy_(x.var(0))
        x = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
        x = F.relu(x)
    assert found.values["knn_top1"] == neighbours_of(config, state, head.state_dict())


def test_a_random_encoder_keeps_no_head() -> None:
    assert trained({**DEEP, "epochs": 0}).head is None


# --------------------------------------------------------------------------------------- identity


def keys(**changes: Any) -> tuple[Any, Any]:
    config = small_config(changes).resolved("cpu")
    return config.encoder_identity(), config.evaluation_identity()


def test_a_layer_moves_the_read_out_and_not_the_encoder() -> None:
    plain, deep = keys(**DEEP), keys(**DEEP, **{"evaluation.layer": "z"})

    assert plain[0] == deep[0]
    assert plain[1] != deep[1]
    assert "layer" not in plain[1]
    assert "target" not in plain[1]
    assert "head" not in deep[1]


def test_a_random_encoders_read_out_depends_on_the_head_that_is_read() -> None:
    other = {"head": {"kind": "mlp", "output": 9}}
    at_h = [keys(epochs=0, **head) for head in (DEEP, other)]
    at_z = [keys(epochs=0, **head, **{"evaluation.layer": "z"}) for head in (DEEP, other)]

    assert at_h[0] == at_h[1]
    assert at_z[0][0] == at_z[1][0] == at_h[0][0]
    assert at_z[0][1] != at_z[1][1]


# ------------------------------------------------------------------------------ which layers exist


def test_each_head_has_its_layers_and_no_other() -> None:
    assert NoHead().layers == ("h", "z")
    assert LinearHead().layers == ("h", "z")
    assert MlpHead(hidden_layers=3).layers == ("h", "g1", "g2", "g3", "z")
    for changes, sentence in (
        (
            {"evaluation.layer": "g2"},
            "evaluation.layer must be h or g1 or z under head mlp, got g2",
        ),
        (
            {"evaluation.layer": "g1", "head": {"kind": "none"}},
            "evaluation.layer must be h or z under head none, got g1",
        ),
        (
            {"evaluation.layer": "z", "encoder": {"kind": "pixels"}, "epochs": 0},
            "evaluation.layer must be h under encoder pixels, got z",
        ),
    ):
        [found] = mistakes(small(changes))
        assert f"{found.field} {found.text}" == sentence


def small(changes: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for field, value in changes.items():
        top, _, inner = field.partition(".")
        nested[top] = {inner: value} if inner else value
    return nested


def test_no_head_gives_h_and_a_plain_head_its_biases() -> None:
    h = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    plain = MlpHead(hidden=3, output=2, batch_norm=False).build(4, 0)

    assert torch.equal(up_to(NoHead().build(4, 0), "z")(h), h)
    assert torch.equal(up_to(plain, "h")(h), h)
    expected = F.relu(F.linear(h, plain[0].weight, plain[0].bias))
    assert torch.equal(up_to(plain, "g1")(h), expected)
    assert torch.equal(up_to(plain, "z")(h), plain(h))

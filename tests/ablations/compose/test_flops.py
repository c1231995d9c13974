"""What a plan says that pre-training computes, against torchvision's published counts."""

from typing import Any

import pytest
import torch
from commands import called, the_plan
from ruamel.yaml import YAML
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import ResNet18_Weights, ResNet50_Weights

from ablations.compose.flops import as_text, compute, num_images, operations, outline
from ablations.compose.planning import cost
from reports.spec import flop_text
from sweeps.planning.trial_plan import Known


@pytest.mark.parametrize(("depth", "weights"), [(18, ResNet18_Weights), (50, ResNet50_Weights)])
def test_a_pair_costs_three_forward_passes_a_view_but_for_the_pixels_gradient(
    depth: int, weights: Any
) -> None:
    config = the_plan("quickstart", scale="paper").trials[0].config
    config = {**config, "encoder": {**config["encoder"], "depth": depth}, "head": {"kind": "none"}}

    found = compute([config])

    h = {18: 512, 50: 2048}[depth]
    published = 1e9 * weights.IMAGENET1K_V1.meta["_ops"] - 1000 * h  # multiplications, without fc
    first = 7 * 7 * 3 * 64 * 112**2
    assert found is not None
    assert found.pair[0] == pytest.approx(2 * 2 * (3 * published - first), rel=1e-3)
    assert found.total == found.pair[0] * (1_281_167 // 4096 * 4096) * 100


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("head", ["{kind: none}", "{kind: mlp, hidden_layers: 2, output: 8}"])
@pytest.mark.parametrize(
    "encoder",
    [
        "{kind: resnet, depth: 50, width: 0.25, stem: imagenet}",
        "{kind: resnet, blocks: [1, 2], width: 0.25, stem: small}",
        "{kind: vit, patch: 8, dim: 48, depth: 2, heads: 3}",
        "{kind: vit, patch: 8, dim: 48, depth: 2, heads: 3, pooling: mean}",
    ],
)
def test_operations_are_those_of_torchs_own_counter(
    encoder: str, head: str, *, twice: bool
) -> None:
    settings = tuple(as_text(YAML().load(one)) for one in (encoder, head))
    network = outline(*settings, 64)
    assert network is not None
    views = torch.empty(3, 3, 64, 64, device="meta")
    with FlopCounterMode(display=False) as counter:
        z = [network(views) for _ in range(1 + twice)]
        z[-1].sum().backward()

    assert operations(*settings, 64, 3, twice=twice) == counter.get_total_flops()


def test_a_plan_counts_each_encoder_once_and_the_random_one_not_at_all() -> None:
    plan = the_plan("width", scale="paper")

    found = cost(plan, Known()).compute

    assert found is not None
    # Three widths, five seeds; two of shuffled positives. Floors and permuted labels train none.
    assert found.encoders == 17
    assert found.pair[1] / found.pair[0] == pytest.approx(16, rel=0.02)  # four times as wide


def test_the_plan_says_it_in_words_and_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, "plan", "quickstart", "--scale", "gpu")
    told = called(capsys, "plan", "quickstart", "--scale", "gpu", "--json").json["operations"]

    assert "pre-training: 17 encoders" in said.out
    assert f"{flop_text(told)} in all" in said.out


def test_a_third_view_costs_half_as_much_again_and_caching_a_third_more() -> None:
    base = the_plan("quickstart", scale="laptop").trials[0].config
    plain, three, cached = (
        compute([{**base, "gradient_cache": cache, "views": {**base["views"], "num_views": views}}])
        for cache, views in ((None, 2), (None, 3), (64, 2))
    )

    assert plain is not None
    assert three is not None
    assert cached is not None
    assert three.pair[0] == pytest.approx(1.5 * plain.pair[0])
    assert 1.3 < cached.pair[0] / plain.pair[0] < 1.45


def test_images_of_a_folder_that_was_not_counted_are_not_guessed() -> None:
    assert num_images({"kind": "folder", "path": "x", "name": "ImageNet (ILSVRC 2012)"}) is None
    assert num_images({"kind": "folder", "path": "x", "num_images": 7}) == 7


@pytest.mark.parametrize(
    ("operations", "text"),
    [(512, "512 FLOP"), (48.6e9, "48.6 GFLOP"), (2e15, "2 PFLOP"), (1.5e21, "1,500,000 PFLOP")],
)
def test_operations_are_told_in_a_unit_of_few_digits(operations: float, text: str) -> None:
    assert flop_text(operations) == text

"""One's own tensors as a data set: beside the same images loaded, and every mistake in a sentence."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_trials import HERE, Listener, equal_states, random_pictures, small_config
from torch import Tensor

from simclr_core import Config, Dataset, Tensors, Textures, evaluate, load, pretrain, run
from simclr_core.data.dataset import fingerprint
from simclr_core.data.textures import generate
from simclr_core.errors import ConfigurationError, DataError, DataMissing

README = Path(__file__).parents[3] / "simclr_core" / "README.md"

TRAIN, TEST = 120, 60


def texture_tensors() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `Textures` holds, made without it: its pictures, and the labels that take turns."""
    train, test = (torch.from_numpy(generate(part, num)) for part, num in ((0, TRAIN), (1, TEST)))
    return train, torch.arange(TRAIN) % 10, test, torch.arange(TEST) % 10


def tensors(**changes: Any) -> dict[str, Any]:
    """Right ones, but for the changes."""
    made = {
        "train_images": random_pictures(20),
        "train_labels": torch.arange(20) % 4,
        "test_images": random_pictures(8, seed=1),
        "test_labels": torch.arange(8) % 4,
    }
    return made | changes


def of(**changes: Any) -> Dataset:
    return Dataset.of(**tensors(**changes))


# ---------------------------------------------------------------- beside the same images loaded


def test_tensors_give_to_the_bit_what_the_same_images_give_when_they_are_loaded() -> None:
    config = small_config()
    loaded = load(Textures(num_images=TRAIN, num_test=TEST), cache=None)

    expected = pretrain(config, loaded, HERE, Listener())
    dataset = Dataset.of(*texture_tensors())
    found = pretrain(config, dataset, HERE, Listener())

    assert equal_states(found.state, expected.state)
    values = evaluate(config, dataset, found.state, HERE, Listener()).values
    assert values == evaluate(config, loaded, expected.state, HERE, Listener()).values


def test_a_run_on_tensors_says_so_in_its_configuration_and_is_the_run_of_the_loaded_images() -> (
    None
):
    own = small_config({"data": Config().data.model_dump()})
    dataset = Dataset.of(*texture_tensors(), name="mine")

    found = run(own, execution=HERE, dataset=dataset)

    assert found.values == run(small_config(), execution=HERE).values
    assert found.config.data == Tensors(name="mine", content=dataset.fingerprint, size=32)
    assert Config.model_validate(found.config.model_dump(mode="json")) == found.config
    assert found.curve["loss"]


def test_pre_training_needs_no_labels_and_gives_the_same_encoder_without_them() -> None:
    config = small_config()
    labelled, bare = Dataset.of(*texture_tensors()), Dataset.of(texture_tensors()[0])
    listener = Listener()

    found = pretrain(config, bare, HERE, listener)

    assert equal_states(found.state, pretrain(config, labelled, HERE).state)
    assert listener.column("loss")
    assert not listener.column("knn/validation")
    assert bare.reads == {}


def test_without_labels_a_read_out_is_refused_before_anything_trains() -> None:
    bare = Dataset.of(random_pictures(80), name="my images")
    listener = Listener()
    config = small_config({"data": Config().data.model_dump()})

    for asked in (
        lambda: run(config, listener, HERE, dataset=bare),
        lambda: evaluate(config, bare, {}, HERE),
        lambda: bare.labelled("fit"),
    ):
        with pytest.raises(DataError, match=r"my images has no labels.*or pre-train only"):
            asked()
    assert listener.told == []


def test_execution_and_observer_have_defaults() -> None:
    config = small_config({"epochs": 0})
    dataset = of(train_images=random_pictures(20, 16), test_images=random_pictures(8, 16, seed=1))

    trained = pretrain(config, dataset)

    assert 0 <= evaluate(config, dataset, trained.state).values["top1"] <= 100


def test_a_configuration_that_names_other_data_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"data: must be left out .* textures with mine"):
        run(small_config(), execution=HERE, dataset=of(name="mine"))


def test_a_data_set_that_was_loaded_can_be_handed_over_with_its_own_configuration() -> None:
    config = small_config({"epochs": 0})
    dataset = load(config.data, cache=None)

    assert run(config, execution=HERE, dataset=dataset).config == config


# ---------------------------------------------------------------------------- what identifies it


NO_LABELS: dict[str, Any] = {"train_labels": None, "test_images": None, "test_labels": None}
CHANGES: dict[str, dict[str, Any]] = {
    "a pixel": {"test_images": random_pictures(8, seed=1) ^ 1},
    "a label": {"test_labels": torch.tensor([1, 1, 2, 3, 0, 1, 2, 3])},
    "the order": {"train_images": random_pictures(20).flip(0)},
    "a name": {"class_names": ("a", "b", "c", "d")},
    "no labels": NO_LABELS,
}


def test_the_fingerprint_is_that_of_contents_and_labels_and_of_nothing_else() -> None:
    alike = of(name="another", train_labels=(torch.arange(20) % 4).to(torch.uint8))

    found = {name: of(**change).fingerprint for name, change in CHANGES.items()}

    assert alike.fingerprint == of().fingerprint
    assert len({of().fingerprint, *found.values()}) == 1 + len(CHANGES)
    assert re.fullmatch("[0-9a-f]{64}", of().fingerprint)


def test_images_that_move_from_train_to_test_change_the_fingerprint() -> None:
    images, labels = random_pictures(30), torch.arange(30) % 2

    one, other = (
        Dataset.of(images[:n], labels[:n], images[n:], labels[n:]).fingerprint for n in (10, 20)
    )

    assert one != other


def test_test_images_that_stand_in_train_are_counted_by_content() -> None:
    copied = torch.cat([random_pictures(20)[:3], random_pictures(5, seed=1)])

    dataset = of(test_images=copied)

    assert (of().overlap, dataset.overlap) == (0, 3)
    assert "given as tensors of 8 px" in dataset.deviations[0]


def test_what_the_caller_does_to_a_tensor_later_changes_nothing() -> None:
    images, labels = random_pictures(20), torch.arange(20) % 4
    dataset = of(train_images=images, train_labels=labels)
    before = dataset.labelled("train")

    images.zero_()
    labels.zero_()

    after = dataset.labelled("train")
    assert after.images.content_hashes() == list(before.hashes)
    assert after.labels.tolist() == [i % 4 for i in range(20)]


def test_a_process_without_the_tensors_has_no_such_data() -> None:
    settings = of(name="mine").settings

    for asked in (lambda: load(settings, cache=None), lambda: fingerprint(settings, None)):
        with pytest.raises(DataMissing, match=r"mine was given as tensors .*Dataset\.of"):
            asked()


# -------------------------------------------------------------------------------------- mistakes

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an array": (
        {"train_images": np.zeros((20, 3, 8, 8), np.uint8)},
        "train_images: must be a torch tensor, got ndarray; torch.from_numpy",
    ),
    "shares": (
        {"train_images": torch.rand(20, 3, 8, 8)},
        r"train_images: must be uint8, .* got float32 from .*\(255 \* images\)\.round\(\)",
    ),
    "normalised": (
        {"train_images": torch.randn(20, 3, 8, 8)},
        "train_images: must be uint8, .*; undo the normalisation first",
    ),
    "no numbers": (
        {"test_images": torch.full((8, 3, 8, 8), float("nan"))},
        "test_images: must be uint8, .* float32 of which 1536 of 1536 are not finite",
    ),
    "bytes in another type": (
        {"train_images": random_pictures(20).long()},
        r"got int64 from 0 to 255; for values in \[0, 255\] use \.to\(torch\.uint8\)",
    ),
    "beyond a byte": (
        {"train_images": random_pictures(20).int() * 2},
        "must be uint8, the bytes 0 to 255 as decoded, got int32 from 0 to 510$",
    ),
    "channels last": (
        {"train_images": random_pictures(20).permute(0, 2, 3, 1)},
        r"must be \[N, 3, S, S\], got \[20, 8, 8, 3\]; train_images\.permute\(0, 3, 1, 2\)",
    ),
    "grey": (
        {"test_images": random_pictures(8)[:, :1]},
        r"test_images: .* got \[8, 1, 8, 8\]; grey becomes RGB by expand",
    ),
    "one image": (
        {"train_images": random_pictures(1)[0], **NO_LABELS},
        r"\[N, 3, S, S\], got \[3, 8, 8\]",
    ),
    "not square": (
        {"train_images": random_pictures(20)[..., :6]},
        "must be square, got 8 x 6 px; crop or pad them, or save them as files",
    ),
    "another side": (
        {"test_images": random_pictures(8, 16)},
        "test_images: must have the same side as train_images, got 16 and 8 px",
    ),
    "no image": (
        {"test_images": random_pictures(8)[:0], "test_labels": torch.arange(0)},
        "test_images: must contain at least one",
    ),
    "no test split": (
        {"test_images": None, "test_labels": None},
        "test_images and test_labels: must be given together with train_labels; a probe needs all four",
    ),
    "a list": ({"train_labels": [0, 1]}, "train_labels: must be a torch tensor, got list"),
    "shares for labels": (
        {"train_labels": torch.rand(20)},
        r"train_labels: must be whole numbers \(int64\), got float32",
    ),
    "one hot": (
        {"train_labels": torch.zeros(20, 4, dtype=torch.int64)},
        r"train_labels: must be \[N\], one class for each image, got \[20, 4\]",
    ),
    "too few labels": (
        {"train_labels": torch.arange(19) % 4},
        "train_labels: must have the length of train_images, got 19 labels and 20 images",
    ),
    "from one on": (
        {"train_labels": torch.arange(20) % 4 + 1, "test_labels": torch.arange(8) % 4 + 1},
        r"train_labels: must contain each class 0 to 4, got none of 0; torch\.unique",
    ),
    "negative": (
        {"train_labels": torch.arange(20) % 4 - 1, "test_labels": torch.arange(8) % 3},
        "must be 0 to 2, got -1$",
    ),
    "beyond the names": ({"class_names": ("a", "b", "c")}, "must be 0 to 2, got 3$"),
    "one class": (
        {"train_labels": torch.zeros(20).long(), "test_labels": torch.zeros(8).long()},
        "train_labels: must have at least two classes",
    ),
    "a class of the test split only": (
        {"test_labels": torch.arange(8)},
        "test_labels: must only contain classes of train_labels, got 4, 5, 6, 7",
    ),
    "names without labels": (
        {**NO_LABELS, "class_names": ("a", "b")},
        "class_names: .* there are no labels",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_tensor_is_told_with_rule_value_and_way_out(name: str) -> None:
    changes, sentence = WRONG[name]

    with pytest.raises(DataError, match=sentence) as told:
        of(**changes)

    assert len(str(told.value).splitlines()) == 1


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(DataError) as told:
        of(
            train_images=torch.rand(20, 8, 8, 3),
            train_labels=torch.rand(19),
            test_labels=torch.zeros(8, 2).long(),
        )

    fields = [line.partition(":")[0] for line in str(told.value).splitlines()]
    assert fields == ["train_images"] * 2 + ["train_labels"] * 2 + ["test_labels"]


def test_fewer_than_two_different_training_images_are_refused() -> None:
    with pytest.raises(DataError, match="fewer than two different training images"):
        of(train_images=random_pictures(1).repeat(20, 1, 1, 1))


# ------------------------------------------------------------------------------------- the page


def test_the_page_needs_twelve_lines_from_tensors_to_top_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if "Dataset.of" in block]

    exec(compile(block, str(README), "exec"), {})

    assert len(block.splitlines()) <= 12
    assert re.fullmatch(r"top-1 \d+\.\d % of 100 test images\n", capsys.readouterr().out)

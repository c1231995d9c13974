"""Parts of one's own: what a Python file may hold, what it may not, and how each fault is told."""

import gc
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from made_parts import FILE, NAMES, made, settings_of
from made_trials import HERE, equal_states, small_config, textures, trained
from pydantic import TypeAdapter
from torch import nn

from simclr_core.augment.file_operation import FileOperation
from simclr_core.augment.views import Symmetric, draw_views
from simclr_core.callbacks import Curve
from simclr_core.chance import Chance
from simclr_core.config.overrides import check, mistakes
from simclr_core.config.schema import Config
from simclr_core.errors import ConfigurationError, PartError
from simclr_core.evaluation.frozen_evaluation import evaluate
from simclr_core.losses.contrastive import AnyLoss, NTXent
from simclr_core.losses.file_loss import FileLoss
from simclr_core.networks.file_networks import FileEncoder, FileHead
from simclr_core.networks.heads import LinearHead
from simclr_core.optim.optimizers import FileOptimizer
from simclr_core.optim.schedules import FileSchedule
from simclr_core.plugins.component import FromFile, files_of
from simclr_core.plugins.source import digest
from simclr_core.training.pretraining import pretrain
from simclr_core.trial import run

FIELDS: dict[str, type[FromFile]] = {
    "encoder": FileEncoder,
    "head": FileHead,
    "loss": FileLoss,
    "optimizer": FileOptimizer,
    "schedule": FileSchedule,
    "views.operations.1": FileOperation,
}


def loss(text: str, **more: Any) -> FileLoss:
    """A loss called `f` from a text."""
    return made(FileLoss, text, **{"name": "f", **more})


# ------------------------------------------------------------------ as good as what comes with it


def test_an_own_loss_that_is_nt_xent_gives_the_encoder_of_nt_xent_bit_for_bit(
    tmp_path: Path,
) -> None:
    settings = settings_of(FileLoss, tmp_path, options={"temperature": 0.2})

    own = trained({"loss": settings})
    papers = trained({"loss.temperature": 0.2})
    other = trained({"loss": {**settings, "options": {"temperature": 0.3}}})

    assert equal_states(own.state, papers.state)
    assert not equal_states(own.state, other.state)


def test_an_own_head_is_trained_as_the_same_head_of_the_family(tmp_path: Path) -> None:
    """Both from equal weights: the file's head takes those that the family's has."""
    file = (
        "from simclr_core.networks.heads import LinearHead\n"
        "def head(num_features, seed, output):\n"
        "    return LinearHead(output=output).build(num_features, seed)\n"
    )
    own = trained({"head": settings_of(FileHead, tmp_path, file, options={"output": 8})})

    assert equal_states(own.state, trained({"head": {"kind": "linear", "output": 8}}).state)
    assert isinstance(LinearHead(output=8).build(4, 0), nn.Sequential)


def test_an_own_optimiser_and_schedule_give_what_the_same_ones_of_the_family_give(
    tmp_path: Path,
) -> None:
    file = (
        "import torch\n"
        "def sgd(model, **options):\n"
        "    return torch.optim.SGD(model.parameters(), **options)\n"
        "def ramp(step, num_steps, steps_per_epoch, of):\n"
        "    assert (num_steps, steps_per_epoch) == (6, 3)\n"
        "    return step / of\n"
    )
    (tmp_path / "parts.py").write_text(file)
    own = {"kind": "file", "path": str(tmp_path / "parts.py")}
    rest = {"kind": "sgd", "weight_decay": 0, "learning_rate": 0.3, "momentum": 0.9}

    file_made = trained(
        {
            "optimizer": {**own, "name": "sgd", "learning_rate": 0.3, "options": {"momentum": 0.9}},
            "schedule": {**own, "name": "ramp", "options": {"of": 6}},
        }
    )
    # Linear scaling with a batch of 40: 1.92 x 40 / 256 is the same 0.3.
    usual = trained(
        {
            "optimizer": {**rest, "learning_rate": 1.92},
            "schedule": {"kind": "warmup_cosine", "warmup_epochs": 2},
        }
    )

    for name, tensor in file_made.state.items():
        # torch's fused kernel rounds otherwise than its plain one.
        torch.testing.assert_close(tensor, usual.state[name], rtol=1e-3, atol=1e-4)


def test_an_own_encoder_goes_through_a_whole_trial_from_its_initialisation(tmp_path: Path) -> None:
    encoder = settings_of(FileEncoder, tmp_path)
    result = run(small_config({"encoder": encoder}), execution=HERE)
    random_one = trained({"encoder": encoder, "epochs": 0})

    assert set(result.values) == {"top1", "top5", "validation_top1", "knn_top1", "knn_top5"}
    assert result.facts["optimiser_steps"] == 6
    assert result.facts["num_parameters"] == 3 * 8 * 9 + 8 + 16
    first = FileEncoder(**{k: v for k, v in encoder.items() if k != "kind"}).build(0)
    assert torch.equal(random_one.state["conv.weight"], first.state_dict()["conv.weight"])


def test_a_class_is_made_once_a_training_and_remembers_nothing_of_the_one_before() -> None:
    file = (
        "import torch.nn.functional as F\n"
        "told = []\n"
        "class f:\n"
        "    def __init__(self, decay):\n"
        "        self.mean, self.decay = 0.0, decay\n"
        "    def __call__(self, z):\n"
        "        told.append(1)\n"
        "        self.mean = self.decay * self.mean + z.detach().mean(0)\n"
        "        return (z - self.mean).square().mean() * len(told)\n"
    )
    config = small_config().model_copy(update={"loss": loss(file, options={"decay": 0.5})})

    first, second = (pretrain(config, textures(), HERE, Curve()) for _ in range(2))

    assert equal_states(first.state, second.state)


def test_what_a_file_draws_globally_is_the_trials_own_and_disturbs_no_one(tmp_path: Path) -> None:
    file = (
        "import random, numpy as np, torch\n"
        "from torch import nn\n"
        "def head(num_features, seed):\n"
        "    return nn.Sequential(nn.Linear(num_features, 4), nn.Dropout(0.5))\n"
        "def loss(z):\n"
        "    noise = torch.rand_like(z) + random.random() + float(np.random.rand())\n"
        "    return (z - noise).square().mean()\n"
    )
    head = settings_of(FileHead, tmp_path, file)
    changes = {"head": head, "loss": {**head, "name": "loss"}}
    torch.manual_seed(5), random.seed(5), np.random.seed(5)  # noqa: NPY002
    first = trained(changes)
    after = torch.rand(3), random.random(), float(np.random.rand())  # noqa: NPY002
    torch.manual_seed(5), random.seed(5), np.random.seed(5)  # noqa: NPY002
    undisturbed = torch.rand(3), random.random(), float(np.random.rand())  # noqa: NPY002
    second = trained(changes)  # from another state of the global generators
    another_seed = trained({**changes, "seeds.initialisation": 9})

    assert equal_states(first.state, second.state)
    assert not equal_states(first.state, another_seed.state)
    assert torch.equal(after[0], undisturbed[0])
    assert after[1:] == undisturbed[1:]


def test_an_own_head_or_encoder_depends_on_its_seed_and_nothing_else() -> None:
    for build in (made(FileEncoder).build, lambda seed: made(FileHead).build(8, seed)):
        torch.manual_seed(1)
        one = build(3).state_dict()
        torch.manual_seed(2)

        assert equal_states(one, build(3).state_dict())
        assert not equal_states(one, build(4).state_dict())


# -------------------------------------------------------------------------------------- operations


def test_own_operations_draw_by_their_name_whatever_stands_beside_them() -> None:
    pictures = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8)
    shapes, chance = torch.full((12, 2), 32), Chance.of(0, 0, torch.arange(12))
    nothing = "def nothing(images, uniform):\n    return images\n"
    darken, beside = made(FileOperation), made(FileOperation, nothing, name="nothing")

    alone, _ = draw_views(Symmetric(operations=(darken,)), pictures, shapes, chance, 32)
    behind, _ = draw_views(Symmetric(operations=(beside, darken)), pictures, shapes, chance, 32)
    twice, _ = draw_views(Symmetric(operations=(darken, darken)), pictures, shapes, chance, 32)
    renamed = made(FileOperation, FILE.replace("def darken", "def dim"), name="dim")
    other, _ = draw_views(Symmetric(operations=(renamed,)), pictures, shapes, chance, 32)

    assert torch.equal(alone, behind)
    assert not torch.equal(alone, twice)
    assert not torch.equal(alone, other)


def test_an_operation_gets_as_many_numbers_as_it_asks_for() -> None:
    file = "def f(images, uniform):\n    assert uniform.shape == (4, 3)\n    return images\n"
    file = file.replace("(4, 3)", "(len(images), 3)")
    images = torch.rand(4, 3, 8, 8)
    draws = Chance.of(0, 0, torch.arange(4)).at("first", "x")

    for numbers, right in ((3, True), (0, False)):
        operation = made(FileOperation, file, name="f", numbers=numbers)
        params = operation.draw(draws, torch.full((4, 2), 8))
        if right:
            assert torch.equal(operation.apply(images, params), images)
            assert torch.equal(params.uniform, draws.uniform(3))
        else:
            with pytest.raises(PartError, match=r"^made.py:2: f raised AssertionError"):
                operation.apply(images, params)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("images - images.mean(0) * 0.1", "independently of the rest of the batch"),
        ("images.flip(0)", "independently of the rest of the batch"),
        ("torch.rand_like(images)", "take random numbers from uniform"),
        ("images * float(torch.rand(()))", "take random numbers from uniform"),
        ("images.mul_(0.5)", "must not change its input"),
        ("images + 1", "must return values in [0, 1], got "),
        ("images * float('nan')", "must return values in [0, 1], got nan to nan"),
        (
            "images[:, :1]",
            "f must return float32 of shape [9, 3, 8, 8], got float32 of shape [9, 1, 8, 8]",
        ),
        ("images.double()", "got float64 of shape [9, 3, 8, 8]"),
        ("images.to('meta')", "f must return images on cpu, got them on meta"),
        ("None", "f must return a tensor of images, got NoneType"),
        ("images @ images[0]", "made.py:3: f raised RuntimeError: "),
    ],
)
def test_an_operation_that_breaks_the_law_is_refused(body: str, words: str) -> None:
    operation = made(
        FileOperation, f"import torch\ndef f(images, uniform):\n    return {body}\n", name="f"
    )
    images = torch.rand(9, 3, 8, 8) * 0.5 + 0.3
    if "@" in body:
        images = torch.rand(9, 3, 8, 8)[..., :7]
    params = operation.draw(
        Chance.of(0, 0, torch.arange(9)).at("first", "x"), torch.full((9, 2), 8)
    )

    with pytest.raises(PartError) as caught:
        operation.apply(images, params)

    assert str(caught.value).startswith("made.py")
    assert words in str(caught.value)


def test_the_range_of_an_operation_is_looked_at_each_time() -> None:
    file = "def f(images, uniform):\n    return images * 2\n"
    operation = made(FileOperation, file, name="f")
    params = operation.draw(
        Chance.of(0, 0, torch.arange(2)).at("first", "x"), torch.full((2, 2), 8)
    )

    operation.apply(torch.full((2, 3, 8, 8), 0.4), params)
    images = torch.full((2, 3, 8, 8), 0.2)
    images[1] = 0.6

    with pytest.raises(
        PartError, match=r"made.py: f must return values in \[0, 1\], got 0.4 to 1.2"
    ):
        operation.apply(images, params)


# ----------------------------------------------------------------------- what breaks its contract


class Broken(NamedTuple):
    field: str
    file: str
    words: str
    more: Mapping[str, Any] = MappingProxyType({})


BROKEN = {
    "raises at import": Broken("loss", "f = 1 / 0", "parts.py:1: its execution raised ZeroDivision"),
    "leaves at import": Broken("loss", "import sys\nf = sys.exit(3)", "parts.py:2: its execution"),
    "does not bind it": Broken("loss", "if False:\n    f = 1", "f must be defined at its top level"),
    "binds a number": Broken("loss", "f = 3", "f must be a function or a class, got int"),
    "raises when called": Broken("loss", "def f(z):\n  return z.zz", "parts.py:2: f raised Attrib"),
    "takes no such option": Broken(
        "loss", "def f(z): return z.mean()", "f raised TypeError: f()", {"options": {"tau": 1}}
    ),
    "gives no tensor": Broken("loss", "def f(z): return 3.0", "f must return a tensor with a single "
                                                              "number, got float"),
    "gives many numbers": Broken(
        "loss", "def f(z): return z.mean(1)", "got float32 of shape [80]; return its mean"
    ),
    "gives a whole number": Broken("loss", "def f(z): return (z > 0).sum()", "got int64 of shape"),
    "gives no gradient": Broken("loss", "def f(z): return z.detach().mean()", "depends on z through"),
    "a class that is not called": Broken(
        "loss", "class f: pass", "the object that f returns must be callable"
    ),
    "a class that cannot be made": Broken(
        "loss", "class f:\n  def __init__(self, a): self.a = a", "f raised TypeError: "
    ),
    "a loss with weights": Broken(
        "loss",
        "from torch import nn\nclass f(nn.Linear):\n  def __init__(self): super().__init__(8, 1)",
        "f must not have weights",
    ),
    "no module": Broken("head", "def f(n, seed): return n", "f must return a torch.nn.Module, got "
                                                            "int"),
    "a head of another shape": Broken(
        "head",
        "from torch import nn\ndef f(n, seed): return nn.Unflatten(1, (1, n))",
        "f must map 80 images to [B, D], got float32 of shape [80, 1, 8]",
    ),
    "a head of whole numbers": Broken(
        "head",
        "from torch import nn\nclass f(nn.Module):\n"
        "  def __init__(self, n, seed): super().__init__()\n  def forward(self, h): return h.long()",
        "f must map images to a tensor of floats [B, D], got int64 of shape [80, 8]",
    ),
    "a head that gives no tensor": Broken(
        "head",
        "from torch import nn\nclass f(nn.Module):\n"
        "  def __init__(self, n, seed): super().__init__()\n  def forward(self, h): return [h]",
        "f must map images to a tensor of floats [B, D], got list",
    ),
    "a forward that raises": Broken(
        "head",
        "from torch import nn\nclass f(nn.Module):\n"
        "  def __init__(self, n, seed): super().__init__()\n  def forward(self, h): return h.x",
        "parts.py:4: f raised AttributeError",
    ),
    "an encoder of another length": Broken(
        "encoder", FILE, "must map 80 images to [B, 9], got float32 of shape [80, 8]",
        {"name": "Network", "num_features": 9},
    ),
    "an encoder without weights": Broken(
        "encoder", "from torch import nn\ndef f(seed): return nn.Flatten()", "a module with weights"
    ),
    "no optimiser": Broken(
        "optimizer", "def f(model): return model", "f must return a torch.optim.Optimizer, got "
                                                   "Module"
    ),
    "an optimiser that raises": Broken(
        "optimizer",
        "import torch\nclass f(torch.optim.SGD):\n"
        "  def __init__(self, model): super().__init__(model.parameters())\n"
        "  def step(self): return 1 / 0",
        "parts.py:4: f raised ZeroDivisionError: division by zero; fix the file",
    ),
    "no share": Broken("schedule", "def f(*where): return None", "got None at step 0"),
    "a share below 0": Broken("schedule", "def f(s, n, e): return 1 - s", "got -1 at step 2"),
    "a share without end": Broken("schedule", "def f(*w): return float('inf')", "got inf at step 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_part_that_breaks_its_contract_is_told_with_file_and_rule(
    name: str, tmp_path: Path
) -> None:
    broken = BROKEN[name]
    settings = settings_of(
        FIELDS[broken.field], tmp_path, broken.file, **{"name": "f", **broken.more}
    )

    with pytest.raises(PartError) as caught:
        trained({broken.field: settings})

    told = str(caught.value)
    assert broken.words in told
    assert told.startswith(str(tmp_path / "parts.py"))
    assert len(told.splitlines()) == 1
    assert told.endswith("; fix the file") == (" raised " in told)


def test_the_users_own_error_is_the_cause_and_its_lines_are_those_that_ran(tmp_path: Path) -> None:
    config = small_config(
        {"loss": settings_of(FileLoss, tmp_path, "def f(z):\n    return z.nothing\n", name="f")}
    )
    (tmp_path / "parts.py").write_text("# another by now\n" * 9)

    with pytest.raises(PartError) as caught:
        pretrain(config, textures(), HERE, Curve())

    import traceback

    told = "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value.__cause__, AttributeError)
    assert "return z.nothing" in told
    assert "another by now" not in told


# ------------------------------------------------------------------------- bytes, hashes and names


def test_what_was_hashed_is_what_runs_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    settings = settings_of(FileLoss, tmp_path, options={"temperature": 0.2})
    config = small_config({"loss": settings})
    (tmp_path / "parts.py").unlink()

    own = pretrain(config, textures(), HERE, Curve())

    assert equal_states(own.state, trained({"loss.temperature": 0.2}).state)


def test_a_file_that_is_another_by_now_is_refused_and_both_hashes_are_told(tmp_path: Path) -> None:
    file = "def f(z):\n    return z.square().mean()\n# unread so far\n"
    (tmp_path / "f.py").write_text(file + "# changed\n")
    part = FileLoss(path=str(tmp_path / "f.py"), name="f", sha256=digest(file))
    gone = part.model_copy(update={"path": str(tmp_path / "g.py")})

    with pytest.raises(PartError, match=r"f.py changed since it was planned: its hash is"):
        part(torch.rand(4, 2))
    with pytest.raises(PartError) as caught:
        gone(torch.rand(4, 2))

    assert str(caught.value) == (
        f"the file of f must name a Python file, but there is no {tmp_path / 'g.py'}; did you mean "
        f"{tmp_path / 'f.py'}?"
    )


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    parts: list[FileLoss] = []
    for factor in (2, 3):
        folder = tmp_path / str(factor)
        folder.mkdir()
        (folder / "f.py").write_text(
            f"FACTOR = {factor}\ndef f(z):\n    return FACTOR * z.mean()\n"
        )
        settings = {"kind": "file", "path": str(folder / "f.py"), "name": "f"}
        parts.append(check({"loss": settings}).loss)  # pyright: ignore[reportArgumentType]
    z = torch.ones(4, 2)

    assert [float(part(z)) for part in (*parts, *parts)] == [2, 3, 2, 3]


def test_executing_leaves_the_path_as_it_was_and_no_module_behind() -> None:
    path, modules = list(sys.path), set(sys.modules)
    part = loss("import dataclasses\n@dataclasses.dataclass\nclass f:\n    a: 'int' = 1\n"
                "    def __call__(self, z):\n        return z.mean() * self.a\n")  # fmt: skip

    assert float(part(torch.ones(2, 2))) == 1
    assert len({name for name in sys.modules if name.startswith("own_part_")} - modules) == 1
    assert sys.path == path
    del part
    gc.collect()

    assert not {name for name in sys.modules if name.startswith("own_part_")} - modules


def test_any_byte_of_the_file_enters_the_identity_and_its_place_does_not(tmp_path: Path) -> None:
    def identity(folder: Path, text: str) -> dict[str, Any]:
        folder.mkdir(exist_ok=True)
        changes = {
            field if field != "views.operations.1" else "views.operations": settings
            if field != "views.operations.1"
            else [{"kind": "crop"}, settings]
            for field, kind in FIELDS.items()
            for settings in [settings_of(kind, folder, text)]
        }
        return small_config(changes).encoder_identity()

    here, there = identity(tmp_path / "a", FILE), identity(tmp_path / "b", FILE)
    changed = identity(tmp_path / "a", FILE + "\n")

    assert here == there
    assert all(here[family] != changed[family] for family in ("views", *list(FIELDS)[:5]))
    assert str(tmp_path) not in str(here)


def test_a_part_in_options_is_a_text_and_no_part() -> None:
    inner = {"kind": "file", "path": "elsewhere.py"}
    part = made(FileLoss, options={"inner": inner})
    config = Config(loss=part).resolved("cpu")

    assert config.encoder_identity()["loss"]["options"] == {"inner": inner}
    assert [field for field, _ in files_of(config.model_dump(mode="json"))] == ["loss"]


def test_a_file_is_executed_by_a_training_and_by_nothing_before_it(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    file = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n" + FILE
    config = small_config({"encoder": settings_of(FileEncoder, tmp_path, file)})

    config.encoder_identity(), config.model_dump_json(), config.resolved("cuda")
    assert not marker.exists()
    state = pretrain(config, textures(), HERE, Curve()).state
    assert marker.exists()
    marker.unlink()
    evaluate(config, textures(), state, HERE, Curve())


@pytest.mark.parametrize(
    ("file", "more", "line"),
    [
        ("f = (", {}, ("loss.path: must name a Python file, but parts.py:1 is not valid Python: "
                      "'(' was never closed")),
        ("f = 1\0", {}, "loss.path: must name a Python file, but parts.py"),
        ("def g(): pass", {}, ("loss.name: must be defined at the top level of parts.py, got 'f'; "
                              "there are g")),
        ("def ff(): pass", {}, ("loss.name: must be defined at the top level of parts.py, got 'f'; "
                               "did you ")),
        ("", {}, ("loss.name: must be defined at the top level of parts.py, got 'f'; the file "
                 "defines nothing")),
        ("def f(): g = 1", {"name": "g"}, ("loss.name: must be defined at the top level of "
                                          "parts.py, got 'g'")),
        ("def f(): pass", {"path": "part.py"}, "loss.path: must name a Python file, but there is no"),
        ("def f(): pass", {"path": "."}, "loss.path: must name a Python file, got the folder ."),
        ("def f(): pass", {"path": ""}, "loss.path: "),
        ("def f(): pass", {"path": "a\0b"}, "loss.path: must name a readable file, but a"),
        ("def f(): pass", {"path": "parts.py/x"}, "loss.path: must name a readable file, but parts"),
        ("#" * 1_000_001, {}, "loss.path: must name a file of at most 1000000 bytes, but parts.py"),
        ("import beside\nf = 1", {}, "loss.path: must be self-contained, but parts.py:1 imports beside"),
        ("def f():\n  from . import beside", {}, "loss.path: must be self-contained, but parts.py:2 imp"),
        ("def f(): pass", {"options": [1]}, "loss.options: must be a mapping of fields, got [1]"),
        ("def f(): pass", {"options": {"a": 1e999}}, ("loss.options: must be plain JSON with "
                                                         "finite numbers, but Out of range")),
        ("def f(): pass", {"sha256": "0" * 64}, "loss.sha256: must be that of parts.py, "),
        ("def f(): pass", {"sha256": "0x"}, "loss.sha256: must be 64 hexadecimal digits, got '0x'"),
        ("def f(): pass", {"names": "f"}, "loss.names: no such field; did you mean loss.name?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_anything_is_executed(
    file: str, more: dict[str, Any], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parts.py").write_text(file)
    Path("beside.py").write_text("")
    found = [
        str(m)
        for m in mistakes({"loss": {"kind": "file", "path": "parts.py", "name": "f", **more}})
    ]

    assert len(found) == 1
    assert found[0].startswith(line)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_an_own_optimiser_needs_a_rate_above_0(rate: float, tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text("def f(model): pass")
    own = {"kind": "file", "path": str(tmp_path / "parts.py"), "name": "f"}

    [wrong] = mistakes({"optimizer": {**own, "learning_rate": rate}})
    [left_out] = mistakes({"optimizer": own})

    assert {wrong.field, left_out.field} == {"optimizer.learning_rate"}


def test_a_file_that_is_no_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_bytes(b"f = 1\n# M\xfcller\n")

    with pytest.raises(
        ConfigurationError, match=r"text file in UTF-8, but .*f.py:2 has the byte 0xfc"
    ):
        check({"loss": {"kind": "file", "path": str(tmp_path / "f.py"), "name": "f"}})


def test_a_mark_of_byte_order_and_line_ends_of_windows_are_python_too(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf# -*- coding: utf-8 -*-\r\ndef f(z):\r\n    return z.mean()\r\n"
    (tmp_path / "f.py").write_bytes(data)

    part = check({"loss": {"kind": "file", "path": str(tmp_path / "f.py"), "name": "f"}}).loss

    import hashlib

    assert isinstance(part, FileLoss)
    assert part.sha256 == hashlib.sha256(data).hexdigest()
    assert part.text().encode() == data
    assert float(part(torch.ones(2, 2))) == 1


def test_from_python_a_path_is_meant_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.py").write_text("def f(z):\n    return z.square().mean()\n")
    config = small_config().model_copy(update={"loss": FileLoss(path="f.py", name="f")})

    resolved = config.resolved("cpu")

    assert resolved.loss.sha256 == digest(Path("f.py").read_text())  # pyright: ignore[reportAttributeAccessIssue]
    assert resolved.resolved("cpu") == resolved
    Path("f.py").unlink()
    with pytest.raises(
        ConfigurationError, match=r"^path: must name a Python file, but there is no f"
    ):
        config.resolved("cpu")


def test_every_family_ends_with_its_part_of_ones_own() -> None:
    for field, kind in FIELDS.items():
        part = made(kind)
        family = AnyLoss if field == "loss" else Any
        assert part.kind == "file"
        assert TypeAdapter(family).validate_python(part) == part
    assert {*NAMES, FileOptimizer} == set(FIELDS.values())
    assert NTXent().kind == "nt_xent"

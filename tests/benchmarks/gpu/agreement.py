"""Agreement: the GPU with the CPU up to rounding, and the GPU with itself bit for bit."""

from collections.abc import Mapping
from typing import Any

import torch
from benchmarks.gpu.child import Bench
from benchmarks.gpu.settings import config, execution, textures
from torch import Tensor

from simclr_core import Config, Curve, Symmetric, draw_views, pretrain
from simclr_core.augment import Crop
from simclr_core.chance import Chance
from simclr_core.training import Member, SideBySide, capture

VIEWS = ("first", "second")
_FAILED: list[Any] = []
LEVELS = ("solarise", "equalise", "auto_augment")
"""Operations with borders between levels: where a rounding crosses one, the view differs by a level."""

OPERATIONS: dict[str, list[dict[str, Any]]] = {
    "crop": [{"kind": "crop"}],
    "crop, sampled by height": [{"kind": "crop", "sampler": "height"}],
    "colour": [{"kind": "crop"}, {"kind": "colour"}],
    "colour, random order, additive": [
        {"kind": "crop"},
        {"kind": "colour", "order": "random", "brightness": "additive"},
    ],
    **{
        kind: [{"kind": "crop"}, {"kind": kind}]
        for kind in (
            *("cutout", "sobel", "noise", "blur", "rotation", "motion_blur"),
            *LEVELS,
        )
    },
    "default": [{"kind": "crop"}, {"kind": "colour", "strength": 0.5}, {"kind": "blur"}],
}

STEPS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "lars": {"optimizer": {"kind": "lars"}},
    "sgd": {"optimizer": {"kind": "sgd"}},
    "every operation": {
        "views.operations": list(OPERATIONS["crop"])
        + [OPERATIONS[kind][1] for kind in OPERATIONS if len(OPERATIONS[kind]) == 2]
    },
    "one branch": {"views": {"kind": "one_branch", "branch": [{"kind": "colour"}]}},
    "three views": {"views.num_views": 3},
    "shuffled positives": {"shuffled_positives": True},
    "supervised contrastive": {"loss": {"kind": "sup_con"}},
    "semi-hard triplets": {"loss": {"kind": "margin_triplet", "semi_hard": True}},
    "logistic pairs": {"loss": {"kind": "nt_logistic"}},
    "classifier": {
        "loss": {"kind": "cross_entropy"},
        "head": {"kind": "linear", "output": 10, "batch_norm": False},
    },
    "transformer": {"encoder": {"kind": "vit", "patch": 8, "dim": 64, "depth": 2, "heads": 2}},
    "ResNet-18": {"encoder": {"kind": "resnet", "depth": 18, "stem": "cifar"}},
    "fp32": {"precision": "fp32"},
}
"""What a step can be made of: each is captured and compared with the same step run kernel by kernel."""


def run(bench: Bench) -> None:
    """Views, steps on both devices, captured steps, packs, resumed runs."""
    bench.tried("crops", lambda: _crops(bench))
    for name, operations in list(OPERATIONS.items())[:: 5 if bench.miniature else 1]:
        bench.tried(f"views: {name}", lambda n=name, o=operations: _views(bench, n, o))
    bench.tried("20 steps", lambda: _twenty_steps(bench))
    kinds = list(STEPS)[:3] if bench.miniature else list(STEPS)
    for name in kinds:
        bench.tried(f"captured: {name}", lambda n=name: _captured(bench, n, STEPS[n]))
    bench.tried("pack", lambda: _pack(bench))
    for name in ("adamw", "lars", "sgd"):
        bench.tried(f"resumed: {name}", lambda n=name: _resumed(bench, n, STEPS[n]))


def _crops(bench: Bench) -> None:
    """How many crops have another box on the device: the one thing that can differ by a pixel."""
    num = 32 if bench.miniature else 20_000
    here, there = torch.arange(num), torch.arange(num, device=bench.device)
    for sampler in ("area", "height"):
        crop = Crop(sampler=sampler)
        boxes = [
            torch.cat(
                [
                    crop.draw(
                        Chance.of(0, 0, index).at(view, crop.stream),
                        torch.full((num, 2), 32, device=index.device),
                    ).boxes.cpu()
                    for view in VIEWS
                ]
            )
            for index in (here, there)
        ]
        off = (boxes[0] - boxes[1]).abs().amax(1)
        note = f"the farthest by {int(off.max())} px"
        bench.row(
            f"crops with another box, by {sampler}", int((off > 0).sum()), n=2 * num, note=note
        )


def _views(bench: Bench, name: str, operations: list[dict[str, Any]]) -> None:
    """The largest difference of a view's numbers, of views whose crops have equal boxes."""
    dataset = textures(miniature=bench.miniature)
    images = dataset.pretraining_images()
    index = torch.arange(min(512, len(images)))
    chance = Chance.of(0, 0, index)
    views = Symmetric.model_validate({"operations": operations})
    here = torch.cat(draw_views(views, *images.batch(index), chance, dataset.size))
    there = draw_views(views, *images.to(bench.device).batch(index), chance, dataset.size)
    off_M = (torch.cat(there).cpu() - here).abs().flatten(1).amax(1)
    apart = int((off_M > 1e-3).sum())
    alike_M = off_M[off_M <= 1e-3]
    largest = float(alike_M.max()) if len(alike_M) else float("nan")
    note = f"{apart} views by more than 0.001" if apart else ""
    bench.row(f"views, largest difference: {name}", largest, n=len(off_M), note=note)


def _twenty_steps(bench: Bench) -> None:
    """The losses of 20 steps in fp32 on the CPU and on the device."""
    dataset = textures(miniature=bench.miniature)
    changes: dict[str, Any] = {"precision": "fp32", "batch_size": 400, "epochs": 4}
    made = config(changes, miniature=bench.miniature)
    if bench.miniature:
        made = made.model_copy(update={"epochs": 3})
    curves = {device: _curve(made, device, dataset) for device in ("cpu", bench.device)}
    pairs = list(zip(*(curves[device] for device in ("cpu", bench.device)), strict=True))
    largest = max(abs(a - b) for a, b in pairs)
    note = f"the last losses are {pairs[-1][0]:.6f} and {pairs[-1][1]:.6f}"
    bench.row(
        "fp32 steps, largest difference of the loss", largest, "nats", n=len(pairs), note=note
    )


def _curve(made: Config, device: str, dataset: Any) -> list[float]:
    curve = Curve()
    pretrain(made, dataset, execution(device), curve)
    return [loss for loss in curve.columns()["loss"] if loss is not None]


def _members(bench: Bench, changes: list[Mapping[str, Any]], num_steps: int) -> list[Member]:
    """Members with these changes, after so many steps together."""
    together = SideBySide(textures(miniature=bench.miniature), execution(bench.device))
    for each in changes:
        together.add(config(each, miniature=bench.miniature))
    together.run(num_steps)
    return together.members


def _captured(bench: Bench, name: str, changes: Mapping[str, Any]) -> None:
    """A captured run against one whose steps are all run kernel by kernel."""
    num = 4 if bench.miniature else 12
    [captured] = _members(bench, [changes], num)
    # One failed capture ends all later ones of a process; here each is to be tried.
    _FAILED.extend(capture._broken)
    capture._broken.clear()
    bench.spoilt = bool(_FAILED)
    eager = SideBySide(textures(miniature=bench.miniature), execution(bench.device))
    member = eager.add(config(changes, miniature=bench.miniature))
    member._training.advance = member._training.step
    eager.run(num)
    why = captured.why_eager
    note = "captured" if why is None else f"NOT captured: {why}"
    bench.wrong += bench.device == "cuda" and why is not None
    _bits(bench, f"captured = kernel by kernel: {name}", _same(captured, member), num, note)


def _pack(bench: Bench) -> None:
    """Each member of a pack against the same run alone, and alone twice."""
    num = 4 if bench.miniature else 30
    changes: list[Mapping[str, Any]] = [
        {"seed": seed, **STEPS[name]}
        for seed, name in enumerate(("adamw", "adamw", "lars", "shuffled positives"))
    ]
    pack = _members(bench, changes, num)
    for place, each in enumerate(changes):
        [alone] = _members(bench, [each], num)
        _bits(bench, f"member {place} of a pack of 4 = alone", _same(pack[place], alone), num)
    [first], [second] = (_members(bench, [STEPS["ResNet-18"]], num // 2) for _ in range(2))
    _bits(bench, "ResNet-18 twice", _same(first, second), num // 2)


def _bits(bench: Bench, what: str, found: str, n: int, note: str = "") -> None:
    """A row that should say `equal`."""
    bench.wrong += found != "equal"
    bench.row(what, found, n=n, note=note)


def _same(one: Member, other: Member) -> str:
    """Whether losses and encoders are equal to the bit, else by how much they differ."""
    states = one.encoder.state_dict(), other.encoder.state_dict()
    losses = one.losses(), other.losses()
    if torch.equal(*losses) and all(torch.equal(states[0][n], states[1][n]) for n in states[0]):
        return "equal"
    return f"off by {float((losses[0] - losses[1]).abs().max()):.2g}"


class _Memory:
    """The last checkpoint, in memory."""

    def __init__(self) -> None:
        self.last: bytes | None = None
        self.refused = ""

    def load(self) -> bytes | None:
        return self.last

    def save(self, packed: bytes) -> None:
        self.last = packed

    def refuse(self, why: str) -> None:
        self.refused = why


class _StopAt(Curve):
    """Stops a run once so many steps are done; 0 never does."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step, self._done = step, 0

    def progress(self, done: int, total: int) -> None:
        del total
        self._done = done

    def should_stop(self) -> bool:
        return bool(self._step) and self._done >= self._step


def _resumed(bench: Bench, name: str, changes: Mapping[str, Any]) -> None:
    """A run that was stopped within an epoch and resumed, against one that was not."""
    dataset = textures(miniature=bench.miniature)
    made = config({**changes, "epochs": 3}, miniature=bench.miniature)
    on, memory, stop_at = execution(bench.device), _Memory(), 10
    whole = pretrain(made, dataset, on, Curve())
    pretrain(made, dataset, on, _StopAt(stop_at), memory)
    rest = pretrain(made, dataset, on, Curve(), memory)
    assert not memory.refused, memory.refused
    assert rest.facts["resumed_at_step"] == [stop_at]
    same = "equal" if _equal(whole.state, rest.state) else "different"
    note = f"resumed at step {stop_at}"
    _bits(bench, f"resumed = uninterrupted: {name}", same, whole.steps, note)


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)

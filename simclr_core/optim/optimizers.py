"""Optimisers of pre-training, and the rules that scale their rates with the batch.

In all of them, weight decay does not apply to biases and batch norm, as in the paper's LARS, nor to the
class token and positions of a transformer, as in timm, since these are not weights of a layer.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from simclr_core.base import Departure, Frozen
from simclr_core.plugins import FromFile

_Share = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Frozen):
    """The contract of an optimiser: its base rate, how that scales with the batch, what it builds."""

    rate_on_device: ClassVar[bool] = True
    """Whether what it builds takes a rate in the memory of a GPU, so that a step can be replayed."""

    learning_rate: float
    scaling: Literal["none", "linear", "square_root"]

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of all weights of `model`; its rate is set before each step."""

    def departures(self, *, supervised: bool) -> Iterable[Departure]:
        """How it differs from the paper, if that depends on the trained network."""
        del supervised
        return ()

    def peak(self, batch_size: int) -> float:
        """The learning rate at the end of warm-up.

        linear: learning_rate x B / 256 (paper, 2.3); square_root: learning_rate x sqrt(B) (B.1).
        """
        match self.scaling:
            case "linear":
                return self.learning_rate * batch_size / 256
            case "square_root":
                return self.learning_rate * batch_size**0.5
            case "none":
                return self.learning_rate


class Lars(Optimizer):
    """Layer-wise adaptive rates (You et al. 2017), in the paper's classic form (lars_optimizer.py).

    For weights: g <- g + decay w; rate x trust |w| / |g| (1 if either norm is zero) multiplies g
    before it enters the momentum. Biases and batch norm get neither decay nor adaptation.
    """

    kind: Literal["lars"] = "lars"

    learning_rate: float = Field(default=0.3, gt=0, allow_inf_nan=False)
    """Base rate; 0.3 x 4096 / 256 = 4.8 in the paper, 0.075 with square-root scaling."""

    scaling: Literal["none", "linear", "square_root"] = "linear"
    """How the rate scales with the batch: with B / 256, with sqrt(B), or not at all."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """The share of the last update that enters the next."""

    weight_decay: float = Field(default=1e-6, ge=0, allow_inf_nan=False)
    """Multiplies the weights and is added to their gradient."""

    trust: float = Field(default=0.001, gt=0, allow_inf_nan=False)
    """The trust coefficient, eeta in the official code."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        weights, excluded = _groups(model)
        return _Lars(
            [
                {"params": weights, "adapted": True, "weight_decay": self.weight_decay},
                {"params": excluded, "adapted": False, "weight_decay": 0.0},
            ],
            {"lr": self.learning_rate, "momentum": self.momentum, "trust": self.trust},
        )

    def departures(self, *, supervised: bool) -> Iterable[Departure]:
        """A classifier's matrix is a weight like every other."""
        if supervised:
            yield Departure(
                "optimizer",
                "LARS adapts the classifier's matrix like any other",
                "the official code does not adapt it and decays it by an L2 term of the loss",
            )


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"

    learning_rate: float = Field(default=0.03, gt=0, allow_inf_nan=False)
    """Base rate."""

    scaling: Literal["none", "linear", "square_root"] = "linear"
    """How the rate scales with the batch: with B / 256, with sqrt(B), or not at all."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """The share of the last update that enters the next."""

    nesterov: bool = False
    """Looks ahead by the momentum; needs momentum above zero."""

    weight_decay: float = Field(default=1e-6, ge=0, allow_inf_nan=False)
    """Multiplies the weights and is added to their gradient."""

    @model_validator(mode="after")
    def _looks_ahead_by_something(self) -> "Sgd":
        if self.nesterov and self.momentum == 0:
            raise PydanticCustomError(
                "shape", "nesterov needs momentum above 0, got momentum 0", {}
            )
        return self

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            _decayed(model, self.weight_decay),
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            fused=True,
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"

    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    """Base rate."""

    scaling: Literal["none", "linear", "square_root"] = "none"
    """How the rate scales with the batch: with B / 256, with sqrt(B), or not at all."""

    betas: tuple[_Share, _Share] = (0.9, 0.999)
    """How fast the two running means forget; each at least 0 and below 1."""

    weight_decay: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    """Multiplied by the learning rate: the share by which the weights shrink at each step."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            _decayed(model, self.weight_decay),
            lr=self.learning_rate,
            betas=self.betas,
            fused=True,
        )


class FileOptimizer(FromFile, Optimizer):
    """A custom optimiser: ``build(model, **options) -> torch.optim.Optimizer``.

    ``model`` contains encoder and head; a class instead of a function takes the same arguments. Each
    group's `lr` is set before each step: from `learning_rate`, its scaling and the schedule. It is a
    float on every device.
    """

    rate_on_device: ClassVar[bool] = False

    learning_rate: float = Field(gt=0, allow_inf_nan=False, examples=[0.001])
    """Base rate."""

    scaling: Literal["none", "linear", "square_root"] = "none"
    """How the rate scales with the batch: with B / 256, with sqrt(B), or not at all."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser that the file builds for `model`.

        Raises:
            PartError: the file raises, or makes something else.
        """
        with self.blamed():
            made: Any = self.named(model, **self.options)
        if not isinstance(made, torch.optim.Optimizer):
            raise self.refused(f"must return a torch.optim.Optimizer, got {type(made).__name__}")
        made.step = self.guarded(made.step)
        return made


AnyOptimizer = Annotated[Lars | Sgd | AdamW | FileOptimizer, Field(discriminator="kind")]


# As torch's own optimisers do it: one kernel for all weights, where a GPU has it.
_all = vars(torch)
_add, _add_, _mul_ = _all["_foreach_add"], _all["_foreach_add_"], _all["_foreach_mul_"]
_norm, _sub_ = _all["_foreach_norm"], _all["_foreach_sub_"]


class _Lars(torch.optim.Optimizer):
    """Lars's state: one momentum a weight."""

    def __init__(self, groups: Iterable[dict[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] -- no closure is evaluated
        """One update from the gradients as they stand; a rate on the device is not read."""
        assert closure is None, "LARS does not accept a closure"
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if not weights:
                continue
            steps = _add([w.grad for w in weights], weights, alpha=group["weight_decay"])
            if group["adapted"]:
                w_norms, g_norms = (torch.stack(_norm(each)) for each in (weights, steps))
                known = (w_norms > 0) & (g_norms > 0)
                ratios = torch.where(known, group["trust"] * w_norms / g_norms, 1.0)
                _mul_(steps, list(ratios.unbind()))
            momenta = [self._momentum(w) for w in weights]
            _mul_(momenta, group["momentum"])
            if isinstance(group["lr"], Tensor):
                _mul_(steps, group["lr"])
                _add_(momenta, steps)
            else:
                _add_(momenta, steps, alpha=group["lr"])
            _sub_(weights, momenta)

    def _momentum(self, w: Tensor) -> Tensor:
        if w not in self.state:
            self.state[w]["momentum"] = torch.zeros_like(w)
        return self.state[w]["momentum"]


_NO_WEIGHTS = ("cls_token", "pos_embed")
"""Parameters that are added to tokens, though they have more than one dimension."""


def _groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Kernels and matrices, then the rest: biases, scales and shifts, what is added to tokens."""
    weights, excluded = list[nn.Parameter](), list[nn.Parameter]()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            added = name.rpartition(".")[2] in _NO_WEIGHTS
            (excluded if added or parameter.ndim <= 1 else weights).append(parameter)
    return weights, excluded


def _decayed(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    weights, excluded = _groups(model)
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": excluded, "weight_decay": 0.0},
    ]

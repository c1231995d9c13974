"""The contracts of encoders f and heads g: everything that configuration and training need from them."""

from abc import abstractmethod
from typing import ClassVar, Literal

from torch import nn

from simclr_core.base import Frozen

Layer = Literal["h", "g1", "g2", "g3", "z"]
"""The layers that can be evaluated: the representation, the head's hidden layers and its output."""


class Encoder(Frozen):
    """A network f: images -> h. A member overrides what differs from these defaults.

    Each has `num_features`, the length of h: a property, or a field if only the user knows it.
    """

    trains: ClassVar[bool] = True
    """Whether it has weights to train."""

    @abstractmethod
    def build(self, seed: int, size: int) -> nn.Module:
        """The network at its initialisation, for images of this side; depends only on the seed."""

    @abstractmethod
    def outline(self, size: int) -> nn.Module | None:
        """The network on torch's meta device, which has shapes but needs no memory.

        None if this would require executing a user's file.
        """

    def building_lines(self, size: int) -> list[str]:
        """Python code that builds the network, with any weights, as `model`."""
        fields = self.model_dump(exclude_defaults=True)
        words = ", ".join(f"{n}={v!r}" for n, v in fields.items() if v is not None)
        name = type(self).__name__
        return [
            f"from {type(self).__module__} import {name}",
            f"model = {name}({words}).build(0, {size})",
        ]

    def check_size(self, size: int) -> None:
        """Whether it takes images of this side, as a validator of pydantic."""


class Head(Frozen):
    """A network g: h -> z. A member overrides what differs from these defaults."""

    @abstractmethod
    def build(self, num_features: int, seed: int) -> nn.Module:
        """The head at its initialisation; depends only on the seed."""

    @abstractmethod
    def outline(self, num_features: int) -> nn.Module | None:
        """The head on torch's meta device; None if this would require executing a user's file."""

    @abstractmethod
    def num_outputs(self, num_features: int) -> int | None:
        """The length of z; None if this would require executing a user's file."""

    @property
    def num_hidden_layers(self) -> int:
        """Hidden layers that can be evaluated, 0 to 3."""
        return 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that can be evaluated of a network with this head."""
        hidden: tuple[Layer, ...] = ("g1", "g2", "g3")
        return ("h", *hidden[: self.num_hidden_layers], "z")

"""Encoders and heads from a user's file.

Letters: B images of S x S pixels, M = 2B views, D embedding.
"""

from typing import Any

from pydantic import Field
from torch import Tensor, nn

from simclr_core.networks.contract import Encoder, Head
from simclr_core.plugins import FromFile, shape_text
from simclr_core.seeds import global_chance


class FileEncoder(FromFile, Encoder):
    """A custom encoder: ``build(seed, **options) -> torch.nn.Module``.

    The module maps [B, 3, S, S], float32 in [0, 1], to h, [B, num_features]. What is drawn from the
    global generators while it is built, such as torch's own first weights, depends on the seed.
    """

    num_features: int = Field(ge=1, examples=[512])
    """The length of h."""

    def outline(self, size: int) -> None:
        del size

    def building_lines(self, size: int) -> list[str]:
        del size
        return [
            f"# model = {self.name}(...) from your own file, which is saved with the trial's record"
        ]

    def build(self, seed: int, size: int | None = None) -> nn.Module:
        """The network at its initialisation, for images of any side that it accepts.

        Raises:
            PartError: the file raises, or makes something else.
        """
        del size
        with global_chance(seed, "encoder"):
            network = _module(self, (seed,), (self.num_features,))
        if next(network.parameters(), None) is None:
            raise self.refused("must return a module with weights, got one without any")
        return network


class FileHead(FromFile, Head):
    """A custom head: ``build(num_features, seed, **options) -> torch.nn.Module``.

    The module maps h, [M, num_features], to z, [M, D] with any D. Chance as in FileEncoder.
    """

    def outline(self, num_features: int) -> None:
        del num_features

    def num_outputs(self, num_features: int) -> None:
        del num_features

    def build(self, num_features: int, seed: int) -> nn.Module:
        """The head at its initialisation.

        Raises:
            PartError: the file raises, or makes something else.
        """
        with global_chance(seed, "head"):
            return _module(self, (num_features, seed), None)


def _module(component: FromFile, given: tuple[int, ...], features: tuple[int] | None) -> nn.Module:
    """What the file builds, watched: each output is to be a vector an image."""
    with component.blamed():
        made: Any = component.named(*given, **component.options)
    if not isinstance(made, nn.Module):
        raise component.refused(f"must return a torch.nn.Module, got {type(made).__name__}")
    inner = component.guarded(made.forward)
    wanted = f"[B, {features[0]}]" if features else "[B, D]"

    def forward(x: Tensor) -> Tensor:
        out: Any = inner(x)
        if not isinstance(out, Tensor) or not out.is_floating_point():
            got = shape_text(out) if isinstance(out, Tensor) else type(out).__name__
            raise component.refused(f"must map images to a tensor of floats {wanted}, got {got}")
        if out.ndim != 2 or len(out) != len(x) or (features and out.shape[1:] != features):
            raise component.refused(f"must map {len(x)} images to {wanted}, got {shape_text(out)}")
        return out

    made.forward = forward
    return made

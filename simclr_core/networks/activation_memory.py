"""Forward and backward passes through encoder and head for batches that do not fit in memory.

Recomputation stores only the input of each block instead of all inner activations, and visits the
block once more in the backward pass: the same numbers, for about a third more time. Gradient caching
(Gao et al. 2021) takes the images in chunks: the embeddings of all chunks without gradients, the
loss and its gradient by embedding, then each chunk once more with its share of that gradient. The
loss is that of the whole batch, but batch norm sees a chunk at a time.

Both visit some layers twice; batch norm's running statistics are moved once: by recomputation with
each batch, by gradient caching with each chunk, hence more often.

Shape suffixes: B images, M = V B views (rows i, i + B, ... show one image), D embedding.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class BlockNetwork(nn.Module):
    """A network of blocks that can be recomputed."""

    recompute = False
    """Whether blocks keep their inputs only and are computed again in the backward pass."""


def recompute_blocks(network: nn.Module) -> bool:
    """Makes a network recompute its blocks; False where it has none."""
    if not isinstance(network, BlockNetwork):
        return False
    network.recompute = True
    return True


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """The block's output; its inner activations are recomputed in the backward pass."""
    y: Tensor = checkpoint(  # pyright: ignore[reportUnknownVariableType, reportAssignmentType] -- torch types it as unknown
        block,
        x,
        use_reentrant=False,
        preserve_rng_state=False,  # nothing within draws
        context_fn=lambda: (nullcontext(), still_statistics(block)),
    )
    return y


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:  # pyright: ignore[reportPrivateUsage]
    """Its batch norm layers, of images or vectors."""
    base = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- of all dimensions
    return [module for module in network.modules() if isinstance(module, base)]


@contextmanager
def still_statistics(network: nn.Module) -> Generator[None]:
    """Within it batch norm norms by the batch, as in training, and moves no running statistic."""
    norms = batch_norms(network)
    # A momentum of 0 keeps what is there; without statistics autograd would keep other tensors.
    counts = [norm.num_batches_tracked for norm in norms]
    before = [
        (norm.momentum, None if c is None else c.clone())
        for norm, c in zip(norms, counts, strict=True)
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)


def cached(
    network: Callable[[Tensor], Tensor],
    modules: nn.Module,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    num_images: int,
    chunk: int,
    precision: Callable[[], AbstractContextManager[object]],
) -> tuple[Tensor, Tensor]:
    """The loss of all views in `x` and their embeddings; gradients are added to the parameters.

    `network` gives embeddings and `modules` holds its layers; `chunk` images are taken at a time
    with all their views. `precision` is entered around each pass.
    """
    rows = torch.arange(len(x), device=x.device).view(-1, num_images)
    parts = [part.flatten() for part in rows.split(chunk, dim=1)]
    found: list[Tensor] = []
    began: list[tuple[Tensor, Tensor | None]] = []
    with torch.no_grad(), still_statistics(modules), precision():
        for part in parts:
            began.append(_global_chance(x.device))
            found.append(network(x[part]))
    z_MD = found[0].new_empty(len(x), found[0].shape[1])
    for part, z in zip(parts, found, strict=True):
        z_MD[part] = z
    z_MD.requires_grad_()
    with precision():
        value = loss(z_MD)
    [gradient_MD] = torch.autograd.grad(value, z_MD)
    for part, chance in zip(parts, began, strict=True):
        _go_back_to(chance, x.device)  # what a part of the user's own drops, it drops again
        with precision():
            z = network(x[part])
        z.backward(gradient_MD[part])
    return value.detach(), z_MD.detach()


def _global_chance(device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Where torch's global generators stand."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), cuda


def _go_back_to(chance: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    cpu, cuda = chance
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state(cuda, device)

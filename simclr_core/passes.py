"""Forward and backward through encoder and head for batches that memory does not hold.

Recomputation keeps the input of each block in place of all that happens within, and visits the
block once more on the way back: the same numbers, for about a third more time. Gradient caching
(Gao et al. 2021) takes the images in chunks: the embeddings of all chunks without gradients, the
loss and its gradient by embedding, then each chunk once more with its share of that gradient. The
loss is that of the whole batch, but batch norm sees a chunk at a time.

Both visit some layers twice; batch norm's running statistics are moved once.

Shape suffixes: B images, M = V B views (rows i, i + B, ... show one image), D embedding.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """The block's output; what happens within is computed anew on the way back."""
    y: Tensor = checkpoint(  # pyright: ignore[reportUnknownVariableType, reportAssignmentType] -- torch types it as unknown
        block,
        x,
        use_reentrant=False,
        preserve_rng_state=False,  # nothing within draws
        context_fn=lambda: (nullcontext(), still_statistics(block)),
    )
    return y


@contextmanager
def still_statistics(network: nn.Module) -> Generator[None]:
    """Within it batch norm norms by the batch, as in training, and moves no running statistic."""
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 -- the base of all dimensions
    ]
    # A momentum of 0 keeps what is there; without statistics autograd would keep other tensors.
    before = [(norm.momentum, int(norm.num_batches_tracked or 0)) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.fill_(count)


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
    with torch.no_grad(), still_statistics(modules), precision():
        found = [network(x[part]) for part in parts]
    z_MD = found[0].new_empty(len(x), found[0].shape[1])
    for part, z in zip(parts, found, strict=True):
        z_MD[part] = z
    z_MD.requires_grad_()
    with precision():
        value = loss(z_MD)
    [gradient_MD] = torch.autograd.grad(value, z_MD)
    for part in parts:
        with precision():
            z = network(x[part])
        z.backward(gradient_MD[part])
    return value.detach(), z_MD.detach()

"""The representation h of images, from an encoder that is frozen, and what shows that it was.

Shape suffixes: n images, B views of side S, H features.
"""

import hashlib
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simclr_core.data import Images
from simclr_core.runtime import Execution

_BATCH = 512


@torch.no_grad()
def features(
    encoder: nn.Module,
    images: Images,
    size: int,
    execution: Execution,
    change: Callable[[Tensor, Tensor], Tensor] | None = None,
    pause: Callable[[], object] | None = None,
) -> Float[Tensor, "n H"]:
    """The h of each image's centre square, or of `change(squares, index)`; float32 on the CPU.

    The encoder is left in the mode it came in; within, it is in evaluation mode, so that neither
    its weights nor its batch norm statistics move. Always in fp32. `pause` is called after each part
    that is queued: other trials of this process may run then.
    """
    training = encoder.training
    encoder.eval()
    device = torch.device(execution.resolved_device)
    if images.of_one_shape:
        images = images.to(device)  # a copy that training made already
    parts: list[Tensor] = []
    for index in torch.arange(len(images)).split(_BATCH):
        x = images.centre_squares(index, size).to(device)
        x = x if change is None else change(x, index)
        parts.append(represented(encoder, x, execution))
        if pause is not None:
            pause()
    encoder.train(training)
    return torch.cat(parts).cpu()


@torch.no_grad()
def represented(
    encoder: nn.Module, x_B3SS: Float[Tensor, "B 3 S S"], execution: Execution
) -> Float[Tensor, "B H"]:
    """The h of views on the encoder's device, float32, in parts that fit into memory."""
    assert not encoder.training, "the encoder must be in evaluation mode"
    parts = x_B3SS.split(_BATCH)
    h = [encoder(x.contiguous(memory_format=execution.layout)).float() for x in parts]
    return torch.cat(h)


def state_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all weights and statistics, in hex."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

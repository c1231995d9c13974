"""The floor: an encoder at its initialisation, with batch norm statistics of the images."""

import math

import torch
from torch import nn

from simclr_core.config import Config
from simclr_core.execution import Execution, autocast
from simclr_core.images import Images
from simclr_core.passes import batch_norms
from simclr_core.seeds import generator

_BATCH = 512


@torch.no_grad()
def estimate_statistics(
    config: Config, encoder: nn.Module, images: Images, size: int, execution: Execution
) -> None:
    """Batch norm statistics of a random encoder: the mean over one pass of the training images.

    The images are shuffled first: in class folders neighbours are alike, and their variance small.
    """
    rng = generator(config.seed_of("initialisation"), "statistics")
    order = torch.randperm(len(images), generator=rng)
    norms = batch_norms(encoder)
    if not norms:
        return
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    encoder.train()
    device = torch.device(execution.resolved_device)
    for index in order.tensor_split(math.ceil(len(order) / _BATCH)):
        x = images.centre_squares(index, size).to(device)
        with autocast(config.precision, device):
            encoder(x.contiguous(memory_format=execution.layout))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum

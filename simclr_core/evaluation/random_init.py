"""The floor: an encoder at its initialisation, with batch norm statistics of the images."""

import math
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from simclr_core.config import Config
from simclr_core.data import Images
from simclr_core.evaluation.frozen_features import features
from simclr_core.networks import batch_norms
from simclr_core.runtime import Execution, autocast
from simclr_core.seeds import generator

_BATCH = 512


@torch.no_grad()
def estimate_statistics(
    config: Config, encoder: nn.Module, images: Images, size: int, execution: Execution
) -> None:
    """Batch norm statistics of a random encoder: the mean over one pass of the training images.

    The images are shuffled first: in class folders neighbours are alike, and their variance small.
    """
    if not batch_norms(encoder):
        return
    device = torch.device(execution.resolved_device)
    with _averaging(encoder):
        for index in _batches(config, len(images)):
            x = images.centre_squares(index, size).to(device)
            with autocast(config.precision, device):
                encoder(x.contiguous(memory_format=execution.layout))


@torch.no_grad()
def random_head(
    config: Config, encoder: nn.Module, images: Images, size: int, execution: Execution
) -> nn.Module:
    """The head at its initialisation, its statistics those of what the random encoder gives it."""
    seed = config.seed_of("initialisation")
    head = execution.place(config.head.build(config.encoder.num_features, seed))
    if batch_norms(head):
        x = features(encoder, images, size, execution)
        with _averaging(head):
            for index in _batches(config, len(images)):
                head(x[index].to(execution.resolved_device))
    return head


def _batches(config: Config, num_images: int) -> tuple[Tensor, ...]:
    rng = generator(config.seed_of("initialisation"), "statistics")
    order = torch.randperm(num_images, generator=rng)
    return order.tensor_split(math.ceil(len(order) / _BATCH))


@contextmanager
def _averaging(network: nn.Module) -> Generator[None]:
    """Within, batch norm collects the plain mean over all batches."""
    norms = batch_norms(network)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    yield
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum

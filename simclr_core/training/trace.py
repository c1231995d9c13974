"""What a training leaves behind on its device, for the host to read when it wants to.

Shape suffixes: M views of a step, D embedding, K steps that are remembered, R rows in all.
"""

import torch
from torch import Tensor

REMEMBERED = 1024
"""The last so many embeddings are remembered."""


class Trace:
    """The loss of each step, and the last embeddings; recording them is work of the device alone."""

    def __init__(self, num_steps: int, device: torch.device) -> None:
        wide = torch.float32 if device.type == "mps" else torch.float64
        self._losses = torch.zeros(num_steps, dtype=wide, device=device)
        self._began = 0
        self._earlier_RD: Tensor | None = None
        self._ring_KMD: Tensor | None = None

    def begin(self, done: int, last_RD: Tensor | None) -> None:
        """Goes on after `done` steps, with the embeddings that were the last then."""
        self._began, self._earlier_RD = done, last_RD

    def record(self, step: Tensor, loss: Tensor, z_MD: Tensor) -> None:
        """The detached loss and embeddings of step 0, 1, ..., a number on the device."""
        if self._ring_KMD is None:
            self._ring_KMD = self._new_ring(z_MD)
        at = step[None]
        self._losses.index_copy_(0, at, loss[None].to(self._losses.dtype))
        self._ring_KMD.index_copy_(0, at % len(self._ring_KMD), z_MD[None])

    @property
    def num_views(self) -> int:
        """M; 0 before the first step."""
        return 0 if self._ring_KMD is None else self._ring_KMD.shape[1]

    def losses(self, begin: int, end: int) -> Tensor:
        """Of steps `begin` to `end` - 1: a copy on the device."""
        return self._losses[begin:end].clone()

    def last_embeddings(self, done: int) -> Tensor | None:
        """The last `REMEMBERED` rows, or fewer, of `done` steps, oldest first: a copy on the device."""
        if self._ring_KMD is None:
            return self._earlier_RD
        num = len(self._ring_KMD)
        slots = [step % num for step in range(max(0, done - num), done)]
        return torch.cat([self._ring_KMD[slot] for slot in slots])[-REMEMBERED:]

    def _new_ring(self, z_MD: Tensor) -> Tensor:
        num = -(-REMEMBERED // len(z_MD))
        earlier = z_MD.new_zeros(num * len(z_MD), z_MD.shape[1])
        if self._earlier_RD is not None and len(self._earlier_RD):
            earlier[-len(self._earlier_RD) :] = self._earlier_RD.to(earlier)
        # The last step before this one is in the slot before this one's.
        return earlier.view(num, *z_MD.shape).roll(self._began, dims=0)

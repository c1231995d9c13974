"""Checks whether another implementation of the loss or the views matches the paper's."""

from simclr_core.conformance import loss_checks, view_checks
from simclr_core.conformance.checks import Finding, examined
from simclr_core.conformance.loss_cases import Loss, Subject


def examine_loss(loss: Loss) -> tuple[Finding, ...]:
    """Checks the laws of NT-Xent on loss(z1, z2, temperature); a broken law has a counter-example.

    z1 and z2 are [N, D], embeddings as returned by the head, where row i of both comes from image i;
    the loss returns a scalar tensor. All draws are from fixed seeds, so the result is the same each
    time.
    """
    return examined(loss_checks.LOSS_LAWS, Subject(loss))


def examine_views(views: view_checks.Views, *, size: int = 32) -> tuple[Finding, ...]:
    """Checks the laws of two views on views(images, seed); a broken law has a counter-example.

    The images are uint8 [N, 3, size, size]; two float tensors [N, 3, s, s] in [0, 1] come back,
    row i of both of image i. Seeds 0 to 7. A law about a share has a false-alarm rate of 1e-6.
    """
    return examined(view_checks.VIEW_LAWS, view_checks.Subject(views, size))

"""Whether a loss or a pair of views that somebody else wrote does what the paper's do."""

from simclr_core.conformance import loss_checks, view_checks
from simclr_core.conformance.checks import Finding, examined
from simclr_core.conformance.loss_cases import Loss, Subject


def examine_loss(loss: Loss) -> tuple[Finding, ...]:
    """The laws of NT-Xent, held by loss(z1, z2, temperature) or broken with a counter-example.

    z1 and z2 are [N, D], embeddings as the head gives them, row i of both of image i; a scalar
    tensor comes back. All draws are from fixed seeds: two examinations say the same.
    """
    return examined(loss_checks.LOSS_LAWS, Subject(loss))


def examine_views(views: view_checks.Views, *, size: int = 32) -> tuple[Finding, ...]:
    """The laws of two views, held by views(images, seed) or broken with a counter-example.

    The images are uint8 [N, 3, size, size]; two float tensors [N, 3, s, s] in [0, 1] come back,
    row i of both of image i. Seeds 0 to 7. A law about a share has a false-alarm rate of 1e-6.
    """
    return examined(view_checks.VIEW_LAWS, view_checks.Subject(views, size))

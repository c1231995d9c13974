"""Softmax regressions on the same features, side by side: their sums, gradients and Hessians.

Shape suffixes: n images, d features (E = d + 1 with the bias as the last), C classes, L labellings of
the images, K fits of each labelling, P = C x E coefficients of a fit. Classes come before images in
what is computed at each step: over ten contiguous numbers a softmax takes three times as long as
across them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_IN_CACHE = 1 << 18
"""Features and logits taken at a time on a CPU: 2 MiB. With 512 features a gradient then takes two
thirds of the time that it takes through memory (EPYC, torch 2.15, one core)."""

_IN_MEMORY = 1 << 26
"""The same elsewhere: half a GiB."""

_NOTHING = 1e-15
"""Share of the largest variance below which a direction is rounding."""


class Sums(NamedTuple):
    """Over the images, of each fit."""

    value_LK: Tensor
    """Of the cross-entropies, in nats."""
    gradient_LKCE: Tensor


class Softmax:
    """Features and labellings, prepared once for any number of penalties.

    Fits are solved in other coordinates u: the features' principal directions, each scaled to a
    variance of 1, with the bias at the features' mean. So neither unequal scales nor a distance from
    the origin cost digits or steps, and the penalty stays diagonal: |W|^2 = sum(stretch u^2).
    Everything is on the features' device, in float64.
    """

    def __init__(
        self,
        features_nd: Float[Tensor, "n d"],
        labels_Ln: Int[Tensor, "L n"],
        num_classes: int,
    ) -> None:
        x_nd = features_nd.double()
        self.num_images, self.num_classes = len(x_nd), num_classes
        self._mean_d = x_nd.mean(0)
        mean_square = x_nd.square().mean()
        # Where all features are dead the gradient is in the biases' unit.
        self._unit = self.num_images * torch.where(mean_square > 1e-24, mean_square.sqrt(), 1.0)
        x_nd = x_nd - self._mean_d
        variance_d, basis_dd = torch.linalg.eigh(x_nd.T @ x_nd / self.num_images)
        alive_d = variance_d > _NOTHING * variance_d[-1].clamp_min(1e-290)
        root_d = torch.where(alive_d, variance_d, 1.0).sqrt()
        self._back_dd = (basis_dd * root_d).T
        self._into_dd = basis_dd * torch.where(alive_d, 1 / root_d, 0.0)
        stretch_d = torch.where(alive_d, root_d.pow(-2), 0.0)
        self.largest = variance_d[-1] * self.num_images
        """Of the eigenvalues of the centred features' Gram matrix."""
        self.stretch_E = torch.cat([stretch_d, stretch_d.new_zeros(1)])
        self._z_nE = torch.cat([x_nd @ self._into_dd, x_nd.new_ones(self.num_images, 1)], dim=1)
        classes_C = torch.arange(num_classes, device=x_nd.device)
        answers_LnC = labels_Ln.to(x_nd.device)[..., None] == classes_C
        self.targets_LCE = answers_LnC.double().mT @ self._z_nE

    @property
    def num_coefficients(self) -> int:
        """P, of one fit."""
        return self.num_classes * self._z_nE.shape[1]

    def cross_entropy(self, u_LKCE: Tensor, targets_L1CE: Tensor) -> Sums:
        """Sums over the images; no number leaves the device."""
        num_fits = u_LKCE.shape[0] * u_LKCE.shape[1]
        u_RE = u_LKCE.flatten(0, 2)
        gradient_RE = torch.zeros_like(u_RE)
        value_F = u_RE.new_zeros(num_fits)
        for z_BE in self._z_nE.split(self._rows(len(u_RE))):
            logits_FCB = (u_RE @ z_BE.T).view(num_fits, self.num_classes, len(z_BE))
            highest_F1B = logits_FCB.amax(dim=1, keepdim=True)
            p_FCB = logits_FCB.sub_(highest_F1B).exp_()
            sums_F1B = p_FCB.sum(dim=1, keepdim=True)
            value_F += (sums_F1B.log() + highest_F1B).sum(dim=(1, 2))
            gradient_RE.addmm_(p_FCB.div_(sums_F1B).flatten(0, 1), z_BE)
        value_LK = value_F.view(u_LKCE.shape[:2]) - (u_LKCE * targets_L1CE).sum(dim=(2, 3))
        return Sums(value_LK, gradient_RE.view_as(u_LKCE) - targets_L1CE)

    def curvature(self, u_CE: Float[Tensor, "C E"]) -> Float[Tensor, "P P"]:
        """The Hessian of the sum of the cross-entropies, in float32: it only says where to go.

        It has no part in what all classes have in common, as no gradient has; there it is n / C
        times the identity instead, so that it has an inverse.
        """
        u_CE, size = u_CE.float(), u_CE.shape[1]
        h_PP = u_CE.new_zeros(u_CE.numel(), u_CE.numel())
        own = [slice(c * size, (c + 1) * size) for c in range(self.num_classes)]
        for precise_BE in self._z_nE.split(self._rows(len(h_PP))):
            z_BE = precise_BE.float()
            p_CB = (u_CE @ z_BE.T).softmax(dim=0)
            weighted_PB = (p_CB[:, None] * z_BE.T).flatten(0, 1)
            for at in own:
                h_PP[at, at.start :].addmm_(weighted_PB[at], weighted_PB[at.start :].T, alpha=-1)
                h_PP[at, at].addmm_(weighted_PB[at], z_BE)
        h_PP = (h_PP.triu() + h_PP.triu(1).T).double()
        for at in own:
            for other in own:
                h_PP[at, other].diagonal().add_(self.num_images / self.num_classes**2)
        # What rounding to float32 may have taken from the smallest eigenvalues.
        h_PP.diagonal().add_(1e-7 * self.num_images)
        return h_PP

    def size(self, gradient_LKCE: Tensor) -> Float[Tensor, "L K"]:
        """The largest entry of a gradient, by the features' own coordinates.

        Of the mean over the images, with the features scaled to a root mean square of 1.
        """
        bias_LKC1 = gradient_LKCE[..., -1:]
        weights_LKCd = gradient_LKCE[..., :-1] @ self._back_dd + bias_LKC1 * self._mean_d
        return torch.maximum(
            weights_LKCd.abs().amax(dim=(2, 3)), bias_LKC1.abs().amax(dim=(2, 3))
        ).div(self._unit)

    def weights(self, u_LKCE: Tensor) -> Float[Tensor, "L K C E"]:
        """Coefficients in the features' own coordinates; the last column is the bias."""
        w_LKCd = u_LKCE[..., :-1] @ self._into_dd.T
        return torch.cat([w_LKCd, u_LKCE[..., -1:] - w_LKCd @ self._mean_d[:, None]], dim=-1)

    def coordinates(self, w_LKCE: Tensor) -> Float[Tensor, "L K C E"]:
        """The u of these coefficients."""
        weights_LKCd, bias_LKC1 = w_LKCE[..., :-1], w_LKCE[..., -1:]
        moved_LKC1 = bias_LKC1 + weights_LKCd @ self._mean_d[:, None]
        return torch.cat([weights_LKCd @ self._back_dd.T, moved_LKC1], dim=-1)

    def _rows(self, num_logits: int) -> int:
        """Images taken at a time."""
        most = _IN_CACHE if self._z_nE.device.type == "cpu" else _IN_MEMORY
        return max(64, most // (num_logits + self._z_nE.shape[1]))

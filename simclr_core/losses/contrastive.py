"""Losses of pre-training: those of the paper's tables 2 and 4, and two supervised ones.

All of them map z to a mean over its rows, in nats or in units of cosine similarity. Gradients of
table 2's rows are autograd's.

Shape suffixes: M = 2N views (i and i + N show one image), D embedding.
"""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from simclr_core.errors import ConfigurationError
from simclr_core.losses.contract import Loss, Supervised
from simclr_core.losses.contrastive_metrics import pairing_metrics
from simclr_core.losses.file_loss import FileLoss
from simclr_core.losses.nt_xent_blockwise import Others, in_blocks_pays, nt_xent_in_blocks
from simclr_core.losses.similarity import images, negatives, partners, unit, wide

_Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Negatives = Literal["both_views", "one_view"]


class NTXent(Loss):
    """Normalised temperature-scaled cross entropy (SimCLR, equation 1 and algorithm 1).

    Each view must find its partner among the 2N - 1 others by cosine similarity s:
    l(i, j) = -log( exp(s_ij / t) / sum_{k != i} exp(s_ik / t) ), in nats, averaged over all views.
    If an encoder maps all images to one point, the loss is log(2N - 1).

    With more than two views of each image, l(i, j) is averaged over all pairs of its views, and the sum
    runs over all views except i.

    Small batches use one matrix and autograd, larger ones use blocks; the results agree up to rounding.
    """

    kind: Literal["nt_xent"] = "nt_xent"

    temperature: _Temperature = 0.1
    """Divides the similarities; 0.1 for ImageNet, 0.5 for CIFAR-10 (table 5, appendix B.9)."""

    normalise: bool = True
    """Whether to use cosine similarities; otherwise inner products of the unnormalised z (table 5,
    "no l2 norm")."""

    negatives: _Negatives = "both_views"
    """The sum's k: all 2N - 1 others, or the N views of the other side (table 4, appendix B.10)."""

    decoupled: bool = False
    """Leaves the partner out of the sum (Yeh et al. 2022, equation 6), unlike the paper."""

    multiple: Literal[1, 2] = 1
    """1 is algorithm 1's mean over 2N views; the official code adds both directions' means: 2."""

    @property
    def takes_many_views(self) -> bool:
        """The sum has a meaning for more than two views only where all others are in it."""
        return self.negatives == "both_views" and not self.decoupled

    def __call__(self, z_MD: Float[Tensor, "M D"], num_views: int = 2) -> Float[Tensor, ""]:
        # exp(1 / t) leaves half precision's range below t = 0.09: never logits in half.
        with torch.autocast(z_MD.device.type, enabled=False):
            u_MD = unit(z_MD) if self.normalise else wide(z_MD)
            others = Others(self.negatives == "one_view", self.decoupled)
            groups = images(len(z_MD), num_views, z_MD.device) if num_views > 2 else None
            assert groups is None or self.takes_many_views
            if in_blocks_pays(u_MD) or groups is not None:
                loss = nt_xent_in_blocks(
                    u_MD, self.temperature, unit=self.normalise, others=others, groups_M=groups
                )
            else:
                loss = self._one_matrix(u_MD, others)
            return loss if self.multiple == 1 else self.multiple * loss

    def of_batch(
        self, z_MD: Float[Tensor, "M D"], num_views: int, labels_M: Int64[Tensor, " M"] | None
    ) -> Float[Tensor, ""]:
        """The loss that pre-training minimises."""
        del labels_M
        return self(z_MD, num_views)

    @property
    def num_means(self) -> int:
        """Equal to `multiple`."""
        return self.multiple

    def collapsed_value(self, num_rows: int) -> float:
        """Log of the number of others in the sum."""
        others = num_rows // 2 if self.negatives == "one_view" else num_rows - 1
        return self.multiple * math.log(others - self.decoupled)

    def metrics(self, z_MD: Float[Tensor, "M D"], num_views: int) -> dict[str, Tensor]:
        """Contrastive accuracy and entropy."""
        return pairing_metrics(z_MD, num_views, self.temperature, normalise=self.normalise)

    def _one_matrix(self, u_MD: Tensor, others: Others) -> Tensor:
        logits_MM = u_MD @ u_MD.T
        if not any(others):
            logits_MM = logits_MM.div_(self.temperature).fill_diagonal_(-torch.inf)
            return F.cross_entropy(logits_MM, partners(u_MD))
        logits_MM = logits_MM / self.temperature
        partner_M1 = partners(u_MD)[:, None]
        counts_MM = negatives(u_MD, one_view=others.one_view)
        counts_MM = counts_MM.scatter(1, partner_M1, not others.decoupled)
        sums_M = logits_MM.masked_fill(~counts_MM, -torch.inf).logsumexp(1)
        return (sums_M - logits_MM.gather(1, partner_M1)[:, 0]).mean()


class _PairLoss(Loss):
    """The common part of losses on single pairs: cosine similarities, negatives one by one."""

    negatives: _Negatives = "both_views"
    """A view's negatives: the other 2(N - 1) views, or the N - 1 of the other side (table 4)."""

    semi_hard: bool = False
    """Uses one negative for each view: the most similar one that is less similar than the partner
    (Schroff et al. 2015); otherwise the mean over all negatives."""

    def _similarities(self, z_MD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each view with its partner [M] and with all [M, M], and who is a negative."""
        u_MD = unit(z_MD)
        s_MM = u_MD @ u_MD.T
        partner_M1 = partners(u_MD)[:, None]
        others_MM = negatives(u_MD, one_view=self.negatives == "one_view")
        return s_MM.gather(1, partner_M1)[:, 0], s_MM, others_MM


def _semi_hard(
    positive_M: Tensor, s_MM: Tensor, others_MM: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """The similarity of each view's semi-hard negative, and which views have one."""
    p_M1 = positive_M.detach()[:, None]
    allowed_MM = others_MM & (s_MM < p_M1) & (s_MM > p_M1 - margin)
    nearest_M, index_M = s_MM.detach().masked_fill(~allowed_MM, -torch.inf).max(dim=1)
    return s_MM.gather(1, index_M[:, None])[:, 0], nearest_M > -torch.inf


class NTLogistic(_PairLoss):
    """-log sigmoid(s+ / t) - log sigmoid(-s- / t), in nats (table 2).

    The mean over the views; of a view's negatives it takes the mean, since the paper gives the row
    for one negative. A view without a semi-hard negative keeps the first term. The paper does not
    say within which margin semi-hard negatives are sought here: none is set.
    """

    kind: Literal["nt_logistic"] = "nt_logistic"

    temperature: _Temperature = 0.2
    """Divides the similarities; the paper tried 0.1, 0.2, 0.5 and 1 (appendix B.10)."""

    def __call__(self, z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
        with torch.autocast(z_MD.device.type, enabled=False):
            positive_M, s_MM, others_MM = self._similarities(z_MD)
            attraction = F.softplus(-positive_M / self.temperature).mean()
            if not self.semi_hard:
                repulsion_MM = F.softplus(s_MM / self.temperature).masked_fill(~others_MM, 0)
                return attraction + repulsion_MM.sum() / others_MM.sum()
            nearest_M, found_M = _semi_hard(positive_M, s_MM, others_MM, math.inf)
            repulsion_M = F.softplus(nearest_M / self.temperature)
            return attraction + repulsion_M.masked_fill(~found_M, 0).mean()

    def collapsed_value(self, num_rows: int) -> float:
        """All similarities are 1; none of the negatives is semi-hard."""
        del num_rows
        pull, push = (math.log1p(math.exp(sign / self.temperature)) for sign in (-1, 1))
        return pull if self.semi_hard else pull + push

    def metrics(self, z_MD: Float[Tensor, "M D"], num_views: int) -> dict[str, Tensor]:
        """Contrastive accuracy and entropy."""
        return pairing_metrics(z_MD, num_views, self.temperature)


class MarginTriplet(_PairLoss):
    """max(s- - s+ + m, 0), in units of cosine similarity (table 2).

    The mean over the views, and over a view's negatives. A view without a semi-hard negative, less
    similar than the partner by less than m, pays nothing.
    """

    kind: Literal["margin_triplet"] = "margin_triplet"

    margin: float = Field(default=0.8, ge=0, le=2)
    """m, by which the partner should be more similar; the paper tried 0, 0.4, 0.8 and 1.6."""

    @model_validator(mode="after")
    def _leaves_room(self) -> "MarginTriplet":
        if self.semi_hard and self.margin == 0:
            raise PydanticCustomError(
                "shape",
                "semi_hard needs a margin above 0, within which it finds negatives, got margin 0",
                {},
            )
        return self

    def __call__(self, z_MD: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
        with torch.autocast(z_MD.device.type, enabled=False):
            positive_M, s_MM, others_MM = self._similarities(z_MD)
            if not self.semi_hard:
                paid_MM = (s_MM - positive_M[:, None] + self.margin).clamp(min=0)
                return paid_MM.masked_fill(~others_MM, 0).sum() / others_MM.sum()
            nearest_M, found_M = _semi_hard(positive_M, s_MM, others_MM, self.margin)
            paid_M = (nearest_M - positive_M + self.margin).clamp(min=0)
            return paid_M.masked_fill(~found_M, 0).mean()

    def collapsed_value(self, num_rows: int) -> float:
        """All similarities are 1; none of the negatives is semi-hard."""
        del num_rows
        return 0.0 if self.semi_hard else self.margin


class SupCon(Supervised):
    """Supervised contrastive loss, L_out (Khosla et al. 2020, equation 2), in nats.

    NT-Xent whose positives are all other views of the class: -log of equation 1's share, averaged
    over a view's positives, then over the views. It is not a self-supervised loss.
    """

    kind: Literal["sup_con"] = "sup_con"

    temperature: _Temperature = 0.1
    """Divides the similarities."""

    def __call__(
        self, z_MD: Float[Tensor, "M D"], labels_M: Int64[Tensor, " M"]
    ) -> Float[Tensor, ""]:
        return nt_xent_in_blocks(unit(z_MD), self.temperature, groups_M=labels_M)

    def collapsed_value(self, num_rows: int) -> float:
        """As NT-Xent's."""
        return math.log(num_rows - 1)

    def metrics(self, z_MD: Float[Tensor, "M D"], num_views: int) -> dict[str, Tensor]:
        """Contrastive accuracy and entropy."""
        return pairing_metrics(z_MD, num_views, self.temperature)


class CrossEntropy(Supervised):
    """Supervised training: z are the logits of the classes, in nats (table 1 and figure 7).

    Both views of an image are training images of its class. The head is the classifier: linear,
    with as many outputs as classes, and `batch_norm: false` for the paper's form W h + b. LARS adapts
    its matrix and decays it like every other. The official code does not adapt it, and decays it by
    an L2 term that `model_util.add_weight_decay` adds to the loss.
    """

    kind: Literal["cross_entropy"] = "cross_entropy"

    def __call__(
        self, z_MD: Float[Tensor, "M D"], labels_M: Int64[Tensor, " M"]
    ) -> Float[Tensor, ""]:
        return F.cross_entropy(wide(z_MD), labels_M)

    def metrics(self, z_MD: Float[Tensor, "M D"], num_views: int) -> dict[str, Tensor]:
        """None: z are logits, not embeddings."""
        del z_MD, num_views
        return {}

    def check_outputs(self, num_outputs: int, num_classes: int) -> None:
        """Checks that there is one output for each class.

        Raises:
            ConfigurationError: the numbers of outputs and classes differ.
        """
        if num_outputs != num_classes:
            raise ConfigurationError(
                "head.output: must be the number of classes under loss cross_entropy, got "
                f"{num_outputs} outputs for {num_classes} classes; set head.output"
            )


AnyLoss = Annotated[
    NTXent | NTLogistic | MarginTriplet | SupCon | CrossEntropy | FileLoss,
    Field(discriminator="kind"),
]

"""Faults of the losses."""

from proof.planted.mutant import planter

plant = planter("simclr_core")

LOSSES = tuple(
    f"simclr_core/losses/test_{name}.py"
    for name in ("contrastive", "nt_xent_blockwise", "pair_losses", "contrastive_metrics")
)

MUTANTS = (
    plant(
        "positives one row off after the views were joined",
        "losses/similarity.py",
        ".roll(len(z_MD) // 2)",
        ".roll(len(z_MD) // 2 - 1)",
        *LOSSES,
    ),
    plant(
        "positives of interleaved views on joined ones",
        "losses/similarity.py",
        "torch.arange(len(z_MD), device=z_MD.device).roll(len(z_MD) // 2)",
        "torch.arange(len(z_MD), device=z_MD.device) ^ 1",
        *LOSSES,
    ),
    plant(
        "a view is its own negative",
        "losses/contrastive.py",
        ".div_(self.temperature).fill_diagonal_(-torch.inf)",
        ".div_(self.temperature)",
        *LOSSES,
    ),
    plant(
        "embeddings are not normalised",
        "losses/contrastive.py",
        "u_MD = unit(z_MD) if self.normalise else wide(z_MD)",
        "u_MD = wide(z_MD)",
        *LOSSES,
    ),
    plant(
        "normalised over the batch in place of the embedding",
        "losses/similarity.py",
        "F.normalize(wide(z_MD), dim=1)",
        "F.normalize(wide(z_MD), dim=0)",
        *LOSSES,
    ),
    plant(
        "temperature multiplies",
        "losses/contrastive.py",
        ".div_(self.temperature)",
        ".mul_(self.temperature)",
        *LOSSES,
    ),
    plant(
        "negative similarities are clamped away",
        "losses/contrastive.py",
        "        logits_MM = u_MD @ u_MD.T\n        if not any",
        "        logits_MM = (u_MD @ u_MD.T).clamp(min=1e-7)\n        if not any",
        *LOSSES,
    ),
    plant(
        "logits in half precision under autocast",
        "losses/contrastive.py",
        "        # exp(1 / t) leaves half precision's range below t = 0.09: never logits in half.\n"
        "        with torch.autocast(z_MD.device.type, enabled=False):",
        "        with torch.autocast(z_MD.device.type, torch.bfloat16, enabled=True):",
        *LOSSES,
    ),
    plant(
        "the sum in place of the mean over views",
        "losses/nt_xent_blockwise.py",
        "value = logsum_M.mean() - (pairs.u_MD * positives_MD).sum() / (len(u_MD) * temperature)",
        "value = logsum_M.sum() - (pairs.u_MD * positives_MD).sum() / temperature",
        *LOSSES,
    ),
    plant(
        "half of the symmetric gradient is lost in blocks",
        "losses/nt_xent_blockwise.py",
        "                    gradient_MD[columns].addmm_(w_IJ.T, pairs.u_MD[rows])",
        "                    pass",
        *LOSSES,
    ),
    plant(
        "a block's own views count twice",
        "losses/nt_xent_blockwise.py",
        "        sums_M[rows] += e_IJ.sum(1)\n        if rows != columns:",
        "        sums_M[rows] += e_IJ.sum(1)\n        if True:",
        *LOSSES,
    ),
    plant(
        "exponents of any size at every temperature",
        "losses/nt_xent_blockwise.py",
        "    bounded = unit and",
        "    bounded = True or",
        *LOSSES,
    ),
    plant(
        "positives are pulled once, not from both sides",
        "losses/nt_xent_blockwise.py",
        "positives_MD.mul_(-2)",
        "positives_MD.mul_(-1)",
        *LOSSES,
    ),
    plant(
        "in blocks the partner of the second view stays in a decoupled sum",
        "losses/nt_xent_blockwise.py",
        "offsets = [0, partner, -partner] if",
        "offsets = [0, partner] if",
        *LOSSES,
    ),
    plant(
        "a supervised positive is the view itself",
        "losses/nt_xent_blockwise.py",
        "(sums_MD[place_M] - u_MD).div_((size_M[place_M, None] - 1).clamp(min=1))",
        "sums_MD[place_M].div_(size_M[place_M, None])",
        *LOSSES,
    ),
    plant(
        "negatives from one view are those of the own side",
        "losses/similarity.py",
        "others_MM &= second_M[:, None] != second_M",
        "others_MM &= second_M[:, None] == second_M",
        *LOSSES,
    ),
    plant(
        "the partner is among the negatives",
        "losses/similarity.py",
        "image_M = row_M % (num_rows // 2)",
        "image_M = row_M",
        *LOSSES,
    ),
    plant(
        "the hardest negative in place of the semi-hard one",
        "losses/contrastive.py",
        "allowed_MM = others_MM & (s_MM < p_M1) & (s_MM > p_M1 - margin)",
        "allowed_MM = others_MM",
        *LOSSES,
    ),
    plant(
        "semi-hard takes the farthest allowed negative",
        "losses/contrastive.py",
        "s_MM.detach().masked_fill(~allowed_MM, -torch.inf).max(dim=1)",
        "(-s_MM.detach()).masked_fill(~allowed_MM, -torch.inf).max(dim=1)",
        *LOSSES,
    ),
    plant(
        "the margin is subtracted",
        "losses/contrastive.py",
        "(s_MM - positive_M[:, None] + self.margin)",
        "(s_MM - positive_M[:, None] - self.margin)",
        *LOSSES,
    ),
    plant(
        "the logistic loss pushes partners apart",
        "losses/contrastive.py",
        "F.softplus(-positive_M / self.temperature)",
        "F.softplus(positive_M / self.temperature)",
        *LOSSES,
    ),
    plant(
        "the accuracy is counted among the own side",
        "losses/contrastive_metrics.py",
        "first_ND[own_I] @ second_ND.T",
        "first_ND[own_I] @ first_ND.T",
        *LOSSES,
    ),
    plant(
        "the entropy forgets the temperature",
        "losses/contrastive_metrics.py",
        "s_IN.div_(temperature).log_softmax",
        "s_IN.log_softmax",
        *LOSSES,
    ),
    plant(
        "the loss is examined in one batch size",
        "conformance/loss_checks.py",
        "SIZES = (8, 2, 3, 5, 32)",
        "SIZES = (8,)",
        "simclr_core/conformance/test_losses_conform.py",
    ),
    plant(
        "the gradient of the second view is not looked at",
        "conformance/loss_checks.py",
        'zip(("z1", "z2"), loss',
        'zip(("z1", "z1"), loss',
        "simclr_core/conformance/test_losses_conform.py",
    ),
)

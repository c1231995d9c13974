"""Faults that ported SimCLRs had, planted one by one: each must turn a behaviour test red.

A mutant replaces one passage of a module, which must stand there exactly once, by a fault; then the
tests named beside it run on a copy of the tree. One that applies nowhere, or that no test notices,
fails the proof. They are faults of the kinds that reports on re-implementations describe.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    fault: str
    """What is wrong, as a user would report it."""
    file: str
    old: str
    new: str
    tests: str
    """Of tests/simclr_core, blank-separated."""


T = "test_losses.py test_contrast.py test_pair_losses.py test_matching.py"

MUTANTS = (
    # The losses.
    Mutant(
        "positives one row off after the views were joined",
        "similarity.py",
        ".roll(len(z_MD) // 2)",
        ".roll(len(z_MD) // 2 - 1)",
        T,
    ),
    Mutant(
        "positives of interleaved views on joined ones",
        "similarity.py",
        "torch.arange(len(z_MD), device=z_MD.device).roll(len(z_MD) // 2)",
        "torch.arange(len(z_MD), device=z_MD.device) ^ 1",
        T,
    ),
    Mutant(
        "a view is its own negative",
        "losses.py",
        ".div_(self.temperature).fill_diagonal_(-torch.inf)",
        ".div_(self.temperature)",
        T,
    ),
    Mutant(
        "embeddings are not normalised",
        "losses.py",
        "u_MD = unit(z_MD) if self.normalise else wide(z_MD)",
        "u_MD = wide(z_MD)",
        T,
    ),
    Mutant(
        "normalised over the batch in place of the embedding",
        "similarity.py",
        "F.normalize(wide(z_MD), dim=1)",
        "F.normalize(wide(z_MD), dim=0)",
        T,
    ),
    Mutant(
        "temperature multiplies",
        "losses.py",
        ".div_(self.temperature)",
        ".mul_(self.temperature)",
        T,
    ),
    Mutant(
        "negative similarities are clamped away",
        "losses.py",
        "        logits_MM = u_MD @ u_MD.T\n        if not any",
        "        logits_MM = (u_MD @ u_MD.T).clamp(min=1e-7)\n        if not any",
        T,
    ),
    Mutant(
        "logits in half precision under autocast",
        "losses.py",
        "        # exp(1 / t) leaves half precision's range below t = 0.09: never logits in half.\n"
        "        with torch.autocast(z_MD.device.type, enabled=False):",
        "        with torch.autocast(z_MD.device.type, torch.bfloat16, enabled=True):",
        T,
    ),
    Mutant(
        "the sum in place of the mean over views",
        "contrast.py",
        "value = (logsum_M.sum() - (u_MD * positives_MD).sum()) / len(u_MD)",
        "value = logsum_M.sum() - (u_MD * positives_MD).sum()",
        T,
    ),
    Mutant(
        "half of the symmetric gradient is lost in blocks",
        "contrast.py",
        "            gradient_MD[columns].addmm_(w_IJ.T, scaled_MD[rows])",
        "            pass",
        T,
    ),
    Mutant(
        "a block's own views count twice",
        "contrast.py",
        "            e_IJ = s_IJ.sub_(1 / temperature).exp_()\n"
        "            sums_M[rows] += e_IJ.sum(1)\n            if rows != columns:",
        "            e_IJ = s_IJ.sub_(1 / temperature).exp_()\n"
        "            sums_M[rows] += e_IJ.sum(1)\n            if True:",
        T,
    ),
    Mutant(
        "a constant shift at every temperature",
        "contrast.py",
        "    if bounded:\n        # No s",
        "    if True:\n        # No s",
        T,
    ),
    Mutant(
        "positives are pulled once, not from both sides",
        "contrast.py",
        "positives_MD.mul_(-2)",
        "positives_MD.mul_(-1)",
        T,
    ),
    Mutant(
        "in blocks the partner of the second view stays in a decoupled sum",
        "contrast.py",
        "offsets = [0, partner, -partner] if",
        "offsets = [0, partner] if",
        T,
    ),
    Mutant(
        "a supervised positive is the view itself",
        "contrast.py",
        "(sums_GD[place_M] - scaled_MD).div_(size_G[place_M, None] - 1)",
        "sums_GD[place_M].div_(size_G[place_M, None])",
        T,
    ),
    Mutant(
        "negatives from one view are those of the own side",
        "similarity.py",
        "others_MM &= second_M[:, None] != second_M",
        "others_MM &= second_M[:, None] == second_M",
        T,
    ),
    Mutant(
        "the partner is among the negatives",
        "similarity.py",
        "image_M = row_M % (num_rows // 2)",
        "image_M = row_M",
        T,
    ),
    Mutant(
        "the hardest negative in place of the semi-hard one",
        "losses.py",
        "allowed_MM = others_MM & (s_MM < p_M1) & (s_MM > p_M1 - margin)",
        "allowed_MM = others_MM",
        T,
    ),
    Mutant(
        "semi-hard takes the farthest allowed negative",
        "losses.py",
        "s_MM.detach().masked_fill(~allowed_MM, -torch.inf).max(dim=1)",
        "(-s_MM.detach()).masked_fill(~allowed_MM, -torch.inf).max(dim=1)",
        T,
    ),
    Mutant(
        "the margin is subtracted",
        "losses.py",
        "(s_MM - positive_M[:, None] + self.margin)",
        "(s_MM - positive_M[:, None] - self.margin)",
        T,
    ),
    Mutant(
        "the logistic loss pushes partners apart",
        "losses.py",
        "F.softplus(-positive_M / self.temperature)",
        "F.softplus(positive_M / self.temperature)",
        T,
    ),
    Mutant(
        "the accuracy is counted among the own side",
        "matching.py",
        "first_ND[own_I] @ second_ND.T",
        "first_ND[own_I] @ first_ND.T",
        T,
    ),
    Mutant(
        "the entropy forgets the temperature",
        "matching.py",
        "s_IN.div_(temperature).log_softmax",
        "s_IN.log_softmax",
        T,
    ),
    Mutant(
        "labels of other images than those in the views",
        "pretrain.py",
        "self._labels[index.to(self._device)]",
        "self._labels[: len(index)]",
        "test_pretrain.py",
    ),
    Mutant(
        "every loss is handed labels",
        "pretrain.py",
        "        if isinstance(config.loss, Labelled):\n            _check_classes",
        "        if True:\n            _check_classes",
        "test_pretrain.py",
    ),
    # The views.
    Mutant(
        "one crop for the whole batch",
        "augmentations.py",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        return CropChances(torch.cat([corner_B2, sides_B2], dim=1), ",
        "draws.integers(room_B2 + 1), room_B2 // 2)\n"
        "        boxes = torch.cat([corner_B2, sides_B2], dim=1)\n"
        "        return CropChances(boxes[:1].expand_as(boxes), ",
        "test_augmentations.py test_crops.py",
    ),
    Mutant(
        "one jitter for the whole batch",
        "colour.py",
        "brightness=factors[:, 0] if multiplies else added,",
        "brightness=factors[:1, 0].expand(len(factors)),",
        "test_augmentations.py test_colour.py",
    ),
    Mutant(
        "one blur width for the whole batch",
        "filters.py",
        "least + (largest - least) * width)",
        "least + (largest - least) * width[:1].expand(len(width)))",
        "test_augmentations.py test_filters.py",
    ),
    Mutant(
        "both views are the same",
        "views.py",
        '_NAMES = ("first", "second", ',
        '_NAMES = ("first", "first", ',
        "test_views.py",
    ),
    Mutant(
        "the same views in every epoch",
        "chance.py",
        "_WEYL * (epoch + 1))",
        "_WEYL)",
        "test_chance.py test_views.py test_pretrain.py",
    ),
    Mutant(
        "views depend on the place in the batch",
        "pretrain.py",
        'chance = Chance.of(self._config.seed_of("views"), epoch, index)',
        'chance = Chance.of(self._config.seed_of("views"), epoch, torch.arange(len(index)))',
        "test_pretrain.py test_golden.py",
    ),
    Mutant(
        "grey before the jitter",
        "colour.py",
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n",
        "            planes = changed_where(planes, dropped, _drop)\n"
        "            planes = changed_where(planes, jittered, _jitter, *jitter)\n"
        "            return planes.transpose(0, 1)\n",
        "test_colour.py",
    ),
    Mutant(
        "jitter on every view, without its probability",
        "colour.py",
        "jittered=uniform[:, 0] < self.jitter_probability",
        "jittered=uniform[:, 0] < 1",
        "test_colour.py",
    ),
    Mutant(
        "blur on every view, without its probability",
        "filters.py",
        "chosen < self.probability",
        "chosen < 1",
        "test_filters.py",
    ),
    Mutant(
        "hue turned by the whole strength",
        "colour.py",
        "hue=0.2 * self.strength",
        "hue=0.8 * self.strength",
        "test_colour.py",
    ),
    Mutant(
        "aspect uniform in place of log-uniform",
        "augmentations.py",
        "logarithms = (math.log(self.aspect[0]), math.log(self.aspect[1]))\n"
        "        aspect_BT = _between(logarithms, uniform[:, 1 + _TRIES :]).exp()",
        "aspect_BT = _between(self.aspect, uniform[:, 1 + _TRIES :])",
        "test_crops.py",
    ),
    Mutant(
        "height and width swapped in a crop",
        "augmentations.py",
        "drawn_B2 = torch.cat([heights_BT.gather(1, first_B1), widths_BT.gather(1, first_B1)], dim=1)",
        "drawn_B2 = torch.cat([widths_BT.gather(1, first_B1), heights_BT.gather(1, first_B1)], dim=1)",
        "test_crops.py",
    ),
    Mutant(
        "crops resized without antialiasing",
        "resampling.py",
        "distance.mul_(scale_B1.clamp(min=1).reciprocal()[:, :, None])",
        "distance.mul_(scale_B1.clamp(min=1, max=1)[:, :, None])",
        "test_crops.py",
    ),
    Mutant(
        "blur widths from 0.2",
        "filters.py",
        "sigma: tuple[float, float] = (0.1, 2.0)",
        "sigma: tuple[float, float] = (0.2, 2.0)",
        "test_filters.py test_views.py",
    ),
    Mutant(
        "the cell's operation reaches both branches",
        "views.py",
        'return base, [], _steps(cell, "branch", square, chance, size)',
        'return base, _steps(cell, "branch", square, chance, size), '
        '_steps(cell, "branch", square, chance, size)',
        "test_views.py",
    ),
    Mutant(
        "base crop and cell crop are one",
        "views.py",
        'return base, [], _steps(cell, "branch", square, chance, size)',
        'return base, [], _steps(cell, "base", square, chance, size)',
        "test_views.py",
    ),
    Mutant(
        "jitter in one order for the whole batch",
        "colour.py",
        "uniform[:, 6:].argsort(1)",
        "uniform[:1, 6:].argsort(1).expand(len(shapes), 4)",
        "test_colour.py",
    ),
    Mutant(
        "the official sampler without its least cover",
        "augmentations.py",
        "        fits_BT &= area_BT >= _COVERED * whole_B1\n",
        "",
        "test_crops.py",
    ),
    # Encoder, head, optimiser, schedule.
    Mutant(
        "one forward pass a view",
        "pretrain.py",
        "z_MD = self._head(self._encoder(x_M))",
        "z_MD = torch.cat([self._head(self._encoder(x)) for x in x_M.chunk(2)])",
        "test_pretrain.py test_golden.py",
    ),
    Mutant(
        "the last gammas start at one",
        "encoders.py",
        "            nn.init.zeros_(module.bn2.weight)",
        "            nn.init.ones_(module.bn2.weight)",
        "test_encoders.py",
    ),
    Mutant(
        "the max-pool stays on small images",
        "encoders.py",
        'if stem == "imagenet" else nn.Identity()',
        "",
        "test_encoders.py",
    ),
    Mutant(
        "the head's last layer keeps its shift",
        "heads.py",
        '            if last:\n                norm.register_parameter("bias", None)\n',
        "",
        "test_heads.py",
    ),
    Mutant(
        "a ReLU after the head's last layer",
        "heads.py",
        "        if not last:\n            layers.append(nn.ReLU(inplace=True))",
        "        layers.append(nn.ReLU(inplace=True))",
        "test_heads.py",
    ),
    Mutant(
        "LARS: a zero weight is never moved",
        "optimizers.py",
        'torch.where(known, group["trust"] * w_norm / g_norm, 1.0)',
        'torch.where(known, group["trust"] * w_norm / g_norm, 0.0)',
        "test_optimizers.py",
    ),
    Mutant(
        "LARS: an update that is computed and thrown away",
        "optimizers.py",
        "w.sub_(momentum)",
        "w.sub(momentum)",
        "test_optimizers.py",
    ),
    Mutant(
        "LARS: biases and batch norm are adapted and decay",
        "optimizers.py",
        "(excluded if added or parameter.ndim <= 1 else weights)",
        "(excluded if added else weights)",
        "test_optimizers.py",
    ),
    Mutant(
        "LARS: the rate outside the momentum",
        "optimizers.py",
        'add_(g, alpha=group["lr"])\n                w.sub_(momentum)',
        'add_(g)\n                w.sub_(momentum, alpha=group["lr"])',
        "test_optimizers.py",
    ),
    Mutant(
        "warm-up is a constant rate",
        "schedules.py",
        "return step / warmup",
        "return 1.0",
        "test_schedules.py",
    ),
    Mutant(
        "the cosine begins at step 0, not after warm-up",
        "schedules.py",
        "math.pi * (step - warmup) / max(1, num_steps - warmup)",
        "math.pi * step / max(1, num_steps)",
        "test_schedules.py",
    ),
    Mutant(
        "the rate does not grow with the batch",
        "pretrain.py",
        "self._peak = config.optimizer.peak(config.batch_size)",
        "self._peak = config.optimizer.peak(256)",
        "test_pretrain.py",
    ),
    Mutant(
        "the last partial batch is trained on",
        "pretrain.py",
        "return list(order.split(self._config.batch_size))[: self._steps_per_epoch]",
        "return list(order.split(self._config.batch_size))",
        "test_pretrain.py",
    ),
    # Evaluation.
    Mutant(
        "batch norm stays in training mode under the probe",
        "features.py",
        "    encoder.eval()\n",
        "    encoder.train()\n",
        "test_features.py test_evaluation.py",
    ),
    Mutant(
        "l2 is chosen on the test part",
        "evaluation.py",
        'fit, validation = part("fit"), part("validation")',
        'fit, validation = part("fit"), part("test")',
        "test_evaluation.py",
    ),
    Mutant(
        "no refit on all training images after the choice",
        "evaluation.py",
        "fitted = probe.fit(train.x, train.y, num_classes, choice.l2)",
        "fitted = probe.fit(fit.x, fit.y, num_classes, choice.l2)",
        "test_evaluation.py",
    ),
    Mutant(
        "the bias is penalised",
        "probe.py",
        "penalty_E[-1] = 0.0",
        "penalty_E[-1] = l2",
        "test_probe.py",
    ),
    Mutant(
        "the penalty beside the mean, not the sum",
        "probe.py",
        "penalty_E = torch.full((len(self._basis_EE),), l2, dtype=torch.float64)",
        "penalty_E = torch.full((len(self._basis_EE),), l2 * self._x_nE.shape[0], dtype=torch.float64)",
        "test_probe.py",
    ),
    Mutant(
        "neighbours by the inner product, lengths and all",
        "neighbours.py",
        "bank_nd = F.normalize(bank_nd, dim=1)",
        "bank_nd = bank_nd * 1.0",
        "test_neighbours.py",
    ),
    Mutant(
        "neighbours vote with equal weights",
        "neighbours.py",
        "((nearest.values - nearest.values[:, :1]) / self.temperature).exp().double()",
        "torch.ones_like(nearest.values).double()",
        "test_neighbours.py",
    ),
    Mutant(
        "permuted labels are not permuted for the test part",
        "permuted.py",
        "accuracies.append(top_k_accuracy(fitted.scores(asked.x), y_asked, 1))",
        "accuracies.append(top_k_accuracy(fitted.scores(asked.x), asked.y, 1))",
        "test_evaluation.py",
    ),
)

"""The negative control of the read-outs: labels in which there is nothing to find."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from simclr_core.callbacks import Observer
from simclr_core.config import Config
from simclr_core.evaluation.splits import Part
from simclr_core.probes import Features, SgdProbe, top_k_accuracy
from simclr_core.seeds import generator


def permuted(
    config: Config,
    num_classes: int,
    parts: tuple[Part, Part, Part],
    seen: Callable[[SgdProbe, Part, int], Features],
    observer: Observer,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Labels permuted over all parts in use, then choice, fit and test.

    The parts are those to fit, to choose and to measure on. Whatever the probe then finds above the
    largest class's share has come another way than through the images. An SGD probe fits all
    permutations at once, on the same crops, which are `seen` through the encoder.
    """
    fit, validation, asked = parts
    probe = config.evaluation.probe
    assert probe is not None, "permuted labels have a probe to fit"
    labels = torch.cat([fit.y, validation.y, asked.y])
    sizes = [len(fit.y), len(validation.y), len(asked.y)]
    train = fit.followed_by(validation)
    num = config.evaluation.permuted_labels
    drawn = [
        labels[torch.randperm(len(labels), generator=generator(config.seed, "permuted", i))]
        for i in range(num)
    ]
    accuracies: list[float] = []
    if isinstance(probe, SgdProbe):
        labels_Ln = torch.stack(drawn)[:, : len(train.y)]
        crops = seen(probe, train, config.seed)
        layers = probe.fit(crops, labels_Ln, num_classes, config.seed, observer)
        for i in range(num):
            scores = layers.scores(asked.x, i)
            accuracies.append(top_k_accuracy(scores, drawn[i].split(sizes)[2], 1))
    else:
        for i in range(num):
            y_fit, y_validation, y_asked = drawn[i].split(sizes)
            choice = probe.choose((fit.x, y_fit), (validation.x, y_validation), num_classes)
            y_train = torch.cat([y_fit, y_validation])
            fitted = probe.fit(train.x, y_train, num_classes, choice.l2)
            accuracies.append(top_k_accuracy(fitted.scores(asked.x), y_asked, 1))
            observer.progress(i + 1, num)
            if observer.should_stop():
                break
    top1 = torch.tensor(accuracies, dtype=torch.float64)
    error = float(top1.std()) / math.sqrt(len(top1)) if len(top1) > 1 else math.nan
    values = {
        "permuted/mean": float(top1.mean()),
        "permuted/standard_error": error,
        "permuted/largest_class_share": 100 * max(Counter(labels.tolist()).values()) / len(labels),
    }
    return values, {"permutations": len(top1)}

"""The negative control of the evaluation: labels that are independent of the images."""

import math
from collections import Counter
from typing import Any

import torch

from simclr_core.config import Config
from simclr_core.probes import Part, Task, top_k_accuracy
from simclr_core.seeds import generator


def permuted(config: Config, task: Task, asked: Part) -> tuple[dict[str, float], dict[str, Any]]:
    """Labels permuted over all parts in use, then choice, fit and test on the part `asked`.

    Whatever the probe finds above the majority-class baseline has leaked past the images.
    """
    probe, num = config.evaluation.probe, config.evaluation.permuted_labels
    assert probe is not None, "permuted labels have a probe to fit"
    labels = torch.cat([task.fit.y, task.validation.y, asked.y])
    sizes = [len(task.fit.y), len(task.validation.y), len(asked.y)]
    drawn = [
        labels[torch.randperm(len(labels), generator=generator(config.seed, "permuted", i))]
        for i in range(num)
    ]
    training = [(y_fit, y_validation) for y_fit, y_validation, _ in (y.split(sizes) for y in drawn)]
    measuring = [y.split(sizes)[2] for y in drawn]
    accuracies = [
        top_k_accuracy(solution.scores(asked.x), y_asked, 1)
        for solution, y_asked in zip(probe.solve_each(task, training), measuring, strict=False)
    ]
    top1 = torch.tensor(accuracies, dtype=torch.float64)
    error = float(top1.std()) / math.sqrt(len(top1)) if len(top1) > 1 else math.nan
    values = {
        "permuted/mean": float(top1.mean()),
        "permuted/standard_error": error,
        "permuted/largest_class_share": 100 * max(Counter(labels.tolist()).values()) / len(labels),
    }
    return values, {"permutations": len(top1)}

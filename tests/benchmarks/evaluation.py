"""The logistic probe next to scikit-learn's regression, with equal values of l2 and tolerance.

`make bench`. Both in one run on one thread, taking turns. The small features are those of a trial of
the quickstart study, which is trained first; the large ones are drawn, with the spectrum and the
overlap of classes that an encoder of CIFAR-10 has. Accuracies are those of the value of l2 that is
best on the test split, for both alike: they compare solutions and measure no encoder.
"""

import os
import statistics
import time
from collections.abc import Callable

import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from simclr_core import Config, Execution, Textures, load, pretrain
from simclr_core.evaluation import features
from simclr_core.probes import top_k_accuracy
from simclr_core.probes.logistic import PAPER_GRID, LogisticProbe
from sweeps.provenance import machine

HERE = Execution(device="cpu", threads=1)
TRIAL = {
    "data": {"kind": "textures", "num_images": 2000, "num_test": 1000},
    "views": {"kind": "symmetric", "operations": [{"kind": "crop"}, {"kind": "colour"}]},
    "encoder": {"kind": "resnet", "blocks": [1, 1, 1], "width": 0.25, "stem": "small"},
    "head": {"kind": "mlp", "hidden_layers": 1, "output": 64},
    "loss": {"kind": "nt_xent", "temperature": 0.5},
    "optimizer": {"kind": "adamw", "learning_rate": 4e-3},
    "schedule": {"kind": "warmup_cosine", "warmup_epochs": 1},
    "batch_size": 128,
    "epochs": 10,
}

Labelled = tuple[Tensor, Tensor]


def trial() -> tuple[Labelled, Labelled]:
    """2,000 training and 1,000 test images of the quickstart study, as its encoder sees them."""
    config = Config.model_validate(TRIAL).resolved("cpu")
    dataset = load(Textures(num_images=2000, num_test=1000), cache=None)
    encoder = config.encoder.build(0, dataset.size)
    encoder.load_state_dict(pretrain(config, dataset, HERE).state)
    parts = dataset.labelled("train"), dataset.labelled("test")
    train, test = (
        (features(encoder, part.images, dataset.size, HERE), part.labels) for part in parts
    )
    return train, test


def drawn(num: int, size: int, num_test: int = 10_000) -> tuple[Labelled, Labelled]:
    """Classes of five clouds each, with a decaying spectrum, after a ReLU."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (num + num_test,), generator=rng)
    spectrum = torch.arange(1, size + 1) ** -0.75
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=rng))
    centres = 0.16 * torch.randn(10, 1, size, generator=rng)
    centres = (centres + 0.25 * torch.randn(10, 5, size, generator=rng)) * spectrum
    cloud = torch.randint(0, 5, labels.shape, generator=rng)
    x = torch.randn(len(labels), size, generator=rng) * spectrum + centres[labels, cloud]
    x = torch.relu(3 * x @ basis.T + 0.3)
    return (x[:num], labels[:num]), (x[num:], labels[num:])


def ours(train: Labelled, test: Labelled, l2s: tuple[float, ...]) -> float:
    return max(LogisticProbe(l2=l2s).choose(train, test, 10).accuracies)


def theirs(train: Labelled, test: Labelled, l2s: tuple[float, ...]) -> float:
    x, y = train[0].double().numpy(), train[1].numpy()
    unit = float(train[0].square().mean().sqrt())  # their tolerance is in the features' unit
    accuracies: list[float] = []
    for l2 in l2s:
        fitted = LogisticRegression(C=1 / l2, tol=1e-5 * unit, max_iter=10_000).fit(x, y)
        scores = torch.from_numpy(fitted.decision_function(test[0].double().numpy()))
        accuracies.append(top_k_accuracy(scores, test[1], 1))
    return max(accuracies)


def timed(solve: Callable[..., float], *given: object) -> tuple[float, float]:
    start = time.perf_counter()
    accuracy = solve(*given)
    return time.perf_counter() - start, accuracy


def compared(name: str, data: tuple[Labelled, Labelled], l2s: tuple[float, ...], n: int) -> None:
    """One line: medians over n rounds."""
    rounds = [(timed(ours, *data, l2s), timed(theirs, *data, l2s)) for _ in range(n)]
    mine, other = (statistics.median(one[i][0] for one in rounds) for i in range(2))
    ratio = statistics.median(b[0] / a[0] for a, b in rounds)
    (_, accuracy), (_, expected) = rounds[0]
    print(
        f"{name}, {len(l2s)} values of l2: {mine:7.2f} s, scikit-learn {other:7.2f} s, "
        f"ratio {ratio:6.1f} (n = {n}); accuracy {accuracy:.2f} and {expected:.2f} %",
        flush=True,
    )


def main() -> None:
    """One line for each size."""
    torch.set_num_threads(1)
    print(f"machine: {machine()}")
    print(
        f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )
    # The larger values only: below them scikit-learn takes thousands of steps each, and minutes.
    compared("2,000 x 64", trial(), PAPER_GRID[20:], 5)
    compared("50,000 x 512", drawn(50_000, 512), PAPER_GRID[28::4], 1)


if __name__ == "__main__":
    main()

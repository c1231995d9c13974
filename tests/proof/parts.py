"""What is to be proven, in parts: the sources a part covers, its tests, and whose word it takes."""

from typing import NamedTuple


class Part(NamedTuple):
    sources: tuple[str, ...]
    """Globs below the root; a change in one of them makes the part's result stale."""
    tests: dict[str, str]
    """Test file -> the oracle that its expectations come from."""


S = "simclr_core/"
T = "tests/simclr_core/"

PARTS: dict[str, Part] = {
    "loss": Part(
        tuple(S + n for n in ("losses.py", "contrast.py", "matching.py", "similarity.py")),
        {
            T + "test_losses.py": "equation 1 by scalars, lightly, metric-learning, closed forms",
            T + "test_pair_losses.py": "table 2 by scalars with its gradients, metric-learning",
            T + "test_matching.py": "table 5's definitions by scalars",
            T + "test_contrast.py": "one matrix under autograd, lightly, closed forms",
            "tests/proof/test_losses_at_large.py": "lightly, one matrix, the process's own peak",
        },
    ),
    "views": Part(
        tuple(
            S + name
            for name in (
                "augmentations.py",
                "autoaugment.py",
                "chance.py",
                "colour.py",
                "filters.py",
                "levels.py",
                "motion.py",
                "planes.py",
                "resampling.py",
                "views.py",
            )
        ),
        {
            T + "test_views.py": "torchvision's chain for the drawn chances, laws",
            T + "test_crops.py": "torchvision's RandomResizedCrop, closed forms",
            T + "test_colour.py": "torchvision's adjustments, Python's colorsys",
            T + "test_filters.py": "torchvision's gaussian_blur, scipy's sobel",
            T + "test_levels.py": "Pillow's and torchvision's equalize and solarize",
            T + "test_motion.py": "scipy's filters with kernels made by hand, points on a line",
            T + "test_autoaugment.py": "torchvision's AutoAugment, level for level",
            T + "test_augmentations.py": "torchvision's rotate, laws",
            T + "test_chance.py": "splitmix64 by hand, distributions",
            "tests/proof/test_many_views.py": "closed distributions of 100,000 draws",
        },
    ),
    "encoder": Part(
        tuple(
            S + n for n in ("encoders.py", "heads.py", "pixels.py", "random_encoder.py", "vit.py")
        ),
        {
            T
            + "test_encoders.py": "torchvision's and timm's networks with equal weights, figure 7",
            T + "test_vit.py": "timm's and torchvision's transformers with equal weights",
            T + "test_pixels.py": "scikit-learn on the images themselves",
            T + "test_heads.py": "the paper's formula, torch's own law",
            T + "test_random_encoder.py": "means over one pass",
        },
    ),
    "optimisers": Part(
        (S + "optimizers.py", S + "schedules.py"),
        {
            T + "test_optimizers.py": "the paper's rule by scalars, textbook rules",
            T + "test_schedules.py": "tables of expected rates",
        },
    ),
    "probe": Part(
        tuple(
            S + name
            for name in (
                "evaluation.py",
                "features.py",
                "geometry.py",
                "mlp_probe.py",
                "neighbours.py",
                "parts.py",
                "permuted.py",
                "probe.py",
                "readouts.py",
                "ridge_probe.py",
                "sgd_probe.py",
                "targets.py",
            )
        ),
        {
            T + "test_probe.py": "scikit-learn's LogisticRegression",
            T + "test_evaluation.py": "scikit-learn, counts at the accessor, hashes",
            T + "test_features.py": "laws",
            T + "test_neighbours.py": "scikit-learn's KNeighborsClassifier",
            T + "test_sgd_probe.py": "Nesterov's rule in numpy, plain PyTorch, scikit-learn",
            T + "test_ridge_probe.py": "scikit-learn's Ridge and RidgeClassifier",
            T + "test_mlp_probe.py": "Adam in numpy, scikit-learn's MLPClassifier",
            T + "test_targets.py": "numpy, torchvision, scipy, distributions",
            T + "test_layers.py": "layers by hand from the head's state",
            T + "test_geometry.py": "closed forms, double loops, numpy's SVD",
            T + "test_read_outs.py": "scikit-learn, numpy, laws",
            T
            + "test_validation_part.py": "counts at the accessor, a data set without its test part",
        },
    ),
    "whole": Part(
        (S + "*.py",),
        {
            T + "test_restatement.py": "algorithm 1 in plain PyTorch, float64",
            T + "test_pretrain.py": "laws, scikit-learn",
            T + "test_run.py": "the floor of the random encoder",
            T + "test_pairs.py": "lightly on the wrong pairs, laws of permutations",
            "tests/proof/test_shuffled_positives.py": "the random encoder, true pairs",
            T + "test_golden.py": "earlier numbers (they judge change only)",
        },
    ),
    "conform": Part(
        tuple(
            S + n
            for n in (
                "conform.py",
                "laws.py",
                "loss_forms.py",
                "loss_laws.py",
                "loss_subject.py",
                "view_laws.py",
            )
        ),
        {
            T + "test_conform_losses.py": "lightly, planted faults, the official code's form",
            T + "test_conform_views.py": "planted faults, torchvision's transforms on batches",
            "tests/proof/test_conform_at_large.py": "torchvision's transforms image by image",
        },
    ),
    "own parts": Part(
        tuple(S + n for n in ("own.py", "own_text.py", "own_parts.py", "tensors.py")),
        {
            T + "test_own.py": "the family's own members, laws",
            T + "test_tensors.py": "the same images loaded from files",
            "tests/ablations/test_own_files.py": "a file that marks when it is executed",
        },
    ),
    "resume": Part(
        (
            *(
                S + name
                for name in ("checkpoint.py", "collapse.py", "divergence.py", "pretrain.py")
            ),
            *("sweeps/checkpoints.py", "sweeps/context.py", "ablations/trial.py"),
        ),
        {
            T + "test_resume.py": "trainings without a break, bit for bit",
            T + "test_collapse.py": "numpy's SVD, closed forms, planted infinities",
            "tests/sweeps/test_checkpoints.py": "counted steps, torn bytes, writers under kill -9",
            "tests/ablations/test_resume.py": "a real process under kill -9, an unbroken one",
            "tests/proof/test_resume_anywhere.py": "trainings without a break, bit for bit",
        },
    ),
    "engine": Part(
        ("sweeps/*.py",),
        {
            "tests/sweeps/test_kills.py": "real processes under kill -9, SQL",
            "tests/sweeps/test_launches.py": "real processes that fail and die, SQL",
            "tests/sweeps/test_store.py": "writers killed at random moments",
            "tests/sweeps/test_keys.py": "laws",
        },
    ),
    "verdicts": Part(
        ("reports/*.py",),
        {
            "tests/reports/test_statistics.py": "scipy, statsmodels",
            "tests/reports/test_calibration.py": "studies in which nothing is true",
            "tests/reports/test_controls.py": "planted leaks",
            "tests/reports/test_looks.py": "laws",
        },
    ),
    "paper": Part(
        (S + "*.py", "ablations/compute.py", "ablations/studies/*.yaml"),
        {
            "tests/proof/test_paper_step.py": "laws; a count by hand",
            "tests/ablations/test_compute.py": "torchvision's published counts",
        },
    ),
}

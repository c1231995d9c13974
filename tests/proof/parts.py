"""What is to be proven, in parts: their tests, and where the expectations of these come from.

Every test module is in a part: those that no part names are run with the part that takes the rest
of their folder, and their oracle reads "not named".
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    tests: dict[str, str]
    """Test file -> the oracle that its expectations come from."""
    files: tuple[str, ...] = ()
    """Globs below the root of what its tests read besides packages, tests and set-up."""
    rest: tuple[str, ...] = ()
    """Folders whose test modules belong here where no part names them."""


PACKAGES = ("simclr_core", "sweeps", "reports", "ablations")
NOT_NAMED = "not named"

OUTSIDE: dict[str, str] = {}
"""Test modules that are in no part, each with the reason."""


def _of(folder: str, oracles: dict[str, str]) -> dict[str, str]:
    return {f"tests/{folder}/test_{name}.py": oracle for name, oracle in oracles.items()}


NAMED: dict[str, Part] = {
    "loss": Part(
        {
            **_of(
                "simclr_core",
                {
                    "losses": "equation 1 by scalars, lightly, metric-learning, closed forms",
                    "pair_losses": "table 2 by scalars with its gradients, metric-learning",
                    "matching": "table 5's definitions by scalars",
                    "contrast": "one matrix under autograd, lightly, closed forms",
                },
            ),
            **_of("proof", {"losses_at_large": "lightly, one matrix, the process's own peak"}),
        },
    ),
    "views": Part(
        {
            **_of(
                "simclr_core",
                {
                    "views": "torchvision's chain for the drawn chances, laws",
                    "crops": "torchvision's RandomResizedCrop, closed forms",
                    "colour": "torchvision's adjustments, Python's colorsys",
                    "filters": "torchvision's gaussian_blur, scipy's sobel",
                    "levels": "Pillow's and torchvision's equalize and solarize",
                    "motion": "scipy's filters with kernels made by hand, points on a line",
                    "autoaugment": "torchvision's AutoAugment, level for level",
                    "augmentations": "torchvision's rotate, laws",
                    "chance": "splitmix64 by hand, distributions",
                },
            ),
            **_of("proof", {"many_views": "closed distributions of 100,000 draws"}),
        },
    ),
    "encoder": Part(
        _of(
            "simclr_core",
            {
                "encoders": "torchvision's and timm's networks with equal weights, figure 7",
                "vit": "timm's and torchvision's transformers with equal weights",
                "pixels": "scikit-learn on the images themselves",
                "heads": "the paper's formula, torch's own law",
                "random_encoder": "means over one pass",
            },
        ),
    ),
    "optimisers": Part(
        _of(
            "simclr_core",
            {
                "optimizers": "the paper's rule by scalars, textbook rules",
                "schedules": "tables of expected rates",
            },
        ),
    ),
    "probe": Part(
        _of(
            "simclr_core",
            {
                "probe": "scikit-learn's LogisticRegression",
                "evaluation": "scikit-learn, counts at the accessor, hashes",
                "features": "laws",
                "neighbours": "scikit-learn's KNeighborsClassifier",
                "sgd_probe": "Nesterov's rule in numpy, plain PyTorch, scikit-learn",
                "ridge_probe": "scikit-learn's Ridge and RidgeClassifier",
                "mlp_probe": "Adam in numpy, scikit-learn's MLPClassifier",
                "targets": "numpy, torchvision, scipy, distributions",
                "layers": "layers by hand from the head's state",
                "geometry": "closed forms, double loops, numpy's SVD",
                "read_outs": "scikit-learn, numpy, laws",
                "permuted": "the probe on labels permuted by hand",
                "validation_part": "counts at the accessor, a data set without its test part",
            },
        ),
    ),
    "data": Part(
        _of(
            "simclr_core",
            {
                "archives": "archives written by hand in the published forms",
                "data": "hashes and counts by hand, laws",
                "decoding": "Pillow",
                "folders": "folders made by hand",
                "images": "Pillow's crop and resize, laws",
                "real_images": "CIFAR-10's published numbers of images and classes",
                "textures": "earlier bytes (they judge change only), laws",
                "wrong_folders": "damaged folders made by hand",
            },
        ),
    ),
    "trainer": Part(
        {
            **_of(
                "simclr_core",
                {
                    "config": "the paper's settings, laws of keys",
                    "execution": "torch's own settings",
                    "golden": "earlier numbers (they judge change only)",
                    "pairs": "lightly on the wrong pairs, laws of permutations",
                    "passes": "one plain pass under autograd",
                    "pretrain": "laws, scikit-learn",
                    "restatement": "algorithm 1 in plain PyTorch, float64",
                    "run": "the floor of the random encoder",
                    "seeds": "laws",
                    "settings": "examples with their messages",
                },
            ),
            **_of("proof", {"shuffled_positives": "the random encoder, true pairs"}),
        },
        rest=("simclr_core",),
    ),
    "conform": Part(
        {
            **_of(
                "simclr_core",
                {
                    "conform_losses": "lightly, planted faults, the official code's form",
                    "conform_views": "planted faults, torchvision's transforms on batches",
                },
            ),
            **_of("ablations", {"conform": "files with faults made by hand"}),
            **_of("proof", {"conform_at_large": "torchvision's transforms image by image"}),
        },
    ),
    "own parts": Part(
        {
            **_of(
                "simclr_core",
                {
                    "own": "the family's own members, laws",
                    "tensors": "the same images loaded from files",
                },
            ),
            **_of("ablations", {"own_files": "a file that marks when it is executed"}),
        },
    ),
    "resume": Part(
        {
            **_of(
                "simclr_core",
                {
                    "resume": "trainings without a break, bit for bit",
                    "collapse": "numpy's SVD, closed forms, planted infinities",
                },
            ),
            **_of("sweeps", {"checkpoints": "counted steps, torn bytes, writers under kill -9"}),
            **_of("ablations", {"resume": "a real process under kill -9, an unbroken one"}),
            **_of("proof", {"resume_anywhere": "trainings without a break, bit for bit"}),
        },
    ),
    "engine": Part(
        _of("proof", {"kill_anything": "a study that nobody disturbed, bit for bit"})
        | _of(
            "sweeps",
            {
                "abandoned_runs": "MLflow's own client",
                "axes": "itertools.product, examples by hand",
                "failures": "examples by hand",
                "foreign_files": "trees of files, compared before and after",
                "interrupts": "the signals of a real process",
                "plain_text": "Unicode's own categories, examples by hand",
                "ray_environment": "examples by hand",
                "foreign": "innocent processes and folders that must survive",
                "imports": "sys.modules of a new process",
                "keys": "laws",
                "kills": "real processes under kill -9, SQL",
                "launches": "real processes that fail and die, SQL",
                "lost_ray": "real processes under kill -9, listening sockets",
                "plan": "counts by hand, laws",
                "progress": "times and counts by hand",
                "readme": "the page's own blocks, executed",
                "running": "trials that fail in known ways",
                "store": "writers killed at random moments",
                "sweep": "itertools.product, examples by hand",
                "tracking": "addresses of servers that are not there",
            },
        ),
        files=("sweeps/README.md",),
        rest=("sweeps",),
    ),
    "verdicts": Part(
        _of(
            "reports",
            {
                "calibration": "studies in which nothing is true",
                "citing": "examples by hand",
                "controls": "planted leaks",
                "looks": "laws",
                "rank_of_means": "scipy",
                "statistics": "scipy, statsmodels",
                "verdicts": "numbers by hand, scipy",
            },
        ),
    ),
    "reports": Part(
        _of(
            "reports",
            {
                "browser": "chromium",
                "legible": "matplotlib's own geometry",
                "document": "made studies, counted by hand",
                "figures": "values by hand, matplotlib's own geometry",
                "models": "examples with their messages",
                "written": "pypdf, an HTML parser, a second process's bytes",
            },
        ),
        rest=("reports",),
    ),
    "studies": Part(
        _of(
            "ablations",
            {
                "compute": "torchvision's published counts",
                "evidence": "made records, the paper's numbers",
                "export": "a new process that loads the file",
                "foresight": "studies made by hand, with their messages",
                "paths": "folders made by hand",
                "store_folder": "trees of files, compared before and after",
                "terminal": "escape sequences in names made by hand",
                "ui_ends": "real processes that are ended in each way",
                "variations": "studies made by hand",
                "yaml_file": "ruamel.yaml's own loader",
                "head_layers": "counted trainings, layers by hand",
                "identity": "laws of keys",
                "imports": "sys.modules of a new process",
                "options": "examples with their messages and exit codes",
                "running": "exit codes and files left, of a real process",
                "shipped_studies": "the paper's settings and numbers",
                "status_and_ui": "made stores, real pages",
                "wrong_input": "studies with faults made by hand",
            },
        ),
        rest=("ablations",),
    ),
    "end to end": Part(
        _of(
            "end_to_end",
            {
                "pages": "the pages' own commands, executed",
                "make": "a real clone and a real shell",
                "users_study": "a real driver under kill -9",
                "whole_chain": "a real run and its files",
            },
        ),
        files=("*.md", "*/README.md", "Makefile", "LICENSE"),
        rest=("end_to_end",),
    ),
    "tree": Part(
        _of(
            "architecture",
            {
                "tree": "the files themselves",
                "suite": "sessions made by hand that leave something behind",
                "proof": "the files themselves",
            },
        ),
        files=("*.md", "*/README.md", "Makefile", "LICENSE", "tests/**/*.py"),
        rest=("architecture",),
    ),
    "paper": Part(_of("proof", {"paper_step": "laws; a count by hand"}), rest=("proof",)),
    "the proof": Part(
        _of(
            "proof",
            {
                "planted_faults": "the files themselves",
                "results_tell_the_truth": "parts made by hand that fail in known ways",
            },
        ),
        files=("tests/proof/**/*.py", *(f"{package}/*.py" for package in PACKAGES)),
    ),
}


def modules(root: Path) -> list[str]:
    """Every module below tests that pytest collects."""
    return sorted(str(file.relative_to(root)) for file in (root / "tests").rglob("test_*.py"))


def with_the_rest(named: dict[str, Part], found: Iterable[str]) -> dict[str, Part]:
    """The parts, with the modules that none of them names in the part that takes their folder's rest."""
    left = set(found) - OUTSIDE.keys() - {test for part in named.values() for test in part.tests}
    return {
        name: part._replace(
            tests=part.tests
            | {
                module: NOT_NAMED
                for module in sorted(left)
                if any(module.startswith(f"tests/{folder}/") for folder in part.rest)
            }
        )
        for name, part in named.items()
    }


PARTS = with_the_rest(NAMED, modules(Path(__file__).resolve().parents[2]))

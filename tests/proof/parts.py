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
    return {
        str(Path("tests", folder, name).with_name(f"test_{Path(name).name}.py")): oracle
        for name, oracle in oracles.items()
    }


NAMED: dict[str, Part] = {
    "loss": Part(
        {
            **_of(
                "simclr_core",
                {
                    "losses/contrastive": "equation 1 by scalars, lightly, metric-learning, closed forms",
                    "losses/pair_losses": "table 2 by scalars with its gradients, metric-learning",
                    "losses/contrastive_metrics": "table 5's definitions by scalars",
                    "losses/nt_xent_blockwise": "one matrix under autograd, lightly, closed forms",
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
                    "augment/views": "torchvision's chain for the drawn chances, laws",
                    "augment/crops": "torchvision's RandomResizedCrop, closed forms",
                    "augment/colour": "torchvision's adjustments, Python's colorsys",
                    "augment/blur_sobel": "torchvision's gaussian_blur, scipy's sobel",
                    "augment/solarise_equalise": "Pillow's and torchvision's equalize and solarize",
                    "augment/motion_blur": "scipy's filters with kernels made by hand, points on a line",
                    "augment/autoaugment": "torchvision's AutoAugment, level for level",
                    "augment/operations": "torchvision's rotate, laws",
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
                "networks/encoders": "torchvision's and timm's networks with equal weights, figure 7",
                "networks/vit": "timm's and torchvision's transformers with equal weights",
                "networks/pixels": "scikit-learn on the images themselves",
                "networks/heads": "the paper's formula, torch's own law",
                "evaluation/random_init": "means over one pass",
            },
        ),
    ),
    "optimisers": Part(
        _of(
            "simclr_core",
            {
                "optim/optimizers": "the paper's rule by scalars, textbook rules",
                "optim/schedules": "tables of expected rates",
            },
        ),
    ),
    "probe": Part(
        _of(
            "simclr_core",
            {
                "probes/logistic": "scikit-learn's LogisticRegression",
                "probes/logistic_path": "scikit-learn's LogisticRegression, laws",
                "probes/softmax": "autograd, laws",
                "evaluation/frozen_evaluation": "scikit-learn, counts at the accessor, hashes",
                "evaluation/frozen_features": "laws",
                "probes/knn": "scikit-learn's KNeighborsClassifier",
                "probes/sgd": "Nesterov's rule in numpy, plain PyTorch, scikit-learn",
                "probes/ridge": "scikit-learn's Ridge and RidgeClassifier",
                "probes/mlp": "Adam in numpy, scikit-learn's MLPClassifier",
                "probes/targets": "numpy, torchvision, scipy, distributions",
                "evaluation/layers": "layers by hand from the head's state",
                "probes/geometry": "closed forms, double loops, numpy's SVD",
                "probes/probes": "scikit-learn, numpy, laws",
                "evaluation/permuted_labels": "the probe on labels permuted by hand",
                "evaluation/validation_split": "counts at the accessor, a data set without its test split",
            },
        ),
    ),
    "data": Part(
        _of(
            "simclr_core",
            {
                "data/cifar10": "archives written by hand in the published forms",
                "data/dataset": "hashes and counts by hand, laws",
                "data/decoding": "Pillow",
                "data/image_folder": "folders made by hand",
                "data/images": "Pillow's crop and resize, laws",
                "data/real_images": "CIFAR-10's published numbers of images and classes",
                "data/textures": "earlier bytes (they judge change only), laws",
                "data/wrong_folders": "damaged folders made by hand",
            },
        ),
    ),
    "trainer": Part(
        {
            **_of(
                "simclr_core",
                {
                    "config/former_names": "a literal record of format 2",
                    "config/schema": "the paper's settings, laws of keys",
                    "runtime": "torch's own settings",
                    "golden": "earlier numbers (they judge change only)",
                    "training/shuffled_positives": "lightly on the wrong pairs, laws of permutations",
                    "networks/activation_memory": "one plain pass under autograd",
                    "training/pretraining": "laws, scikit-learn",
                    "training/first_views": "the views of a training run, captured",
                    "training/step": "a replay of recorded operations, torch's meta device",
                    "training/side_by_side": "training runs alone, bit for bit, laws",
                    "training/restatement": "algorithm 1 in plain PyTorch, float64",
                    "trial": "the floor of the random encoder",
                    "seeds": "laws",
                    "config/overrides": "examples with their messages",
                },
            ),
            **_of("proof", {"shuffled_positives": "the random encoder, true pairs"}),
            **_of("benchmarks", {"gpu": "the CPU itself, today's plan, children that die or hang"}),
        },
        rest=("simclr_core",),
    ),
    "conform": Part(
        {
            **_of(
                "simclr_core",
                {
                    "conformance/losses_conform": "lightly, planted faults, the official code's form",
                    "conformance/views_conform": "planted faults, torchvision's transforms on batches",
                },
            ),
            **_of("ablations", {"commands/conformance": "files with faults made by hand"}),
            **_of("proof", {"conform_at_large": "torchvision's transforms image by image"}),
        },
    ),
    "own parts": Part(
        {
            **_of(
                "simclr_core",
                {
                    "plugins/component": "the family's own members, laws",
                    "data/in_memory": "the same images loaded from files",
                },
            ),
            **_of("ablations", {"compose/plugin_files": "a file that marks when it is executed"}),
        },
    ),
    "resume": Part(
        {
            **_of(
                "simclr_core",
                {
                    "training/resume": "trainings without a break, bit for bit",
                    "training/collapse": "numpy's SVD, closed forms, planted infinities",
                },
            ),
            **_of(
                "sweeps",
                {"storage/checkpoints": "counted steps, torn bytes, writers under kill -9"},
            ),
            **_of("ablations", {"trial/packed_trials": "the same trials alone, bit for bit"}),
            **_of("ablations", {"trial/resume": "a real process under kill -9, an unbroken one"}),
            **_of("proof", {"resume_anywhere": "trainings without a break, bit for bit"}),
        },
    ),
    "engine": Part(
        _of(
            "proof",
            {
                "kill_anything": "a study that nobody disturbed, bit for bit",
                "mlflow_pages": "chromium, MLflow's own client",
            },
        )
        | _of(
            "sweeps",
            {
                "tracking/abandoned_runs": "MLflow's own client",
                "planning/axes": "itertools.product, examples by hand",
                "execution/failures": "examples by hand",
                "storage/foreign_files": "trees of files, compared before and after",
                "execution/interrupts": "the signals of a real process",
                "plain_text": "Unicode's own categories, examples by hand",
                "execution/ray_settings": "examples by hand",
                "execution/foreign_processes": "innocent processes and folders that must survive",
                "imports": "sys.modules of a new process",
                "planning/keys": "laws",
                "planning/selection": "itertools.product, examples by hand",
                "execution/kills": "real processes under kill -9, SQL",
                "storage/launch_log": "real processes that fail and die, SQL",
                "execution/lost_ray": "real processes under kill -9, listening sockets",
                "planning/trial_plan": "counts by hand, laws",
                "execution/study_progress": "times and counts by hand",
                "readme": "the page's own blocks, executed",
                "execution/turns": "laws of taking turns",
                "execution/pack": "the same trials alone, a worker under kill -9",
                "execution/budget": "simulated launches, laws",
                "execution/trial_runner": "trials that fail in known ways",
                "storage/store": "writers killed at random moments",
                "storage/archive": "the files of the store, hashlib, tar files made by hand",
                "storage/inspection": "trees of files, compared before and after",
                "storage/old_formats": "files that the code of each format wrote",
                "storage/atomic_io": "writers killed at every line, readers between",
                "planning/grid": "itertools.product, examples by hand",
                "tracking/client": "addresses of servers that are not there",
            },
        ),
        files=("sweeps/README.md",),
        rest=("sweeps",),
    ),
    "verdicts": Part(
        _of(
            "reports",
            {
                "comparing/sides": "scipy",
                "judging/calibration": "studies in which nothing is true",
                "judging/citing": "examples by hand",
                "judging/equivalence": "statsmodels' TOST, scipy, power by integration",
                "judging/factorial": "statsmodels' repeated-measures ANOVA, scipy",
                "judging/margins": "numpy, scipy",
                "judging/negative_controls": "planted leaks",
                "spec/interim_looks": "laws",
                "judging/rank_of_means": "scipy",
                "judging/statistics": "scipy, statsmodels",
                "judging/verdict": "numbers by hand, scipy",
            },
        ),
    ),
    "reports": Part(
        _of(
            "reports",
            {
                "comparing/fields": "values by hand, laws of JSON",
                "comparing/two_trials": "records made by hand",
                "document/browser": "chromium",
                "document/axe": "axe-core",
                "figures/legible": "matplotlib's own geometry",
                "figures/curves": "numbers by hand, matplotlib's own geometry",
                "document/blocks": "made studies, counted by hand",
                "document/scope": "numbers by hand",
                "document/hostile_names": "an HTML and an XML parser, csv, pypdf",
                "document/largest_report": "the limits of size and time",
                "document/lessons": "counted by hand",
                "document/classes": "scikit-learn, counts by hand",
                "document/claim_page": "examples by hand, scipy's noncentral t",
                "spec/figure_specs": "values by hand, matplotlib's own geometry",
                "spec/models": "examples with their messages",
                "document/written": "pypdf, an HTML parser, a second process's bytes",
                "document/tour": "the headings, columns and words of made reports",
                "exports/table_forms": "csv, json, pandas, LaTeX's commands by its manual",
                "exports/figure_forms": "an XML parser, pypdf",
            },
        ),
        files=("ablations/REPORT.md",),
        rest=("reports",),
    ),
    "studies": Part(
        _of(
            "ablations",
            {
                "compose/flops": "torchvision's published counts",
                "evidence/collect": "made records, the paper's numbers",
                "trial/views_strip": "Pillow, tiles by hand, the bytes of a second run",
                "evidence/scope": "torchvision's published counts, the paper's protocol",
                "commands/comparison": "scipy, made stores",
                "commands/trial_diff": "made stores, with their messages",
                "commands/export": "a new process that loads the file",
                "commands/mlflow_model": "MLflow's load_model in a new process, the network itself",
                "run_files": "scikit-learn's confusion_matrix, an XML parser, names made by hand",
                "compose/durations": "scheduling restated, numbers by hand",
                "compose/memory": "the tensors of a real backward pass, the system's own count",
                "compose/detectable": "statsmodels' power of the t-test",
                "compose/foresight": "studies made by hand, with their messages",
                "notebook/calls": "made records, the report's own tables, a new process",
                "notebook/page": "the page's own blocks, executed; MLflow's search_runs",
                "study/paths": "folders made by hand",
                "commands/store_folder": "trees of files, compared before and after",
                "commands/store_commands": "records read back, exit codes and messages by hand",
                "reference/page": "the models, row by row",
                "reference/editor_schema": "jsonschema, the shipped studies, mistakes by hand",
                "reference/entries": "pydantic's own models, walked a second way",
                "commands/fields": "examples by hand",
                "commands/explain": "the glossary's own page",
                "commands/new": "files and exit codes of the commands that a user calls next",
                "commands/terminal": "escape sequences in names made by hand",
                "commands/ui_ends": "real processes that are ended in each way",
                "compose/variations": "studies made by hand",
                "study/yaml_file": "ruamel.yaml's own loader",
                "study/head_layers": "counted trainings, layers by hand",
                "compose/identity": "laws of keys",
                "imports": "sys.modules of a new process",
                "commands/options": "examples with their messages and exit codes",
                "commands/hostile_images": "40 hostile names of files and classes, trees of files",
                "commands/completion": "words by hand, names that a shell would evaluate, a real bash",
                "commands/watch": "the files that `ablate report` writes",
                "commands/run": "exit codes and files left, of a real process",
                "study/shipped_studies": "the paper's settings and numbers",
                "commands/status_and_ui": "made stores, real pages",
                "study/wrong_input": "studies with faults made by hand",
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
                "researchers_walk": "a real driver under kill -9, files read back",
                "labs_walk": "a real tracking server under kill -9, its database by SQL",
                "students_walk": "a real shell and Ctrl-C, the tour's own headings",
                "whole_chain": "a real run and its files",
                "wheel": "a real build, unpacked in another folder",
            },
        ),
        files=(
            *("*.md", "*/README.md", "ablations/*/README.md"),
            *("Makefile", "LICENSE", "CITATION.cff", "Containerfile"),
        ),
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
        files=(
            "*.md",
            "*/README.md",
            "ablations/*/README.md",
            "Makefile",
            "LICENSE",
            "tests/**/*.py",
        ),
        rest=("architecture",),
    ),
    "paper": Part(
        _of(
            "proof",
            {"paper_step": "laws; a count by hand", "hostless_steps": "torch's meta device"},
        ),
        rest=("proof",),
    ),
    "the proof": Part(
        _of(
            "proof",
            {
                "planted_faults": "the files themselves",
                "results_tell_the_truth": "parts made by hand that fail in known ways",
            },
        ),
        files=("tests/proof/**/*.py", *(f"{package}/**/*.py" for package in PACKAGES)),
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

"""Quick commands stay quick: what they do not need is not imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import STUDY, spawned, written_study

from sweeps.storage.store import Store

HEAVY = {"torch", "ray", "mlflow", "pandas", "scipy", "matplotlib", "seaborn", "numpy", "typst"}


def imported(folder: Path, *words: str) -> set[str]:
    """What a command imports."""
    script = "import sys; from ablations.__main__ import run; code = run(sys.argv[1:]);"
    script += "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("list",),
        ("run", "--help"),
        ("show", "width"),
        *(
            pytest.param(one, marks=pytest.mark.proof)
            for one in (
                ("export", "--help"),
                ("conform", "--help"),
                ("fields", "--help"),
                ("explain", "--help"),
                ("new", "mine"),
            )
        ),
    ],
)
def test_help_list_and_show_import_nothing_heavy(words: tuple[str, ...], here: Path) -> None:
    assert imported(here, *words) & HEAVY == set()


def test_status_imports_nothing_heavy(here: Path) -> None:
    Store(here / "runs").prepare()

    assert imported(here, "status") & HEAVY == set()


def test_plan_imports_neither_ray_nor_mlflow_nor_pandas_nor_torchs_compiler(here: Path) -> None:
    study = written_study(here, STUDY)

    packages = imported(here, "plan", str(study))

    assert packages & {"ray", "mlflow", "pandas", "matplotlib", "torch._dynamo"} == set()
    assert "torch" in packages  # so the list of imports is real


def test_python_m_and_the_script_are_one_command(here: Path) -> None:
    script = Path(sys.executable).with_name("ablate")
    by_script = subprocess.run(
        [script, "list"], cwd=here, capture_output=True, text=True, check=True
    )

    assert "compositions" in by_script.stdout
    assert spawned("list", cwd=here).out == by_script.stdout

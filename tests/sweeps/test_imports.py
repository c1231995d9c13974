"""What importing the engine does not import, and that its rooms have the names that they list."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("ray", "mlflow", "pandas", "torch", "torchvision", "scipy", "matplotlib", "simclr_core")
ROOMS = ("planning", "storage", "execution", "tracking")


@pytest.mark.parametrize("room", ROOMS)
def test_the_engine_is_imported_without_anything_heavy(room: str) -> None:
    code = f"import sys, sweeps.{room}; print([name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_there(room: str) -> None:
    module = importlib.import_module(f"sweeps.{room}")

    assert [name for name in module.__all__ if not hasattr(module, name)] == []

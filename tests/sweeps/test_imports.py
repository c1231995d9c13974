"""What `import sweeps` does not bring along."""

import subprocess
import sys
from pathlib import Path

HEAVY = ("ray", "mlflow", "pandas", "torch", "torchvision", "scipy", "matplotlib", "simclr_core")


def test_the_engine_is_imported_without_anything_heavy() -> None:
    code = f"import sys, sweeps; print([name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )

    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    import sweeps

    assert [name for name in sweeps.__all__ if not hasattr(sweeps, name)] == []
    assert sweeps.__all__ == sorted(sweeps.__all__, key=lambda name: (name[0].islower(), name))

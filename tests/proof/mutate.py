"""Plants each mutant in a copy of the tree and sees whether a test notices."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from proof.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
ABREAST = 2
"""Copies of the tree in which faults are tried at a time."""

COPIED = ("simclr_core", "reports", "tests", "pyproject.toml")


def planted(text: str, mutant: Mutant) -> str:
    """The module with the fault.

    Raises:
        ValueError: the passage does not stand there exactly once.
    """
    if text.count(mutant.old) != 1:
        raise ValueError(f"its passage stands {text.count(mutant.old)} times in {mutant.file}")
    return text.replace(mutant.old, mutant.new)


def red(copy: Path, tests: str) -> bool:
    """Whether a test of these fails; anything but red and green is an error."""
    files = [f"tests/simclr_core/{name}" for name in tests.split()]
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
            *files,
        ],
        cwd=copy,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {ran.returncode}: {ran.stdout[-600:]}")
    return ran.returncode == 1


def outcomes() -> Iterator[tuple[str, bool, str]]:
    """Each mutant, whether it was caught, and what to say; first, that the copy itself is green."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(ABREAST):
            copies.put(copied(Path(folder) / str(number)))

        def judged(mutant: Mutant) -> tuple[str, bool, str]:
            copy = copies.get()
            try:
                return _judged(copy, mutant)
            finally:
                copies.put(copy)

        every = " ".join(sorted({test for mutant in MUTANTS for test in mutant.tests.split()}))
        with ThreadPoolExecutor(ABREAST) as pool:
            clean = copies.get()
            yield "the tree without any fault", not red(clean, every), "green"
            copies.put(clean)
            yield from pool.map(judged, MUTANTS)


def copied(copy: Path) -> Path:
    """A copy of what the trainer's tests need, in a folder of its own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy / name)
    return copy


def _judged(copy: Path, mutant: Mutant) -> tuple[str, bool, str]:
    module = copy / "simclr_core" / mutant.file
    before = module.read_text(encoding="utf-8")
    began = time.monotonic()
    try:
        module.write_text(planted(before, mutant), encoding="utf-8")
        caught = red(copy, mutant.tests)
    except (ValueError, RuntimeError) as error:
        return mutant.fault, False, str(error)
    finally:
        module.write_text(before, encoding="utf-8")
    return mutant.fault, caught, f"{time.monotonic() - began:.0f} s"

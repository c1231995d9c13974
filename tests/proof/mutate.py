"""Plants each mutant in a copy of the tree and sees which tests notice."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from proof.judging import RED, Note, run
from proof.planted.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
ABREAST = 2
"""Copies of the tree in which faults are tried at a time."""

SECONDS = 300
"""For the tests of one mutant; one that makes them run longer is red, not noticed."""

ENOUGH = 2
"""Different tests that a fault has to turn red before the search for more ends."""

COPIED = ("simclr_core", "sweeps", "reports", "ablations", "tests", "pyproject.toml")


class Outcome(NamedTuple):
    """What became of one mutant."""

    mutant: Mutant
    caught_by: tuple[str, ...]
    """The first tests that noticed."""
    wrong: str
    """Why it does not count as caught; empty where it does."""
    seconds: float


def planted(text: str, mutant: Mutant) -> str:
    """The module with the fault.

    Raises:
        ValueError: the passage does not occur exactly once.
    """
    if text.count(mutant.old) != 1:
        raise ValueError(f"its passage occurs {text.count(mutant.old)} times in {mutant.file}")
    return text.replace(mutant.old, mutant.new)


def outcomes(mutants: Sequence[Mutant], root: Path = ROOT) -> Iterator[Outcome]:
    """What became of each mutant, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(ABREAST):
            copies.put(copied(Path(folder) / str(number), root))

        def judged(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                return _judged(copy, mutant)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(ABREAST) as pool:
            yield from pool.map(judged, mutants)


def clean(mutants: Sequence[Mutant], root: Path = ROOT) -> str:
    """What is wrong where these mutants' tests are red without any mutant, else nothing."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder) / "clean", root)
        tests = {test for mutant in mutants for test in mutant.tests}
        whole = {test for test in tests if "::" not in test}
        single = {test for test in tests - whole if test.partition("::")[0] not in whole}
        for some in (whole, single):
            if some:
                ran = run(sorted(some), _options(some), root=copy, seconds=12 * SECONDS)
                wrong += [note.test for note in ran.notes if note.state == RED]
                wrong += [f"pytest ended with {ran.status}"] * (ran.status != 0)
    return ", ".join(wrong)


def copied(copy: Path, root: Path = ROOT) -> Path:
    """A copy of what the tests need, in a folder of its own."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy / name)
    return copy


def _options(tests: Sequence[str] | set[str]) -> tuple[str, ...]:
    # Of whole files the slow tests are left out; a test that is named is run.
    quick = "not proof" if all("::" in test for test in tests) else "not slow and not proof"
    return ("-n", "0", "-m", quick, "-pno:cacheprovider")


def _write(module: Path, text: str) -> None:
    module.write_text(text, encoding="utf-8")
    # Two texts of one second and size would share their bytecode.
    for compiled in module.parent.glob(f"__pycache__/{module.stem}.*.pyc"):
        compiled.unlink()


def _judged(copy: Path, mutant: Mutant) -> Outcome:
    module = copy / mutant.file
    began = time.monotonic()
    try:
        before = module.read_text(encoding="utf-8")
        text = planted(before, mutant)
    except (OSError, ValueError) as error:
        return Outcome(mutant, (), str(error), 0)
    _write(module, text)
    try:
        enough = max(ENOUGH, sum("::" in test for test in mutant.tests))
        ran = run(mutant.tests, _options(mutant.tests), root=copy, seconds=SECONDS, enough=enough)
    finally:
        _write(module, before)
    caught = tuple(dict.fromkeys(note.function for note in ran.notes if note.state == RED))
    return Outcome(
        mutant, caught, _wrong(mutant, ran.status, ran.notes, ran.output), time.monotonic() - began
    )


def _wrong(mutant: Mutant, status: int | None, notes: Sequence[Note], output: str) -> str:
    if status is None:
        return f"its tests did not end within {SECONDS} s"
    if status not in (0, 1) or any(note.reason.startswith("collection") for note in notes):
        return f"pytest ended with {status}: {output.strip()[-400:]}"
    red = {note.function for note in notes if note.state == RED}
    missing = [test for test in mutant.tests if "::" in test and test not in red]
    if missing:
        return f"not noticed by {', '.join(missing)}"
    return "" if red else "no test went red"

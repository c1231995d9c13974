"""Runs tests and says what became of them: nothing counts as green that did not run and pass."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from proof.skips import allowed, listed

TESTS = Path(__file__).resolve().parents[1]
GREEN, SKIPPED, RED = "green", "skipped", "red"


class Row(NamedTuple):
    """One property: what a table shows."""

    name: str
    oracle: str
    cases: int
    result: str
    """`green`, or `skipped: ...` or `red: ...` with the reason."""

    @property
    def state(self) -> str:
        """The result's first word."""
        return self.result.partition(":")[0]


class Note(NamedTuple):
    """What became of one test."""

    test: str
    state: str
    reason: str
    told: list[str]

    @property
    def file(self) -> str:
        """Its module."""
        return self.test.partition("::")[0]

    @property
    def function(self) -> str:
        """Its id without parameters."""
        return self.test.split("[")[0]


class Ran(NamedTuple):
    """What a run of pytest left."""

    status: int | None
    """None: it did not end in time."""
    notes: list[Note]
    output: str


def run(
    tests: Iterable[str],
    options: Sequence[str],
    *,
    root: Path,
    seconds: float,
    enough: int | None = None,
) -> Ran:
    """Runs pytest on these tests below `root`; with `enough`, until so many different ones failed."""
    with tempfile.TemporaryDirectory() as folder:
        notes, output = Path(folder) / "notes", Path(folder) / "output"
        path = os.pathsep.join(map(str, (root, root / "tests", TESTS)))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        environment |= {"PROOF_NOTES": str(notes)}
        environment |= {"PROOF_ENOUGH": str(enough) if enough else ""}
        command = (sys.executable, "-m", "pytest", "-q", "-p", "proof.noting", *options, *tests)
        with output.open("wb") as written:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdout=written,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                status: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what the tests left running, too
                process.wait()
        lines = notes.read_text("utf-8").splitlines() if notes.exists() else []
        found = [Note(**json.loads(line)) for line in lines]
        return Ran(status, found, output.read_text("utf-8", errors="replace"))


def proven(
    tests: dict[str, str], *, root: Path, seconds: float, processes: int = 2
) -> tuple[list[Row], list[str], str]:
    """A row for each property, what tests told in addition, and the end of a red run's output."""
    options = ("-n", str(processes), "-m", "proof or not proof")
    ran = run(tests, options, root=root, seconds=seconds)
    rows = [
        *judged(ran.notes, tests, listed(root / "tests/SKIPS.md")),
        *_whole(ran, tests, seconds),
    ]
    told = sorted({line for note in ran.notes for line in note.told})
    red = any(row.state == RED for row in rows)
    return rows, told, "\n".join(ran.output.splitlines()[-25:]) if red else ""


def judged(notes: list[Note], tests: dict[str, str], skips: dict[str, str]) -> list[Row]:
    """A row for each test, all its parameters together; the worst of them is its result."""
    cases: dict[str, dict[str, str]] = {}
    for note in notes:
        result = GREEN
        if note.state == SKIPPED:
            known = allowed(note.test, note.reason, skips)
            why = note.reason.removeprefix("Skipped: ")
            result = (
                f"{SKIPPED}: {why}"
                if known
                else f"{RED}: skipped without a row in tests/SKIPS.md: {why}"
            )
        elif note.state == RED:
            result = f"{RED}: {note.reason}"
        case = cases.setdefault(note.function, {})
        case[note.test] = max(case.get(note.test, GREEN), result, key=_badness)
    return [
        Row(
            _words(function),
            tests.get(function.partition("::")[0], ""),
            len(case),
            max(case.values(), key=_badness),
        )
        for function, case in sorted(cases.items())
    ]


def _whole(ran: Ran, tests: dict[str, str], seconds: float) -> list[Row]:
    """What is wrong with a run as a whole."""
    seen = {note.file for note in ran.notes}
    rows = [
        Row(f"{file} ran", "", 0, f"{RED}: it left no result") for file in tests if file not in seen
    ]
    if ran.status is None:
        rows.append(Row("the tests end", "", 0, f"{RED}: they were stopped after {seconds:.0f} s"))
    elif ran.status != 0:
        rows.append(Row("pytest ends with 0", "", 0, f"{RED}: it ended with {ran.status}"))
    return rows


def _badness(result: str) -> int:
    return (GREEN, SKIPPED, RED).index(result.partition(":")[0])


def _words(function: str) -> str:
    file, _, name = function.rpartition("::")
    if not file:
        return f"{name} as a whole"
    return name.removeprefix("test_").replace("_", " ")

"""`make proof`: runs what is not proven here, keeps each part's result, prints one table.

Results are kept in .proof/, which no clone brings along, under the hash of all that they depend on;
a part is not run again while its hash is the same and every property is green. `PART=loss` runs one
part, `PART=show` runs none and says what has been proven here.
"""

import datetime as dt
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from proof import drawn, mutate
from proof.covering import covered, environment
from proof.judging import GREEN, RED, SKIPPED, Row, proven
from proof.keeping import PROVEN, Results
from proof.parts import PARTS, Part
from proof.pitfalls import PITFALLS
from proof.planted import TABLES, Mutant
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
SHOW, DRAWN = "show", "mutmut"
SECONDS = 3600
"""For one part; one that needs longer is red."""

Runner = Callable[[], tuple[list[Row], list[str], str]]


def main(results: Results, asked: str | None) -> int:
    """0 where every property of the parts asked for is green here, or skipped for a listed reason."""
    parts, runners = everything()
    if asked not in (None, SHOW, *parts):
        names = ", ".join((*parts, SHOW))
        print(f"proof: no part {asked!r}; there are {names}", file=sys.stderr)
        return 2
    around = environment()
    if asked == SHOW:
        return shown(results, {name: covered(part, ROOT, around) for name, part in parts.items()})
    chosen = [name for name in parts if asked in (None, name)]
    for name in chosen:
        mark = covered(parts[name], ROOT, around)
        if results.state(name, mark) == PROVEN:
            continue
        print(f"{name} ...", flush=True)
        began = time.monotonic()
        rows, told, output = runners[name]()
        if covered(parts[name], ROOT, around) != mark:
            rows.append(Row("nothing changes while it runs", "", 0, f"{RED}: its files changed"))
        facts = {"date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "commit": commit()}
        facts |= {"machine": machine(), "seconds": round(time.monotonic() - began)}
        results.keep(name, {"covers": mark, **facts, "rows": rows, "told": told})
        print(output, end="\n" if output else "")
    return printed({name: results.read()[name] for name in chosen})


def everything() -> tuple[dict[str, Part], dict[str, Runner]]:
    """All parts, and how each is run."""
    runners: dict[str, Runner] = {
        name: lambda part=part: proven(part.tests, root=ROOT, seconds=SECONDS)
        for name, part in PARTS.items()
    }
    parts = dict(PARTS)
    for table, mutants in TABLES.items():
        name = f"mutants of {table}"
        files = (f"tests/proof/planted/{table}.py", "tests/proof/planted/mutant.py")
        tests = {test.partition("::")[0]: "" for mutant in mutants for test in mutant.tests}
        sources = tuple({mutant.file for mutant in mutants})
        parts[name] = Part(tests, (*files, *sources, "tests/proof/mutate.py"))
        runners[name] = lambda mutants=mutants: (list(mutated(mutants)), [], "")
    asked = (name for one in drawn.DRAWN.values() for tests in one.tests for name in tests.split())
    tests = {f"tests/simclr_core/{name}": "" for name in asked}
    parts[DRAWN] = Part(tests, ("tests/proof/drawn.py", "tests/proof/living.py"))
    runners[DRAWN] = lambda: (list(map(Row._make, drawn.rows())), [], "")
    return parts, runners


def mutated(mutants: tuple[Mutant, ...]) -> Iterator[Row]:
    """Plants every mutant; a row for each, and first that their tests are green without any."""
    wrong = mutate.clean(mutants)
    yield Row("the tree without any fault", "all tests", 1, f"{RED}: {wrong}" if wrong else GREEN)
    for mutant, caught, wrong, seconds in mutate.outcomes(mutants):
        names = ", ".join(test.rpartition("::")[2].removeprefix("test_") for test in caught)
        single = "held by a single test: " if len(caught) == 1 else ""
        result = f"{RED}: {wrong}" if wrong else GREEN
        print(f"  {result}: {mutant.fault} ({single}{names}; {seconds:.0f} s)", flush=True)
        yield Row(mutant.fault, f"{single}{names}".replace("_", " "), 1, result)


def shown(results: Results, marks: dict[str, str]) -> int:
    """Says what is known here of each part, and runs nothing; 0 where all is proven."""
    table = Table("part", "here", "properties", "date", "commit", "machine")
    for name, mark in marks.items():
        result = results.read().get(name, {})
        states = [Row(*row).state for row in result.get("rows", ())]
        counts = ", ".join(f"{states.count(s)} {s}" for s in (GREEN, SKIPPED, RED) if s in states)
        told = (str(result.get(key, "")) for key in ("date", "commit", "machine"))
        table.add_row(name, results.state(name, mark), counts, *told)
    console().print(table)
    open_ = [name for name, mark in marks.items() if results.state(name, mark) != PROVEN]
    print(f"{len(marks) - len(open_)} of {len(marks)} parts proven here")
    return 1 if open_ else 0


def printed(kept: dict[str, Any]) -> int:
    """Shows the results of parts; 0 where none is red."""
    table = Table("part", "property", "oracle", "cases", "result", "commit", "s")
    states: list[str] = []
    single = 0
    for name, part in kept.items():
        for place, row in enumerate(Row(*row) for row in part["rows"]):
            last = (part["commit"], str(part["seconds"])) if place == 0 else ("", "")
            table.add_row(name, row.name, row.oracle, str(row.cases), row.result, *last)
            states.append(row.state)
            single += row.oracle.startswith("held by a single test")
        table.add_section()
    console().print(table)
    for part in kept.values():
        print("".join(f"{line}\n" for line in part.get("told", ())), end="")
    held = sum(bool(pitfall.held_by) for pitfall in PITFALLS)
    red = states.count(RED)
    print(f"{len(states)} properties on {machine()}: {states.count(GREEN)} green", end=", ")
    print(f"{states.count(SKIPPED)} skipped and not proven, {red} red")
    print(f"pitfalls: {held} held by tests, {len(PITFALLS) - held} cannot occur")
    if single:
        print(f"warning: {single} planted faults are held by a single test")
    return 1 if red or not states else 0


def console() -> Console:
    """200 columns wide where the output is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 200)


def machine() -> str:
    """The processor's name where the system gives it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


def commit() -> str:
    """Of the tree, with a + where files have changed since."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(Results(ROOT / ".proof/results.json"), os.environ.get("PART") or None))

"""`make proof`: runs what is stale, keeps each part's result, prints one table.

A part's result is kept in results.json under the hash of its sources and tests; a part whose hash
is there and green is not run again. `PART=loss` runs that part alone.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from proof import drawn
from proof.mutants import MUTANTS
from proof.mutate import outcomes
from proof.parts import PARTS, Part
from proof.pitfalls import PITFALLS
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("results.json")
MUTATED, DRAWN = "mutants", "mutmut"

Row = tuple[str, str, int, str]
"""Property, oracle, cases, result."""


def covered(part: Part) -> str:
    """The hash of all that a part's result rests on."""
    files = {file for glob in part.sources for file in ROOT.glob(glob)}
    for test in part.tests:
        files |= {ROOT / test, *(ROOT / test).parent.glob("[!t]*.py")}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def proven(part: Part) -> tuple[list[Row], list[str]]:
    """Runs a part's tests; a row for each property, and what tests told beside."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "junit.xml"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "proof or not proof"),
                *(f"--junitxml={written}", *part.tests),
            ],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        cases = list(ET.parse(written).iter("testcase")) if written.exists() else []
    results: dict[tuple[str, str], Counter[str]] = {}
    told = [one.get("value", "") for case in cases for one in case.iter("property")]
    for case in cases:
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = case.get("name", "").split("[")[0].removeprefix("test_").replace("_", " ")
        bad = case.find("failure") is not None or case.find("error") is not None
        state = "red" if bad else "skipped" if case.find("skipped") is not None else "green"
        results.setdefault((file, name), Counter())[state] += 1
    rows = [
        (name, part.tests.get(file, "?"), sum(states.values()), _worst(states))
        for (file, name), states in sorted(results.items())
    ]
    seen = {file for file, _ in results}
    missing = [file for file in part.tests if file not in seen]
    return rows + [(f"{file} ran", "", 0, "red") for file in missing], sorted(told)


def mutated() -> list[Row]:
    """Plants every mutant; a row for each."""
    rows: list[Row] = []
    for fault, caught, words in outcomes():
        result = "green" if caught else f"red: {words}"
        rows.append((fault, "a test went red" if rows else "all tests", 1, result))
        print(f"  {result}: {fault} ({words})", flush=True)
    return rows


def _worst(states: Counter[str]) -> str:
    return next(state for state in ("red", "skipped", "green") if states[state])


def _commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def main() -> int:
    """0 where every property of the parts asked for is green."""
    asked = os.environ.get("PART") or None
    parts = {**PARTS, MUTATED: _everything(), DRAWN: _drawn()}
    runners = {MUTATED: lambda: (mutated(), []), DRAWN: lambda: (list(drawn.rows()), [])}
    if asked is not None and asked not in parts:
        print(f"proof: no part {asked!r}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    kept: dict[str, Any] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for name, part in parts.items():
        if asked not in (None, name):
            continue
        mark = covered(part)
        before = kept.get(name, {})
        if before.get("covers") == mark and not any(
            row[3].startswith("red") for row in before["rows"]
        ):
            continue
        print(f"{name} ...", flush=True)
        began = time.monotonic()
        rows, told = runners[name]() if name in runners else proven(part)
        seconds = round(time.monotonic() - began)
        kept[name] = {"covers": mark, "commit": _commit(), "seconds": seconds, "rows": rows}
        if told:
            kept[name]["told"] = told
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    shown = {name: kept[name] for name in parts if name in kept and asked in (None, name)}
    return 1 if printed(shown) else 0


def printed(kept: dict[str, Any]) -> int:
    """Shows the results of parts; how many properties are red."""
    table = Table("part", "property", "oracle", "cases", "result", "commit", "s")
    red = 0
    for name, part in kept.items():
        for place, (property_, oracle, cases, result) in enumerate(part["rows"]):
            last = (part["commit"], str(part["seconds"])) if place == 0 else ("", "")
            table.add_row(name, property_, oracle, str(cases), result, *last)
            red += result.startswith("red")
        table.add_section()
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    for part in kept.values():
        print("".join(f"{line}\n" for line in part.get("told", ())), end="")
    held = sum(bool(pitfall.held_by) for pitfall in PITFALLS)
    print(f"{len(table.rows)} properties, {red} red")
    print(f"pitfalls: {held} held by tests, {len(PITFALLS) - held} cannot occur")
    return red


def _everything() -> Part:
    tests = {f"tests/simclr_core/{name}": "" for m in MUTANTS for name in m.tests.split()}
    return Part(("simclr_core/*.py", "tests/proof/mutants.py"), tests)


def _drawn() -> Part:
    own = ("tests/proof/drawn.py", "tests/proof/living.py")
    asked = (name for stages in drawn.DRAWN.values() for tests in stages for name in tests.split())
    modules = (f"simclr_core/{file}" for file in drawn.DRAWN)
    return Part((*modules, *own), {f"tests/simclr_core/{name}": "" for name in asked})


if __name__ == "__main__":
    sys.exit(main())

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

from proof.mutants import MUTANTS
from proof.mutate import outcomes
from proof.parts import PARTS, Part
from proof.pitfalls import PITFALLS
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("results.json")
MUTATED = "mutants"

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


def proven(part: Part) -> list[Row]:
    """Runs a part's tests; a row for each property."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "junit.xml"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "proof or not proof"),
                *(f"--junitxml={told}", *part.tests),
            ],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        cases = list(ET.parse(told).iter("testcase")) if told.exists() else []
    results: dict[tuple[str, str], Counter[str]] = {}
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
    return rows + [(f"{file} ran", "", 0, "red") for file in missing]


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
    parts = {**PARTS, MUTATED: _everything()}
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
        rows = mutated() if name == MUTATED else proven(part)
        seconds = round(time.monotonic() - began)
        kept[name] = {"covers": mark, "commit": _commit(), "seconds": seconds, "rows": rows}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    table = Table("part", "property", "oracle", "cases", "result", "commit", "s")
    red = 0
    for name in parts:
        if name not in kept or asked not in (None, name):
            continue
        for place, (property_, oracle, cases, result) in enumerate(kept[name]["rows"]):
            last = (kept[name]["commit"], str(kept[name]["seconds"])) if place == 0 else ("", "")
            table.add_row(name, property_, oracle, str(cases), result, *last)
            red += result.startswith("red")
        table.add_section()
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    print(f"{len(table.rows)} properties, {red} red")
    held = sum(bool(pitfall.held_by) for pitfall in PITFALLS)
    print(f"pitfalls: {held} held by tests, {len(PITFALLS) - held} cannot occur")
    return 1 if red else 0


def _everything() -> Part:
    tests = {f"tests/simclr_core/{name}": "" for m in MUTANTS for name in m.tests.split()}
    return Part(("simclr_core/*.py", "tests/proof/mutants.py"), tests)


if __name__ == "__main__":
    sys.exit(main())

"""The proof's own parts: each fault can be planted, each part has its files, and pages tell its size."""

import ast
import json
import re
from pathlib import Path

import pytest
from proof.living import LIVING, Living
from proof.mutants import MUTANTS, Mutant
from proof.mutate import planted
from proof.parts import PARTS
from proof.pitfalls import PITFALLS, Pitfall

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault)
def test_a_fault_has_its_place_and_its_tests(mutant: Mutant) -> None:
    before = (ROOT / "simclr_core" / mutant.file).read_text("utf-8")

    after = planted(before, mutant)

    assert after != before
    compile(after, mutant.file, "exec")
    assert all((ROOT / "tests/simclr_core" / name).is_file() for name in mutant.tests.split())


def test_a_fault_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="stands 0 times"):
        planted("x = 1", MUTANTS[0])


@pytest.mark.parametrize("name", list(PARTS))
def test_a_part_covers_files_that_are_there(name: str) -> None:
    part = PARTS[name]

    assert all(list(ROOT.glob(glob)) for glob in part.sources)
    assert all((ROOT / test).is_file() for test in part.tests)


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_pages_tell_how_much_is_proven_as_it_was_last_counted(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    kept = json.loads((ROOT / "tests/proof/results.json").read_text("utf-8"))

    assert re.findall(r"(\d+) (?:planted )?faults", text) == [str(len(MUTANTS))]
    counted = str(sum(len(part["rows"]) for part in kept.values()))
    assert set(re.findall(r"(\d+) properties", text)) <= {counted}


@pytest.mark.parametrize("living", LIVING, ids=lambda living: f"{living.old} -> {living.new}")
def test_a_mutant_that_may_live_is_one_of_code_that_still_stands(living: Living) -> None:
    lines = (ROOT / "simclr_core" / living.file).read_text("utf-8").splitlines()

    assert living.why
    assert living.old in " ".join(line.strip() for line in lines)


def functions_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda pitfall: pitfall.what)
def test_a_pitfall_has_tests_that_exist_or_a_reason(pitfall: Pitfall) -> None:
    assert bool(pitfall.held_by) != bool(pitfall.cannot)
    for held in pitfall.held_by:
        file, _, name = held.partition("::")
        assert name.startswith("test_")
        assert name in functions_in(file), held


def test_no_pitfall_stands_twice() -> None:
    told = [pitfall.what for pitfall in PITFALLS]

    assert len(told) == len(set(told)) >= 40


def test_no_batch_is_spread_over_processes_or_devices() -> None:
    # The reason of the pitfalls that cannot occur: what gathers, and must then be held, is not used.
    spread = {
        "distributed",
        "DataParallel",
        "DistributedDataParallel",
        "SyncBatchNorm",
        "multiprocessing",
    }
    named = {
        f"{path.name}: {name}"
        for path in (ROOT / "simclr_core").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in spread
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and name in node.name.split("."))
        or (isinstance(node, ast.ImportFrom) and name in (node.module or "").split("."))
    }

    assert named == set()

"""The proof's own parts: each test module is in one of them, and pages claim no more than is there."""

import ast
import re
from pathlib import Path

import pytest
from proof.living import LIVING, Living
from proof.parts import NAMED, NOT_NAMED, OUTSIDE, PARTS, modules, with_the_rest
from proof.pitfalls import PITFALLS, Pitfall
from proof.planted import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_module_is_in_one_part_or_outside_with_a_reason() -> None:
    within = [test for part in PARTS.values() for test in part.tests]

    assert sorted([*within, *OUTSIDE]) == modules(ROOT), (
        "name each module in tests/proof/parts.py: once, in the part that it proves"
    )
    assert all(OUTSIDE.values())


def test_a_new_module_goes_to_the_part_that_takes_the_rest_of_its_folder() -> None:
    new = "tests/sweeps/test_of_tomorrow.py"

    parts = with_the_rest(NAMED, [*modules(ROOT), new])

    assert [name for name, part in parts.items() if new in part.tests] == ["engine"]
    assert parts["engine"].tests[new] == NOT_NAMED


@pytest.mark.parametrize("name", list(PARTS))
def test_a_part_covers_files_that_are_there(name: str) -> None:
    part = PARTS[name]

    assert all(list(ROOT.glob(glob)) for glob in part.files)
    assert all((ROOT / test).is_file() for test in part.tests)


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_pages_do_not_claim_more_planted_faults_than_there_are(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")

    assert all(int(told) <= len(MUTANTS) for told in re.findall(r"(\d+) (?:planted )?faults", text))
    assert "properties" not in text, "what is proven is a result, and results are of one machine"


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
        for path in (ROOT / "simclr_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in spread
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and name in node.name.split("."))
        or (isinstance(node, ast.ImportFrom) and name in (node.module or "").split("."))
    }

    assert named == set()

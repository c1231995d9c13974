"""Each planted fault still has its place and its tests: one that has lost them proves nothing."""

from pathlib import Path

import pytest
from proof.mutate import planted
from proof.planted import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault)
def test_a_fault_has_its_place_and_its_tests(mutant: Mutant) -> None:
    before = (ROOT / mutant.file).read_text("utf-8")

    after = planted(before, mutant)

    assert after != before
    compile(after, mutant.file, "exec")
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file()
        assert not name or f"def {name}(" in (ROOT / file).read_text("utf-8"), test


def test_a_fault_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="occurs 0 times"):
        planted("x = 1", MUTANTS[0])


def test_no_fault_is_planted_twice() -> None:
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS)

"""Checking a store reads all of it and changes nothing; tidying it leaves every record."""

import re

import pytest

from sweeps.errors import StoreError
from sweeps.planning import Plan
from sweeps.storage import Store
from sweeps.storage.inspection import REPAIR, collect_garbage, inspect


def files(store: Store) -> dict[str, bytes]:
    return {
        str(path.relative_to(store.path)): path.read_bytes()
        for path in store.path.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def full(half_done: Store, small_plan: Plan) -> Store:
    """Two records and an artifact."""
    stage = small_plan.trials[0].stages[0]
    with half_done.save_artifact(stage.name, stage.key, launch="x", lasting=True) as folder:
        (folder / "weights").write_bytes(b"weights" * 100)
    return half_done


def test_an_intact_store_has_no_fault_and_its_sizes_are_those_of_its_files(full: Store) -> None:
    found = inspect(full)

    assert (found.records, found.artifacts, found.faults, found.set_aside) == (2, 1, (), 0)
    assert sum(found.sizes.values()) == sum(map(len, files(full).values()))


def test_each_damaged_record_and_artifact_is_named_and_stays_where_it_is(full: Store) -> None:
    record = next(full.trials.glob("*/001/record.json"))
    record.write_text(record.read_text().replace("50.0", "99.0"))
    weights = next(full.path.glob("encoders/*/weights"))
    weights.write_bytes(b"others")
    before = files(full)

    found = inspect(full)

    assert (found.records, found.artifacts) == (1, 1)
    assert [str(record.parent) in fault for fault in found.faults] == [True, False]
    assert f"{weights.parent} has a file weights that changed" in found.faults[1]
    assert all(fault.endswith(f"; {REPAIR}") for fault in found.faults)
    assert files(full) == before


def test_a_record_of_a_later_version_is_named_and_not_said_to_be_set_aside(full: Store) -> None:
    record = next(full.trials.glob("*/001/record.json"))
    record.write_text(re.sub(r'"format": ?\d+', '"format": 999', record.read_text()))

    found = inspect(full)

    [fault] = found.faults
    assert str(record.parent) in fault
    assert "format 999" in fault
    assert REPAIR not in fault


def test_tidying_removes_leftovers_and_the_cache_and_keeps_records_and_weights(full: Store) -> None:
    kept = files(full)
    full.cache.mkdir()
    (full.cache / "decoded").write_bytes(b"x" * 10_000)
    half = full.trials / "0123456789abcdef" / ".001.0123abcd"
    half.mkdir(parents=True)
    (half / "record.json").write_bytes(b"y" * 500)

    freed = collect_garbage(full)

    assert freed == 10_500
    assert files(full).items() >= {n: c for n, c in kept.items() if n != "lock"}.items()


def test_only_when_asked_the_weights_go_too(full: Store) -> None:
    before = list(full.records())

    collect_garbage(full, artifacts=True)

    assert full.artifacts() == {}
    assert list(full.records()) == before


def test_a_store_in_use_is_not_tidied(full: Store) -> None:
    full.cache.mkdir()

    with full.locked(), pytest.raises(StoreError, match="is in use"):
        collect_garbage(Store(full.path))

    assert full.cache.exists()

"""What the tests of the engine share; the toy trials are imported as workers import them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.planning import Plan
from sweeps.storage import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a store")
    made.prepare()
    return made


@pytest.fixture
def small_plan() -> Plan:
    """Two cells, two seeds, nothing on record."""
    return toy_plan(toy_sweep([1, 2]), Store("/nowhere").known())


@pytest.fixture
def half_done(store: Store, small_plan: Plan) -> Store:
    """A store with one finished and one failed trial of the small plan."""
    commit(store, small_plan.trials[0])
    commit(store, small_plan.trials[1], state="failed", error="ValueError: broken")
    return store

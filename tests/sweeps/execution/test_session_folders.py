"""A launch that ends before its trials begin leaves no folder among the system's temporary files."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import StoreError
from sweeps.execution import RunSettings, execute
from sweeps.execution.ray_session import new_session
from sweeps.planning import Plan
from sweeps.storage import Store


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, for this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr("sweeps.execution.ray_session._LONGEST", 1000)
    return folder


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    "where", ["sweeps.execution.launch.log_launch", "sweeps.execution.launch.notifying"]
)
def test_a_launch_that_ends_before_its_first_trial_leaves_no_session_folder(
    store: Store,
    small_plan: Plan,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: BaseException,
) -> None:
    met: list[list[Path]] = []

    def ends(*_: Any, **__: Any) -> None:
        met.append(list(temporary.iterdir()))
        raise error

    monkeypatch.setattr(where, ends)

    with pytest.raises(type(error)):
        execute(small_plan, store, "toy_trials:toy_trial", RunSettings(payload={}))

    assert [len(folders) for folders in met] == [1]
    assert list(temporary.iterdir()) == []


def test_a_lock_that_cannot_be_noted_leaves_none(
    store: Store, small_plan: Plan, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **facts: Any) -> None:
        if "session" in facts:
            raise StoreError("the disk is full")

    monkeypatch.setattr(Store, "note_holder", refused)

    with pytest.raises(StoreError):
        execute(small_plan, store, "toy_trials:toy_trial", RunSettings(payload={}))

    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_session_that_cannot_be_marked_leaves_none(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def refused(*_: Any) -> None:
        raise error

    monkeypatch.setattr("sweeps.execution.ray_session.write_json", refused)

    with pytest.raises((StoreError, KeyboardInterrupt)) as caught:
        new_session("a store")

    assert list(temporary.iterdir()) == []
    if isinstance(error, OSError):
        assert str(caught.value) == (
            f"no temporary folder can be created in {temporary} (No space left on device); free "
            "space there, or name another folder: TMPDIR=/path"
        )


def test_without_any_folder_for_temporary_files_the_message_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refused)

    with pytest.raises(StoreError, match="no temporary folder can be created in any usual place"):
        new_session("a store")

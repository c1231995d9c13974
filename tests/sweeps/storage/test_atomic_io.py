"""Whatever line a writer is killed at, a reader sees the old bytes or the new ones."""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from full_disk import files_of_at_most

from reports.errors import ReportError
from reports.write import _write as write_a_report
from sweeps.errors import StoreError
from sweeps.storage import Store, atomic_io
from sweeps.storage.atomic_io import (
    as_store_error,
    atomic_folder,
    write_bytes,
    write_json,
    write_new,
)
from sweeps.storage.checkpoints import Spent, StageCheckpoint

OLD, NEW = "old", "new"


def save_checkpoint(file: Path) -> None:
    StageCheckpoint(
        file,
        trial="t",
        launch="l",
        rerun=False,
        spent=lambda: Spent(1.0, 1.0),
        log=lambda _: None,
        on_resume=lambda: None,
    ).save(NEW.encode() * 1000)


def save_artifact(folder: Path) -> None:
    store = Store(folder.parents[1])
    with store.save_artifact("encoder", folder.name, launch="l", lasting=True) as filling:
        (filling / "weights").write_text(NEW)


def fill_folder(file: Path) -> None:
    with atomic_folder(file) as folder:
        (folder / "a").write_text(NEW)
        (folder / "b").write_text(NEW)


FILES: dict[str, Callable[[Path], object]] = {
    "bytes": lambda file: write_bytes(file, NEW.encode(), b" and more"),
    "JSON": lambda file: write_json(file, [NEW] * 100),
    "a report": lambda file: write_a_report(file, NEW.encode()),
    "a checkpoint": save_checkpoint,
}


@contextlib.contextmanager
def killed_at(line: int) -> Iterator[None]:
    """Ends this process, as a kill does, before the given line of `atomic_io` is executed."""
    left = line

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != atomic_io.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    sys.settrace(count)
    yield
    sys.settrace(None)


def killed_everywhere(prepare: Callable[[], None], write: Callable[[], object]) -> Iterator[bool]:
    """Kills a writer at one line after the other; yields whether it came to its end."""
    for line in range(500):
        prepare()
        if (writer := os.fork()) == 0:
            with killed_at(line):
                write()
            os._exit(0)
        _, status = os.waitpid(writer, 0)
        yield os.WIFEXITED(status)
        if os.WIFEXITED(status):
            assert line > 5
            return


@pytest.mark.parametrize(
    "what",
    [one if one == "JSON" else pytest.param(one, marks=pytest.mark.proof) for one in FILES],
)
def test_wherever_a_writer_is_killed_a_reader_sees_the_old_bytes_or_the_new_ones(
    tmp_path: Path, what: str
) -> None:
    file = tmp_path / "file"
    FILES[what](file)
    new = file.read_text()
    seen = set[str]()

    def old() -> None:
        file.write_text(OLD)

    for ended in killed_everywhere(old, lambda: FILES[what](file)):
        seen.add(file.read_text())
        assert not ended or file.read_text() == new
    assert seen == {OLD, new}


def test_wherever_it_is_killed_a_new_file_is_absent_or_whole_and_no_other_is_replaced(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"

    for whole in killed_everywhere(
        lambda: file.unlink(missing_ok=True), lambda: write_new(file, NEW.encode())
    ):
        assert not file.exists() or file.read_text() == NEW
        assert not whole or file.exists()

    with pytest.raises(FileExistsError):
        write_new(file, b"another")
    assert file.read_text() == NEW


@pytest.mark.parametrize(
    "write", [fill_folder, pytest.param(save_artifact, marks=pytest.mark.proof)]
)
def test_wherever_it_is_killed_a_folder_is_the_old_one_the_new_one_or_absent(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    folder = tmp_path / "encoders" / ("0" * 16)

    def files() -> tuple[str, ...]:
        return tuple(sorted(f"{file.name} {file.read_text()[:3]}" for file in folder.glob("*")))

    def old() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "made.json").write_text("{}")

    write(folder)
    new = files()
    seen = set[tuple[str, ...]]()
    for ended in killed_everywhere(old, lambda: write(folder)):
        seen.add(files())
        assert not ended or files() == new
    assert seen == {("made.json {}",), (), new}


@pytest.mark.parametrize("what", FILES)
def test_a_full_disk_leaves_the_old_bytes_and_no_other_file(tmp_path: Path, what: str) -> None:
    file = tmp_path / "file"
    file.write_text(OLD)

    with files_of_at_most(2), contextlib.suppress(OSError, ReportError):
        FILES[what](file)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": OLD}


def test_a_refused_write_names_the_place_and_the_fix(tmp_path: Path) -> None:
    with (
        files_of_at_most(1),
        pytest.raises(StoreError, match=r"the disk is full: .*file.*free some space"),
        as_store_error(tmp_path / "file"),
    ):
        write_json(tmp_path / "file", "long enough")

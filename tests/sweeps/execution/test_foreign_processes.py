"""A store that names processes and folders which are not its own: nothing of theirs is touched.

Each case plants what a hostile or copied store could hold, with a real process that must survive.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.execution import RunSettings, run_here
from sweeps.execution.ray_session import new_session, own_session, remove_session
from sweeps.processes import ProcessMark, began, this_process
from sweeps.storage import Store

SLEEP = "import time; print(flush=True); time.sleep(600)"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, for this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def start() -> Generator[Any]:
    started: list[subprocess.Popen[bytes]] = []

    def start_one(session: Path, *, file: Path | None = None) -> subprocess.Popen[bytes]:
        environment = os.environ | ({} if file else {"SWEEPS_SESSION": str(session)})
        words = SLEEP if file is None else f"file = open({str(file)!r}); {SLEEP}"
        one = subprocess.Popen(
            [sys.executable, "-c", words], env=environment, stdout=subprocess.PIPE
        )
        started.append(one)
        assert one.stdout is not None
        one.stdout.readline()
        return one

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def planted(temporary: Path, name: str = "swp-planted") -> Path:
    """A folder that looks like a session's, with a file of somebody's inside."""
    folder = temporary / name
    folder.mkdir(mode=0o700)
    (folder / "precious").write_text("mine")
    return folder


def note(folder: Path, **about: Any) -> None:
    (folder / "session.json").write_text(json.dumps(about))


def launch_on(store: Store, session: str | Path) -> None:
    """Runs one trial on a store whose lock names a session of the launch before."""
    (store.path / "lock").write_text(
        json.dumps({"pid": 1, "since": "long ago", "session": str(session)})
    )
    plan = toy_plan(toy_sweep([1]), store.known())
    settings = RunSettings(payload={"counter": str(store.path / "count")})
    assert run_here(plan.trials[0], plan, store, "toy_trials:toy_trial", settings).state


def dead() -> dict[str, Any]:
    return {"pid": 2**22 - 1, "began": "1", "host": socket.gethostname()}


def test_the_processes_of_another_launch_survive_a_lock_that_names_its_session(
    store: Store, temporary: Path, start: Any
) -> None:
    folder = planted(temporary)
    note(folder, store=store.identity, driver=this_process()._asdict())
    process = start(folder)

    launch_on(store, folder)

    assert process.poll() is None
    assert (folder / "precious").exists()


@pytest.mark.parametrize("other", ["store", "nothing", "torn"])
def test_a_session_that_is_not_marked_as_this_stores_is_left_alone(
    store: Store, temporary: Path, start: Any, other: str
) -> None:
    folder = planted(temporary)
    if other == "store":
        note(folder, store="0123456789abcdef", driver=dead())
    if other == "torn":
        (folder / "session.json").write_text("{")
    process = start(folder)

    launch_on(store, folder)

    assert process.poll() is None
    assert (folder / "precious").exists()


@pytest.mark.parametrize("kind", ["open to others", "other name", "below", "link", "elsewhere"])
def test_a_folder_that_no_launch_of_ours_can_have_made_is_left_alone(
    store: Store, temporary: Path, tmp_path: Path, start: Any, kind: str
) -> None:
    folder = planted(temporary if kind != "elsewhere" else tmp_path)
    note(folder, store=store.identity, driver=dead())
    session = folder
    if kind == "open to others":
        folder.chmod(0o755)
    if kind == "other name":
        session = folder = folder.rename(temporary / "photographs")
    if kind == "below":
        (temporary / "deep").mkdir()
        session = folder = folder.rename(temporary / "deep" / folder.name)
    if kind == "link":
        folder = folder.rename(temporary / "elsewhere")
        session.symlink_to(folder)
    process = start(session)

    launch_on(store, session)

    assert process.poll() is None
    assert (folder / "precious").exists()


def test_a_folder_of_another_user_is_left_alone(
    store: Store, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = planted(temporary)
    note(folder, store=store.identity, driver=dead())
    assert own_session(folder, store.identity) == folder

    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)

    assert own_session(folder, store.identity) is None


@pytest.mark.parametrize("session", [7, None, ["/"], "", "/", "..", "\0", "swp-", {"a": "b"}])
def test_a_lock_that_names_no_folder_stops_nothing(store: Store, session: Any) -> None:
    (store.path / "lock").write_text(json.dumps({"pid": 1, "since": "x", "session": session}))
    plan = toy_plan(toy_sweep([1]), store.known())
    settings = RunSettings(payload={"counter": str(store.path / "count")})

    ran = run_here(plan.trials[0], plan, store, "toy_trials:toy_trial", settings)

    assert ran.state == "finished"


def test_a_heartbeat_that_names_a_foreign_process_does_not_end_it(
    store: Store, temporary: Path, start: Any
) -> None:
    process = start(temporary / "swp-other")
    mark = ProcessMark(process.pid, began(process.pid) or "", socket.gethostname())
    (store.running / "0123.json").write_text(json.dumps({"key": "0123", **mark._asdict()}))

    launch_on(store, temporary / "swp-none")

    assert process.poll() is None


def test_who_reads_a_log_of_a_dead_session_is_not_ended_with_it(
    store: Store, temporary: Path, start: Any
) -> None:
    folder = planted(temporary)
    note(folder, store=store.identity, driver=dead())
    reader = start(folder, file=folder / "precious")

    launch_on(store, folder)

    assert reader.poll() is None


def test_what_a_killed_launch_of_this_store_left_is_ended_and_removed(
    store: Store, temporary: Path, start: Any
) -> None:
    folder = planted(temporary)
    note(folder, store=store.identity, driver=dead())
    process = start(folder)

    launch_on(store, folder)

    assert process.wait(timeout=10) == -9
    assert not folder.exists()


def test_a_session_folder_is_closed_to_others_and_is_not_taken_while_its_driver_lives(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")

    folder = new_session(store.identity)
    try:
        assert folder.parent == Path("/tmp")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert own_session(folder, store.identity) is None
    finally:
        remove_session(folder)
    assert not folder.exists()


def test_where_no_temporary_folder_can_be_made_one_message_names_place_and_fix(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")

    with pytest.raises(StoreError) as caught:
        new_session(store.identity)

    assert "/no/such/folder" in str(caught.value)
    assert "TMPDIR=" in str(caught.value)

"""Records are whole or not there, and what is wrong with a store is one sentence."""

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from full_disk import files_of_at_most
from made_records import commit, made_record

from sweeps.errors import StoreError
from sweeps.execution.heartbeat import Heartbeat
from sweeps.planning import Plan
from sweeps.storage import Store
from sweeps.storage.index import stamp_of_home

KEY = "0123456789abcdef"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_record_is_read_back_as_it_was_written(store: Store, small_plan: Plan) -> None:
    written = commit(store, small_plan.trials[0], values={"top1": None, "höchst": 1e-300})

    [read] = store.records()

    assert read == written
    assert (store.path / read.log).read_text() == "a line of the log\n"
    assert store.summaries() == (written.summary(),)


def test_a_second_record_of_a_key_is_next_to_the_first(store: Store, small_plan: Plan) -> None:
    trial = small_plan.trials[0]
    commit(store, trial, values={"top1": 1.0})
    commit(store, trial, values={"top1": 2.0})

    found = [(record.attempt, record.values["top1"]) for record in store.records([trial.key])]

    assert found == [(1, 1.0), (2, 2.0)]


def test_a_record_in_the_folder_of_another_trial_is_not_read_as_its_own(
    store: Store, small_plan: Plan
) -> None:
    one, other = (commit(store, trial) for trial in small_plan.trials[:2])
    places = [store.trials / record.key / "001" / "record.json" for record in (one, other)]
    shutil.copy(*places)

    found = list(store.records([other.key]))

    assert found == []
    [message] = store.messages
    assert f"contains the record of {one.key}, attempt 1" in message


def test_files_of_a_record_are_saved_with_it_byte_for_byte(store: Store, small_plan: Plan) -> None:
    content = {"a-1.py": b"\xef\xbb\xbf# one\r\n", "b.bin": b"\x00\xff"}
    record = made_record(small_plan.trials[0])

    written = store.commit(record, store.running / "no.log", content)

    folder = store.trials / record.key / "001" / "files"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    [read] = store.records()
    assert read.files == written.files == ("a-1.py", "b.bin")
    assert commit(store, small_plan.trials[1]).files == ()


TORN = {
    "cut in the middle": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "no mapping": lambda _: "[1, 2]",
    "a field too few": lambda text: json.dumps(
        {name: value for name, value in json.loads(text).items() if name != "config"}
    ),
    "another key": lambda text: text.replace('"key"', '"key"', 1).replace(
        json.loads(text)["key"], "0" * 16, 1
    ),
    "binary": lambda _: b"\xff\x00\xfe",
}


@pytest.mark.parametrize("how", TORN)
def test_an_unreadable_record_is_set_aside_with_a_message(half_done: Store, how: str) -> None:
    store = Store(half_done.path)
    finished = next(record for record in half_done.records() if record.state == "finished")
    file = store.trials / finished.key / "001" / "record.json"
    torn = TORN[how](file.read_text())
    file.write_bytes(torn if isinstance(torn, bytes) else torn.encode())
    (store.path / "index.jsonl").unlink(missing_ok=True)

    summaries = store.summaries()

    assert [summary.state for summary in summaries] == ["failed"]
    [sentence] = store.messages
    assert str(file.parent) in sentence
    assert "it was moved to" in sentence
    [aside] = (store.path / "set-aside").iterdir()
    assert (aside / "log.txt").exists()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("gone", "holds no record.json"),
        ("a pipe", "cannot be read (not a regular file)"),
        ("a list", "is not a record (not a mapping)"),
    ],
)
def test_the_message_about_a_record_set_aside_has_the_reason_and_both_places(
    half_done: Store, how: str, why: str
) -> None:
    file = min(half_done.trials.glob("*/001/record.json"))
    file.unlink()
    if how == "a pipe":
        os.mkfifo(file)
    if how == "a list":
        file.write_text("[1]")
    store = Store(half_done.path)

    store.summaries()

    [aside] = (store.path / "set-aside").iterdir()
    assert store.messages == [f"{file.parent} {why}; it was moved to {aside}"]


def test_a_record_of_a_newer_format_is_left_where_it_is(half_done: Store) -> None:
    file = next(half_done.trials.glob("*/001/record.json"))
    file.write_text(file.read_text().replace('"format": 3', '"format": 4'))

    with pytest.raises(StoreError) as caught:
        list(Store(half_done.path).records())

    assert str(caught.value) == (
        f"{file} has format 4, but this program reads formats up to 3; a newer version wrote it: "
        "update, or name another store"
    )
    assert file.exists()


def _relabelled(line: str, **fields: object) -> str:
    """A line of the index with other fields and its checksum."""
    text = json.dumps(json.loads(line.partition(" ")[2]) | fields)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}\n"


@pytest.mark.parametrize("index", ["gone", "torn", "foreign", "ahead"])
def test_the_index_is_only_a_copy(half_done: Store, index: str) -> None:
    expected = half_done.summaries()
    file = half_done.path / "index.jsonl"
    lines = file.read_text()
    match index:
        case "gone":
            file.unlink()
        case "torn":
            file.write_text(lines[: len(lines) // 2])
        case "foreign":
            file.write_text('{"key": 1}\nno json\n')
        case _:
            of_attempt_7 = [_relabelled(line, attempt=7) for line in lines.splitlines()]
            file.write_text(lines + "".join(of_attempt_7))

    assert Store(half_done.path).summaries() == expected


def test_a_record_that_was_replaced_is_read_again(half_done: Store, small_plan: Plan) -> None:
    half_done.summaries()
    trial = small_plan.trials[0]
    shutil.rmtree(half_done.trials / trial.key)  # by hand, and the index keeps its line
    commit(half_done, trial, state="failed", error="ValueError: broken")

    for store in (half_done, Store(half_done.path)):
        [summary] = (one for one in store.summaries() if one.key == trial.key)
        assert (summary.state, summary.attempt) == ("failed", 1)


def aged(folder: Path) -> None:
    """Folders as they are long after their last change."""
    long_ago = time.time() - 3600
    for home in folder.iterdir():
        os.utime(home, (long_ago, long_ago))


def test_folders_of_finished_trials_are_not_listed_again(
    half_done: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(half_done.trials)
    expected = half_done.summaries()
    monkeypatch.setattr("sweeps.storage.store._attempts", pytest.fail)

    assert half_done.summaries() == Store(half_done.path).summaries() == expected


@pytest.mark.parametrize("read", [True, False], ids=["read before", "a new process"])
def test_an_attempt_that_comes_or_goes_is_seen(
    half_done: Store, small_plan: Plan, *, read: bool
) -> None:
    aged(half_done.trials)
    trial = small_plan.trials[0]
    half_done.summaries()

    def attempts() -> list[int]:
        store = half_done if read else Store(half_done.path)
        return [one.attempt for one in store.summaries() if one.key == trial.key]

    assert attempts() == [1]
    commit(half_done, trial)
    assert attempts() == [1, 2]
    aged(half_done.trials)
    assert attempts() == [1, 2]
    shutil.rmtree(half_done.trials / trial.key / "002")
    assert attempts() == [1]
    commit(half_done, trial)
    commit(half_done, trial)
    aged(half_done.trials)  # seen by nobody while it was new
    assert attempts() == [1, 2, 3]


def test_the_time_of_a_folder_that_changed_moments_ago_says_nothing(
    half_done: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two changes may share one time, so that the second one would not be seen.
    home = str(next(half_done.trials.iterdir()))
    changed = Path(home).stat().st_mtime_ns

    def at(seconds: float) -> str:
        monkeypatch.setattr(time, "time_ns", lambda: changed + int(seconds * 1e9))
        return stamp_of_home(home)

    assert (at(-60), at(0), at(2)) == ("", "", "")
    assert at(60)


def test_a_further_folder_is_seen_where_the_disks_clock_gives_both_changes_one_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def with_folders(number: int) -> str:
        about = SimpleNamespace(st_mtime_ns=1, st_ctime_ns=1, st_nlink=2 + number)
        monkeypatch.setattr("sweeps.storage.index.os", SimpleNamespace(stat=lambda _: about))
        return stamp_of_home("home")

    assert with_folders(1) != with_folders(2)


def test_a_link_to_itself_among_the_trials_is_no_trial(half_done: Store) -> None:
    expected = half_done.summaries()
    loop = half_done.trials / ("0" * 16)
    loop.symlink_to(loop)

    assert Store(half_done.path).summaries() == expected


def test_a_full_disk_is_one_message_and_nothing_is_torn(store: Store, small_plan: Plan) -> None:
    commit(store, small_plan.trials[1])
    before = files(store.trials)

    with files_of_at_most(300), pytest.raises(StoreError) as caught:
        commit(store, small_plan.trials[0])

    assert str(caught.value).startswith("the disk is full: ")
    assert "free some space and run again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(store.trials) == before
    assert not [path for path in store.trials.rglob(".*") if path.is_dir()]


def _write_until_killed(path: str, record: Any) -> None:
    store = Store(path)
    while True:
        store.commit(record, Path("/nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.05, 0.11, 0.17])
def test_a_writer_that_is_killed_leaves_whole_records_only(
    store: Store, small_plan: Plan, moment: float
) -> None:
    record = made_record(small_plan.trials[0], curve={"step": list(range(20_000))})
    writer = multiprocessing.get_context("fork").Process(
        target=_write_until_killed, args=(str(store.path), record)
    )
    writer.start()
    writer.join(moment)
    writer.kill()
    writer.join()

    attempts = [one.attempt for one in store.records()]

    assert attempts == list(range(1, len(attempts) + 1))
    assert store.messages == []
    store.clear_leftovers()
    assert not list(store.trials.rglob(".*"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "is not writable; fix its permissions or name another store"),
        (errno.EROFS, "is not writable; fix its permissions or name another store"),
        (errno.EIO, "could not be written (Input/output error); fix this or name another"),
    ],
)
def test_a_store_that_cannot_be_made_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "s").prepare()

    assert words in str(caught.value)
    assert str(tmp_path / "s") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_system_without_locks_is_one_message(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)

    with pytest.raises(StoreError) as caught, store.locked():
        pass

    assert str(caught.value) == (
        f"the store {store.path} cannot be locked (No locks available); put it on a file system with "
        "locks, such as a local disk"
    )


def test_a_file_in_the_place_of_the_store_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file")

    with pytest.raises(StoreError, match="a file has that name; name another store"):
        Store(tmp_path / "s").prepare()

    assert (tmp_path / "s").read_text() == "a file"


def test_reading_a_store_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")

    assert (store.summaries(), dict(store.artifacts()), list(store.records())) == ((), {}, [])
    assert list(tmp_path.iterdir()) == []


HOLDER = """
import sys
from sweeps.storage import Store
from sweeps.storage.index import stamp_of_home
store = Store(sys.argv[1])
with store.locked():
    store.note_holder()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_gets_one_message_and_a_killed_one_leaves_no_lock(store: Store) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StoreError) as caught, store.locked():
            pass
        holder.kill()
        holder.wait()
        with store.locked():
            pass

    assert f"is in use by process {holder.pid} since 20" in str(caught.value)
    assert "wait until it ends, stop it, or name another store" in str(caught.value)
    assert "\n" not in str(caught.value)


def _keep_half(store: Store) -> None:
    with store.save_artifact("encoder", KEY, launch="l", lasting=True) as folder:
        (folder / "weights").write_text("half")
        _ = 1 / 0


def test_an_artifact_is_saved_atomically(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        _keep_half(store)
    assert store.artifacts() == {}

    with store.save_artifact("encoder", KEY, launch="l", lasting=True) as folder:
        (folder / "weights").write_text("whole")

    assert store.artifacts() == {"encoder": frozenset({KEY})}
    assert (store.artifact("encoder", KEY) / "weights").read_text() == "whole"
    assert [path.name for path in (store.path / "encoders").iterdir()] == [KEY]


def test_leftovers_of_dead_processes_go_and_what_is_whole_stays(half_done: Store) -> None:
    with half_done.save_artifact("encoder", KEY, launch="l", lasting=True):
        pass
    half_done.summaries()
    whole = files(half_done.path)
    (half_done.path / "encoders" / f".{KEY}.0123abcd").mkdir()
    (next(half_done.trials.iterdir()) / ".002.0123abcd").mkdir()
    note = {"key": KEY, "pid": 1, "began": "never", "host": socket.gethostname()}
    (half_done.running / f"{KEY}.json").write_text(json.dumps(note))

    half_done.clear_leftovers()

    assert files(half_done.path) == whole
    assert not list(half_done.path.rglob(".*"))


def test_a_record_that_is_gone_is_known_no_longer(half_done: Store, small_plan: Plan) -> None:
    assert len(half_done.summaries()) == 2

    shutil.rmtree(half_done.trials / small_plan.trials[0].key)

    for store in (half_done, Store(half_done.path)):
        assert [one.key for one in store.summaries()] == [small_plan.trials[1].key]


def test_who_held_the_lock_is_noted_no_longer_than_it_is_held(store: Store) -> None:
    with store.locked() as lock:
        store.note_holder(session="somewhere")
        assert "somewhere" in lock.read_text("utf-8")

    assert lock.read_text("utf-8") == ""


def test_what_a_running_trial_notes_and_what_only_resembles_a_leftover_stay(
    half_done: Store, small_plan: Plan
) -> None:
    mine = [
        half_done.running / f"copy of .{KEY}.json.0123abcd",
        half_done.running / f"my-{KEY}.json.old",
        half_done.path / "about .index.jsonl.0123abcd",
    ]
    for file in mine:
        file.write_text("{}")
    trial = small_plan.trials[2]
    with Heartbeat(half_done.running, trial, study="toy", launch="l", driver=None):
        half_done.clear_leftovers()

        assert (half_done.running / f"{trial.key}.json").exists()
    assert all(file.exists() for file in mine)

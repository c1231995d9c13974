"""A store is made only in a folder of its own, and no file that the engine did not make is touched."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_records import commit
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.execution import RunSettings, run_here
from sweeps.planning import Plan
from sweeps.storage import Store

KEY = "0123456789abcdef"


def snapshot(folder: Path, paths: list[Path]) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes (of a link its target) of files, folders and links."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in paths:
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            content = os.fsencode(path.readlink())
        else:
            content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b"/"
        found[str(path.relative_to(folder))] = about.st_mode, content
    return found


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    return snapshot(folder, sorted(folder.rglob("*")))


# ------------------------------------------------------------------- a folder that is no store

FOREIGN: dict[str, dict[str, str]] = {
    "hidden folders below folders that end in s": {"notes/.git/HEAD": "ref", "docs/.env": "k=1"},
    "a hidden file": {".profile": "x"},
    "a folder named as ours": {"trials/mine/001/results.csv": "1,2"},
    "attempts without a record": {f"trials/{KEY}/001/results.csv": "1,2"},
    "records of somebody else": {f"trials/{KEY}/001/record.json": '{"artist": "X"}'},
    "a store.json of another program": {"store.json": '{"shop": "fruit"}', "a.txt": "a"},
    "a heartbeat of another program": {"running/5k.json": '{"km": 5}'},
    "a lock of another program": {"lock": "4711"},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_folder_that_holds_something_else_is_refused_and_stays_as_it_was(
    tmp_path: Path, small_plan: Plan, what: str
) -> None:
    folder = tmp_path / "home"
    for name, text in FOREIGN[what].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    before = everything(folder)
    store = Store(folder)

    refused: list[str] = []
    for use in (
        store.prepare,
        lambda: store.identity,
        lambda: run_here(small_plan.trials[0], small_plan, store, "x:y", RunSettings()),
    ):
        with pytest.raises(StoreError) as caught:
            use()
        refused.append(str(caught.value))
    known = store.known()
    records = list(store.records())

    assert everything(folder) == before
    assert (known.summaries, dict(known.artifacts), records, store.messages) == ((), {}, [], [])
    assert len(set(refused)) == 1
    assert f"{folder} is not a store" in refused[0]
    assert next(iter(FOREIGN[what])).split("/")[0] in refused[0]
    assert "name a new or empty folder" in refused[0]
    assert "\n" not in refused[0]


def test_an_empty_folder_becomes_a_store(tmp_path: Path) -> None:
    Store(tmp_path).prepare()
    Store(tmp_path).prepare()

    assert json.loads((tmp_path / "store.json").read_text())["id"] == Store(tmp_path).identity


def test_a_folder_in_which_a_store_was_being_made_becomes_one(tmp_path: Path) -> None:
    # A process was killed between writing the file and giving it its name.
    (tmp_path / ".store.json.0123abcd").write_text("{")

    Store(tmp_path).prepare()

    assert len(Store(tmp_path).identity) == 16


@pytest.mark.parametrize("how", ["lost", "torn", "empty"])
def test_a_store_whose_store_json_was_lost_is_known_by_its_records(
    half_done: Store, how: str
) -> None:
    expected = half_done.summaries()
    file = half_done.path / "store.json"
    file.unlink() if how == "lost" else file.write_text("{" * (how == "torn"))
    store = Store(half_done.path)

    assert store.summaries() == expected
    store.prepare()

    assert len(json.loads(file.read_text())["id"]) == 16
    [told] = store.messages
    assert f"{file} was lost" in told
    assert store.summaries() == expected
    assert Store(half_done.path).identity == store.identity


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    (store.path / "store.json").write_text('{"format": 3, "id": "0123456789abcdef"}')

    why = (
        "store.json has format 3, but this program reads formats up to 2; a newer version wrote it: "
        "update, or name another store"
    )
    with pytest.raises(StoreError, match=why):
        Store(store.path).prepare()


# ------------------------------------------------------------------------ what stands in a store


def test_a_file_in_the_place_of_the_next_attempt_stays(store: Store, small_plan: Plan) -> None:
    trial = small_plan.trials[0]
    home = store.trials / trial.key
    home.mkdir()
    (home / "001").write_text("a file of the user's")
    (home / "002").symlink_to("nowhere")
    (home / "003").mkdir()

    assert commit(store, trial).attempt == 4

    assert (home / "001").read_text() == "a file of the user's"
    assert (home / "002").readlink() == Path("nowhere")
    assert (home / "003").is_dir()


def kept(store: Store, *, lasting: bool = True) -> Path:
    with store.save_artifact("encoder", KEY, launch="l", lasting=lasting) as folder:
        (folder / "weights").write_text("w")
    return store.artifact("encoder", KEY)


def test_foreign_files_in_the_place_of_an_artifact_stay_next_to_it(store: Store) -> None:
    place = store.artifact("encoder", KEY)
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("of the user's")

    for _ in range(2):
        kept(store)

        assert (place / "mine.txt").read_text() == "of the user's"
        assert (place / "weights").read_text() == "w"
        assert store.artifacts() == {"encoder": frozenset({KEY})}
        assert [path.name for path in place.parent.iterdir()] == [KEY]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("file", f"{KEY} is where the folder of a saved encoder should be; move it elsewhere"),
        ("link", f"{KEY} is where the folder of a saved encoder should be; move it elsewhere"),
        ("same name", f"{KEY}/weights is where a file must be saved; move it elsewhere"),
    ],
)
def test_what_bars_the_place_of_an_artifact_is_refused_and_stays(
    store: Store, how: str, why: str
) -> None:
    place = store.artifact("encoder", KEY)
    place.parent.mkdir()
    if how == "file":
        place.write_text("of the user's")
    elif how == "link":
        place.symlink_to(store.path.parent)
    else:
        place.mkdir()
        (place / "weights").write_text("of the user's")
    before = everything(store.path.parent)

    with pytest.raises(StoreError, match=why):
        kept(store)

    assert everything(store.path.parent) == before


def test_what_was_added_to_an_artifact_outlives_it(store: Store) -> None:
    place = kept(store, lasting=False)
    (place / "notes.txt").write_text("of the user's")

    store.drop_artifact("encoder", KEY)

    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    assert store.artifacts() == {}


def test_a_link_in_the_place_of_the_lock_leads_nowhere(store: Store, tmp_path: Path) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    (store.path / "lock").symlink_to(diary)

    with pytest.raises(StoreError, match="lock"), store.locked():
        pass

    assert diary.read_text() == "dear diary"


# ------------------------------------------------------------------------------- random trees

LEVELS = st.sampled_from(
    [
        *("notes", "docs", ".git", ".env", "data.csv", "a b", "ü", ".hidden", "cache.lock"),
        *("encoders", "evaluations", "mine", ".mine.12ab", ".001.12ab", ".k.0123456", "todo.json"),
        *("x.stop", "x.json", "001", "record.json", "log.txt", ".old", "checkpoints", "trials"),
        *("running", "studies", "set-aside", f".{KEY}.12ab", f"encoder-{KEY}x", "x.tracking"),
    ]
)
KINDS = st.sampled_from(["file", "empty", "folder", "link", "dangling", "loop", "closed"])
TREES = st.lists(st.tuples(st.lists(LEVELS, min_size=1, max_size=3), KINDS), max_size=8)
PLACES = st.sampled_from(
    [
        *("", "trials", "running", "checkpoints", "encoders", "evaluations", "studies", "cache"),
        *("set-aside", "docs", "trials/KEY", "encoders/KEY", "studies/toy@smoke", ".."),
    ]
)
OWN = {"trials", "running", "checkpoints", "studies", "set-aside", "encoders"}
"""First-level folders that a run makes: a foreign file of that name is another test's business."""


def plant(base: Path, tree: list[tuple[list[str], str]]) -> list[Path]:
    """Makes files, folders and links where there is room; gives those that it made."""
    made: list[Path] = []
    for parts, kind in tree:
        path = base.joinpath(*parts)
        if len(parts) == 1 and base.name == "runs" and path.name in OWN and kind != "folder":
            continue
        try:
            for folder in reversed(path.relative_to(base.parent).parents):
                if not (base.parent / folder).exists():
                    (base.parent / folder).mkdir()
                    made.append(base.parent / folder)
            if kind in {"link", "dangling", "loop"}:
                to = {"link": "/etc", "dangling": "no/where", "loop": path.name}[kind]
                path.symlink_to(to)
            elif kind == "folder":
                path.mkdir()
            else:
                with path.open("x") as file:
                    file.write("" if kind == "empty" else f"of the user's: {path.name}")
                path.chmod(0o400 if kind == "closed" else 0o640)
        except OSError:
            continue
        made.append(path)
    return made


@settings(max_examples=25)
@given(st.lists(st.tuples(PLACES, TREES), min_size=1, max_size=4))
@example([("docs", [([".env"], "file"), ([".git", "x.json"], "file")])])
@example([("running", [(["todo.json"], "file"), (["x.stop"], "file"), (["mine", ".git"], "file")])])
@example([("trials/KEY", [([".mine.12ab", "x.json"], "file"), ([".hidden"], "file")])])
@example([("checkpoints", [([".git", "x.json"], "file"), ([".env"], "link")])])
@example([("encoders/KEY", [(["notes"], "folder")])])
@example([("encoders", [([".git", "x.json"], "file"), ([f".{KEY}.12ab"], "file")])])
def test_no_file_that_the_engine_did_not_make_is_removed_moved_or_overwritten(
    planted: list[tuple[str, list[tuple[list[str], str]]]],
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        around = Path(scratch) / "home"
        store = Store(around / "runs")
        store.prepare()
        plan = toy_plan(toy_sweep([1, 2]), store.known())
        run(store, plan, 0)
        made: list[Path] = []
        for place, tree in planted:
            key = plan.trials[0].key if place.startswith("trials") else plan.trials[0].stages[0].key
            base = (store.path / place.replace("KEY", key)).resolve()
            base.mkdir(parents=True, exist_ok=True)
            made += plant(base, tree)
        before = snapshot(around, made)

        for again in (False, True):
            run(store, toy_plan(toy_sweep([1, 2]), store.known(), again=again), int(not again))
        torn = store.trials / plan.trials[0].key / "001" / "record.json"
        torn.write_text("torn")
        own = {path for path in made if torn.parent in path.parents}
        Store(store.path).known()
        list(Store(store.path).records())
        with store.locked():
            store.clear_leftovers()
            store.clear_checkpoints()

        assert snapshot(around, [path for path in made if path not in own]) == {
            name: what for name, what in before.items() if around / name not in own
        }


def run(store: Store, plan: Plan, place: int) -> Any:
    payload = {"counter": str(store.path.parent / "counter")}
    return run_here(
        plan.trials[place], plan, store, "toy_trials:toy_trial", RunSettings(payload=payload)
    )


def test_leftovers_are_known_by_their_exact_names(half_done: Store) -> None:
    key = next(half_done.trials.iterdir()).name
    ours = [
        half_done.trials / key / ".002.0123abcd",
        half_done.trials / key / ".002.0123abcd.old",
        half_done.path / "encoders" / f".{KEY}.0123abcd",
        half_done.path / "evaluations" / f".{KEY}.0123abcd.old",
        half_done.path / "studies" / ".toy@smoke.0123abcd",
    ]
    for folder in ours:
        folder.mkdir(parents=True)
        (folder / "half").write_text("h")
    files = [
        half_done.path / "checkpoints" / f".encoder-{KEY}.0123abcd",
        half_done.running / f".{KEY}.json.0123abcd",
        half_done.running / ".probe.0123abcd",
        half_done.running / "20260102T030405-aaaa.stop",
        half_done.running / "20260102T030405-aaaa.hold",
        half_done.running / "20260102T030405-aaaa.pace",
        half_done.running / ".20260102T030405-aaaa.pace.0123abcd",
        half_done.running / f"{KEY}.json",
        half_done.path / ".index.jsonl.0123abcd",
    ]
    job = half_done.running / "20260102T030405-aaaa" / "00000.json"
    shared = job.parent / "jobs-00000"
    for file in [*files, job, shared / "000000.taken", shared / "000001.json"]:
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    outside = half_done.path.parent / "outside"
    shutil.copytree(half_done.trials / key / "001", outside / ".003.0123abcd")
    link = half_done.trials / key / ".003.0123abcd"
    link.symlink_to(outside / ".003.0123abcd")

    half_done.clear_leftovers()

    left = [path for path in [*ours, *files, job.parent] if path.exists()]
    assert left == []
    assert link.is_symlink()
    assert (outside / ".003.0123abcd" / "record.json").exists()

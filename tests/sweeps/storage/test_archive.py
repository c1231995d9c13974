"""A store as one file: what comes out is what went in, and a damaged or foreign file changes nothing."""

import errno
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import commit, made_record
from toy_trials import toy_plan, toy_sweep

from sweeps.errors import StoreError
from sweeps.planning import Plan
from sweeps.record import TrialRecord
from sweeps.storage import Store
from sweeps.storage.archive import Archived, labels_in, read_archive, write_archive
from sweeps.storage.launch_log import save_plan, studies
from sweeps.storage.seals import sealed

LABEL = "toy@smoke"


@pytest.fixture
def full(half_done: Store, small_plan: Plan) -> Store:
    """Two records, one with a file, an artifact, and a study with a report."""
    files = {"a b.txt": b"\x00\xff"}
    half_done.commit(made_record(small_plan.trials[2]), half_done.running / "no.log", files)
    save_plan(half_done, small_plan)
    (half_done.study(LABEL) / "report.html").write_text("a report")
    stage = small_plan.trials[0].stages[0]
    with half_done.save_artifact(stage.name, stage.key, launch="x", lasting=True) as folder:
        (folder / "weights").write_bytes(b"weights")
    return half_done


def exported(store: Store, to: Path, *, artifacts: bool = True) -> Archived:
    return write_archive(store, to, labels_in(store), artifacts=artifacts, about={"lock": b"x==1"})


def contents(store: Store) -> dict[str, str]:
    """Hashes of all lasting files but the index, which is only a copy."""
    return {
        str(path.relative_to(store.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("trials", "studies", "encoders")
        for path in (store.path / part).rglob("*")
        if path.is_file()
    }


def test_a_new_store_gets_the_same_files_byte_for_byte(full: Store, tmp_path: Path) -> None:
    made = exported(full, tmp_path / "a.tar.gz")
    other = Store(tmp_path / "other")

    found = read_archive(other, tmp_path / "a.tar.gz")

    assert (made.records, made.studies, made.artifacts) == (3, 1, 1)
    assert found == (3, 0, ("toy@smoke",), (), 1)
    assert list(other.records()) == list(full.records())
    assert contents(other) == contents(full)


def test_the_same_content_gives_the_same_bytes_and_the_hash_is_that_of_sha256sum(
    full: Store, tmp_path: Path
) -> None:
    one, other = exported(full, tmp_path / "1"), exported(full, tmp_path / "2")

    assert one == other
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert one.sha256 == hashlib.sha256((tmp_path / "1").read_bytes()).hexdigest()


def test_any_program_can_unpack_it_and_check_the_hashes(full: Store, tmp_path: Path) -> None:
    exported(full, tmp_path / "a.tar.gz")

    shutil.unpack_archive(tmp_path / "a.tar.gz", tmp_path / "plain", filter="data")

    about = json.loads((tmp_path / "plain/MANIFEST.json").read_text())
    for name, expected in about["files"].items():
        found = hashlib.sha256((tmp_path / "plain" / name).read_bytes()).hexdigest()
        assert found == expected, name
    assert (tmp_path / "plain/about/lock").read_bytes() == b"x==1"


def test_importing_twice_adds_nothing_and_other_records_become_further_attempts(
    full: Store, tmp_path: Path, small_plan: Plan
) -> None:
    exported(full, tmp_path / "a.tar.gz")
    other = Store(tmp_path / "other")
    other.prepare()
    trial = small_plan.trials[0]
    own = commit(other, trial, values={"top1": 1.0})

    first, again = (read_archive(other, tmp_path / "a.tar.gz") for _ in range(2))

    assert (first.records, first.known_records) == (3, 0)
    assert (again.records, again.known_records, again.studies, again.artifacts) == (0, 3, (), 0)
    assert again.known_studies == ("toy@smoke",)
    assert [one.values for one in other.records([trial.key])] == [own.values, {"top1": 50.0}]


def test_a_study_takes_records_that_another_study_made(full: Store, tmp_path: Path) -> None:
    plan = toy_plan(toy_sweep([1]), full.known())
    plan = plan.model_copy(update={"study": "other"})
    save_plan(full, plan)

    made = write_archive(full, tmp_path / "a", [plan.label])

    assert (made.records, made.studies, made.artifacts) == (len(plan.trials), 1, 0)


def test_a_file_that_exists_is_not_replaced(full: Store, tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    target.write_text("mine")

    with pytest.raises(StoreError, match=r"a\.tar\.gz exists and is not replaced; name another"):
        exported(full, target)

    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.tar.gz"]


def test_a_folder_that_is_not_there_is_named(full: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"/no is no folder, so a cannot be written there; create"):
        exported(full, tmp_path / "no" / "a")


def test_an_export_that_fails_names_the_reason_and_leaves_nothing(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sweeps.storage.archive._fill", fill)
    why = r"a could not be written \(No space left on device\); fix this or name another file"
    with pytest.raises(StoreError, match=why):
        exported(full, tmp_path / "a")

    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """The archive with other contents and a manifest that fits them."""
    with tarfile.open(file) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    del files["MANIFEST.json"]
    change(files)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files["MANIFEST.json"] = json.dumps({"format": 1, "files": hashes}).encode()
    with tarfile.open(file, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def bit_flipped(file: Path) -> None:
    """One bit of one content, packed again without touching the manifest."""
    text = gzip.decompress(file.read_bytes())
    place = text.index(b"a report")
    file.write_bytes(gzip.compress(text[:place] + b"A" + text[place + 1 :]))


def not_an_archive(file: Path) -> None:
    file.write_text("hello")


def climbing(file: Path) -> None:
    rewritten(file, lambda files: files.update({"../outside": b"x"}))


def climbing_within(file: Path) -> None:
    rewritten(file, lambda files: files.update({"studies/../../outside": b"x"}))


def hidden(file: Path) -> None:
    rewritten(file, lambda files: files.update({"studies/s/.bashrc": b"x"}))


def linked(file: Path) -> None:
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("studies/s/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)


def with_an_edited_record(file: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        name = next(name for name in files if name.endswith("record.json"))
        files[name] = files[name].replace(b"50.0", b"99.0")

    rewritten(file, edit)


def with_an_edited_artifact(file: Path) -> None:
    def edit(files: dict[str, bytes]) -> None:
        files[next(name for name in files if name.endswith("weights"))] = b"others"

    rewritten(file, edit)


def without_its_manifest(file: Path) -> None:
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("studies/s/empty"))


def newer(file: Path) -> None:
    text = gzip.decompress(file.read_bytes())
    file.write_bytes(
        gzip.compress(text.replace(b'"format": 1,\n "files"', b'"format": 2,\n "files"'))
    )


def with_a_record_that_names(name: str) -> Callable[[Path], None]:
    """A record that is whole by its own seal, whose file lies elsewhere in the archive."""

    def harm(file: Path) -> None:
        def edit(files: dict[str, bytes]) -> None:
            place = next(name for name in files if b"a b.txt" in files[name])
            about = json.loads(files[place])
            del about["seal"]
            files[place] = json.dumps(sealed({**about, "files": [name]})).encode()
            files["about/planted"] = b"x"

        rewritten(file, edit)

    return harm


def growing(file: Path) -> None:
    """Two gigabytes of which not a byte was written: only their header is there."""
    with file.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb") as packed:
        member = tarfile.TarInfo("studies/s/zeros")
        member.size = 2_000_000_000
        packed.write(member.tobuf())


NO_EXPORT = (cut, not_an_archive, Path.unlink, without_its_manifest, newer)
"""What leaves a file that this program cannot read; its message says what to do about the file."""


def naming_no_file(file: Path) -> None:
    rewritten(file, lambda files: files.update({"studies/s/a\0b": b"x"}))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "cannot be read as an archive"),
        (not_an_archive, "cannot be read as an archive"),
        (Path.unlink, "a.tar.gz does not exist; name a file of `ablate store export`"),
        (bit_flipped, "studies/toy@smoke/report.html does not have the hash in MANIFEST.json"),
        (climbing, "holds '../outside', which no export writes"),
        (climbing_within, "holds 'studies/../../outside', which no export writes"),
        (hidden, "holds 'studies/s/.bashrc', which no export writes"),
        (linked, "holds 'studies/s/link', which no export writes"),
        (with_an_edited_record, "its checksum does not match; nothing was imported"),
        (with_an_edited_artifact, "has a file weights that changed since it was saved"),
        (
            with_a_record_that_names("../../../../about/planted"),
            "is not a record (files: '../../../../about/planted' is not a plain name)",
        ),
        (with_a_record_that_names("lost.py"), "/001 lacks its file lost.py; nothing was imported"),
        (
            growing,
            (
                "a.tar.gz would unpack to 2,000,000,512 bytes or more ('studies/s/zeros'), but the limit "
                "for an archive of this size is 1,000,000,000; nothing was imported"
            ),
        ),
        (naming_no_file, "changed since it was written: studies/s/a"),
        (
            without_its_manifest,
            "a.tar.gz has no MANIFEST.json at its end; it is incomplete: export it again",
        ),
        (newer, "has format 2, but this program reads format 1; update"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_damaged_or_foreign_file_is_refused_and_nothing_is_imported(
    full: Store, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    file, place = tmp_path / "a.tar.gz", tmp_path / "new"
    exported(full, file)
    harm(file)

    with pytest.raises(StoreError) as caught:
        read_archive(Store(place), file)

    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert str(caught.value).endswith("; nothing was imported") == (harm not in NO_EXPORT)
    assert not place.exists()
    assert not (tmp_path / "outside").exists()


def test_a_damaged_artifact_is_not_exported(full: Store, tmp_path: Path) -> None:
    weights = next((full.path / "encoders").glob("*/weights"))
    weights.write_bytes(b"Weights")

    with pytest.raises(StoreError, match="file weights that changed since it was saved; run its"):
        exported(full, tmp_path / "a")

    assert not (tmp_path / "a").exists()
    assert exported(full, tmp_path / "a", artifacts=False).records == 3


@pytest.mark.parametrize("name", ["a\\b", "tables/line\nbreak"])
def test_a_file_that_an_archive_cannot_hold_is_named_and_not_left_out(
    full: Store, tmp_path: Path, name: str
) -> None:
    (full.study(LABEL) / "tables").mkdir()
    (full.study(LABEL) / name).write_text("x")

    with pytest.raises(StoreError, match="cannot be in an archive; rename it") as caught:
        exported(full, tmp_path / "a")

    assert repr(f"studies/{LABEL}/{name}") in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_what_a_killed_import_left_is_no_study_and_goes(full: Store, tmp_path: Path) -> None:
    half = full.path / "studies" / f".{LABEL}.0123abcd"
    shutil.copytree(full.study(LABEL), half)

    assert studies(full) == [LABEL]
    made = exported(full, tmp_path / "a")
    full.clear_leftovers()

    assert (made.studies, half.exists()) == (1, False)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_an_import_that_was_broken_off_is_completed_by_another(
    full: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    exported(full, tmp_path / "a")
    other, left = Store(tmp_path / "other"), iter(range(done))
    once = Store.commit

    def breaking(store: Store, *args: Any) -> TrialRecord:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return once(store, *args)

    def torn(folder: Path, place: Path) -> None:
        shutil.copytree(folder, place.with_name(f".{place.name}.0123abcd"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", breaking)
        patch.setattr("sweeps.storage.archive._copied", torn)
        with pytest.raises(KeyboardInterrupt):
            read_archive(other, tmp_path / "a")
    found = read_archive(Store(other.path), tmp_path / "a")

    assert (found.records, found.known_records) == (3 - done, done)
    assert contents(other) == contents(full)


def test_a_store_in_use_takes_nothing(full: Store, tmp_path: Path) -> None:
    exported(full, tmp_path / "a")
    other = Store(tmp_path / "other")

    with other.locked(), pytest.raises(StoreError, match="is in use"):
        read_archive(Store(other.path), tmp_path / "a")

    assert list(other.records()) == []

"""`store export | import | check | gc`: a store as one file, and what is in it."""

import shlex
from pathlib import Path

from ablations.commands.output import print_json, size
from ablations.commands.terminal import console, say
from ablations.commands.trial_keys import existing_store
from ablations.errors import UsageError
from sweeps.history_label import study_and_scale
from sweeps.storage import (
    Store,
    collect_garbage,
    inspect,
    labels_in,
    read_archive,
    write_archive,
)
from sweeps.suggest import did_you_mean

LOCK = Path(__file__).parents[2] / "requirements.lock"
"""In a checkout: the exact versions of all packages."""


def export_to(path: Path, names: tuple[str, ...], to: Path | None, *, encoders: bool) -> None:
    """Writes an archive and prints its hash.

    Raises:
        UsageError: There is no store, or it has no study of a name.
        StoreError: The file exists or cannot be written.
    """
    store = existing_store(path)
    target = Path(f"{store.path.name}.tar.gz") if to is None else to
    about = {LOCK.name: LOCK.read_bytes()} if LOCK.is_file() else {}
    made = write_archive(store, target, _labels(store, names), artifacts=encoders, about=about)
    for message in store.messages:
        say(f"{message}; the export does not contain it")
    out = console()
    weights = f", {_number(made.artifacts, 'artifact')}" if encoders else ""
    out.print(
        f"{target}: {_number(made.records, 'record')} of {_number(made.studies, 'study')}{weights}",
        soft_wrap=True,
    )
    out.print(f"sha256: {made.sha256}", soft_wrap=True)
    out.print(
        f"to read it: ablate store import {shlex.quote(str(target))} --store DIR", soft_wrap=True
    )


def import_from(path: Path, file: Path) -> None:
    """Adds an archive to a store, which is created if there is none.

    Raises:
        StoreError: The file is no archive or is damaged, or the store is in use or is none.
    """
    store = Store(path)
    store.refuse_foreign()
    found = read_archive(store, file)
    out = console()
    there = f", {found.known_records} were already there" if found.known_records else ""
    out.print(f"{store.path}: {_number(found.records, 'record')} added{there}", soft_wrap=True)
    if found.artifacts:
        out.print(f"artifacts added: {found.artifacts}")
    for study in found.studies:
        out.print(f"study added: {study}", soft_wrap=True)
    for study in found.known_studies:
        say(
            f"{store.study(study)} was already there and stays as it is; `ablate report` includes "
            "the new records"
        )


def check(path: Path, *, as_json: bool) -> int:
    """Prints what is in a store and what is damaged; returns the exit code.

    Raises:
        UsageError: There is no store.
    """
    found = inspect(existing_store(path))
    if as_json:
        print_json(found._asdict())
        return int(bool(found.faults))
    out = console()
    for fault in found.faults:
        say(fault)
    for name, num_bytes in found.sizes.items():
        out.print(f"{size(num_bytes):>8}  {name}", soft_wrap=True)
    intact = "all intact" if not found.faults else f"{len(found.faults)} damaged"
    aside = f"; {found.set_aside} set aside earlier" if found.set_aside else ""
    out.print(
        f"{_number(found.records, 'record')} and {_number(found.artifacts, 'artifact')}: {intact}{aside}"
    )
    return int(bool(found.faults))


def clean(path: Path, *, encoders: bool) -> None:
    """Removes what no trial needs and prints what was freed.

    Raises:
        UsageError: There is no store.
        StoreError: A launch is using it.
    """
    freed = collect_garbage(existing_store(path), artifacts=encoders)
    console().print(f"{size(freed)} freed; all records are still there")


def _number(count: int, noun: str) -> str:
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else several}"


def _labels(store: Store, names: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of studies by label or by name, all of them without a name."""
    known = labels_in(store)
    of_names = {
        name: [one for one in known if name in (one, study_and_scale(one)[0])] for name in names
    }
    options = [*known, *(study_and_scale(one)[0] for one in known)]
    unknown = [name for name, found in of_names.items() if not found]
    if unknown:
        raise UsageError(
            *(
                f"the store {store.path} has no study {name!r}{did_you_mean(name, options)}"
                for name in unknown
            )
        )
    chosen = {one for found in of_names.values() for one in found}
    return tuple(one for one in known if not names or one in chosen)

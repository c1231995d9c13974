"""A record's file: sealed when it is written, and accepted only if its seal, key and values are valid."""

import datetime as dt
import errno
import json
import math
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from sweeps.errors import StoreError
from sweeps.planning import chain_keys
from sweeps.record import FORMAT, TrialRecord, is_plain_name
from sweeps.storage.atomic_io import read_bytes, write_json
from sweeps.storage.seals import SEAL, is_whole, sealed

MOST_BYTES = 32_000_000
"""Size limit of a record's file; 50,000 logged steps of four metrics take 5 MB."""

_MOST_DEPTH = 64
"""Nesting limit of a record's free-form fields, since JSON writers recurse to that depth."""

_ACCURACY = re.compile(r"(^|[/_])top[1-9][0-9]*$")
"""The names of values that are percentages, such as `top1` and `knn_top5`."""

_UNSEALED = 1
"""The last format without a seal."""

_CLOSED = {errno.EACCES, errno.EPERM, errno.EIO}


class Unreadable(Exception):  # noqa: N818 -- a state of a file, handled where it is read
    """The file holds no valid record; the text continues a sentence that begins with its folder."""


def write_record(file: Path, record: TrialRecord) -> TrialRecord:
    """Writes a record with its seal; returns it as `read_record` will."""
    about = sealed(json.loads(record.model_dump_json(exclude={SEAL})))
    write_json(file, about)
    return record.model_copy(update={SEAL: about[SEAL]})


def read_record(file: Path, key: str, attempt: int) -> TrialRecord:
    """The record of a trial and attempt, migrated to today's format.

    Raises:
        Unreadable: the file is incomplete, changed, not a record, or that of another trial.
        StoreError: the record has a newer version, or reading is not permitted.
    """
    record = _parse(file)
    if (record.key, record.attempt) != (key, attempt):
        raise Unreadable(f"contains the record of {record.key}, attempt {record.attempt}")
    if (why := _impossible(record)) is not None:
        raise Unreadable(f"is not a record ({why})")
    return record


def _parse(file: Path) -> TrialRecord:
    try:
        about = from_json(read_bytes(file, MOST_BYTES))
        return TrialRecord.model_validate(_migrated(about, file))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "record"
        raise Unreadable(f"is not a record ({place}: {first['msg']})") from error
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise Unreadable(f"cannot be read ({error})") from error
    except FileNotFoundError as error:
        raise Unreadable("holds no record.json") from error
    except OSError as error:
        if error.errno in _CLOSED:
            raise StoreError(
                f"{file} cannot be read ({error.strerror}); fix its permissions"
            ) from error
        raise Unreadable(f"cannot be read ({error.strerror})") from error


def _migrated(about: Any, file: Path) -> dict[str, Any]:
    """The fields of a record of any format as fields of today's.

    Format 1 had no seal and no identities, and its first versions fewer fields. Format 2 had other
    names for the stage `evaluation` and for its field of the configuration: the record keeps them,
    since its keys are those of the identities that it recorded.
    """
    if not isinstance(about, dict):
        raise Unreadable("is not a record (not a mapping)")
    number = about.get("format", FORMAT)
    if number > FORMAT:
        raise StoreError(
            f"{file} has format {number}, but this program reads formats up to {FORMAT}; a newer "
            "version wrote it: update, or name another store"
        )
    if number != _UNSEALED and not is_whole(about):
        raise Unreadable("changed since it was written: its checksum does not match")
    if number == _UNSEALED:
        about = {"chain": (), **about, SEAL: None}
    return {**about, "format": FORMAT} if number in (1, 2) else about


def _impossible(record: TrialRecord) -> str | None:
    """Why no trial can have written this record; None if one can."""
    if record.chain:
        found = chain_keys(record.chain)
        if found != [(stage.name, stage.key) for stage in record.stages]:
            return f"its key is {record.key}, but its configuration gives {found[-1][1]}"
    if (why := _impossible_values(record)) is not None:
        return why
    if record.seconds < 0:
        return f"seconds: {record.seconds} is negative"
    if not 0 <= record.earlier_seconds <= record.seconds:
        return f"earlier_seconds: {record.earlier_seconds} is not from 0 to {record.seconds}"
    if record.own_seconds is not None and not 0 <= record.own_seconds <= record.seconds:
        return f"own_seconds: {record.own_seconds} is not from 0 to {record.seconds}"
    if (record.error is None) != (record.state == "finished"):
        return f"error: {record.error!r} of a trial that {record.state}"
    if wrong := [name for name in record.files if not is_plain_name(name)]:
        return f"files: {wrong[0]!r} is not a plain name"
    try:
        dt.datetime.fromisoformat(record.started)
    except ValueError:
        return f"started: {record.started!r} is not a point in time"
    return None


def _impossible_values(record: TrialRecord) -> str | None:
    free = {"config": record.config, "facts": record.facts, "provenance": record.provenance}
    for name, value in free.items():
        if _is_deep(value):
            return f"{name}: is nested more than {_MOST_DEPTH} deep"
    for name, value in (*record.values.items(), ("seconds", record.seconds)):
        if value is not None and not math.isfinite(value):
            return f"{name}: {value} is not a finite number"
        # What is sealed is what was measured.
        bounded = record.seal is None and _ACCURACY.search(name) is not None
        if value is not None and bounded and not 0 <= value <= 100:
            return f"{name}: {value} is out of bounds; a percentage must be 0 to 100"
    return None


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_MOST_DEPTH):
        inner = [one for one in level if isinstance(one, dict | list)]
        level = [v for one in inner for v in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return False
    return True

"""Reading a record's file, and saying why one cannot be believed."""

import errno
import json
from pathlib import Path

from pydantic import ValidationError

from sweeps.errors import StoreError
from sweeps.record import FORMAT, TrialRecord

_CLOSED = {errno.EACCES, errno.EPERM, errno.EIO}


class Unreadable(Exception):  # noqa: N818 -- a state of a file, handled where it is read
    """A record that is none; the text is the end of a sentence that begins with its folder."""


def read_record(file: Path, key: str, attempt: int) -> TrialRecord:
    """The record in a file, which stands under this key and attempt.

    Raises:
        Unreadable: it is torn, no record, or that of another trial.
        StoreError: it is of a newer version, or may not be read.
    """
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(about, dict) and about.get("format", FORMAT) > FORMAT:
            raise StoreError(
                f"{file} has format {about['format']}, and this program reads up to {FORMAT};"
                " it was written by a newer version: update, or name another store"
            )
        record = TrialRecord.model_validate(about)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "record"
        raise Unreadable(f"is no record ({place}: {first['msg']})") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"cannot be read ({error})") from error
    except FileNotFoundError as error:
        raise Unreadable("holds no record.json") from error
    except OSError as error:
        if error.errno in _CLOSED:
            raise StoreError(
                f"{file} cannot be read ({error.strerror}); mend its rights"
            ) from error
        raise Unreadable(f"cannot be read ({error.strerror})") from error
    if (record.key, record.attempt) != (key, attempt):
        raise Unreadable(f"holds the record of {record.key}, attempt {record.attempt}")
    return record

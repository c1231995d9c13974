"""Files that a tracker is told to make from a record."""

from sweeps.record import TrialRecord


def made(record: TrialRecord) -> dict[str, str]:
    """One file with a name that it may have, and others; of a failed trial, none can be made."""
    if record.state == "failed":
        raise ValueError("no file of a failed trial")
    return {"made.txt": record.cell, "../up": "elsewhere", ".hidden": "unseen"}

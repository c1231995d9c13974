"""The store on disk: records, artifacts, checkpoints, and the launch log, each written atomically."""

from sweeps.storage.archive import Archived, Imported, labels_in, read_archive, write_archive
from sweeps.storage.artifacts import artifact_can_be_checked, artifact_fault
from sweeps.storage.atomic_io import (
    as_store_error,
    read_json,
    temporary_sibling,
    write_bytes,
    write_failure,
    write_json,
    write_new,
)
from sweeps.storage.checkpoints import Spent, StageCheckpoint
from sweeps.storage.inspection import Inspected, collect_garbage, inspect
from sweeps.storage.launch_log import (
    launch_history,
    load_plan,
    log_launch,
    new_launch,
    plans,
    save_plan,
    studies,
)
from sweeps.storage.store import Store

__all__ = [
    "Archived",
    "Imported",
    "Inspected",
    "Spent",
    "StageCheckpoint",
    "Store",
    "artifact_can_be_checked",
    "artifact_fault",
    "as_store_error",
    "collect_garbage",
    "inspect",
    "labels_in",
    "launch_history",
    "load_plan",
    "log_launch",
    "new_launch",
    "plans",
    "read_archive",
    "read_json",
    "save_plan",
    "studies",
    "temporary_sibling",
    "write_archive",
    "write_bytes",
    "write_failure",
    "write_json",
    "write_new",
]

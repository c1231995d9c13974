"""The output of `list` and `show`, and the forms that the output of commands shares."""

import json
import sys
from pathlib import Path
from typing import Any

from ablations.commands.on_record import histories
from ablations.commands.terminal import console, say_all
from ablations.study import (
    SCALES,
    Study,
    cell_names,
    chosen_cells,
    path_of,
    read_study,
    read_yaml,
    shipped,
)
from sweeps.history_label import difference_first
from sweeps.storage import Store

DATA_MISSING = "data missing"
"""Start of the reason of a trial whose images are not available."""


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def list_shipped(path: Path, *, as_json: bool) -> None:
    """Prints one row for each study, and one for each study and variation on record in a store."""
    studies = [read_study(name).study for name in shipped()]
    known = histories(store := Store(path))
    say_all(store.messages)
    if as_json:
        recorded = [{**one._asdict(), "label": one.label, "report": one.report} for one in known]
        print_json({"studies": [_listed(study) for study in studies], "recorded": recorded})
        return
    table = plain_table("study", "question", "cells")
    for study in studies:
        runs = _cells(study)
        cells = "/".join(str(runs[scale]) for scale in SCALES)
        table.add_row(study.name, study.question, cells)
    console().print(table)
    console().print(f"cells at {'/'.join(SCALES)}; `ablate plan STUDY` shows what would run")
    if known:
        console().print(f"on record in {path}:")
    for one in known:
        done = f"{one.arms} of {one.trials} trials of arms"
        console().print(f"  {difference_first(one.label)}: {done}", soft_wrap=True)
        console().print(f"    {one.report}", soft_wrap=True)  # a command that breaks runs another


def show_file(name: str) -> None:
    """Prints the file verbatim, so that the output is itself a study file."""
    text = read_yaml(path_of(name)).text
    read_study(name)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Any:
    """A table that is readable on a terminal and in a file."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def threads(num: int) -> str:
    """1 thread, 2 threads."""
    return f"{num} thread{'' if num == 1 else 's'}"


def size(num_bytes: float) -> str:
    """An approximate size in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def _cells(study: Study) -> dict[str, int]:
    return {scale: len(chosen_cells(study, scale) or cell_names(study, scale)) for scale in SCALES}


def _listed(study: Study) -> dict[str, Any]:
    return {
        "name": study.name,
        "title": study.title,
        "question": study.question,
        "source": study.source,
        "claims": [claim.name for claim in study.claims],
        "cells": _cells(study),
        "seeds": list(study.seeds),
    }

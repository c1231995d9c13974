"""The output of `list`, `show` and `plan`."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablations.commands.collector import unsearched
from ablations.commands.on_record import histories
from ablations.commands.terminal import console, say
from ablations.study import (
    SCALES,
    Request,
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

if TYPE_CHECKING:
    from ablations.compose import Compute, Cost, Executed
    from sweeps.planning import Plan

DATA_MISSING = "data missing"
"""Start of the reason of a trial whose images are not available."""


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def list_shipped(path: Path, *, as_json: bool) -> None:
    """Prints one row for each study, and one for each study and variation on record in a store."""
    studies = [read_study(name).study for name in shipped()]
    known = histories(Store(path))
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


@unsearched()
def show_plan(
    request: Request, *, keep: Literal["none", "last"], slots: int | None, as_json: bool
) -> None:
    """Prints the plan: by cell for people, by trial as JSON."""
    from ablations.compose import (
        compose,
        cost,
        executed,
        foreseen,
        kernel_by_kernel,
        left_out,
        planned,
        refuse_another_design,
        skipped,
    )
    from ablations.machine_profile import known as known_machine
    from ablations.machine_profile import on_gpus

    composed, store = compose(request)
    known = store.known()
    the_plan = planned(composed, known)
    refuse_another_design(composed, store, the_plan.label)
    price = cost(the_plan, known, keep=keep)
    notes = [*foreseen(composed, the_plan, known), *left_out(composed)]
    notes += kernel_by_kernel(composed, the_plan)
    notes += skipped(composed.data.values(), composed.cache)
    timed = known_machine(store.machine)
    if timed is not None:
        timed = timed.with_slots(slots)
        spread = on_gpus(timed.slots, timed.workers) if composed.device == "cuda" else None
        notes += [] if spread is None else [spread]
    files = executed(the_plan, known.artifacts)
    excluded = composed.sweep().excluded()
    for sentence in (*store.messages, *_without_glyph(composed.study, request)):
        say(sentence)
    if as_json:
        print_json({**_planned(the_plan, price, files), "excluded": excluded, "notes": notes})
        return
    out = console()
    out.print(f"{the_plan.label}: {composed.study.question}")
    out.print(plan_table(the_plan, excluded))
    for note in notes:
        out.print(f"note: {note}", soft_wrap=True)
    one_each = slots or 1, slots or 1
    at_a_time = one_each if timed is None else (timed.slots, timed.processes)
    more = "" if slots is None else f" --slots {slots}"
    for line in plan_lines(the_plan, price, request, keep=keep, at_a_time=at_a_time, more=more):
        out.print(line, soft_wrap=True)  # a command that breaks in two runs something else
    for file in files:
        out.print(f"a run executes {file}", soft_wrap=True)


def _without_glyph(study: Study, request: Request) -> list[str]:
    """The characters that the PDF of this study cannot show; the HTML page shows them."""
    words = [study.title, study.question, study.source, str(request.store), request.study]
    words += [text for claim in study.claims for text in (claim.name, claim.statement)]
    words += cell_names(study, request.scale)
    if "".join(words).isascii():
        return []
    from reports.document import without_glyph

    lacking = without_glyph(" ".join(words))
    if not lacking:
        return []
    shown = " ".join(lacking[:10]) + (" ..." if len(lacking) > 10 else "")
    fonts = f"the fonts of report.pdf and of the figures lack {shown} and show □ instead"
    return [f"{fonts}; the text of report.html shows them"]


def plan_table(the_plan: "Plan", excluded: Mapping[str, str]) -> Any:
    """One row for each cell and reason, then one for each cell that the study excludes."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    todo: Counter[str] = Counter()
    for trial in the_plan.trials:
        # If data are missing, all cells have the same long reason: it is printed once, below the table.
        missing = trial.reason.startswith(DATA_MISSING)
        rows[trial.cell][DATA_MISSING if missing else trial.reason] += 1
        todo[trial.cell] += trial.todo
    roles = {trial.cell: trial.role for trial in the_plan.trials}
    table = plain_table("cell", "role", "trials", "to run", "why", right=("trials", "to run"))
    for cell in dict.fromkeys(trial.cell for trial in the_plan.trials):
        reasons = rows[cell]
        why = "; ".join(
            reason if len(reasons) == 1 else f"{times} {reason}"
            for reason, times in reasons.items()
        )
        table.add_row(cell, roles[cell], str(sum(reasons.values())), str(todo[cell]), why)
    for cell, reason in excluded.items():
        table.add_row(cell, "arm", "0", "0", f"excluded: {reason}")
    return table


def plan_lines(
    the_plan: "Plan",
    price: "Cost",
    request: Request,
    *,
    keep: str,
    at_a_time: tuple[int, int],
    more: str,
) -> list[str]:
    """A summary of the plan, and the command that runs it; `more` are further options of it.

    `at_a_time` are trials and processes. The trials' own seconds are divided by the processes, in
    which trials take turns.
    """
    todo = len(the_plan.todo)
    lines = [f"{todo} of {len(the_plan.trials)} trials to run, {price.encoders} encoders to train"]
    if todo:
        if price.seconds is None:
            lines[0] += "; the duration is unknown until a first trial has finished on this machine"
        else:
            slots, processes = at_a_time
            spread = f" in {slots} slots" if slots > 1 else ""
            lines[0] += (
                f"; about {duration(price.seconds / processes)}{spread}, based on {price.measured} "
                "finished trials on this machine"
            )
        if price.disk is not None:
            lines.append(
                f"disk: {size(price.disk)} for the encoders' weights; --keep none saves this space"
            )
    if (operations := price.compute) is not None:
        lines.append(compute_line(operations))
    if todo:
        more += " --again" * request.again + " --failed" * request.failed
        more += "" if keep == "last" else f" --keep {keep}"
        lines.append(f"start with: ablate run {request.words()}{more}")
    missing = [t.reason for t in the_plan.trials if t.reason.startswith(DATA_MISSING)]
    lines += [sentence.removeprefix(DATA_MISSING + ": ") for sentence in dict.fromkeys(missing)]
    if any(trial.reason.startswith("failed") for trial in the_plan.trials) and not request.failed:
        lines.append("to run failed trials again, add --failed")
    return lines


def compute_line(of: "Compute") -> str:
    """The floating-point operations of pre-training, on any machine."""
    from reports.spec import flop_text

    pair = " to ".join(dict.fromkeys(flop_text(operations) for operations in of.pair))
    whole = "the images were not counted" if of.total is None else f"{flop_text(of.total)} in all"
    return (
        f"pre-training: {of.encoders} encoders, {pair} for the views of an image, {whole}; "
        "estimated, not measured, excluding loss and evaluation"
    )


def plain_table(*columns: str, right: tuple[str, ...] = ()) -> Any:
    """A table that is readable on a terminal and in a file."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def duration(seconds: float) -> str:
    """An approximate duration in a suitable unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


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


def _planned(the_plan: "Plan", price: "Cost", files: "list[Executed]") -> dict[str, Any]:
    return {
        "study": the_plan.study,
        "scale": the_plan.scale,
        "variation": the_plan.variation,
        "seconds": price.seconds,
        "encoders": price.encoders,
        "disk": price.disk,
        "operations": None if price.compute is None else price.compute.total,
        "executes": [file._asdict() for file in files],
        "trials": [
            {
                "key": trial.key,
                "cell": trial.cell,
                "seed": trial.seed,
                "config": trial.config,
                "reason": trial.reason,
                "todo": trial.todo,
                "role": trial.role,
                "levels": trial.levels,
                "stages": {stage.name: stage.key for stage in trial.stages},
            }
            for trial in the_plan.trials
        ],
    }

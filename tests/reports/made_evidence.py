"""A study that never ran: evidence made from plain tables of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from reports.spec import Beats, CellInfo, Deviation, Evidence, PlannedTrial
from sweeps.record import TrialRecord

FACTS = {
    "encoder_hash_before": "a1",
    "encoder_hash_after": "a1",
    "shared_images": 0,
    "train_test_overlap": 0,
}
PERMUTED = {
    "permuted/mean": 10.2,
    "permuted/standard_error": 0.3,
    "permuted/largest_class_share": 10.0,
}
FLOOR, CONTROL = "random encoder", "permuted labels"
SHUFFLED: Literal["shuffled positives"] = "shuffled positives"
PIXELS = "raw pixels"
EPOCHS = Deviation(field="epochs", here="10", paper="100")


def key_of(cell: str, seed: int) -> str:
    """Stands for a content hash: a name of the cell and the seed, as long as one."""
    return f"{abs(sum(ord(c) * 31**i for i, c in enumerate(cell))) % 16**10:010x}{seed:06d}"


def record(cell: str, seed: int, value: float | None, **changes: Any) -> TrialRecord:
    """What a trial leaves when all went well; `changes` says what did not."""
    fields: dict[str, Any] = {
        "key": key_of(cell, seed),
        "study": "quickstart",
        "scale": "laptop",
        "cell": cell,
        "role": "arm",
        "levels": {},
        "seed": seed,
        "config": {},
        "stages": (),
        "state": "finished",
        "values": {"top1": value},
        "error": None,
        "started": f"2026-11-24T04:{seed % 60:02d}:00+00:00",
        "seconds": 25.0 + seed,
        "launch": "launch-1",
        "facts": dict(FACTS),
        "curve": {},
        "log": f"trials/{key_of(cell, seed)}/001/log.txt",
        "provenance": {
            "commit": "0123abc",
            "dirty": False,
            "versions": {"torch": "2.15.0"},
            "machine": {"cpu": "a processor of two cores", "cores": 2},
            "threads": 1,
        },
        "attempt": 1,
    }
    return TrialRecord(**(fields | changes))


def failed(
    cell: str, seed: int, error: str = "Diverged: the loss was nan at step 7"
) -> TrialRecord:
    """What a trial leaves that ended by its own error."""
    return record(cell, seed, None, state="failed", values={}, error=error)


def evidence(
    values: Mapping[str, Sequence[float | None] | Mapping[int, float | None]],
    *,
    floor: Sequence[float] | None = None,
    cells: Mapping[str, Mapping[str, Any]] | None = None,
    roles: Mapping[str, Any] | None = None,
    extra: Sequence[TrialRecord] = (),
    control: Mapping[str, float | None] | None = PERMUTED,
    shuffled: Mapping[int, float | None] | None = None,
    pixels: Mapping[int, float] | float | None = -900.0,
    seeds: Sequence[int] = (),
    **changes: Any,
) -> Evidence:
    """Evidence with one arm a key of `values`; None there is a planned trial without a record.

    A role is each cell's own name unless told otherwise; the floor and raw pixels are far below all
    arms.
    """
    tables = {
        cell: dict(v) if isinstance(v, Mapping) else dict(enumerate(v))
        for cell, v in values.items()
    }
    used = sorted({seed for seeds_ in tables.values() for seed in seeds_} | set(seeds))
    floors = dict(enumerate(floor)) if floor is not None else dict.fromkeys(used, -1000.0)
    infos = [
        CellInfo(
            **{"name": cell, "levels": {"views": cell}, "floor": FLOOR, "deviations": (EPOCHS,)}
            | dict((cells or {}).get(cell, {}))
        )
        for cell in tables
    ]
    infos.append(CellInfo(name=FLOOR, role="floor"))
    records = [
        record(cell, seed, value, levels={"views": cell})
        for cell, column in tables.items()
        for seed, value in column.items()
        if value is not None
    ]
    records += [record(FLOOR, seed, value, role="floor") for seed, value in floors.items()]
    planned = [(cell, seed) for cell, column in tables.items() for seed in column]
    planned += [(cell, seed) for cell in tables for seed in seeds if seed not in tables[cell]]
    planned += [(FLOOR, seed) for seed in floors]
    if control is not None:
        infos.append(CellInfo(name=CONTROL, role="control"))
        records.append(record(CONTROL, 0, None, role="control", values=dict(control)))
        planned.append((CONTROL, 0))
    if shuffled is not None:
        first = next(iter(tables))
        infos.append(
            CellInfo(
                name=SHUFFLED, role="control", control=SHUFFLED, floor=FLOOR,
                levels={"views": first},
            )
        )  # fmt: skip
        records += [record(SHUFFLED, seed, v, role="control") for seed, v in shuffled.items()]
        planned += [(SHUFFLED, seed) for seed in shuffled]
    if pixels is not None:
        infos.append(CellInfo(name=PIXELS, role="reference"))
        column = pixels if isinstance(pixels, Mapping) else {0: pixels}
        records += [record(PIXELS, seed, v, role="reference") for seed, v in column.items()]
        planned += [(PIXELS, seed) for seed in column]
    fields: dict[str, Any] = {
        "study": "quickstart",
        "title": "Colour distortion makes cropping work",
        "question": "Does random cropping need colour distortion?",
        "source": "section 3.1, figure 5",
        "scale": "laptop",
        "synthetic_data": False,
        "data_name": "CIFAR-10",
        "published_source": "table 1",
        "cells": tuple(infos),
        "planned": tuple(
            PlannedTrial(
                key=key_of(cell, seed),
                cell=cell,
                seed=seed,
                reason="missing",
                command=f"ablate trial quickstart {key_of(cell, seed)}",
            )
            for cell, seed in planned
        ),
        "records": (*records, *extra),
        "roles": {cell: cell for cell in tables} | dict(roles or {}),
        "command": "ablate run quickstart",
    }
    return Evidence(**(fields | changes))


def beats(better: str, worse: str, **changes: Any) -> Beats:
    """A primary claim with the name `better>worse`, which cites section 1."""
    names = {"name": f"{better}>{worse}", "better": better, "worse": worse}
    cited = {"source": "section 1", "statement": f"{better} is better than {worse}."}
    return Beats(**names | cited | {"primary": True} | changes)

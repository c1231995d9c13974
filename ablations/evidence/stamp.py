"""The stamp: claims, margins and looks before the first trial of a study in a store.

`run` and `trial` write it under the store's lock, before a trial starts, and add to its history when
a later run finds other terms, so that changing back is visible as well. `report` only reads it. Its
hashes detect damage, not forgery. An entry applies to the encoders that it lists: one that was written
for other encoders, or after the trials, fixes nothing.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ablations.evidence.snapshots import sweep_of
from reports.spec import AnyClaim, Change, Factorial, RanksLike, Snapshot, Stamp, Statement
from sweeps.planning import Known, plan
from sweeps.processes import now
from sweeps.provenance import version_of
from sweeps.storage import Store, as_store_error, read_json, write_json

ABSENT = object()
LONGEST = 60
"""How many characters of a value a message quotes."""

NAMED = 6
"""How many cells a message lists."""

Way = tuple[str, ...]


class Entry(NamedTuple):
    """The terms of a study at one run."""

    date: str
    trials: int
    """Arms' trials on record at that moment."""
    terms: dict[str, Any]
    version: str

    @property
    def sha256(self) -> str:
        """The hash of the canonical JSON of the other fields."""
        text = json.dumps(self._asdict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def stamp_file(store: Store, label: str) -> Path:
    """Where the stamp of a study at a scale is."""
    return store.study(label) / "stamp.json"


def fix(snapshot: Snapshot, store: Store) -> None:
    """Writes the stamp, or adds to its history; only for the holder of the lock."""
    file = stamp_file(store, snapshot.label)
    entries, terms = _read(file), terms_of(snapshot)
    if entries and entries[-1].terms == terms:
        return
    if entries is None:
        store.set_aside(file, "is damaged")
    program = version_of("simclr-ablations") or "not installed"
    entry = Entry(now(), _on_record(snapshot, store.known()), terms, program)
    written = [{**e._asdict(), "sha256": e.sha256} for e in (*(entries or ()), entry)]
    with as_store_error(file):
        write_json(file, {"entries": written})


def stamp_of(snapshot: Snapshot, store: Store, *, first: str | None) -> Stamp:
    """The stamp compared with the study as it is now.

    `first` is the start of the earliest trial of an arm on record; None without any.
    """
    entries, terms = _read(stamp_file(store, snapshot.label)), terms_of(snapshot)
    encoders = _encoders(terms)
    own = [entry for entry in entries or () if encoders & _encoders(entry.terms)]
    if not own:
        which = "is damaged" if entries is None else "is missing"
        which = "belongs to other encoders" if entries else which
        unknown = f"the stamp of the first run {which}, so the claims, margins and looks are"
        return Stamp(unknown=f"{unknown} not known to be fixed before the run" if first else "")
    before = [
        at
        for at, entry in enumerate(own)
        if entry.trials == 0 and (first is None or _moment(entry.date) <= _moment(first))
    ]
    base = own[before[-1] if before else 0 :]
    if before:
        unknown, when = "", f"at the first run ({_day(base[0])})"
    else:
        count = base[0].trials
        why = f"when {count} trials were on record" if count else "but trials on record are older"
        unknown = (
            f"the stamp dates from {_day(base[0])}, {why}; it is unknown whether claims, margins "
            "and looks were fixed before the run"
        )
        when = f"when they were first stamped ({_day(base[0])})"
    changes = tuple(_changes(base, terms, snapshot.statement, when)) if first else ()
    return Stamp(fixed=base[0].date, sha256=base[0].sha256, unknown=unknown, changes=changes)


def terms_of(snapshot: Snapshot) -> dict[str, Any]:
    """The terms of the verdicts, as JSON values."""
    statement = snapshot.statement
    named = {role for claim in statement.claims for role in claim.roles()}
    terms = {
        "claims": {
            claim.name: claim.model_dump(mode="json", exclude={"name"})
            for claim in statement.claims
        },
        "looks": statement.looks.model_dump(mode="json"),
        "metric": statement.metric,
        "control_arm": statement.control_arm,
        "roles": {role: statement.roles[role] for role in sorted(named & statement.roles.keys())},
        "published": statement.published,
        "published source": statement.published_source,
        "published tie": statement.published_tie,
        "cells": _cells(snapshot),
    }
    found: dict[str, Any] = json.loads(json.dumps(terms))
    return found


def _cells(snapshot: Snapshot) -> dict[str, list[str]]:
    """The arms of the scale, requested or not, with the keys of their stages at seed 0."""
    only = snapshot.statement.only
    sweep = sweep_of(snapshot, everything=True, seeds=(0,))
    return {
        trial.cell: [stage.key for stage in trial.stages]
        for trial in plan(sweep, snapshot.resolve, Known()).trials
        if trial.role == "arm" and (only is None or trial.cell in only)
    }


def _encoders(terms: dict[str, Any]) -> set[str]:
    return {keys[0] for keys in terms["cells"].values() if keys}


def _read(file: Path) -> list[Entry] | None:
    """The entries, oldest first; empty if there is no file, None if it is damaged."""
    if not file.exists():
        return []
    try:
        found = (read_json(file) or {})["entries"]
        entries = [Entry(e["date"], e["trials"], e["terms"], e["version"]) for e in found]
        whole = all(e.sha256 == one["sha256"] for e, one in zip(entries, found, strict=True))
        whole = whole and all("cells" in e.terms for e in entries)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return entries if entries and whole else None


def _on_record(snapshot: Snapshot, known: Known) -> int:
    """How many trials of arms, at any seed, are on record for the study as it is now.

    For this study's own records it is enough that the encoder is the same: an added evaluation gives
    a trial another key, but its encoder's numbers are known.
    """
    keys = {summary.key for summary in known.summaries}
    seeds = {*snapshot.statement.seeds, *(summary.seed for summary in known.summaries)}
    if not keys:
        return 0
    own = (one for one in known.summaries if one.label == snapshot.label and one.stages)
    encoders = {one.stages[0].key for one in own}
    sweep = sweep_of(snapshot, everything=True, seeds=tuple(sorted(seeds)))
    arms = [t for t in plan(sweep, snapshot.resolve, known).trials if t.role == "arm"]
    there = {t.key for t in arms if t.key in keys or (t.stages and t.stages[0].key in encoders)}
    return len(there)


def _changes(
    entries: list[Entry], terms: dict[str, Any], statement: Statement, when: str
) -> Iterator[Change]:
    """All differences from the first of the entries."""
    history = [(_day(entry), entry.terms) for entry in entries] + [("now", terms)]
    claims = {claim.name: claim for claim in statement.claims}
    names = dict.fromkeys(name for _, one in history for name in one["claims"])
    fresh = {name for name in names if name not in history[0][1]["claims"]}
    for name in names:
        there = [name in one["claims"] for _, one in history]
        if name in fresh and there[-1]:
            yield Change(claim=name, text=f"this claim did not exist {when}; it was added later")
        elif not there[-1]:
            was = f"existed {when}" if there[0] else "was added later"
            yield Change(text=f"claim {name!r} {was} and has been removed")
        elif not all(there):
            yield Change(
                claim=name, text=f"this claim existed {when}, was removed and has been restored"
            )
    yield from _changed_cells([one["cells"] for _, one in history], claims, when)
    flat = [(day, _flat(one)) for day, one in history]
    for way in dict.fromkeys(way for _, one in flat for way in one):
        if way[0] == "claims" and (way[1] in fresh or way[1] not in claims):
            continue
        values = [(day, one.get(way, ABSENT)) for day, one in flat]
        if way[0] == "claims":
            values = [(d, v) for (d, v), (_, one) in zip(values, history, strict=True)
                      if way[1] in one["claims"]]  # fmt: skip
        steps = [values[0]]
        steps += [b for a, b in pairwise(values) if a[1] != b[1]]
        if len(steps) > 1:
            between = "".join(f", {_text(value)} from {day}" for day, value in steps[1:-1])
            what = " ".join(way[2:] if way[0] == "claims" else way)
            text = f"{what} was {_text(steps[0][1])} {when}{between}, is {_text(steps[-1][1])} now"
            for claim in _concerned(way, claims, statement.roles):
                yield Change(claim=claim, text=text)


def _changed_cells(
    history: list[dict[str, list[str]]], claims: dict[str, AnyClaim], when: str
) -> Iterator[Change]:
    """Arms added, left out or reconfigured, reported with the claims over the table of all arms."""
    first, *later = history
    whole = [name for name, claim in claims.items() if _of_the_table(claim)]
    differ: dict[str, list[list[str]]] = {
        "added": [[name for name in one if name not in first] for one in later],
        "left out": [[name for name in first if name not in one] for one in later],
        "reconfigured": [
            [name for name in first if one.get(name, first[name]) != first[name]] for one in later
        ],
    }
    for what, names in differ.items():
        ever = list(dict.fromkeys(name for some in names for name in some))
        if ever:
            more = [f"{len(ever) - NAMED} more"] if len(ever) > NAMED else []
            back = "" if names[-1] else ", not now"
            text = f"cells {what}{back}, against those {when}: {', '.join([*ever[:NAMED], *more])}"
            yield from (Change(claim=claim, text=text) for claim in whole or [""])


def _concerned(
    way: Way, claims: dict[str, AnyClaim], roles: Mapping[str, str | tuple[str, ...]]
) -> list[str]:
    """The claims that a change is reported with; "" is all of them."""
    if way[0] == "claims":
        return [way[1]]
    if way[0] == "roles":
        return [name for name, claim in claims.items() if way[1] in claim.roles()] or [""]
    if way[0] == "published tie":
        return [name for name, claim in claims.items() if isinstance(claim, RanksLike)] or [""]
    if way[0] != "published":
        return [""]
    found: list[str] = []
    for name, claim in claims.items():
        cells: list[str] = []
        for role in claim.roles():
            filled = roles.get(role, ())
            cells += [filled] if isinstance(filled, str) else filled
        if way[1] in cells or _of_the_table(claim):
            found.append(name)
    return found or [""]


def _of_the_table(claim: AnyClaim) -> bool:
    """Whether a claim names no cells by role, but takes them from the table of the axes."""
    return isinstance(claim, Factorial) or (isinstance(claim, RanksLike) and claim.among is None)


def _flat(terms: dict[str, Any]) -> dict[Way, Any]:
    found: dict[Way, Any] = {}
    for name, value in terms.items():
        if name == "cells":
            continue  # see `_changed_cells`
        if name == "claims":
            found |= {
                (name, c, field): v for c, fields in value.items() for field, v in fields.items()
            }
        elif isinstance(value, dict):
            found |= {(name, key): inner for key, inner in value.items()}
        else:
            found[(name,)] = value
    return found


def _text(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    if isinstance(value, float):
        return f"{value:g}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _day(entry: Entry) -> str:
    return entry.date[:10]

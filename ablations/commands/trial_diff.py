"""The output of `diff`: two trials next to each other."""

from pathlib import Path
from typing import Any

from ablations.commands.collector import unsearched
from ablations.commands.output import plain_table, print_json
from ablations.commands.terminal import console
from ablations.commands.trial_keys import existing_store, record_in
from ablations.errors import UsageError
from reports.comparing import ABSENT, Field, Group, TrialDiff, Value, text_of, trial_diff
from sweeps.record import TrialRecord

MOST_SHOWN = 70
"""Characters of a value that the terminal shows; the JSON output is complete."""


def show_diff(store: Path, first: str, second: str, *, as_json: bool) -> None:
    """Prints the fields that differ between two trials, and their values side by side.

    A trial is named by its key or a prefix of it, in another store as `STORE:KEY`.

    Raises:
        UsageError: A store or a trial is not found; one message for each.
    """
    records: list[TrialRecord] = []
    mistakes: list[str] = []
    for name in (first, second):
        try:
            records.append(_named(store, name))
        except UsageError as error:
            mistakes += [one for one in error.sentences if one not in mistakes]
    if mistakes:
        raise UsageError(*mistakes)
    found = trial_diff(*records)
    if as_json:
        print_json(_as_json(records, found))
        return
    _print(records, found)


@unsearched()
def _named(default: Path, name: str) -> TrialRecord:
    place, colon, prefix = name.rpartition(":")
    if not prefix:
        raise UsageError(f"a trial must be KEY or STORE:KEY, got {name!r}")
    store = existing_store(Path(place), name) if colon else existing_store(default)
    return record_in(store, prefix)


def _print(records: list[TrialRecord], found: TrialDiff) -> None:
    out = console()
    for sign, one in zip("AB", records, strict=True):
        about = f"{one.label}, {one.cell}, seed {one.seed}, attempt {one.attempt}"
        ended = one.state if one.error is None else f"failed: {one.error}"
        out.print(f"{sign} {one.key}  {about}, {ended}", soft_wrap=True)
    for group in found.groups:
        out.print("")
        out.print(_heading(group))
        if group.differing:
            table = plain_table(group.name, "A", "B")
            for field in group.differing:
                table.add_row(field.name, *(_short(value) for value in field.values))
            out.print(table)
    table = plain_table("value", "A", "B", "B - A", right=("A", "B", "B - A"))
    for value in found.values:
        table.add_row(
            value.name, *(_number(x) for x in (value.first, value.second)), _signed(value)
        )
    out.print("")
    out.print(table)
    out.print("one trial each: the differences have no interval and show no effect")


def _heading(group: Group) -> str:
    total = len(group.differing) + group.equal
    if not group.differing:
        return f"{group.name}: all {total} fields are equal"
    verb = "differs" if len(group.differing) == 1 else "differ"
    return f"{group.name}: {len(group.differing)} of {total} fields {verb}"


def _short(value: Any) -> str:
    text = text_of(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _signed(value: Value) -> str:
    return "" if value.difference is None else f"{value.difference:+.2f}"


def _as_json(records: list[TrialRecord], found: TrialDiff) -> dict[str, Any]:
    return {
        "trials": [
            {
                "key": one.key,
                "attempt": one.attempt,
                "label": one.label,
                "cell": one.cell,
                "seed": one.seed,
                "state": one.state,
                "error": one.error,
            }
            for one in records
        ],
        "fields": {
            group.name: {"equal": group.equal, "differ": [_field(one) for one in group.differing]}
            for group in found.groups
        },
        "values": [
            {"name": one.name, "a": one.first, "b": one.second, "difference": one.difference}
            for one in found.values
        ],
    }


def _field(field: Field) -> dict[str, Any]:
    """A side that lacks the field has no entry; null is a value."""
    sides = zip("ab", field.values, strict=True)
    return {"field": field.name} | {side: value for side, value in sides if value is not ABSENT}

"""What the study's own run says: the answer first, then numbers, verdicts and counts of trials."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sweeps.record import Summary
from sweeps.storage import Store, launch_history
from sweeps.tracking.names import as_markdown, names_of

LONGEST = 4900
"""Characters of a tag: MLflow accepts 5,000 on every server."""

COUNTS = ("trials/finished", "trials/failed", "trials/missing")
"""Metrics that are known without a verdict."""


class StudySummary(NamedTuple):
    """Tags, metrics and the description of a study's run."""

    tags: dict[str, str]
    numbers: dict[str, float]
    note: str


def summary_of(
    store: Store,
    label: str,
    keys: set[str],
    counted: Mapping[str, Summary],
    last: Mapping[str, Any],
) -> StudySummary:
    """The summary of a study with these keys, given the attempts that count and the last message."""
    states = [counted[key].state for key in keys if key in counted]
    finished, failed = states.count("finished"), states.count("failed")
    counts = f"{finished} of {len(keys)} finished" + (f", {failed} failed" if failed else "")
    tags = {"trials": counts}
    if last.get("answer"):
        tags["answer"] = last["answer"]
    verdicts: Mapping[str, str] = last.get("verdicts") or {}
    if verdicts:
        tags["verdicts"] = "; ".join(f"{name}: {text}" for name, text in verdicts.items())
    names = names_of([f"verdict {name}" for name in verdicts])
    tags |= dict(zip(names, verdicts.values(), strict=True))
    given: Mapping[str, float | None] = last.get("numbers") or {}
    known = {name: value for name, value in given.items() if value is not None}
    numbers = {
        **dict(zip(COUNTS, map(float, (finished, failed, len(keys) - len(states))), strict=True)),
        **dict(zip(names_of(list(known)), map(float, known.values()), strict=True)),
    }
    shortened = {name: text[:LONGEST] for name, text in list(tags.items())[:100]}
    return StudySummary(shortened, numbers, _note(store, label, last))


def _note(store: Store, label: str, last: Mapping[str, Any]) -> str:
    lines: list[str] = []
    if last.get("answer"):
        lines += [f"**{as_markdown(last['answer'])}**", ""]
    if last.get("note"):
        lines += [as_markdown(last["note"]), ""]
    table = ["| launch | trials | finished | failed | died | left | command |", "|-" * 7 + "|"]
    for one in launch_history(store, label)[-50:]:
        counts = [one.get(name, "?") for name in ("finished", "failed", "died", "left")]
        words = [one["launch"], one.get("trials", "?"), *counts, f"`{one.get('command')}`"]
        table.append(f"| {' | '.join(str(word).replace('|', '/') for word in words)} |")
    text, room = "\n".join(lines), 7900
    # The answer and the newest launches stay where not all of it fits.
    while len(table) > 2 and len(text) + len("\n".join(table)) > room:
        del table[2]
    return f"{text[:room]}\n" + "\n".join(table) if len(table) > 2 else text[:room]

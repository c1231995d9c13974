"""Trials of a store by key or by a prefix of it."""

from pathlib import Path

from ablations.commands.terminal import say_all
from ablations.errors import UsageError
from sweeps.planning import counting
from sweeps.record import TrialRecord
from sweeps.storage import Store, plans
from sweeps.suggest import did_you_mean


def existing_store(path: Path, named_by: str = "--store") -> Store:
    """The store at a path; `named_by` is the option or argument that names it.

    Raises:
        UsageError: there is none.
    """
    store = Store(path)
    if not store.exists:
        raise UsageError(
            f"{named_by}: there is no store at {path}; create one with `ablate run`, or name another "
            "with --store"
        )
    return store


def key_in(store: Store, prefix: str) -> str:
    """The only key with this prefix among the trials that ran or were planned in a store.

    Raises:
        UsageError: there is none, there are several, or the trial has no record yet.
    """
    known = filter(None, plans(store).values())
    cells = {trial.key: (trial.cell, trial.seed) for plan in known for trial in plan.trials}
    summaries = store.summaries()
    say_all(store.messages)
    cells |= {one.key: (one.cell, one.seed) for one in summaries}
    found = [key for key in cells if key.startswith(prefix.lower())]
    if not found:
        near = did_you_mean(prefix, [key[:12] for key in cells])
        raise UsageError(
            f"the store {store.path} has no trial {prefix!r}{near}; `ablate status --trials` "
            "lists the keys"
        )
    if len(found) > 1:
        raise UsageError(
            f"{prefix!r} matches {len(found)} keys ({', '.join(sorted(found)[:5])}, ...); give more"
            " characters"
        )
    [key] = found
    if all(one.key != key for one in summaries):
        cell, seed = cells[key]
        raise UsageError(
            f"trial {key} ({cell}, seed {seed}) has not finished; `ablate status` shows whether it "
            "is running; run its study with `ablate run` to complete it"
        )
    return key


def record_in(store: Store, prefix: str) -> TrialRecord:
    """The record of the only trial with this prefix: the newest that finished, else the newest.

    Raises:
        UsageError: as for `key_in`.
    """
    found = counting(store.records([key_in(store, prefix)]))
    assert found is not None, "key_in has seen a summary of it"
    return found

"""What the shell completes besides commands and options: names of studies, labels, keys, choices.

Each function runs when a user presses TAB: none imports torch or reads a record, and none writes.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer import _completion_shared

from ablations.commands import defaults_file

Offer = str | tuple[str, str]
"""A word, or a word and what zsh and fish show next to it."""

_PLAIN = re.compile(r"[^\w.,=+ -]", re.ASCII)
"""What may not be shown next to a word: zsh evaluates it, and rich reads markup in it."""

_BASH = r"""
%(complete_func)s() {
    local at last word rest=$COMP_LINE words=()
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]} last=$((${#words[@]} - 1))
        if ((at)) && [[ $rest != [[:space:]]* ]]; then words[last]+=$word; else words+=("$word"); fi
        rest=${rest#*"$word"}
    done
    local IFS=$'\n' typed=${words[${#words[@]} - 1]}
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" \
                   COMP_CWORD=$((${#words[@]} - 1)) \
                   %(autocomplete_var)s=complete_bash $1 ) )
    COMPREPLY=( "${COMPREPLY[@]#"${typed%%"$2"}"}" )
}

complete -o default -F %(complete_func)s %(prog_name)s
"""
"""typer's script, for words with @, = or : in them, such as mine@laptop. There bash may end a word: the
parts are put together for the command, and what stands before the part that bash replaces, $2, is
cut off from each offer."""

# typer has no setting for its script.
_completion_shared._completion_scripts["bash"] = _BASH  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def one_of(*words: str) -> Callable[[str], list[Offer]]:
    """Completes the words that are given here."""

    def offered(incomplete: str) -> list[Offer]:
        return _fitting(words, incomplete)

    return offered


def scales(incomplete: str) -> list[Offer]:
    """Completes `--scale`."""
    from ablations.study import SCALES

    return _fitting(SCALES, incomplete)


def study_files(incomplete: str) -> list[Offer]:
    """Completes shipped studies and the YAML files here; the shell completes files elsewhere."""
    from ablations.study import shipped

    here = [str(path) for ending in ("*.yaml", "*.yml") for path in Path().glob(ending)]
    return _fitting([*shipped(), *sorted(here)], incomplete)


def templates(incomplete: str) -> list[Offer]:
    """Completes `--template`."""
    from ablations.commands.new import templates as known

    return _fitting(known(), incomplete)


def terms(incomplete: str) -> list[Offer]:
    """Completes the terms of the glossary."""
    from ablations.reference import glossary

    return _fitting([name for term in glossary() for name in term.names], incomplete)


def labels(context: typer.Context, incomplete: str) -> list[Offer]:
    """Completes studies and variations on record in the store, as `ablate status` shows them."""
    from sweeps.storage import studies

    store = _store(context)
    return [] if store is None else _fitting(studies(store), incomplete)


def planned_keys(context: typer.Context, incomplete: str) -> list[Offer]:
    """Completes the keys of the trials that the store's last plans name."""
    store = _store(context)
    return [] if store is None else _fitting(_planned(store).items(), incomplete)


def recorded_keys(context: typer.Context, incomplete: str) -> list[Offer]:
    """Completes the keys of the trials on record in the store."""
    store = _store(context)
    if store is None or not store.trials.is_dir():
        return []
    about = _planned(store)
    keys = sorted(path.name for path in store.trials.iterdir())
    return _fitting(((key, about[key]) if key in about else key for key in keys), incomplete)


def _fitting(offers: Iterable[Offer], incomplete: str) -> list[Offer]:
    """The offers that begin as typed, without those that a shell would have to quote.

    typer hands the words of zsh to `eval`: a name from a file or a store may hold anything.
    """
    found: list[Offer] = []
    for offer in offers:
        word = offer if isinstance(offer, str) else offer[0]
        if word.startswith(incomplete) and shlex.quote(word) == word:
            found.append(offer)
    return found


def _store(context: typer.Context) -> Any:
    """The store that the line names, else ablate.toml, else ./runs; None if there is none."""
    from sweeps.storage import Store

    path = context.params.get("store") or "runs"
    if str(path) == "runs":
        with suppress(Exception):  # a wrong file is for the command to report
            path = defaults_file.defaults(Path.cwd()).get("store", path)
    store = Store(path)
    return store if store.exists else None


def _planned(store: Any) -> dict[str, str]:
    """Key -> cell and seed, of the last plan of each study in a store."""
    from sweeps.storage import plans

    return {
        trial.key: f"{_PLAIN.sub(' ', trial.cell)[:50]} seed {trial.seed}"
        for plan in filter(None, plans(store).values())
        for trial in plan.trials
    }

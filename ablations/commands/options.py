"""The options that commands share, and what their values mean."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import typer

from ablations.commands import completion
from ablations.errors import UsageError

StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A shipped study or a YAML file.",
        autocompletion=completion.study_files,
    ),
]

OnRecord = Annotated[str | None, typer.Argument(metavar="STUDY", autocompletion=completion.labels)]
Sides = Annotated[
    list[str],
    typer.Argument(
        metavar="A B [...]",
        help="Studies, variations or stores, as `ablate list` names them; STORE:NAME in a store.",
        autocompletion=completion.labels,
    ),
]
PlannedKey = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="A trial's key or a prefix of it.",
        autocompletion=completion.planned_keys,
    ),
]
RecordedKey = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="A trial's key or a prefix of it.",
        autocompletion=completion.recorded_keys,
    ),
]
OneTrial = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="A key or a prefix of it; STORE:KEY in a store.",
        autocompletion=completion.recorded_keys,
    ),
]
OtherTrial = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="The trial to compare with.",
        autocompletion=completion.recorded_keys,
    ),
]
PageOf = Annotated[
    str | None,
    typer.Argument(
        metavar="[KEY]", help="One trial's page.", autocompletion=completion.recorded_keys
    ),
]
Term = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TERM]",
        help="A term (of one word or several), a kind or a field.",
        autocompletion=completion.terms,
    ),
]
Template = Annotated[
    str,
    typer.Option(
        "--template",
        metavar="TEMPLATE",
        help="levels, factorial, own-augmentation or own-images.",
        autocompletion=completion.templates,
    ),
]
Scale = Annotated[
    str,
    typer.Option(
        "--scale",
        metavar="SCALE",
        help="smoke, laptop, gpu or paper.",
        autocompletion=completion.scales,
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only", metavar="CELL,...", help="Run only these cells; axis=level is all cells with it."
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="Repeat finished trials; earlier records stay.")
]
Failed = Annotated[bool, typer.Option("--failed", help="Repeat failed trials.")]


def _over_the_defaults(context: typer.Context, given: list[str] | None) -> list[str] | None:
    """The settings of ablate.toml apply as well; those of the command line win."""
    defaults: list[str] = (context.default_map or {}).get("set") or []
    return given if not given or given == defaults else [*defaults, *given]


Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Set a field in all cells; repeatable. Paths are relative to the current folder.",
        callback=_over_the_defaults,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="SEEDS",
        help="5 means seeds 0 to 4; 7,8 means these two; 7, means only seed 7.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR|TAR", help="Images to use instead of the study's."),
]
StorePath = Annotated[
    Path, typer.Option("--store", metavar="DIR", help="Folder that holds the records.")
]
DEVICES = ("auto", "cpu", "cuda", "mps")
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="auto, cpu, cuda or mps.",
        autocompletion=completion.one_of(*DEVICES),
    ),
]
Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking", metavar="URI", help="An MLflow server; default: the database in the store."
    ),
]
ToFile = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Default: encoder-KEY.pt.")
]
ToMlflow = Annotated[
    bool, typer.Option("--mlflow", help="Log it to the trial's run in MLflow instead of a file.")
]
KEEP = ("none", "last")
Keep = Annotated[
    str,
    typer.Option(
        "--keep",
        metavar="none|last",
        help="Whether the store keeps encoders' final weights.",
        autocompletion=completion.one_of(*KEEP),
    ),
]
Recompute = Annotated[
    bool,
    typer.Option(
        "--recompute", help="Use less memory for a third more time; the results are identical."
    ),
]
Slots = Annotated[
    str | None,
    typer.Option(
        "--slots",
        metavar="N",
        help="Trials at a time; default: what `ablate doctor` measured on this machine.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="TIME",
        help="At most this time, such as 2h or 90m: whole rounds of seeds that fit.",
    ),
]
Resolved = Annotated[
    bool,
    typer.Option("--resolved", help="Each cell's complete configuration, with file and line."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value.")]


class How(TypedDict):
    """How a plan is run, besides what is run."""

    keep: Literal["none", "last"]
    slots: int | None
    budget: float | None


def how(keep: str, slots: str | None, budget: str | None) -> How:
    """The values of `--keep`, `--slots` and `--budget`.

    Raises:
        UsageError: some are wrong; one message for each.
    """
    values = together(
        keep=lambda: keep_of(keep),
        slots=lambda: slots_of(slots),
        budget=lambda: budget_of(budget),
    )
    return How(**values)


def together(**reads: Callable[[], Any]) -> Any:
    """The values of several options, by name.

    Raises:
        UsageError: some are wrong; the messages of all of them.
    """
    values: dict[str, Any] = {}
    sentences: list[str] = []
    for name, read in reads.items():
        try:
            values[name] = read()
        except UsageError as error:
            sentences.extend(error.sentences)
    if sentences:
        raise UsageError(*sentences)
    return values


def keep_of(word: str) -> Any:
    """The value of `--keep`.

    Raises:
        UsageError: it is neither none nor last.
    """
    from ablations.study import one_of

    return one_of("--keep", word, KEEP)


def scale_of(name: str) -> Any:
    """The value of `--scale`.

    Raises:
        UsageError: there is no such scale.
    """
    from ablations.study import SCALES, one_of

    return one_of("--scale", name, SCALES)


def budget_of(text: str | None) -> float | None:
    """The seconds of `--budget`.

    Raises:
        UsageError: it is no time.
    """
    from ablations.study import parse_hours

    return None if text is None else parse_hours("--budget", text)


def slots_of(text: str | None) -> int | None:
    """The value of `--slots`.

    Raises:
        UsageError: it is not a whole number of at least 1.
    """
    if text is not None and not (text.isascii() and text.isdecimal() and int(text)):
        raise UsageError(f"--slots: must be a whole number of at least 1, got {text!r}")
    return None if text is None else int(text)


def cells_of(text: str | None) -> tuple[str, ...] | None:
    """The value of `--only`, each cell once.

    Raises:
        UsageError: it names none.
    """
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"--only: must name at least one cell, got {text!r}")
    return names


def settings_of(texts: Sequence[str]) -> tuple[Any, ...]:
    """The assignments of `--set`.

    Raises:
        UsageError: some are wrong; one message for each.
    """
    from ablations.study import parse_assignment

    read = together(
        **{str(at): lambda text=text: parse_assignment(text) for at, text in enumerate(texts)}
    )
    return tuple(read.values())

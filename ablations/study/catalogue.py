"""Studies by name or path: read, and checked as far as possible without the trainer."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from ablations.errors import StudyError, UsageError
from ablations.study.consistency import broken_rules, cell_names
from ablations.study.messages import validation_messages
from ablations.study.paths import next_to
from ablations.study.protocols import LoadedProtocol, read_protocol
from ablations.study.scale_axes import dropped
from ablations.study.schema import MOST_SMOKE_CELLS, SCALES, PublishedTable, ScaleName, Study
from ablations.study.yaml_file import Location, YamlFile, read_yaml
from sweeps.suggest import did_you_mean

STUDIES = Path(__file__).parents[1] / "studies"
PUBLISHED = Path(__file__).parents[1] / "published"


class LoadedStudy(NamedTuple):
    """A study, read from its file and the files that it names."""

    study: Study
    file: YamlFile
    published: PublishedTable | None
    """The paper's numbers by the names of the study's cells."""
    protocols: dict[ScaleName, LoadedProtocol]
    """The protocols of the scales that name one."""
    texts: dict[str, str]
    """The text of each custom component's file when it was first read, by path: a command uses the
    text as it was when the command began, even if the file changes meanwhile."""


def shipped() -> list[str]:
    """The names of the studies that come with the package."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a shipped study, or the path itself.

    Raises:
        UsageError: the name is neither.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if path.exists():
            return path
        known = [str(near) for near in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise UsageError(f"no study file {name!r}{did_you_mean(name, known)}")
    if name in shipped():
        return STUDIES / f"{name}.yaml"
    near = did_you_mean(name, shipped()).removesuffix("?")
    raise UsageError(f"no study {name!r}{near}; if it is a file, include its .yaml suffix")


def read_study(name: str) -> LoadedStudy:
    """The study of a shipped name or a path.

    Raises:
        UsageError: there is no such study.
        StudyError: every mistake that can be found without the trainer, one message each.
    """
    file = read_yaml(path_of(name))
    if STUDIES in file.path.parents:
        file = file._replace(path=Path(file.path.name))
    try:
        study = Study.model_validate(file.content)
    except ValidationError as error:
        raise StudyError(*validation_messages(error, Study, file)) from error
    mistakes = broken_rules(study, file)
    published, protocols = None, dict[ScaleName, LoadedProtocol]()
    try:
        published = _published(study, file)
    except StudyError as error:
        mistakes += error.sentences
    for scale in SCALES:
        protocol = study.scale(scale).protocol
        try:
            if protocol is not None:
                protocols[scale] = read_protocol(protocol, ("scales", scale, "protocol"), file)
        except StudyError as error:
            mistakes += error.sentences
    if mistakes:
        raise StudyError(*dict.fromkeys(mistakes))
    return LoadedStudy(study, file, published, protocols, {})


def published_table(name: str) -> PublishedTable:
    """All numbers of a table of `ablations/published`, by their names in it."""
    return _read_table(PUBLISHED / f"{name}.yaml")


def chosen_cells(study: Study, scale: ScaleName) -> tuple[str, ...] | None:
    """The cells that a scale runs: those that it names; at `smoke`, a few of many; None for all.

    The few are the cell of the controls and others at even distances, the first and last included.
    """
    only = study.scale(scale).only
    cells = cell_names(study, scale) if only is None and scale == "smoke" else []
    if len(cells) <= MOST_SMOKE_CELLS:
        return only
    steps = range(MOST_SMOKE_CELLS)
    spread = [round(step * (len(cells) - 1) / (MOST_SMOKE_CELLS - 1)) for step in steps]
    picked = [cells[place] for place in spread]
    if study.control_arm in cells and study.control_arm not in picked:
        picked[1] = study.control_arm
    return tuple(cell for cell in cells if cell in picked)


class LeftOut(NamedTuple):
    """The cells of a study that a scale does not run, and the line that excludes them."""

    names: tuple[str, ...]
    message: str
    """One line with file and line number, and how to run them."""


def cells_left_out(loaded: LoadedStudy, scale: ScaleName) -> list[LeftOut]:
    """The cells that `only` hides at a scale, and the study's levels that its own axes leave out."""
    study, file = loaded.study, loaded.file
    found: list[LeftOut] = []
    cells, chosen = cell_names(study, scale), chosen_cells(study, scale)
    if chosen is not None and (hidden := tuple(name for name in cells if name not in chosen)):
        who = f"{file.place(('scales', scale, 'only'))}: `only` leaves"
        if study.scale(scale).only is None:
            who = (
                f"{file.path}: unless `only` names cells, the smoke scale runs {len(chosen)} cells "
                "and leaves"
            )
        number = "1 cell" if len(hidden) == 1 else f"{len(hidden)} cells"
        named = ", ".join(hidden[:12]) + (f" and {len(hidden) - 12} more" if hidden[12:] else "")
        text = f"{who} out {number} at this scale: {named}; use --only to run more cells, or add them there"
        found.append(LeftOut(hidden, text))
    for way, axis, levels in dropped(study.layers(scale)):
        named = ", ".join(map(repr, levels))
        text = f"{file.place(way)}: axis {axis!r} has other levels at this scale, without {named}"
        found.append(LeftOut(levels, text))
    return found


def _published(study: Study, file: YamlFile) -> PublishedTable | None:
    given = study.published
    if given is None:
        return None
    if given.values is not None:
        return PublishedTable(
            name=study.name,
            source=given.source,
            what="",
            precision=given.precision,
            unit=study.unit,
            tie=given.tie,
            values=given.values,
        )
    assert given.from_ is not None
    table = _table(given.from_, file)
    names = given.cells
    if names is None:
        every = [name for scale in SCALES for name in cell_names(study, scale)]
        names = {name: name for name in every if name in table.values}
    unknown = [
        f"{file.place(('published', 'cells', cell))}: published.cells.{cell}: {table.name} has no "
        f"{name!r}{did_you_mean(name, table.values)}"
        for cell, name in names.items()
        if name not in table.values
    ]
    if unknown:
        raise StudyError(*unknown)
    return table.model_copy(
        update={"values": {cell: table.values[name] for cell, name in names.items()}}
    )


def _table(name: str, file: YamlFile) -> PublishedTable:
    at: Location = ("published", "from")
    path = PUBLISHED / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")):
        path = next_to(name, file.path.parent)
    if not path.is_file():
        known = sorted(table.stem for table in PUBLISHED.glob("*.yaml"))
        raise StudyError(
            f"{file.place(at)}: published.from: no table {name!r}{did_you_mean(name, known)}"
        )
    return _read_table(path)


@cache
def _read_table(path: Path) -> PublishedTable:
    table = read_yaml(path)
    try:
        return PublishedTable.model_validate(table.content)
    except ValidationError as error:
        raise StudyError(*validation_messages(error, PublishedTable, table)) from error

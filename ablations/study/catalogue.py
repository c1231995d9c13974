"""Studies by name or path: read, checked as far as that needs no trainer, with the paper's numbers."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from ablations.errors import StudyError, UsageError
from ablations.study.messages import shown, validation_sentences
from ablations.study.paths import table_beside
from ablations.study.scale_axes import dropped, other_cells
from ablations.study.schema import FLOOR, MOST_SMOKE_CELLS, SCALES, PublishedTable, ScaleName, Study
from ablations.study.yaml_file import Location, YamlFile, read_yaml
from reports.spec import MAX_PRIMARY, Beats
from sweeps.errors import PlanError
from sweeps.planning import Sweep
from sweeps.suggest import did_you_mean

STUDIES = Path(__file__).parents[1] / "studies"
PUBLISHED = Path(__file__).parents[1] / "published"


class Written(NamedTuple):
    """A study as its file says it."""

    study: Study
    file: YamlFile
    published: PublishedTable | None
    """The paper's numbers by the names of the study's cells."""
    texts: dict[str, str]
    """What the files of own parts held when they were first read, by path: a command sees each as
    it was when the command began, whatever becomes of it meanwhile."""


def shipped() -> list[str]:
    """The names of the studies that come with the package."""
    return sorted(path.stem for path in STUDIES.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a shipped study, or the path itself.

    Raises:
        UsageError: it is neither.
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
    raise UsageError(f"no study {name!r}{near}, or is it a file? that is named with its .yaml")


def read_study(name: str) -> Written:
    """The study of a shipped name or a path.

    Raises:
        UsageError: there is no such study.
        StudyError: all mistakes that can be told without the trainer, one sentence each.
    """
    file = read_yaml(path_of(name))
    if STUDIES in file.path.parents:
        file = file._replace(path=Path(file.path.name))
    try:
        study = Study.model_validate(file.content)
    except ValidationError as error:
        raise StudyError(*validation_sentences(error, Study, file)) from error
    mistakes = sorted(_mistakes(study, file))
    published = None
    try:
        published = _published(study, file)
    except StudyError as error:
        mistakes += [(0, sentence) for sentence in error.sentences]
    if mistakes:
        raise StudyError(*dict.fromkeys(sentence for _, sentence in mistakes))
    return Written(study, file, published, {})


def cell_names(study: Study, scale: ScaleName) -> list[str]:
    """The arms of `cells_at`."""
    return list(cells_at(study, scale))


def cells_at(
    study: Study, scale: ScaleName, *, with_data: bool = False
) -> dict[str, dict[str, str]]:
    """All arms that the axes of this scale span, whether or not it runs them, with their levels.

    Raises:
        PlanError, ValidationError: the axes contradict each other.
    """
    sweep = Sweep(
        study=study.name,
        scale=scale,
        base={},
        axes=study.axes_at(scale, with_data=with_data),
        design=study.design,
        seeds=(0,),
    )
    return {arm.name: arm.levels for arm in sweep.arms()}


def chosen_cells(study: Study, scale: ScaleName) -> tuple[str, ...] | None:
    """The cells that a scale runs: those it names; at smoke a few of many; None for all.

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
    """What a scale does not run of the study, and which line says so."""

    names: tuple[str, ...]
    message: str
    """In one sentence with file and line, and how to run them."""


def cells_left_out(written: Written, scale: ScaleName) -> list[LeftOut]:
    """The cells that `only` hides at a scale, and the study's levels that its own axes leave out."""
    study, file = written.study, written.file
    found: list[LeftOut] = []
    cells, chosen = cell_names(study, scale), chosen_cells(study, scale)
    if chosen is not None and (hidden := tuple(name for name in cells if name not in chosen)):
        who = f"{file.place(('scales', scale, 'only'))}: only leaves"
        if study.scale(scale).only is None:
            who = f"{file.path}: without only the smoke scale runs {len(chosen)} cells and leaves"
        number = "1 cell" if len(hidden) == 1 else f"{len(hidden)} cells"
        named = ", ".join(hidden[:12]) + (f" and {len(hidden) - 12} more" if hidden[12:] else "")
        text = f"{who} out {number} at this scale: {named}; --only runs them, or name them there"
        found.append(LeftOut(hidden, text))
    for way, axis, levels in dropped(study.layers(scale)):
        named = ", ".join(map(repr, levels))
        text = (
            f"{file.place(way)}: axis {axis!r} has levels of its own at this scale, without {named}"
        )
        found.append(LeftOut(levels, text))
    return found


def _mistakes(  # noqa: C901, PLR0912 -- one rule after the other, each a few lines
    study: Study, file: YamlFile
) -> Iterator[tuple[int, str]]:
    def mistake(location: Location, text: str) -> tuple[int, str]:
        name = ".".join(map(str, location))
        return file.line(location), f"{file.place(location)}: {name}: {text}"

    levels: dict[ScaleName, dict[str, dict[str, str]]] = {}
    for scale in SCALES:
        for with_data in (False, True):
            at: Location = study.axes_way(scale, with_data=with_data)
            try:
                found = cells_at(study, scale, with_data=with_data)
            except (PlanError, ValidationError) as error:
                for sentence in _sentences(error):
                    yield mistake(at, sentence)
                return
            known = levels.setdefault(scale, found)
            if list(known.items()) != list(found.items()):
                below = study.axes_at(scale)
                wrong = list(other_cells(below, study.layers(scale, with_data=True)[-1]))
                text = "must span the cells that the scale has without --data; write its axes alike"
                yield from (mistake(*one) for one in wrong or [(at, text)])
                return
    cells = {scale: list(found) for scale, found in levels.items()}
    every = list(dict.fromkeys(name for names in cells.values() for name in names))

    for scale in SCALES:
        given = study.scale(scale)
        for index, name in enumerate(given.only or ()):
            if name not in cells[scale]:
                text = f"no cell {name!r} at this scale{did_you_mean(name, cells[scale])}"
                yield mistake(("scales", scale, "only", index), text)
        if given.only == ():
            yield mistake(("scales", scale, "only"), "names at least one cell, got none")
        if study.control_arm is not None and study.control_arm not in cells[scale]:
            hint = did_you_mean(study.control_arm, cells[scale])
            yield mistake(("control_arm",), f"no cell {study.control_arm!r} at {scale} scale{hint}")

    for at, roles, known in [
        (("roles",), study.roles, every),
        *((("scales", s, "roles"), study.scale(s).roles, cells[s]) for s in SCALES),
    ]:
        for role, named in roles.items():
            for name in (named,) if isinstance(named, str) else named:
                if name not in known and not name.startswith(FLOOR):
                    text = f"no cell {name!r}{did_you_mean(name, [*known, FLOOR])}"
                    yield mistake((*at, role), text)

    yield from (mistake(*found) for found in (*_claims(study, every), *_differences(study)))

    if study.published is not None:
        where = "values" if study.published.values is not None else "cells"
        for name in study.published.values or study.published.cells or {}:
            if name not in every:
                text = f"no cell {name!r}{did_you_mean(name, every)}"
                yield mistake(("published", where, name), text)

    axes = list(dict.fromkeys(axis.name for scale in SCALES for axis in study.axes_at(scale)))
    for index, figure in enumerate(study.figures):
        for field in ("axis", "group", "rows", "columns"):
            named = getattr(figure, field, None)
            if named is not None and named not in axes:
                text = f"no axis {named!r}{did_you_mean(named, axes)}"
                yield mistake(("figures", index, field), text)


def _differences(study: Study) -> Iterator[tuple[Location, str]]:
    """Roles of a difference that stand for several cells; one that stands for none is not judged."""
    for index, claim in enumerate(study.claims):
        sides = (
            (("better", claim.better), ("worse", claim.worse)) if isinstance(claim, Beats) else ()
        )
        for field, role in sides:
            filled = [(scale, study.roles_at(scale).get(role, "")) for scale in SCALES]
            many = [(s, len(c)) for s, c in filled if not isinstance(c, str) and len(c) > 1]
            if many:
                text = f"compares single cells, role {role!r} stands for {many[0][1]}"
                yield ("claims", index, field), f"{text} at {many[0][0]} scale; name one of them"


def _claims(study: Study, every: list[str]) -> Iterator[tuple[Location, str]]:
    roles = dict.fromkeys([*study.roles, *(r for s in SCALES for r in study.scale(s).roles)])
    names: dict[str, int] = {}
    for index, claim in enumerate(study.claims):
        if claim.name in names:
            text = f"a claim's name is its own, got {claim.name!r} twice; rename one"
            yield ("claims", index, "name"), text
        names[claim.name] = index
        for role in claim.roles():
            if role not in roles:
                hint = did_you_mean(role, roles) or "; name it under roles:"
                own = next((name for name, cell in study.roles.items() if cell == role), None)
                if own is not None:
                    hint = f"; a claim names roles, and that of this cell is {own!r}"
                elif role in every:
                    hint = f"; a claim names roles: write {{NAME: {role!r}}} under roles:, and NAME here"
                field = next(
                    (f for f in ("better", "worse") if getattr(claim, f, None) == role),
                    "along" if claim.kind == "increases" else "among",
                )
                yield ("claims", index, field), f"no role {role!r}{hint}"
    primary = [claim.name for claim in study.claims if claim.primary]
    if len(primary) > MAX_PRIMARY:
        text = (
            f"a study has at most {MAX_PRIMARY} primary claims, got {len(primary)}: "
            f"{', '.join(map(shown, primary))}; make the others exploratory"
        )
        yield ("claims",), text


def _sentences(error: PlanError | ValidationError) -> list[str]:
    if isinstance(error, PlanError):
        return list(error.sentences)
    return [str(found.get("ctx", {}).get("error", found["msg"])) for found in error.errors()]


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
        path = table_beside(name, file.path.parent)
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
        raise StudyError(*validation_sentences(error, PublishedTable, table)) from error

"""Rules between the fields of a study that need no trainer: cells, roles, claims, figures."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from ablations.study.design_rules import Broken, broken_designs, sweep_at
from ablations.study.messages import shown
from ablations.study.schema import FLOOR, SCALES, ScaleName, Study
from ablations.study.yaml_file import YamlFile
from reports.spec import MAX_PRIMARY, Beats, Equivalent
from sweeps.errors import PlanError
from sweeps.suggest import did_you_mean

Cells = dict[ScaleName, list[str]]
"""The arms that the axes of each scale span."""


def broken_rules(study: Study, file: YamlFile) -> list[str]:
    """Every broken rule, in the order of the file's lines, as `file:line: field: rule`."""
    cells: Cells = {}
    found: list[Broken] = []
    for scale in SCALES:
        try:
            cells[scale] = cell_names(study, scale)
        except (PlanError, ValidationError) as error:
            found = [Broken(study.axes_way(scale), text) for text in _texts(error)]
            break
    else:
        every = list(dict.fromkeys(name for s in SCALES for name in sweep_at(study, s).levels()))
        found = [
            *_chosen_cells(study, cells),
            *_roles(study, cells, every),
            *_claims(study, every),
            *_differences(study),
            *_alike(study),
            *broken_designs(study),
            *_published(study, every),
            *_figures(study),
        ]
    ordered = sorted(found, key=lambda one: file.line(one.at))
    texts = [f"{file.place(at)}: {'.'.join(map(str, at))}: {text}" for at, text in ordered]
    return list(dict.fromkeys(texts))


def cell_names(study: Study, scale: ScaleName) -> list[str]:
    """All arms that the axes of this scale span, whether or not it runs them.

    Raises:
        PlanError, ValidationError: the axes contradict each other.
    """
    return [arm.name for arm in sweep_at(study, scale).arms()]


def _chosen_cells(study: Study, cells: Cells) -> Iterator[Broken]:
    for scale in SCALES:
        only, excluded = study.scale(scale).only, sweep_at(study, scale).excluded()
        for index, name in enumerate(only or ()):
            if name in excluded:
                text = f"cell {name!r} is excluded: {excluded[name]}; leave it out here"
                yield Broken(("scales", scale, "only", index), text)
            elif name not in cells[scale]:
                text = f"no cell {name!r} at this scale{did_you_mean(name, cells[scale])}"
                yield Broken(("scales", scale, "only", index), text)
        if only == ():
            yield Broken(("scales", scale, "only"), "must name at least one cell, got none")
        if study.control_arm in excluded:
            text = f"cell {study.control_arm!r} is excluded: {excluded[study.control_arm]}; "
            yield Broken(("control_arm",), f"{text}name a cell that runs")
        elif study.control_arm is not None and study.control_arm not in cells[scale]:
            hint = did_you_mean(study.control_arm, cells[scale])
            text = f"no cell {study.control_arm!r} at {scale} scale{hint}"
            yield Broken(("control_arm",), text)


def _roles(study: Study, cells: Cells, every: list[str]) -> Iterator[Broken]:
    of_scales = [(("scales", s, "roles"), study.scale(s).roles, cells[s]) for s in SCALES]
    for at, roles, known in [(("roles",), study.roles, every), *of_scales]:
        for role, named in roles.items():
            for name in (named,) if isinstance(named, str) else named:
                if name not in known and not name.startswith(FLOOR):
                    text = f"no cell {name!r}{did_you_mean(name, [*known, FLOOR])}"
                    yield Broken((*at, role), text)


def _claims(study: Study, every: list[str]) -> Iterator[Broken]:
    roles = dict.fromkeys([*study.roles, *(r for s in SCALES for r in study.scale(s).roles)])
    names: set[str] = set()
    for index, claim in enumerate(study.claims):
        if claim.name in names:
            text = f"claim names must be unique, got {claim.name!r} twice; rename one"
            yield Broken(("claims", index, "name"), text)
        names.add(claim.name)
        for role in claim.roles():
            if role not in roles and role not in every and not role.startswith(FLOOR):
                hint = did_you_mean(role, [*roles, *every, FLOOR])
                field = next(
                    (f for f in ("better", "worse") if getattr(claim, f, None) == role),
                    "along" if claim.kind == "increases" else "among",
                )
                yield Broken(("claims", index, field), f"no role or cell {role!r}{hint}")
    primary = [claim.name for claim in study.claims if claim.primary]
    if len(primary) > MAX_PRIMARY:
        text = (
            f"a study has at most {MAX_PRIMARY} primary claims, got {len(primary)}: "
            f"{', '.join(map(shown, primary))}; make the others exploratory"
        )
        yield Broken(("claims",), text)


def _differences(study: Study) -> Iterator[Broken]:
    """Roles of a difference that name several cells; one that names none is not judged."""
    for index, claim in enumerate(study.claims):
        sides = (("better", "worse")) if isinstance(claim, Beats) else ()
        for field in sides:
            role = getattr(claim, field)
            filled = [(scale, study.roles_at(scale)[role]) for scale in SCALES]
            many = [(s, len(c)) for s, c in filled if not isinstance(c, str) and len(c) > 1]
            if many:
                text = f"compares single cells, but role {role!r} names {many[0][1]}"
                text += f" at {many[0][0]} scale; name one of them"
                yield Broken(("claims", index, field), text)


def _alike(study: Study) -> Iterator[Broken]:
    """Claims of equivalence with a single cell at a scale; with none, they are not judged there."""
    for index, claim in enumerate(study.claims):
        if not isinstance(claim, Equivalent):
            continue
        for scale in SCALES:
            filled = [study.roles_at(scale).get(role, ()) for role in claim.roles()]
            cells = {c for f in filled for c in ((f,) if isinstance(f, str) else f)}
            if len(cells) == 1:
                text = f"compares cells with each other, but names only {cells.pop()!r} at {scale} "
                text += "scale; name another one"
                yield Broken(("claims", index, "among"), text)
                break  # the other scales usually say the same


def _published(study: Study, every: list[str]) -> Iterator[Broken]:
    if study.published is None:
        return
    where = "values" if study.published.values is not None else "cells"
    for name in study.published.values or study.published.cells or {}:
        if name not in every:
            yield Broken(("published", where, name), f"no cell {name!r}{did_you_mean(name, every)}")


def _figures(study: Study) -> Iterator[Broken]:
    axes = list(dict.fromkeys(axis.name for scale in SCALES for axis in study.axes_at(scale)))
    for index, figure in enumerate(study.figures):
        for field in ("axis", "group", "rows", "columns"):
            named = getattr(figure, field, None)
            if named is not None and named not in axes:
                text = f"no axis {named!r}{did_you_mean(named, axes)}"
                yield Broken(("figures", index, field), text)


def _texts(error: PlanError | ValidationError) -> Iterable[str]:
    if isinstance(error, PlanError):
        return error.sentences
    return [str(found.get("ctx", {}).get("error", found["msg"])) for found in error.errors()]

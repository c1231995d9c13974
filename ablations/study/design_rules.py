"""Rules about axes and levels that claims and exclusions name."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ablations.study.schema import SCALES, ScaleName, Study
from ablations.study.yaml_file import Location
from reports.spec import Factorial
from sweeps.planning import Sweep
from sweeps.suggest import did_you_mean

Levels = dict[str, dict[str, None]]
"""Axis -> its labels, at any scale."""


class Broken(NamedTuple):
    """One broken rule, at one field of a study."""

    at: Location
    text: str


def sweep_at(study: Study, scale: ScaleName) -> Sweep:
    """The axes of a study at a scale, as a sweep of one seed without controls.

    Raises:
        ValidationError: the axes contradict each other.
    """
    return Sweep(
        study=study.name,
        scale=scale,
        axes=study.axes_at(scale),
        design=study.design,
        exclude=study.exclude,
        seeds=(0,),
    )


def broken_designs(study: Study) -> Iterator[Broken]:
    """Claims and exclusions that name an axis or a level that no scale has, or that fit no cell."""
    known: Levels = {}
    for scale in SCALES:
        for axis in study.axes_at(scale):
            known.setdefault(axis.name, {}).update(dict.fromkeys(axis.points()))
    for index, claim in enumerate(study.claims):
        if isinstance(claim, Factorial):
            at: Location = ("claims", index)
            if study.design != "factorial" and len(study.axes) > 1:
                text = "needs all combinations of the axes' levels, but the design is one_at_a_time"
                yield Broken(
                    (*at, "kind"), f"{text}; write design: factorial, or claim kind: beats"
                )
            yield from _levels_of(claim, at, known)
    for index, one in enumerate(study.exclude):
        at = ("exclude", index)
        wrong = list(_where(one.where, at, known))
        yield from wrong
        cells = (levels for scale in SCALES for levels in sweep_at(study, scale).levels().values())
        if not wrong and not any(one.excludes(levels) for levels in cells):
            yield Broken((*at, "where"), "no cell has all of these levels")


def _levels_of(claim: Factorial, at: Location, known: Levels) -> Iterator[Broken]:
    named = {"axis": ("better", "worse"), "by": ("larger_at", "smaller_at")}
    for field, levels in named.items():
        axis = getattr(claim, field, None)
        if axis is None:
            continue
        if axis not in known:
            yield Broken((*at, field), f"no axis {axis!r}{did_you_mean(axis, known)}")
            continue
        for level in levels:
            yield from _level(axis, getattr(claim, level), (*at, level), known)
    yield from _where(claim.where, at, known)


def _where(where: Mapping[str, tuple[str, ...]], at: Location, known: Levels) -> Iterator[Broken]:
    for axis, labels in where.items():
        if axis not in known:
            yield Broken((*at, "where", axis), f"no axis {axis!r}{did_you_mean(axis, known)}")
            continue
        for label in labels:
            yield from _level(axis, label, (*at, "where", axis), known)


def _level(axis: str, label: str, at: Location, known: Levels) -> Iterator[Broken]:
    if label not in known[axis]:
        near = did_you_mean(label, known[axis])
        yield Broken(at, f"axis {axis!r} has no level {label!r}{near}")

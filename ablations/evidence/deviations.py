"""How a study deviates from the paper: each cell compared with the same cell at paper scale."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ablations.compose import ResolvedStudy, part_text
from ablations.errors import StudyError
from ablations.study import Request
from reports.spec import Deviation
from simclr_core.config import Config
from simclr_core.plugins import files_of
from sweeps.planning import Cell, flatten

NOT_A_DEVIATION = ("seed", "seeds", "data.path")
"""Fields that differ between trials of one protocol, or that only say where images are stored."""


class Paper:
    """The same cells at paper scale, to find what differs."""

    def __init__(self, composed: ResolvedStudy) -> None:
        request = Request(study=composed.request.study, scale="paper", device=composed.device)
        self.paper = ResolvedStudy(composed.loaded, request)
        self.cells = {arm.name: arm for arm in self.paper.sweep(everything=True).arms()}
        self.declared = composed.study.scale(composed.scale).deviations

    def deviations(self, cell: Cell, here: dict[str, Any]) -> tuple[Deviation, ...]:
        """The fields in which `here`, the cell's resolved configuration, differs at paper scale."""
        twin = self.cells.get(cell.name)
        settings = cell.settings if twin is None else twin.settings
        twin_cell = cell.model_copy(update={"settings": settings})
        try:
            there = self.paper.resolve(twin_cell)(0).config
        except StudyError:
            # No such cell can exist at paper scale: compare with what its settings say there.
            there, twin = self.paper.settings(twin_cell), None
        found = list(_differences(here, there))
        if twin is None and cell.role == "arm":
            found.insert(0, Deviation(field="cell", here=cell.name, paper="not used in the paper"))
        resolved = Config.model_validate(here)
        if cell.role == "arm":
            found += _standing(resolved, here, there)
            found += [
                one.deviation
                for one in self.declared
                if one.cells is None or cell.name in one.cells
            ]
        # One sentence on another probe says more than its fields one by one, a floor's among them.
        probe = resolved.evaluation.probe
        if probe is None or not probe.papers:
            found = [one for one in found if not one.field.startswith("evaluation.probe.")]
        return tuple(found)


def _own_parts(here: dict[str, Any], there: dict[str, Any]) -> Iterable[Deviation]:
    """Custom components that are also used at paper scale; they are not part of the paper."""
    papers = {field for field, _ in files_of(there)}
    for field, part in files_of(here):
        if field in papers:
            yield Deviation(field=field, here=part_text(part), paper="not used in the paper")


def _standing(config: Config, here: dict[str, Any], there: dict[str, Any]) -> Iterable[Deviation]:
    """Differences from the paper at every scale, including the `paper` scale."""
    for one in config.departures():
        yield Deviation(field=one.field, here=one.here, paper=one.paper)
    probe = config.evaluation.probe
    if probe is not None and probe.papers and not config.loss.sees_labels:
        yield from _probe_fields(here, there, type(probe)().model_dump(mode="json"))
    yield from _own_parts(here, there)
    ours, papers = here["data"], there["data"]
    if ours.get("path") and ours.get("name") == papers.get("name"):
        paper = f"{papers['name']}; it was not checked whether these are the same images"
        yield Deviation(field="data.path", here=ours["path"], paper=paper)


def _probe_fields(
    here: dict[str, Any], there: dict[str, Any], papers: dict[str, Any]
) -> Iterable[Deviation]:
    """Fields of the paper's probe that differ from its defaults here and at paper scale alike."""
    published = flatten(papers)
    alike = flatten(there["evaluation"]["probe"] or {})
    for field, value in flatten(here["evaluation"]["probe"]).items():
        paper = published.get(field, _ABSENT)
        if value != paper and value == alike.get(field, _ABSENT):
            name = f"evaluation.probe.{field}"
            yield Deviation(field=name, here=value_text(value), paper=value_text(paper))


def _differences(here: dict[str, Any], there: dict[str, Any]) -> Iterable[Deviation]:
    ours, paper = _in_the_open(flatten(here), flatten(there))
    moved = {f"{field}.path" for config in (here, there) for field, _ in files_of(config)}
    for field in dict.fromkeys([*ours, *paper]):
        if any(field == name or field.startswith(f"{name}.") for name in NOT_A_DEVIATION):
            continue
        if field in moved:
            continue
        one, other = ours.get(field, _ABSENT), paper.get(field, _ABSENT)
        if _ABSENT in (one, other) and _of_another_kind(field, ours, paper):
            continue
        if one != other:
            texts = (_kind_text(here, field, one), _kind_text(there, field, other))
            if texts[0] == texts[1]:
                texts = (_json(one), _json(other))
            yield Deviation(field=field, here=texts[0], paper=texts[1])


def _in_the_open(
    ours: dict[str, Any], paper: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Members that two lists of components share, such as a cell's operations, are compared field by field.

    Where the kinds differ, the lists themselves stay as well, shown by their kinds.
    """
    lists = {
        field: (_members(value), _members(paper[field]))
        for field, value in ours.items()
        if _has_kinds(value) and _has_kinds(paper.get(field))
    }
    alike = {field for field, (one, other) in lists.items() if list(one) == list(other)}

    def opened(flat: dict[str, Any], side: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field, value in flat.items():
            if field not in alike:
                found[field] = value
            if field in lists:
                mine, others = lists[field][side], lists[field][1 - side]
                for name in (name for name in mine if name in others):
                    inner = flatten(mine[name]).items()
                    found |= {f"{field}.{name}.{one}": deep for one, deep in inner}
        return found

    return opened(ours, 0), opened(paper, 1)


def _has_kinds(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and "kind" in one for one in value)
    )


def _members(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The items by their kinds, the second of a kind as `kind 2`."""
    met = Counter[str]()
    found: dict[str, dict[str, Any]] = {}
    for one in items:
        met[one["kind"]] += 1
        number = met[one["kind"]]
        found[one["kind"] + (f" {number}" if number > 1 else "")] = one
    return found


def _of_another_kind(field: str, ours: dict[str, Any], paper: dict[str, Any]) -> bool:
    """Whether a kind above this field differs: then that single deviation covers the fields below it."""
    parts = field.split(".")
    kinds = (".".join([*parts[:depth], "kind"]) for depth in range(1, len(parts)))
    return any(
        kind != field and kind in ours and kind in paper and ours[kind] != paper[kind]
        for kind in kinds
    )


_ABSENT = object()


def _kind_text(config: dict[str, Any], field: str, value: Any) -> str:
    """A value; for a custom component, its name and file."""
    if value == "file":
        own = {f"{one}.kind": part_text(part) for one, part in files_of(config)}
        return own.get(field) or value
    return value_text(value)


def value_text(value: Any) -> str:
    """A value of a configuration in a readable form."""
    if value is _ABSENT:
        return "no such field"
    if value is None:
        return "not set"
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return ", ".join(
            part_text(item) if item.get("kind") == "file" else str(item.get("kind", item))
            for item in value
        )
    if isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str:
    return "no such field" if value is _ABSENT else json.dumps(value, ensure_ascii=False)

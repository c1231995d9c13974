"""Members of a family are asked through their contract: nobody outside inspects which one it is."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from simclr_core.augment.operations import AnyOperation
from simclr_core.augment.views import AnyViews
from simclr_core.data.dataset import AnyData
from simclr_core.losses.contrastive import AnyLoss
from simclr_core.networks.encoders import AnyEncoder
from simclr_core.networks.heads import AnyHead
from simclr_core.optim.optimizers import AnyOptimizer
from simclr_core.optim.schedules import AnySchedule
from simclr_core.probes.spec import AnyProbe
from simclr_core.probes.targets import AnyTarget

ROOT = Path(__file__).parents[2]
FAMILIES: dict[str, Any] = {
    "operation": AnyOperation,
    "views": AnyViews,
    "data": AnyData,
    "loss": AnyLoss,
    "encoder": AnyEncoder,
    "head": AnyHead,
    "optimizer": AnyOptimizer,
    "schedule": AnySchedule,
    "probe": AnyProbe,
    "target": AnyTarget,
}
"""A family's members, by the name that a variable or a field with one of them has."""


def members(family: Any) -> list[type]:
    [union, *_] = get_args(family)
    return list(get_args(union))


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


ROOMS = {
    base.__name__: room(base.__module__)
    for family in FAMILIES.values()
    for member in members(family)
    for base in member.__mro__
    if room(base.__module__).startswith("simclr_core.") and base.__name__ != "Frozen"
}
"""Where each member and each contract is defined, by its name."""


def inspections(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that inspect a member, with the room of the class or the family's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchClass):
            yield from ((node.lineno, name) for name in _names(node.cls))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"isinstance", "issubclass"}:
                yield from ((node.lineno, name) for name in _names(node.args[1]))
            elif node.func.id in {"getattr", "hasattr", "setattr"}:
                asked = ast.unparse(node.args[0]).rpartition(".")[2].lstrip("_")
                if asked in FAMILIES:
                    yield node.lineno, asked


def _names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
        if name in ROOMS:
            yield name


def inspected(source: str, module: str) -> list[str]:
    return [
        f"{module}:{line}: {name}"
        for line, name in inspections(ast.parse(source))
        if ROOMS.get(name) != room(module)
    ]


@pytest.mark.parametrize("package", ["simclr_core", "ablations"])
def test_no_member_of_a_family_is_inspected_outside_its_room(package: str) -> None:
    found = [
        line
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in inspected(
            path.read_text("utf-8"), ".".join(path.relative_to(ROOT).with_suffix("").parts)
        )
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(loss, NTXent)",
        "isinstance(config.evaluation.probe, SgdProbe | RidgeProbe)",
        "isinstance(one, (losses.Supervised, int))",
        "getattr(config.loss, 'temperature', None)",
        "hasattr(self._encoder, 'recompute')",
        "match target:\n    case Turned():\n        pass",
    ],
)
def test_an_inspection_is_found(source: str) -> None:
    assert inspected(source, "simclr_core.training.pretraining")
    assert not inspected("isinstance(loss, NTXent)", "simclr_core.losses.contract")


def test_every_family_has_a_contract_that_all_its_members_share() -> None:
    for name, family in FAMILIES.items():
        shared = set.intersection(*(set(member.__mro__) for member in members(family)))
        contracts = [
            one
            for one in shared
            if ROOMS.get(one.__name__, "simclr_core.plugins") != "simclr_core.plugins"
        ]

        assert contracts, name

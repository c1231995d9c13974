"""Claims, figures and evidence as data; the package is light until a report is written."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from made_evidence import beats, evidence
from pydantic import BaseModel, TypeAdapter, ValidationError

import reports
from reports.spec import AnyClaim, AnyFigure, PlannedTrial

HEAVY = ("pandas", "matplotlib", "seaborn", "scipy", "typst", "numpy", "jinja2", "torch", "ray")
CLAIMS: dict[str, dict[str, Any]] = {
    "beats": {"better": "a", "worse": "b"},
    "increases": {"along": ["a"]},
    "equivalent": {"among": ["a", "b"], "margin": 1.0},
    "main_effect": {"axis": "a", "better": "1", "worse": "2"},
    "interaction": {
        "axis": "a",
        "better": "1",
        "worse": "2",
        "by": "b",
        "larger_at": "3",
        "smaller_at": "4",
    },
    "ranks_like": {},
}
FIGURES: dict[str, dict[str, Any]] = {
    "heatmap": {"axis": "a"},
    "bars": {},
    "lines": {"axis": "a"},
    "marginal_means": {"axis": "a"},
}


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The models of a discriminated union."""
    return get_args(get_args(union)[0])


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = f"import sys, reports; print([m for m in {HEAVY!r} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_board_needs_no_drawing_library() -> None:
    lazy = ("pandas", "matplotlib", "seaborn", "typst", "jinja2")
    program = f"import sys, reports.judging.verdict_board; print([m for m in {lazy!r} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("model", members(AnyClaim))
def test_every_kind_of_claim_is_read_from_a_study_file_by_its_kind(model: type[BaseModel]) -> None:
    kind = model.model_fields["kind"].default

    claim = TypeAdapter(AnyClaim).validate_python({"kind": kind, "name": "n"} | CLAIMS[kind])

    assert type(claim) is model
    assert TypeAdapter(AnyClaim).validate_python(claim.model_dump(mode="json")) == claim


@pytest.mark.parametrize("model", members(AnyFigure))
def test_every_kind_of_figure_is_read_from_a_study_file_by_its_kind(model: type[BaseModel]) -> None:
    kind = model.model_fields["kind"].default

    figure = TypeAdapter(AnyFigure).validate_python({"kind": kind, "title": "t"} | FIGURES[kind])

    assert type(figure) is model
    assert TypeAdapter(AnyFigure).validate_python(figure.model_dump(mode="json")) == figure


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    known = "'beats', 'increases', 'equivalent', 'main_effect', 'interaction', 'ranks_like'"
    with pytest.raises(ValidationError, match=known):
        TypeAdapter(AnyClaim).validate_python({"kind": "wins", "name": "n"})


def test_a_study_has_at_most_three_primary_claims() -> None:
    claims = tuple(beats("a", "b", name=f"claim {i}") for i in range(4))

    with pytest.raises(ValidationError, match="at most 3 primary claims, got 4: claim 0, claim 1"):
        evidence({"a": [1.0], "b": [2.0]}, claims=claims)


def test_claims_have_names_of_their_own() -> None:
    claims = (beats("a", "b"), beats("a", "b", primary=False))

    with pytest.raises(ValidationError, match="claim names must be unique; duplicates: a>b"):
        evidence({"a": [1.0], "b": [2.0]}, claims=claims)


def test_a_planned_trial_needs_its_cell() -> None:
    lost = PlannedTrial(key="k", cell="nowhere", seed=0, reason="missing", command="")

    with pytest.raises(ValidationError, match="planned trials refer to unknown cells: nowhere"):
        evidence({"a": [1.0]}, planned=(lost,))


def test_the_example_of_the_packages_page_runs_as_it_stands() -> None:
    page = (Path(reports.__file__).parent / "README.md").read_text(encoding="utf-8")

    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    assert blocks
    for block in blocks:
        exec(block, {"__name__": "example"})

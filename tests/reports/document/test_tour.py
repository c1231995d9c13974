"""The tour of the report names what a report has: its sections, tables, cards and words."""

import re
from pathlib import Path

import pytest
from made_document import document_of
from made_studies import batch_size, compositions, projection_head, quickstart

from reports.document.blocks import Document, Facts, Table, VerdictCard
from reports.judging import Decision, State

PAGE = (Path(__file__).parents[3] / "ablations" / "REPORT.md").read_text(encoding="utf-8")
WORDS = " ".join(re.sub(r"[*`|]", " ", PAGE).split())
HEADINGS = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
OWN = re.compile(r"^(seed \d+|top1)$")
"""Names that come from the study and its records."""


@pytest.fixture(
    scope="module",
    params=[quickstart, compositions, projection_head, batch_size],
    ids=lambda f: f.__name__,
)
def made(request: pytest.FixtureRequest) -> Document:
    return document_of(request.param())


def general(title: str) -> str:
    """A section's title without the name of a claim or a scale."""
    title = re.sub(r"^Claim \d+: .*", "Claim N", title)
    return re.sub(r"^Verdicts(,| on) .*", "Verdicts", title)


def missing(names: set[str]) -> set[str]:
    """The names that the page lacks, units and percentages aside."""
    bare = {re.sub(r"(, %|, s|, MB|^[\d.]+ % |^descriptive [\d.]+ % )", "", name) for name in names}
    return {name for name in bare if not OWN.match(name) and name.lower() not in WORDS.lower()}


def test_each_section_of_a_report_is_named_in_its_order(made: Document) -> None:
    found = list(dict.fromkeys(general(section.title) for section in made.sections))

    assert [heading for heading in HEADINGS if heading in found] == found


def test_the_columns_of_every_table_are_explained(made: Document) -> None:
    blocks = [block for section in made.sections for block in section.blocks]

    assert not missing({c.name for one in blocks if isinstance(one, Table) for c in one.columns})


def test_every_quantity_of_the_scope_is_named(made: Document) -> None:
    tables = [b for s in made.sections for b in s.blocks if isinstance(b, Table)]
    names = {row[0].text for one in tables if one.ident == "scope" for row in one.rows}

    assert names
    assert not missing({re.sub(", (px|estimated)$", "", name) for name in names})


def test_what_a_claims_page_lists_is_explained(made: Document) -> None:
    blocks = [block for section in made.sections for block in section.blocks]

    cards = {name for one in blocks if isinstance(one, VerdictCard) for name, _ in one.facts}
    facts = [one for one in blocks if isinstance(one, Facts) and one.title == "How it is judged"]
    assert not missing(cards | {name for one in facts for name, _ in one.facts})
    assert not missing({one.title for one in blocks if isinstance(one, Facts) and one.title})


def test_each_verdict_and_each_state_of_a_control_is_explained() -> None:
    assert not missing({one.value for one in (*Decision, *State)})

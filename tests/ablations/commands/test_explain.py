"""`ablate explain`: terms from the glossary's page, kinds and fields from the models."""

import re
from pathlib import Path

import pytest
from commands import called

from ablations.reference import glossary

PAGE = Path(__file__).parents[3] / "ablations" / "README.md"


def rows() -> dict[str, str]:
    """The rows of the glossary, read from the page."""
    table = PAGE.read_text(encoding="utf-8").partition("## Glossary")[2]
    return dict(re.findall(r"^\| (?!term|---)(.+?) \| (.+) \|$", table, re.MULTILINE))


def test_the_terms_are_the_rows_of_the_page() -> None:
    assert {", ".join(term.names): term.meaning for term in glossary()} == rows()
    assert len(rows()) > 20


def test_every_term_of_the_glossary_is_explained_with_where_it_appears(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for names, meaning in list(rows().items())[::6]:
        said = called(capsys, "explain", names.split(", ")[-1])

        text = " ".join(said.out.split())
        assert said.code == 0
        assert text.startswith(f"{names}: {meaning}")
        assert "in the fields" in text or "in ablations/README.md" in text


def test_plurals_and_capitals_are_the_same_term(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = called(capsys, "explain", "verdict"), called(capsys, "explain", "Verdicts")

    assert one.out == other.out


@pytest.mark.parametrize(
    ("term", "texts"),
    [
        ("beats", ("claims of kind beats", "Two-sided Student-t", "claims.N.better")),
        ("bars", ("figures of kind bars", "One bar for each cell", "figures.N.group")),
        ("colour", ("views.operations of kind colour", "Colour jitter", "strength")),
        ("noise", ("views.operations of kind noise", "evaluation.target of kind noise")),
        ("optimizer.momentum", ("The share of the last update", "optimizer of kind sgd")),
        ("momentum", ("The share of the last update", "Nesterov's momentum")),
        ("seed", ("the unit of replication", "`ablate fields seed`")),
        ("constant", ("schedule of kind constant", "A constant rate")),
    ],
)
def test_a_kind_or_a_field_leads_to_the_models_texts(
    capsys: pytest.CaptureFixture[str], term: str, texts: tuple[str, ...]
) -> None:
    said = called(capsys, "explain", term)

    assert said.code == 0
    words = " ".join(said.out.split())
    assert [text for text in texts if text not in words] == []


@pytest.mark.parametrize("field", ["loss.temperature", "claims.margin", "momentum"])
def test_a_field_of_several_kinds_is_described_once(
    capsys: pytest.CaptureFixture[str], field: str
) -> None:
    said = called(capsys, "explain", field)

    places = re.findall(r"^\S+ of kind \w+$", said.out, re.MULTILINE)
    assert len(places) == len(set(places)) > 1


def test_a_term_of_several_words_needs_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (
        called(capsys, "explain", "projection", "head"),
        called(capsys, "explain", "projection head"),
    )

    assert one == other
    assert one.out.startswith("projection head: g, which maps h")


def test_a_field_with_the_name_of_a_kind_is_named_with_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = called(capsys, "explain", "crop")

    field = "evaluation.probe.crop"
    assert said.out.endswith(f"{field} is a field as well; see `ablate fields {field}`\n")


@pytest.mark.parametrize("column", ["claim", "interval", "verdict", "seeds", "margin"])
def test_words_of_the_scorecard_are_explained_as_the_reports_tour_says(
    capsys: pytest.CaptureFixture[str], column: str
) -> None:
    assert called(capsys, "explain", column).code == 0


@pytest.mark.parametrize("word", ["withheld", "exploratory", "floor", "tau-b", "cells", "controls"])
def test_words_of_verdicts_and_results_are_terms_of_the_glossary(
    capsys: pytest.CaptureFixture[str], word: str
) -> None:
    said = called(capsys, "explain", word)

    assert (said.code, said.err) == (0, "")
    assert ": " in said.out.splitlines()[0]


def test_without_a_term_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, "explain")

    assert all(names in said.out for names in rows())
    assert "beats, increases, equivalent, main_effect, interaction, ranks_like" in said.out


@pytest.mark.parametrize(
    ("term", "end"),
    [
        ("verdic", "; did you mean 'verdict'"),
        ("beat", "'beats'"),
        ("zzzz", "; `ablate explain` lists all terms"),
    ],
)
def test_an_unknown_term_is_one_message(
    capsys: pytest.CaptureFixture[str], term: str, end: str
) -> None:
    said = called(capsys, "explain", term)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"ablate: explain: no term {term!r}")
    assert end in said.err
    assert len(said.err.splitlines()) == 1

"""Names that other programs would execute are text in the page, the PDF, the tables and the figures."""

import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pypdf
import pytest
from hostile_names import NAMES
from made_evidence import beats, evidence

from reports.document.blocks import Document
from reports.document.html_page import html
from reports.document.pdf_file import pdf
from reports.document.sections import document
from reports.exports import figure_files, table_files
from reports.judging.verdict_board import board
from reports.spec import Bars

pytestmark = pytest.mark.proof

ALLOWED = {"href", "src"}
"""Attributes that may name something to load; the page's own policy blocks what they would fetch."""


class Seen(HTMLParser):
    """The tags, the attributes that could run or load something, and the scripts' texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.risky: list[tuple[str, str | None]] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scripts += tag == "script"
        self.risky += [(k, v) for k, v in attrs if k.startswith("on")]
        self.risky += [
            (k, v)
            for k, v in attrs
            if k in ALLOWED and not re.match(r"#|data:|tables/|figures/", v or "")
        ]


@pytest.fixture(scope="module")
def made() -> Document:
    """One study in which all names are hostile: cells, claims, classes, levels, reasons and itself."""
    cells = {name: [40.0 + nth, 41.0, 42.0] for nth, name in enumerate(NAMES)}
    plain = evidence(
        cells,
        study=NAMES[2],
        title=NAMES[0],
        question=NAMES[13],
        data_name=NAMES[20],
        source=NAMES[3],
        claims=tuple(
            beats(one, other, name=f"{one} {nth}", statement=other, source=one.strip() or "s")
            for nth, (one, other) in enumerate([NAMES[4:6], NAMES[24:26], NAMES[32:34]])
        ),
        figures=(Bars(title=NAMES[7], axis="views"),),
        command=NAMES[12],
    )
    counts = {
        "class_images": [60 - nth for nth in range(40)],
        "class_right": [1] * 40,
        "class_confusion": [[1] * 40] * 40,
    }
    records = tuple(
        one.model_copy(
            update={
                "facts": {
                    "version": 4,
                    "data": {"name": "d", "class_names": list(NAMES)},
                    **counts,
                },
                "config": {"epochs": 2},
                "curve": {"step": [1.0, 2.0], "loss": [2.0, 1.0]},
                "provenance": {
                    "code": {"dirty": True},
                    "machine": {"cpu": NAMES[0], NAMES[3]: "x"},
                },
            }
        )
        if one.role == "arm"
        else one
        for one in plain.records
    )
    return document(plain.model_copy(update={"records": records}))


def test_the_page_has_its_own_script_and_no_attribute_of_a_name(made: Document) -> None:
    seen = Seen()
    seen.feed(html(made, linked=True))

    assert seen.scripts == 1
    assert seen.risky == []
    assert not seen.tags & {"img", "iframe", "object", "embed", "form", "base", "x"}
    assert "classes" in [section.ident for section in made.sections]


def test_no_control_character_and_no_change_of_direction_is_in_the_page(made: Document) -> None:
    assert not set(html(made)) & {"\x1b", "\x07", "\u202e"}


def test_the_pdf_shows_what_would_be_code_as_text(made: Document) -> None:
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf(made))).pages)

    found = re.sub(r"[\s\u200b]", "", text)
    for name in (NAMES[13], NAMES[14], NAMES[15], NAMES[17], NAMES[20]):
        assert re.sub(r"\s", "", name) in found


def test_no_text_of_a_table_is_a_formula_or_a_command(made: Document) -> None:
    files = table_files(made)

    for name, content in files.items():
        source = content.decode()
        if name.endswith(".csv"):
            for row in csv.reader(io.StringIO(source)):
                risky = [t for t in row if re.match(r"\s*[=+\-@\uff1d]", t)]
                assert all(re.fullmatch(r"[+-][\d.,]+", text) for text in risky), (name, risky)
        if name.endswith(".tex"):
            assert not re.search(r"\\(input|write|end\{tabular\}\\)", source), name


def test_every_figure_is_well_formed_and_loads_nothing(made: Document) -> None:
    files = figure_files(made)

    assert {"claim1.svg", "curve-loss.svg", "figure1.svg"} <= set(files)
    for name, content in files.items():
        if name.endswith(".svg"):
            root = ET.fromstring(content)
            attributes = {k: v for e in root.iter() for k, v in e.attrib.items()}
            assert not [k for k in attributes if k.startswith("on")]
            assert not root.findall(".//{http://www.w3.org/2000/svg}script")


def test_the_terminals_board_has_no_escape() -> None:
    claims = tuple(beats("a", "b", name=name, statement=name) for name in NAMES[32:35])
    made = evidence({"a": [1.0, 2.0], "b": [0.0, 1.5]}, claims=claims)

    from ablations.commands.terminal import console
    from ablations.commands.verdict_table import show_board

    out = console()
    with out.capture() as said:
        show_board(made, out)

    assert len(board(made).rows) == 3
    assert not set(said.get()) & {"\x07", "\u202e"}
    assert "\x1b]0;" not in said.get()

"""Figures as files: SVG that an XML parser reads, PDF in the size of the figure."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pypdf
import pytest
from made_document import document_of
from made_studies import STUDIES, quickstart
from PIL import Image

from reports.document.blocks import Drawing
from reports.document.sections import document
from reports.errors import ReportError
from reports.exports import FIGURES, figure_files, figure_forms, png_of

Made = tuple[list[Drawing], dict[str, bytes]]

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=STUDIES, ids=lambda study: study.__name__, scope="module")
def made(request: pytest.FixtureRequest) -> Made:
    page = document_of(request.param())
    drawings = [b for section in page.sections for b in section.blocks if isinstance(b, Drawing)]
    return drawings, figure_files(page)


def test_each_figure_of_the_report_is_an_svg_and_a_pdf(made: Made) -> None:
    drawings, files = made

    names = [f"{drawing.ident}.{ending}" for drawing in drawings for ending in ("svg", "pdf")]
    assert list(files) == names
    assert all(FIGURES.fullmatch(name) for name in names)


def test_the_svg_stands_alone_with_its_words_and_the_paths_of_the_page(made: Made) -> None:
    for drawing in made[0]:
        root = ET.fromstring(made[1][f"{drawing.ident}.svg"])

        assert root.tag == f"{SVG}svg"
        assert root.findtext(f"{SVG}title") == drawing.title
        assert root.findtext(f"{SVG}desc") == drawing.alt
        shapes = [element.get("d") for element in root.iter(f"{SVG}path")]
        assert shapes == [e.get("d") for e in ET.fromstring(drawing.svg).iter("path")]
        assert root.find(f".//{SVG}script") is None
        images = [element.get("href", "") for element in root.iter(f"{SVG}image")]
        assert all(image.startswith("data:image/png;base64,") for image in images)
        assert not any("://" in value for e in root.iter() for value in e.attrib.values())


def test_the_pdf_is_one_page_of_the_figures_size_with_its_words(made: Made) -> None:
    for drawing in made[0]:
        reader = pypdf.PdfReader(io.BytesIO(made[1][f"{drawing.ident}.pdf"]))

        (page,) = reader.pages
        size = [float(n) for n in re.findall(r'(?:width|height)="([\d.]+)pt"', drawing.svg)[:2]]
        assert [float(page.mediabox.width), float(page.mediabox.height)] == pytest.approx(
            size, abs=1e-2
        )
        assert reader.metadata is not None
        assert reader.metadata.title == drawing.title
        assert reader.metadata.creation_date is None


def test_equal_records_give_equal_bytes() -> None:
    first, second = (figure_files(document(quickstart())) for _ in range(2))

    assert first == second


def test_a_figure_that_cannot_be_typeset_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "figure.typ"
    broken.write_text('#panic("no paper")')
    monkeypatch.setattr(figure_forms, "TEMPLATE", broken)
    drawing = Drawing(ident="figure1", title="t", caption="c", alt="a", svg="<svg/>")

    with pytest.raises(ReportError) as caught:
        figure_forms.pdf_of(drawing)

    assert str(caught.value).startswith("the PDF of figure1 could not be made: ")
    assert "no paper" in str(caught.value)


def test_a_hostile_title_is_shown_as_it_stands() -> None:
    title = '<script>alert(1)</script> & "x" #panic("y") \x1b[1m'
    study = quickstart()
    (figure,) = study.figures
    changed = figure.model_copy(update={"title": title})

    files = figure_files(document(study.model_copy(update={"figures": (changed,)})))

    root = ET.fromstring(files["figure1.svg"])
    assert root.findtext(f"{SVG}title") == title.replace("\x1b", "\u241b")
    assert root.find(f".//{SVG}script") is None
    assert pypdf.PdfReader(io.BytesIO(files["figure1.pdf"])).pages


def test_as_an_image_it_has_the_pixels_of_its_size_on_white(made: Made) -> None:
    drawing = made[0][0]

    with Image.open(io.BytesIO(png_of(drawing, 36.0))) as image:
        size, corner = image.size, image.convert("RGBA").getpixel((0, 0))

    points = [float(one) for one in re.findall(r'(?:width|height)="([\d.]+)pt"', drawing.svg)[:2]]
    assert size == pytest.approx([one * 36 / 72 for one in points], abs=1)
    assert corner == (255, 255, 255, 255)

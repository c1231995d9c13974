"""Both reports as files: the same words and numbers, the same bytes, whole or not at all."""

import html
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pypdf
import pytest
from made_document import document_of
from made_studies import WHOLE, compositions, quickstart

from reports.document import pdf_file
from reports.document.blocks import Document, Drawing, Facts, Table, Text, VerdictCard
from reports.document.html_page import html as written_page
from reports.document.sections import document
from reports.errors import ReportError
from reports.judging.verdict_board import board
from reports.spec import Evidence
from reports.write import write_report, write_reports

HERE = Path(__file__).parents[1]
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from made_studies import compositions, quickstart
from reports.write import write_report, write_reports
for study in (quickstart, compositions):
    write_reports(study(), Path(sys.argv[2]) / study.__name__)
"""


def texts(document: Document) -> list[str]:
    """All that a reader can read, figures apart."""
    found = [document.title, document.subtitle, document.question]
    for section in document.sections:
        found.append(section.title)
        for block in section.blocks:
            match block:
                case Text():
                    found.append(block.text)
                case Table():
                    found += [block.caption, *(column.name for column in block.columns)]
                    found += [cell.text for row in block.rows for cell in row]
                case Facts():
                    found += [block.title, *(text for pair in block.facts for text in pair)]
                case VerdictCard():
                    found += [block.statement, block.words, block.note]
                    found += [text for pair in block.facts for text in pair]
                case Drawing():
                    found += [block.title, block.caption]
    return [text for text in found if text]


def bare(text: str) -> str:
    """Without any space, also those that mark where a long word may break."""
    return re.sub(r"[\s\u200b\u00ad]", "", text)


def read_pdf(file: io.BytesIO) -> tuple[pypdf.PdfReader, str]:
    """The file and its text without spaces, footers taken out."""
    reader = pypdf.PdfReader(file)
    whole = ""
    for nth, page in enumerate(reader.pages, 1):
        whole += bare(page.extract_text()).replace(f"{nth}of{len(reader.pages)}", "")
    return reader, whole


def read_html(source: str) -> str:
    """The page's text without spaces and without figures."""
    body = source.partition("<body>")[2].partition("<script>")[0]
    body = re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)
    return bare(html.unescape(re.sub(r"<[^>]+>", "\n", body)))


class Study(NamedTuple):
    """One made study with its reports, read once."""

    evidence: Evidence
    document: Document
    source: str
    page: str
    reader: pypdf.PdfReader
    paper: str
    files: frozenset[str]
    """The files of tables and figures, relative to the page."""


@cache
def written(made: Callable[[], Evidence]) -> Study:
    """The reports of a study; the same in every test of a process."""
    evidence = made()
    with TemporaryDirectory() as folder:
        paths = write_reports(evidence, Path(folder))
        source = paths.html.read_text(encoding="utf-8")
        reader, paper = read_pdf(io.BytesIO(paths.pdf.read_bytes()))
        beside = (*paths.tables, *paths.figures)
        files = frozenset(str(path.relative_to(folder)) for path in beside if path.is_file())
    return Study(evidence, document_of(evidence), source, read_html(source), reader, paper, files)


@pytest.fixture(params=WHOLE)
def study(request: pytest.FixtureRequest) -> Study:
    """Each of the made studies."""
    return written(request.param)


def test_page_and_pdf_hold_every_word_and_number_of_the_document(study: Study) -> None:
    # The subtitle is each page's footer too and would stand amid what a page break parts.
    subtitle = bare(study.document.subtitle)
    paper = study.paper.replace(subtitle, "") + subtitle

    lacking = [
        (text, place)
        for text in texts(study.document)
        for place, whole in (("page", study.page), ("PDF", paper))
        if bare(text) not in whole
    ]

    assert lacking == []


def test_page_and_pdf_give_the_boards_verdicts(study: Study) -> None:
    for row in board(study.evidence).rows:
        card = bare(f"{row.statement}{row.words}")
        assert card in study.page
        assert card in study.paper


def test_the_pdf_is_tagged_and_says_that_it_conforms_to_pdf_ua_1(study: Study) -> None:
    root = study.reader.trailer["/Root"]

    assert bool(root["/MarkInfo"]["/Marked"])
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "/StructTreeRoot" in root
    assert re.search(r"pdfuaid:part[>=\"]+1", root["/Metadata"].get_data().decode())
    assert study.reader.metadata is not None
    assert study.reader.metadata.title == study.evidence.title


def test_every_figure_of_the_pdf_has_its_text(study: Study) -> None:
    told = [b.alt for s in study.document.sections for b in s.blocks if isinstance(b, Drawing)]

    objects = map(study.reader.get_object, range(1, int(study.reader.trailer["/Size"])))
    alternatives = {
        str(found["/Alt"])
        for found in objects
        if isinstance(found, pypdf.generic.DictionaryObject)
        and found.get("/S") == "/Figure"
        and "/Alt" in found
    }

    assert told
    assert set(told) <= alternatives


def test_the_pdf_has_its_sections_as_bookmarks(study: Study) -> None:
    def titles(outline: list[Any]) -> list[str]:
        nested = (titles(i) if isinstance(i, list) else [str(i["/Title"])] for i in outline)
        return [title for some in nested for title in some]

    found = titles(study.reader.outline)

    assert [t for t in found if t != study.evidence.title] == [
        section.title for section in study.document.sections
    ]


def test_two_variations_of_a_study_differ_in_the_title_of_the_window() -> None:
    made = quickstart()
    varied = made.model_copy(update={"variation": "loss.temperature=0.2"})

    titles = [
        re.findall("<title>(.*)</title>", written_page(document(one)))[0] for one in (made, varied)
    ]

    assert [made.title in title for title in titles] == [True, True]
    assert ["variation loss.temperature=0.2" in title for title in titles] == [False, True]


def test_no_page_asks_for_anything_and_links_only_to_its_own_files(study: Study) -> None:
    links = re.findall(r"(?:src|href)=\"(?!#|data:)([^\"]*)\"", study.source)
    assert len(study.files) > 15
    assert sorted(links) == sorted(study.files)
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", written_page(study.document))
    assert "://" not in study.source
    assert "@import" not in study.source


def test_no_two_elements_have_one_id_and_what_names_an_id_finds_it(study: Study) -> None:
    ids = re.findall(r'\bid="([^"]*)"', study.source)
    named = re.findall(r'(?:aria-labelledby="|href="#)([^"]*)"', study.source)

    assert sorted(ids) == sorted(set(ids))
    assert set(named) <= set(ids)


@pytest.mark.slow
@pytest.mark.proof
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(HERE), str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            cwd=HERE.parents[1],
        )
        for seed, zone in (("1", "UTC"), ("4242", "Asia/Tokyo"))
    ]

    assert [process.wait(timeout=120) for process in running] == [0, 0]

    files = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*"))
    assert {path.suffix for path in files} == {".html", ".pdf", ".csv", ".tex", ".json", ".svg"}
    assert len(files) > 2 * (2 + 3 * 5 + 2)
    for path in files:
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "4242" / path).read_bytes()


def test_names_are_never_read_as_markup(tmp_path: Path) -> None:
    made = quickstart().model_copy(
        update={"title": '<script>alert(1)</script> #panic("x") $a$ *b* _c_ & "d"'}
    )

    paths = write_reports(made, tmp_path)

    assert "&lt;script&gt;alert(1)" in paths.html.read_text(encoding="utf-8")
    assert bare(made.title) in read_pdf(io.BytesIO(paths.pdf.read_bytes()))[1]


def test_a_written_report_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_reports(compositions(), tmp_path)
    gone = tmp_path / "tables" / "not-counted.csv"
    assert gone.is_file()
    (tmp_path / "tables" / "mine.csv").write_text("a file of the user's")

    write_reports(quickstart(), tmp_path)

    names = ["figures", "report.html", "report.pdf", "tables"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert not gone.exists()
    assert (tmp_path / "tables" / "mine.csv").is_file()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    write_reports(compositions(), tmp_path)
    assert gone.is_file()
    assert "Composition of data" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    why = (
        r"file.report.html could not be written \(File exists\); free some space, or name "
        "another store whose folder is writable$"
    )
    with pytest.raises(ReportError, match=why):
        write_reports(quickstart(), tmp_path / "file")


def test_a_full_disk_leaves_the_old_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reports import write

    (tmp_path / "report.html").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(ReportError, match="No space left on device"):
        write._write(tmp_path / "report.html", b"new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_pdf_that_cannot_be_typeset_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "page.typ"
    broken.write_text('#panic("no paper")')
    monkeypatch.setattr(pdf_file, "TEMPLATE", broken)

    with pytest.raises(ReportError) as caught:
        pdf_file.without_glyph("text")

    assert str(caught.value).startswith("the PDF could not be typeset: ")
    assert "no paper" in str(caught.value)


def test_the_page_is_written_without_the_pdfs_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)

    page = write_report(document(quickstart()), "report.html", tmp_path)

    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ImportError):
        write_report(document(quickstart()), "report.pdf", tmp_path)

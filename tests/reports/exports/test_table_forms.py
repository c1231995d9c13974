"""Tables as files: the report's numbers in each form, and names that no program reads as code."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from made_document import document_of
from made_evidence import evidence
from made_studies import WHOLE, quickstart

from reports.document.blocks import Cell, Column, Document, Section, Table
from reports.document.sections import document
from reports.exports import TABLES, table_files
from reports.spec import Evidence

HOSTILE = (
    "=HYPERLINK(1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "  =1+1",
    "\t=1+1",
    "\n=1",
    "\uff1d1+1",
    "a;=1+1",
    'say "=1+1", twice',
    "[one]",
    "*two",
    "\\input{/etc/passwd}",
    "\\end{tabular}\\write18{x}",
    "100 % & more_of #1 {x} ^2 ~ $y$",
    "% a comment",
    "two\nlines",
    "<b>|`'\"--",
    "日本語 Ωé",
    "</script>",
)
TEX = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotesingle{}": "'",
    r"\textasciigrave{}": "`",
    r"\symbol{34}": '"',
    r"\ensuremath{\pm}": "±",
    "-{}": "-",
    "~": " ",
    **{f"\\{sign}": sign for sign in "{}$&#%_"},
}
"""What LaTeX prints for a command, by its manual."""


def hostile() -> Table:
    return Table(
        ident="cells",
        caption="first line\n\\second % line",
        columns=(Column(name="=cell"), Column(name="mean, %", form="number")),
        rows=tuple((Cell(text=name), Cell(text="+1.2", order=1.23)) for name in HOSTILE),
    )


def files_of(*tables: Table) -> dict[str, str]:
    section = Section(ident="numbers", title="t", blocks=tables)
    made = table_files(Document(title="t", subtitle="", question="", sections=(section,)))
    return {name: content.decode() for name, content in made.items()}


def tables(made: Evidence) -> list[Table]:
    sections = document_of(made).sections
    return [block for one in sections for block in one.blocks if isinstance(block, Table)]


def read_tex(source: str) -> list[list[str]]:
    """The cells as a reader sees them; fails at anything but text, cells, rows and rules."""
    lines = [line for line in source.splitlines() if not line.startswith("%")]
    assert re.fullmatch(r"\\begin\{tabular\}\{(?:[lr]|p\{0\.3\\linewidth\})+\}", lines[0])
    assert lines[-1] == r"\end{tabular}"
    assert (lines[1], lines[3], lines[-2]) == (r"\toprule", r"\midrule", r"\bottomrule")
    rows: list[list[str]] = []
    for line in (lines[2], *lines[4:-2]):
        assert line.endswith(r" \\")
        assert line[0] not in "[*"  # which the line break before would take as its argument
        row, rest = [""], line.removesuffix(r" \\").removeprefix("{}")
        while rest:
            known = next((command for command in TEX if rest.startswith(command)), None)
            if known:
                row[-1] += TEX[known]
                rest = rest.removeprefix(known)
            elif math_mode := re.match(r"\$([+\-\d.,{}\[\] ]+)\$", rest):
                row[-1] += math_mode[1].replace("{,}", ",")
                rest = rest[math_mode.end() :]
            elif rest.startswith(" & "):
                row.append("")
                rest = rest[3:]
            else:
                assert rest[0] not in "\\{}$&#%_^~<>|`'\"", rest
                row[-1] += rest[0]
                rest = rest[1:]
        rows.append(row)
    return rows


@pytest.mark.parametrize("study", WHOLE)
def test_csv_json_and_latex_hold_the_numbers_that_the_report_shows(
    study: Callable[[], Evidence],
) -> None:
    made = study()
    files = table_files(document_of(made))
    for table in tables(made):
        names = [column.name for column in table.columns]
        found = json.loads(files[f"{table.ident}.json"])
        head, *by_csv = csv.reader(io.StringIO(files[f"{table.ident}.csv"].decode()))
        tex_head, *by_tex = read_tex(files[f"{table.ident}.tex"].decode())
        assert found["columns"] == head == tex_head == names
        assert len(found["rows"]) == len(by_csv) == len(by_tex) == len(table.rows)
        for row, *others in zip(table.rows, found["rows"], by_csv, by_tex, strict=True):
            for at, (cell, value, text, tex) in enumerate(zip(row, *others, strict=True)):
                if table.columns[at].form != "number" or not re.match(r"[+-]?\d", cell.text):
                    assert text.removeprefix("'") == (value or ""), cell
                    assert tex in (cell.text, "")
                    continue
                if not isinstance(value, str):
                    decimals = len(cell.text.partition(".")[2])
                    assert f"{value:.{decimals}f}" == cell.text.lstrip("+").replace(",", "")
                    assert float(text) == value
                assert tex == cell.text


def test_a_mean_is_at_full_precision_and_rounds_to_the_reports() -> None:
    files = table_files(document(evidence({"crop": [40.0, 41.0, 41.0], "b": [1.0]}, claims=())))

    frame = pd.read_csv(io.BytesIO(files["cells.csv"])).set_index("cell")

    assert frame["mean, %"]["crop"] == pytest.approx(122 / 3, rel=1e-15)
    assert r" & 40.7 & " in files["cells.tex"].decode()
    assert frame["n"].tolist() == [3, 1, 3, 1]
    assert str(frame["mean, %"].dtype) == "float64"
    assert pd.isna(frame["above random encoder"]["random encoder"])


@pytest.mark.parametrize("text", ["none yet", "none", ""])
def test_a_missing_number_is_empty_everywhere(text: str) -> None:
    columns = (Column(name="a"), Column(name="b", form="number"))
    table = Table(
        ident="cells",
        caption="",
        columns=columns,
        rows=((Cell(text="x"), Cell(text=text, order=math.nan)),),
    )

    files = files_of(table)

    assert files["cells.csv"] == '"a","b"\n"x",\n'
    assert json.loads(files["cells.json"])["rows"] == [["x", None]]
    assert read_tex(files["cells.tex"])[1] == ["x", ""]


def test_no_spreadsheet_sees_a_formula_and_numbers_stay_numbers() -> None:
    source = files_of(hostile())["cells.csv"]

    head, *rows = csv.reader(io.StringIO(source))

    for name, (text, number) in zip(HOSTILE, rows, strict=True):
        assert text.removeprefix("'") == name
        assert not re.match(r"[=+\-@\t\r\n\uff1d]", text.lstrip(" "))
        assert number == "1.23"
    assert head == ["'=cell", "mean, %"]
    assert rows[0][0] == "'=HYPERLINK(1)"
    # Where semicolons separate, each text is still inside its quotes.
    assert '"a;=1+1",1.23\n' in source


@pytest.mark.parametrize("text", ["-3", "+4.5", "1,234", "-1,234.5"])
def test_a_signed_number_that_is_the_name_of_a_level_is_no_formula(text: str) -> None:
    table = Table(
        ident="cells", caption="", columns=(Column(name="level"),), rows=((Cell(text=text),),)
    )

    files = files_of(table)

    assert list(csv.reader(io.StringIO(files["cells.csv"])))[1] == [text]
    assert json.loads(files["cells.json"])["rows"] == [[text]]


def test_latex_prints_every_name_as_it_stands() -> None:
    source = files_of(hostile())["cells.tex"]

    assert [row[0] for row in read_tex(source)[1:]] == [" ".join(name.split()) for name in HOSTILE]
    assert "日本語 Ωé" in source
    assert "compiles with XeLaTeX or LuaLaTeX" in source.splitlines()[1]
    assert source.splitlines()[0] == "% first line \\second % line"


def test_only_latex_and_the_pages_hold_a_number_to_its_unit() -> None:
    columns = (Column(name="95 % interval"), Column(name="margin"))
    rows = ((Cell(text="1.0 to 2.0 at 97.5 %"), Cell(text="5 points")),)
    files = files_of(Table(ident="claims", caption="", columns=columns, rows=rows))

    assert "\n95~\\% interval & margin \\\\\n" in files["claims.tex"]
    assert "\n1.0 to 2.0 at 97.5~\\% & 5 points \\\\\n" in files["claims.tex"]
    assert '"1.0 to 2.0 at 97.5 %","5 points"' in files["claims.csv"]
    assert json.loads(files["claims.json"])["rows"] == [["1.0 to 2.0 at 97.5 %", "5 points"]]


def test_the_reports_own_signs_compile_with_any_latex() -> None:
    columns = (Column(name="claim"), Column(name="margin", form="number"))
    row = (Cell(text="no effect"), Cell(text="±5.0", order=5.0))
    source = files_of(Table(ident="claims", caption="", columns=columns, rows=(row,)))["claims.tex"]

    assert read_tex(source)[1] == ["no effect", "±5.0"]
    assert "compiles with pdfLaTeX" in source.splitlines()[1]


def test_json_keeps_every_name_as_it_stands() -> None:
    found = json.loads(files_of(hostile())["cells.json"])

    assert [row[0] for row in found["rows"]] == list(HOSTILE)
    frame = pd.DataFrame(found["rows"], columns=found["columns"])
    assert frame["mean, %"].tolist() == [1.23] * len(HOSTILE)


def test_equal_records_give_equal_bytes_and_known_names() -> None:
    files = table_files(document(quickstart()))

    assert files == table_files(document(quickstart()))
    assert all(TABLES.fullmatch(name) for name in files)
    assert {name.partition(".")[0] for name in files} >= {"cells", "claims", "seeds", "trials"}
    assert all(
        not math.isinf(len(content)) and content.endswith(b"\n") for content in files.values()
    )


@pytest.mark.slow
def test_every_table_compiles(tmp_path: Path) -> None:
    program = next(filter(shutil.which, ("lualatex", "xelatex", "pdflatex")), None)
    if program is None:
        pytest.skip("no TeX")
    files = table_files(document(quickstart()))
    plain = [row for row in hostile().rows if row[0].text.isascii()]
    files["hostile.tex"] = files_of(hostile().model_copy(update={"rows": tuple(plain)}))[
        "cells.tex"
    ].encode()
    names = [name for name in files if name.endswith(".tex")]
    for name in names:
        (tmp_path / name).write_bytes(files[name])
    text = "\n\n".join(f"\\input{{{name}}}" for name in names)
    (tmp_path / "paper.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{text}\\end{{document}}"
    )

    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:]

"""What the pages say one can type can be typed: commands and code blocks are executed."""

import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ablations.__main__ import run
from ablations.commands.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
)
OWN_TESTS = {"ablations/notebook/README.md": "tests/ablations/notebook/test_page.py"}
"""Pages whose code needs a store with a study's records, and the tests that execute it on one."""

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<language>sh|python)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    language: str
    code: str
    why_not: str | None
    """Why it is not run: what an HTML comment before it says."""


def blocks(page: Path, language: str) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    every = [Block(one["language"], one["code"], one["why"]) for one in found]
    return [block for block in every if block.language == language]


def lines(block: Block) -> Iterator[list[str]]:
    """The words of each command."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def with_blocks(language: str) -> list[Any]:
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if blocks(page, language) and str(page.relative_to(ROOT)) not in OWN_TESTS
    ]


def parse(words: list[str]) -> None:
    """Raises where a command or an option does not exist."""
    from typer.main import get_command

    group: Any = get_command(app)
    command = group.commands[words[0]]
    command.make_context(words[0], words[1:])


def ablate(words: list[str]) -> None:
    target = None
    if len(words) > 2 and words[-2] == ">":
        *words, _, target = words
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run(words)
    assert code == 0, words
    if target is not None:
        Path(target).write_text(out.getvalue(), encoding="utf-8")


@pytest.mark.parametrize("page", with_blocks("sh"))
def test_the_commands_of_a_page_can_be_typed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "sh"):
        for words in lines(block):
            match words[0], block.why_not:
                case "ablate", None:
                    ablate(words[1:])
                case "ablate", _:
                    parse(words[1 : words.index(">") if ">" in words else None])
                case "make", _:
                    # Each prepares .venv and takes minutes: that make knows it is what is tried.
                    subprocess.run(
                        ["make", "--dry-run", *words[1:]],
                        cwd=ROOT,
                        check=True,
                        capture_output=True,
                    )
                case program, None:
                    assert (ROOT / program).is_file(), f"{page.name}: {program} is not in the tree"
                    assert (ROOT / program).stat().st_mode & 0o100
                case _:
                    pass


@pytest.mark.parametrize("page", with_blocks("python"))
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page, "python"):
        if block.why_not is None:
            exec(compile(block.code, str(page), "exec"), names)


def test_every_package_has_a_page_and_the_commands_on_it_are_found() -> None:
    packages = {page.parent.name for page in PAGES if page.name == "README.md"}

    assert packages >= {"simclr_core", "sweeps", "reports", "ablations", ROOT.name}
    assert len(list(lines(blocks(ROOT / "ablations" / "README.md", "sh")[0]))) == 4
    assert all((ROOT / page).is_file() and (ROOT / OWN_TESTS[page]).is_file() for page in OWN_TESTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    """Links, and paths in back-quotes that begin with one of our folders."""
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!\w+:)([^)#]+)[^)]*\)", text)
    quoted = re.findall(r"`((?:simclr_core|sweeps|reports|ablations|tests)/[\w./-]*\w)`", text)

    gone = [name for name in linked if not (page.parent / name).exists()]
    gone += [name for name in quoted if not (ROOT / name).exists()]
    assert gone == []

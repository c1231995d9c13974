"""What reaches the terminal: no text of a study or a path can command it."""

import gc
from pathlib import Path

import pytest
from commands import STUDY, called, written_study

ESCAPE = "\x1b"


def test_an_escape_in_a_study_or_a_path_is_shown_and_never_sent(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = STUDY.replace("question: Does colour help?", 'question: "\\e[2Jgone?"')
    study = written_study(here, text)

    plan = called(capsys, "plan", str(study))
    wrong = called(capsys, "plan", f"{ESCAPE}]0;title{ESCAPE}.yaml")

    assert (plan.code, wrong.code) == (0, 2)
    assert "␛[2Jgone?" in plan.out
    assert "title" in wrong.err
    assert ESCAPE not in plan.out + plan.err + wrong.out + wrong.err


def test_plan_says_which_letters_the_pdf_cannot_show(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, STUDY.replace("title: A study", "title: 日本 A study"))

    said = called(capsys, "plan", str(study))

    assert said.code == 0
    assert "the fonts of report.pdf and of the figures lack 日 本 and show □ instead" in said.err
    assert "the text of report.html shows them" in said.err
    assert "report.pdf" not in called(capsys, "plan", str(written_study(here))).err


def test_after_a_command_the_garbage_collector_searches_everything_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(capsys, "plan", str(written_study(here))).code == 0

    assert gc.isenabled()
    assert gc.get_freeze_count() == 0

"""A decision is named by its number: each has one of its own, the newest is read first."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "DECISIONS.md").read_text(encoding="utf-8")
HEADINGS = [line for line in PAGE.splitlines() if line.startswith("#")][1:]


def test_every_heading_is_a_number_and_a_title() -> None:
    assert [one for one in HEADINGS if not re.fullmatch(r"## [1-9][0-9]*\. \S.*\S", one)] == []


def test_numbers_count_down_to_1_without_a_gap_or_a_double() -> None:
    numbers = [int(one.removeprefix("## ").partition(".")[0]) for one in HEADINGS]

    assert numbers == list(range(len(numbers), 0, -1))


def test_no_two_decisions_have_one_title() -> None:
    titles = [one.partition(". ")[2] for one in HEADINGS]

    assert len(set(titles)) == len(titles)

"""What may be shown on a terminal or a page: every letter, and no command to the terminal."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from sweeps.plain_text import printable


@given(st.text())
def test_no_control_or_direction_character_is_left(text: str) -> None:
    shown = printable(text)

    assert len(shown) == len(text)
    left = {unicodedata.category(character) for character in shown if character not in "\t\n"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(character) for character in shown} & {
        "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"
    }  # fmt: skip
    shown.encode()


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_letters_numbers_and_signs_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_an_escape_is_seen() -> None:
    assert printable("a\x1b[2Jb\x7f\r") == "a␛[2Jb␡␍"

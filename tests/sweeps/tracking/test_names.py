"""Names and texts for MLflow: distinct names stay distinct, and no text is markup."""

import re

import pytest

from sweeps.tracking.names import as_markdown, name_of, names_of

ALIKE = ["a*b", "a?b", "a_b", "a|b", "x" * 300, "x" * 301, "..", "_.."]


def test_names_that_mlflow_would_confuse_stay_apart() -> None:
    found = names_of(ALIKE)

    assert found[:4] == ["a_b", "a_b - 2", "a_b - 3", "a_b - 4"]
    assert len(set(found)) == len(ALIKE)
    assert all(len(name) <= 250 for name in found)
    assert [name_of(name) for name in found] == found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("crop+colour, 62.0 % (n = 4)", "crop+colour, 62.0 % (n = 4)"),
        ("![x](http://host/x)", r"\!\[x\](http://host/x)"),
        ("<img src=x> & *b*", r"\<img src=x\> &amp; \*b\*"),
        ("two\nlines | one", r"two lines \| one"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert as_markdown(text) == shown
    assert not re.search(r"(?<!\\)[<>\[\]*_`!|]", shown)

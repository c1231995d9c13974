"""The page of all fields is what the models say."""

from pathlib import Path

from ablations.reference import every_entry, fields_page, kinds

PAGE = Path(__file__).parents[3] / "ablations" / "FIELDS.md"


def test_the_page_in_the_tree_is_the_one_that_the_models_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == fields_page(), "write it again with `make fields`"


def test_the_page_has_a_row_for_every_field_and_a_heading_or_row_for_every_kind() -> None:
    page = fields_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert len(rows) == len(every_entry().entries)
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)
    for _, kind in kinds():
        assert f"of kind `{kind.name}`" in page

"""A value that is built without checks: pydantic's own, from the same fields."""

import pytest
from pydantic import ValidationError

from sweeps.record import Stage

FIELDS = {"name": "encoder", "key": "0123456789abcdef"}


def test_a_trusted_value_is_the_one_that_pydantic_checks() -> None:
    made, checked = Stage.trusted(dict(FIELDS)), Stage(**FIELDS)

    assert made == checked
    assert hash(made) == hash(checked)
    assert made.model_dump_json() == checked.model_dump_json()
    assert made.model_copy(update={"key": "0"}) == checked.model_copy(update={"key": "0"})
    with pytest.raises(ValidationError, match="frozen"):
        made.key = "0"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("fields", [{"name": "encoder"}, {**FIELDS, "more": 1}, {}])
def test_a_trusted_value_has_all_of_its_fields_and_no_other(fields: dict[str, object]) -> None:
    with pytest.raises(KeyError):
        Stage.trusted(fields)

"""The base class of configuration values."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields; the docstring under a field is its description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def trusted(cls, fields: dict[str, Any]) -> Self:
        """The value with these fields, in their order, and no check of what they hold.

        For thousands of values that this program wrote, or made of checked parts, where looking for
        defaults as `model_construct` does would take most of the time. The mapping becomes part of the
        value.

        Raises:
            KeyError: these are not all of its fields, or more.
        """
        given = set(fields)
        if odd := given ^ cls.__pydantic_fields__.keys():
            raise KeyError(*odd)
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", fields)
        object.__setattr__(made, "__pydantic_fields_set__", given)
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

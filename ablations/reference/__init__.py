"""The reference for users, read from the models: every field of a study and of the configuration."""

from ablations.reference.entries import (
    ITEM,
    Entry,
    Kind,
    Listing,
    entries_below,
    every_entry,
    kinds,
    name_of,
    nearest,
)
from ablations.reference.wording import shortened, written

__all__ = [
    "ITEM",
    "Entry",
    "Kind",
    "Listing",
    "entries_below",
    "every_entry",
    "kinds",
    "name_of",
    "nearest",
    "shortened",
    "written",
]

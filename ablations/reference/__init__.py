"""The reference for users, read from the models: every field of a study and of the configuration."""

from ablations.reference.editor_schema import study_schema
from ablations.reference.entries import (
    ITEM,
    Entry,
    Kind,
    Listing,
    entries_below,
    every_entry,
    kinds,
    nearest,
)
from ablations.reference.facts import (
    ITEMS,
    TITLES,
    default_of,
    kind_of_owner,
    listed_at,
    takes_of,
)
from ablations.reference.glossary_page import Term, glossary, mentions
from ablations.reference.page import fields_page
from ablations.reference.wording import shortened, written

__all__ = [
    "ITEM",
    "ITEMS",
    "TITLES",
    "Entry",
    "Kind",
    "Listing",
    "Term",
    "default_of",
    "entries_below",
    "every_entry",
    "fields_page",
    "glossary",
    "kind_of_owner",
    "kinds",
    "listed_at",
    "mentions",
    "nearest",
    "shortened",
    "study_schema",
    "takes_of",
    "written",
]

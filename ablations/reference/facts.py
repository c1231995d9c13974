"""What is said of a field besides its meaning, in a few words; the command and the page share it."""

from ablations.reference.entries import ITEM, Entry, Listing
from ablations.reference.wording import shortened

TITLES = {
    "study": "Fields of a study file",
    "configuration": "Fields of the configuration, in base, set, --set and levels",
}
"""Part -> its heading."""

ITEMS = f"{ITEM} is the place of an item in its list, from 0."


def takes_of(entry: Entry) -> list[str]:
    """Type with kinds, range and unit; empty ones are left out."""
    kinds = ", ".join(kind.name for kind in entry.kinds)
    found = [
        f"{entry.takes}: {kinds}" if kinds else entry.takes,
        entry.range,
        f"unit: {entry.unit}" if entry.unit else "",
    ]
    return [fact for fact in found if fact]


def default_of(entry: Entry) -> str:
    """`required`, or the default; empty for a mapping of fields, which have their own."""
    if entry.required:
        return "required"
    if entry.models and not entry.kinds and entry.default == {}:
        return ""
    return f"default {shortened(entry.default)}"


def kind_of_owner(entry: Entry) -> str | None:
    """The kind of the component that holds the field; None where it has no other kinds."""
    return entry.when.get(entry.parent)


def listed_at(entry: Entry, listing: Listing) -> str | None:
    """Where the fields below a component are listed, if not below itself."""
    homes = {listing.homes.get(model, "") for model in entry.models}
    own = {entry.name, f"{entry.name}.{ITEM}", ""}
    return None if not homes or homes & own else min(homes, key=len)

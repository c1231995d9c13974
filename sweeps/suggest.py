"""Suggestions for an unknown name."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, listed: bool = False) -> str:
    """The end of a message about an unknown name: `; did you mean a, b?`, or the known names.

    Case is ignored. Empty if no name is known, or none is near in a message that has `listed` them.
    """
    names = list(dict.fromkeys(known))
    by_lower = {known_name.lower(): known_name for known_name in reversed(names)}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {', '.join(repr(by_lower[match]) for match in close)}?"
    if not names or listed:
        return ""
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"; there are {', '.join(repr(known_name) for known_name in names[:12])}{more}"

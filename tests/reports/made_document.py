"""The document of a report, built once for the same evidence: its figures take most of a test's time."""

from reports.document.blocks import Document
from reports.document.sections import document
from reports.spec import Evidence

_BUILT: dict[int, tuple[Evidence, Document]] = {}
"""By identity; the evidence is held with its document, so that no other one takes its place."""


def document_of(made: Evidence) -> Document:
    """The report on evidence that does not change any more."""
    if id(made) not in _BUILT:
        _BUILT[id(made)] = (made, document(made))
    return _BUILT[id(made)][1]

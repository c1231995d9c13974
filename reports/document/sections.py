"""From evidence to a document: the sections and their order."""

from reports.document.appendix import (
    control_section,
    cost_section,
    method_section,
    provenance_section,
    trouble_section,
)
from reports.document.blocks import Document
from reports.document.claim_page import claim_pages
from reports.document.classes import class_section
from reports.document.findings import findings_of
from reports.document.lessons import lesson_section
from reports.document.results import (
    claim_section,
    deviation_section,
    number_section,
    seed_section,
    trial_section,
)
from reports.document.summary import curve_section, figure_section, gallery_section, verdict_section
from reports.spec import Evidence


def document(evidence: Evidence) -> Document:
    """The whole report; the same evidence gives the same document."""
    findings = findings_of(evidence)
    where = "synthetic data, " if evidence.synthetic_data else ""
    other = f"variation {evidence.variation}, " if evidence.variation else ""
    return Document(
        # The difference first: titles of windows and tabs are cut off at their end.
        title=f"{evidence.variation}: {evidence.title}" if evidence.variation else evidence.title,
        subtitle=f"Study {evidence.study}, {evidence.scale} scale, {other}{where}{evidence.data_name}; "
        f"{evidence.source}",
        question=evidence.question,
        sections=tuple(
            section
            for section in (
                verdict_section(findings),
                *claim_pages(findings),
                figure_section(findings),
                curve_section(findings),
                gallery_section(findings),
                number_section(findings),
                class_section(findings),
                lesson_section(findings),
                claim_section(findings),
                seed_section(findings),
                deviation_section(findings),
                control_section(findings),
                trouble_section(findings),
                method_section(findings),
                cost_section(findings),
                provenance_section(findings),
                trial_section(findings),
            )
            if section.blocks
        ),
    )

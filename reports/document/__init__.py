"""The report as a tree of blocks, and its forms: an HTML page and a PDF file."""

from reports.document.blocks import (
    FIGURE_FILES,
    TABLE_FILES,
    Cell,
    Column,
    Document,
    Drawing,
    Table,
    TableName,
)
from reports.document.comparison import comparison_of, exploratory, warnings_of
from reports.document.html_page import html
from reports.document.pdf_file import pdf, without_glyph
from reports.document.sections import document

__all__ = [
    "FIGURE_FILES",
    "TABLE_FILES",
    "Cell",
    "Column",
    "Document",
    "Drawing",
    "Table",
    "TableName",
    "comparison_of",
    "document",
    "exploratory",
    "html",
    "pdf",
    "warnings_of",
    "without_glyph",
]

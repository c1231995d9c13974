"""The tables and figures of a report as files for papers and other programs."""

from reports.exports.figure_forms import FIGURES, figure_files, png_of
from reports.exports.table_forms import TABLES, table_files

__all__ = [
    "FIGURES",
    "TABLES",
    "figure_files",
    "png_of",
    "table_files",
]

"""A study as data: the file, its schema, the request, and every message about a mistake."""

from ablations.study.assignments import Setting, applied, origin, overlap, parse_assignment, written
from ablations.study.catalogue import (
    Written,
    cell_names,
    cells_left_out,
    chosen_cells,
    path_of,
    read_study,
    shipped,
)
from ablations.study.controls import companions, predicts, probe_of
from ablations.study.messages import in_order
from ablations.study.paths import axes_beside, beside
from ablations.study.request import Request, parse_seeds
from ablations.study.scale_axes import fields_of, place
from ablations.study.schema import (
    CONTROL,
    SCALES,
    SHUFFLED,
    SHUFFLED_SEEDS,
    PublishedTable,
    ScaleName,
    Study,
)
from ablations.study.variation_name import variation_of
from ablations.study.yaml_file import name_in, read_yaml

__all__ = [
    "CONTROL",
    "SCALES",
    "SHUFFLED",
    "SHUFFLED_SEEDS",
    "PublishedTable",
    "Request",
    "ScaleName",
    "Setting",
    "Study",
    "Written",
    "applied",
    "axes_beside",
    "beside",
    "cell_names",
    "cells_left_out",
    "chosen_cells",
    "companions",
    "fields_of",
    "in_order",
    "name_in",
    "origin",
    "overlap",
    "parse_assignment",
    "parse_seeds",
    "path_of",
    "place",
    "predicts",
    "probe_of",
    "read_study",
    "read_yaml",
    "shipped",
    "variation_of",
    "written",
]

"""A study as data: the file, its schema, the request, and every message about a mistake."""

from ablations.study.assignments import Setting, origin, parse_assignment, setting_at, settings_in
from ablations.study.catalogue import (
    LoadedStudy,
    cells_left_out,
    chosen_cells,
    path_of,
    published_table,
    read_study,
    shipped,
)
from ablations.study.consistency import cell_names
from ablations.study.controls import predicts, probe_of, with_controls
from ablations.study.messages import in_order
from ablations.study.paths import resolve_paths
from ablations.study.protocols import INHERITED, Preset
from ablations.study.request import Request, one_of, parse_hours, parse_seeds
from ablations.study.scale_axes import fields_of, members
from ablations.study.schema import (
    CONTROL,
    SCALES,
    SHUFFLED,
    SHUFFLED_SEEDS,
    PublishedTable,
    ScaleName,
    Study,
)
from ablations.study.yaml_file import Location, YamlFile, name_in, read_yaml

__all__ = [
    "CONTROL",
    "INHERITED",
    "SCALES",
    "SHUFFLED",
    "SHUFFLED_SEEDS",
    "LoadedStudy",
    "Location",
    "Preset",
    "PublishedTable",
    "Request",
    "ScaleName",
    "Setting",
    "Study",
    "YamlFile",
    "cell_names",
    "cells_left_out",
    "chosen_cells",
    "fields_of",
    "in_order",
    "members",
    "name_in",
    "one_of",
    "origin",
    "parse_assignment",
    "parse_hours",
    "parse_seeds",
    "path_of",
    "predicts",
    "probe_of",
    "published_table",
    "read_study",
    "read_yaml",
    "resolve_paths",
    "setting_at",
    "settings_in",
    "shipped",
    "with_controls",
]

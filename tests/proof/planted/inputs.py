"""Faults in what a user hands in: paths, suggestions, bounds, files among the images."""

from proof.planted.mutant import planter

plant, plant_core = planter("ablations"), planter("simclr_core")

PATHS, YAML = "ablations/study/test_paths.py::", "ablations/study/test_yaml_file.py::"
SETTINGS = "simclr_core/config/test_overrides.py::"
PROTOCOLS = "ablations/compose/test_protocols.py::"
HOSTILE = "simclr_core/data/test_hostile_files.py::"

MUTANTS = (
    plant(
        "a path in a study is relative to the current folder",
        "study/paths.py",
        "return str(folder / _home(path)) if",
        "return str(_home(path)) if",
        PATHS + "test_images_named_in_a_study_are_found_from_any_folder",
        PATHS + "test_a_path_in_every_place_of_a_study_is_relative_to_its_file",
    ),
    plant(
        "an operation's default overrides what the study says",
        "compose/layering.py",
        'if default.field.partition(".")[0] not in value:',
        "if True:",
        PROTOCOLS + "test_an_operation_takes_the_protocols_default_for_what_it_does_not_say",
    ),
    plant_core(
        "levels change the settings that all cells share",
        "config/overrides.py",
        "    return {**here, first: inner}",
        "    here[first] = inner\n    return here",
        SETTINGS + "test_settings_over_others_leave_them_and_what_is_set_as_they_were",
    ),
    plant_core(
        "a field is suggested that the settings do not accept",
        "config/overrides.py",
        "for one in kinds if len(kinds) == 1 else [k for k in kinds if kind_of(k) == said]:",
        "for one in kinds:",
        SETTINGS
        + "test_a_field_in_the_wrong_place_is_answered_with_one_that_is_accepted_or_with_none",
    ),
    plant_core(
        "an image may have any number of pixels",
        "data/decoding.py",
        "if math.prod(image.size) > MOST_PIXELS:",
        "if False:",
        HOSTILE + "test_an_image_of_too_many_pixels_is_refused_by_name_before_it_is_decoded",
    ),
    plant_core(
        "stray files are decoded",
        "data/class_split.py",
        "            if _suffix(file) not in _PICTURES:\n",
        "            if False:\n",
        HOSTILE + "test_files_that_are_no_images_by_name_are_skipped_and_listed",
        HOSTILE + "test_a_folder_of_nothing_but_strays_says_which_names_count",
    ),
    plant(
        "a study may hold any number of values",
        "study/yaml_file.py",
        "if self._size > MOST_VALUES:",
        "if False:",
        YAML + "test_the_bound_counts_keys_and_values",
    ),
    plant(
        "what an alias stands for is not counted",
        "study/yaml_file.py",
        "self._count(line, node.size)",
        "self._count(line, 1)",
        YAML + "test_the_bound_counts_keys_and_values",
    ),
    plant(
        "aliases may nest as deep as they like",
        "study/yaml_file.py",
        "self._dive(line, depth + node.depth)",
        "self._dive(line, depth)",
        YAML + "test_aliases_may_not_nest_deeper_than_what_is_written_out",
    ),
    planter("sweeps")(
        "an accuracy of 250 % enters the board where no seal tells that it was measured",
        "storage/record_file.py",
        "not 0 <= value <= 100",
        "False",
        "sweeps/storage/test_sealed_records.py::test_an_accuracy_out_of_bounds_is_no_record_without_a_seal",
    ),
    plant_core(
        "the cache of decoded images is not checked",
        "data/decode_cache.py",
        'if hashlib.sha256(buffer.data).hexdigest() != about["pixels"]:',
        "if False:",
        "simclr_core/data/test_dataset.py::test_one_flipped_bit_of_any_cached_image_is_noticed",
    ),
)

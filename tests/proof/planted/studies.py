"""Faults between studies, engine and trainer: identities, evidence, deviations, companions."""

from proof.planted.mutant import planter

plant = planter("ablations")

EVIDENCE, IDENTITY, SNAPSHOTS, STAMP = (
    "ablations/evidence/test_collect.py::",
    "ablations/compose/test_identity.py::",
    "ablations/evidence/test_snapshots.py::",
    "ablations/evidence/test_stamp.py::",
)

MUTANTS = (
    plant(
        "the stamp is not compared with the study as it is now",
        "evidence/stamp.py",
        '+ [("now", terms)]',
        '+ [("now", entries[0].terms)]',
        STAMP
        + "test_a_margin_edited_after_the_trials_is_told_next_to_its_verdict_with_both_values",
        STAMP + "test_an_arm_that_was_redefined_after_the_trials_is_told",
    ),
    plant(
        "a stamp of any encoders fixes the terms",
        "evidence/stamp.py",
        "if encoders & _encoders(entry.terms)]",
        "]",
        STAMP + "test_a_run_of_other_encoders_between_fixes_no_other_margin",
        STAMP + "test_a_stamp_of_another_study_fixes_nothing",
    ),
    plant(
        "a stamp younger than the trials fixes the terms",
        "evidence/stamp.py",
        "if entry.trials == 0 and (first is None or _moment(entry.date) <= _moment(first))",
        "if entry.trials == 0",
        STAMP + "test_a_stamp_younger_than_the_trials_fixes_nothing",
    ),
    plant(
        "a read-out added makes the numbers of an encoder unknown again",
        "evidence/stamp.py",
        "if t.key in keys or (t.stages and t.stages[0].key in encoders)}",
        "if t.key in keys}",
        STAMP + "test_a_read_out_added_after_the_trials_fixes_no_other_margin",
    ),
    plant(
        "--only shrinks the family of claims",
        "evidence/collect.py",
        "arms = _scale_arms(snapshot)",
        "arms = tuple(cell.name for cell in cells)",
        EVIDENCE + "test_what_was_not_asked_for_stays_in_the_family_of_claims",
        EVIDENCE + "test_what_is_asked_for_moves_no_level_at_which_a_claim_is_judged",
    ),
    plant(
        "--only leaves out what is on record of other cells",
        "evidence/collect.py",
        "        if place not in here and trial.key in keys and trial.key not in once:",
        "        if False:",
        EVIDENCE + "test_seeds_and_cells_on_record_count_beside_those_asked_for",
    ),
    plant(
        "a control that failed beside other cells is forgotten",
        "evidence/collect.py",
        "    return tuple(found.values())\n\n\ndef _shuffled_key",
        "    return ()\n\n\ndef _shuffled_key",
        EVIDENCE + "test_a_control_that_failed_beside_other_seeds_or_cells_still_withholds",
        EVIDENCE + "test_shuffled_positives_that_learnt_beside_other_seeds_or_cells_still_withhold",
    ),
    plant(
        "shuffled positives of any training count",
        "evidence/collect.py",
        "of_these = shuffled if one.cell == SHUFFLED",
        "of_these = {stage.key for stage in one.stages} if one.cell == SHUFFLED",
        EVIDENCE + "test_shuffled_positives_of_another_training_do_not_count",
    ),
    plant(
        "textures pass for real images",
        "evidence/resolved.py",
        'synthetic=one.config["data"]["kind"] == "textures"',
        "synthetic=False",
        EVIDENCE + "test_textures_are_synthetic_data_and_real_images_are_not",
    ),
    plant(
        "a report without the trainer shows the claims of the launch",
        "evidence/snapshots.py",
        'before.model_copy(update={"statement": statement})',
        "before",
        SNAPSHOTS + "test_a_margin_edited_since_is_shown_without_the_trainer",
    ),
    plant(
        "a stored configuration has the seed of the launch",
        "evidence/resolved.py",
        "seeded=tuple(seed_routes((one.config, one.chain), (other.config, other.chain)))",
        "seeded=()",
        SNAPSHOTS + "test_a_snapshot_survives_its_json_and_resolves_every_seed_as_the_trainer_does",
    ),
    plant(
        "the images are in no key",
        "compose/identity.py",
        'config.encoder_identity() | {"data": data, "trainer": TRAINER_VERSION}',
        'config.encoder_identity() | {"trainer": TRAINER_VERSION}',
        IDENTITY + "test_images_enter_by_their_bytes_and_not_by_their_place",
    ),
    plant(
        "a raised version of the trainer makes no other key",
        "compose/identity.py",
        '{"data": data, "trainer": TRAINER_VERSION}',
        '{"data": data, "trainer": 1}',
        IDENTITY + "test_a_raised_version_makes_other_keys",
    ),
    plant(
        "read-outs are in no key",
        "compose/identity.py",
        'config.evaluation_identity() | {"version": EVALUATION_VERSION}',
        '{"version": EVALUATION_VERSION}',
        IDENTITY + "test_a_read_out_makes_another_trial_of_the_same_encoder",
    ),
    plant(
        "images that changed after planning are trained on",
        "trial/stages.py",
        "    if found != planned:",
        "    if False:",
        IDENTITY + "test_images_that_change_after_planning_stop_the_trial",
    ),
    plant(
        "the epoch's remainder is counted as trained on",
        "compose/flops.py",
        "images // batch * batch * config",
        "images * config",
        "ablations/compose/test_flops.py",
    ),
    plant(
        "a study's cost counts two views, however many there are",
        "compose/flops.py",
        "return config.views.num_views, images",
        "return 2, images",
        "ablations/compose/test_flops.py",
    ),
    plant(
        "deviations from the paper are not looked for",
        "evidence/deviations.py",
        "        if one != other:",
        "        if False:",
        EVIDENCE + "test_deviations_are_derived_from_the_same_cell_at_paper_scale",
    ),
    plant(
        "what a study declares of its scale is said of all cells",
        "evidence/deviations.py",
        "if one.cells is None or cell.name in one.cells",
        "if True",
        EVIDENCE + "test_a_deviation_that_a_study_declares_is_of_the_cells_that_it_names",
    ),
    plant(
        "a report takes the first of several variations",
        "commands/report.py",
        "if len(found) != 1:",
        "if not found:",
        "ablations/compose/test_variations.py::test_of_several_variations_report_takes_none_and_lists_the_"
        "command_of_each",
    ),
    plant(
        "the random encoder is trained",
        "study/controls.py",
        'set={"epochs": 0})\n    if scale',
        'set={"epochs": 1})\n    if scale',
        IDENTITY + "test_the_random_encoder_is_one_for_all_cells_of_an_encoder",
    ),
    plant(
        "shuffled positives are not shuffled",
        "study/controls.py",
        'wrong = {"shuffled_positives": True}',
        'wrong = {"shuffled_positives": False}',
        IDENTITY + "test_shuffled_positives_have_encoders_of_their_own",
    ),
)

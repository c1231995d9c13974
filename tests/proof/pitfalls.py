"""Where re-implementations of SimCLR went wrong, and what holds each of these pitfalls off here.

Collected from reports on other implementations, in our own words. A row names the tests that turn
red where the pitfall is planted, or the reason why it cannot occur.
"""

from typing import NamedTuple


class Pitfall(NamedTuple):
    what: str
    held_by: tuple[str, ...] = ()
    """Tests as `file::test`, files below tests/."""
    cannot: str = ""
    """Why it cannot occur here; empty where tests hold it."""


ONE_PROCESS = "a batch lives in one process on one device; nothing is gathered"
"""Held by tests/architecture/test_proof.py, which looks for imports that would end it."""

LOSSES, CONTRAST = (
    "simclr_core/losses/test_contrastive.py::",
    "simclr_core/losses/test_nt_xent_blockwise.py::",
)
LARS, SCHEDULES = "simclr_core/optim/test_optimizers.py::", "simclr_core/optim/test_schedules.py::"
PRETRAIN, RESTATED = (
    "simclr_core/training/test_pretraining.py::",
    "simclr_core/training/test_restatement.py::",
)
EVALUATION, PROBE = (
    "simclr_core/evaluation/test_frozen_evaluation.py::",
    "simclr_core/probes/test_logistic.py::",
)
VIEWS, FILTERS = "simclr_core/augment/test_views.py::", "simclr_core/augment/test_blur_sobel.py::"
IMAGES, CHANCES = "simclr_core/data/test_images.py::", "simclr_core/augment/test_operations.py::"
HEADS, ENCODERS = "simclr_core/networks/test_heads.py::", "simclr_core/networks/test_encoders.py::"
DEFAULTS = "simclr_core/config/test_schema.py::test_the_defaults_are_the_papers_own_protocol"
SHIPPED, EVIDENCE = (
    "ablations/study/test_shipped_studies.py::",
    "ablations/evidence/test_collect.py::",
)

EQUATION_1 = LOSSES + "test_the_loss_is_equation_1"
ONE_MATRIX = CONTRAST + "test_value_and_gradient_are_those_of_one_matrix"
SMALL_IMAGES = SHIPPED + "test_small_images_are_learned_from_as_appendix_b_9_does"
ALGORITHM_1 = RESTATED + "test_21_steps_are_those_of_algorithm_1_in_plain_pytorch"

PITFALLS = (
    # The loss.
    Pitfall(
        "views are joined end to end, and the positives' places are those of views in turn",
        (EQUATION_1, LOSSES + "test_loss_and_gradient_are_those_of_lightly"),
    ),
    Pitfall(
        "embeddings gathered from processes come in another order than the mask expects: the loss "
        "falls and nothing is learned",
        cannot=ONE_PROCESS,
    ),
    Pitfall("labels move with the process's rank though nothing was gathered", cannot=ONE_PROCESS),
    Pitfall(
        "targets that are all zero are taken for a fault, where the positive stands in column 0",
        cannot="no column is moved: a row's target is its partner's own place",
    ),
    Pitfall(
        "the largest similarity is taken off for safety and pulls a gradient of its own",
        (
            LOSSES + "test_the_gradient_is_that_of_finite_differences",
            CONTRAST + "test_the_gradient_is_that_of_finite_differences",
        ),
    ),
    Pitfall("a small number is added to the loss's quotients, and once more", (EQUATION_1,)),
    Pitfall(
        "types mix in half precision, or the loss is computed in it",
        (LOSSES + "test_under_autocast_the_loss_is_still_computed_in_fp32",),
    ),
    Pitfall(
        "exponentials without their maximum taken off, and a finite mask, leave half's range",
        (
            LOSSES + "test_under_autocast_the_loss_is_still_computed_in_fp32",
            CONTRAST
            + "test_equal_opposite_and_orthogonal_rows_are_exact_in_fp32_with_denormals_flushed",
        ),
    ),
    Pitfall(
        "a loss that stays at log(2N - 1) goes unnoticed: nothing is learned",
        (
            LOSSES + "test_an_encoder_that_maps_all_to_one_point_pays_log_of_the_others",
            "simclr_core/test_trial.py::test_crop_and_colour_learn_more_than_the_random_encoder_knows",
        ),
    ),
    Pitfall("gathering forgets to add up gradients over processes", cannot=ONE_PROCESS),
    Pitfall("no gradient passes through gathered embeddings", cannot=ONE_PROCESS),
    Pitfall("each process has its own negatives only", cannot=ONE_PROCESS),
    Pitfall(
        "a large batch is cut up and its parts do not see each other",
        (ONE_MATRIX, CONTRAST + "test_value_and_gradient_are_those_of_lightly"),
    ),
    Pitfall("the logarithm of a mean in place of the mean of logarithms", (EQUATION_1,)),
    Pitfall("similarities are clamped, which flattens all negative cosines", (EQUATION_1,)),
    Pitfall(
        "a mask is built for one batch size and fails or misplaces on a last partial batch",
        (
            PRETRAIN + "test_the_facts_say_what_an_epoch_leaves_out_and_how_large_the_encoder_is",
            PRETRAIN + "test_the_images_left_out_are_others_in_each_epoch",
            EQUATION_1,
        ),
    ),
    # Optimiser and schedule.
    Pitfall(
        "LARS: a comparison lets norms of zero through, and what is zero never moves",
        (LARS + "test_lars_moves_weights_that_are_zero_and_leaves_those_without_a_gradient",),
    ),
    Pitfall(
        "LARS: an operation that is not in place, so that its result is lost",
        (LARS + "test_lars_is_the_papers_rule",),
    ),
    Pitfall(
        "LARS adapts biases and batch norm, or weight decay reaches them",
        (
            LARS + "test_lars_is_the_papers_rule",
            LARS + "test_matrices_and_kernels_decay_biases_and_batch_norm_do_not",
        ),
    ),
    Pitfall(
        "a scheduler takes a rate for a factor: the rate is squared",
        (PRETRAIN + "test_rates_told_are_those_of_the_schedule", ALGORITHM_1),
    ),
    Pitfall(
        "warm-up stays at one rate",
        (
            SCHEDULES + "test_the_rate_rises_from_zero_and_falls_along_half_a_cosine",
            PRETRAIN + "test_the_first_step_of_a_warm_up_moves_no_weight",
        ),
    ),
    Pitfall(
        "the rate or temperature of another regime: large images' on small ones, or of a small batch",
        (
            SMALL_IMAGES,
            SHIPPED + "test_the_batch_size_study_scales_its_learning_rate",
            LARS + "test_the_papers_rate_is_4_8_at_its_batch_by_either_rule",
        ),
    ),
    Pitfall(
        "settings of a later publication (width of z, depth of g, temperature, decay) pass as this one's",
        (DEFAULTS, SHIPPED + "test_the_paper_scale_is_the_papers_protocol"),
    ),
    # Views.
    Pitfall(
        "small images: colour strength stays 1.0 where the protocol halves it", (SMALL_IMAGES,)
    ),
    Pitfall(
        "blur without its probability, and on small images too",
        (FILTERS + "test_blur_chooses_half_the_images_and_spreads_sigma_evenly", SMALL_IMAGES),
    ),
    Pitfall(
        "blur widths begin at 0.2",
        (
            FILTERS + "test_blur_chooses_half_the_images_and_spreads_sigma_evenly",
            VIEWS + "test_the_defaults_are_the_papers",
        ),
    ),
    Pitfall(
        "one blur width for all images of a batch, as in the official code",
        (CHANCES + "test_images_of_a_batch_have_chances_of_their_own",),
    ),
    Pitfall(
        "a transform on a batch draws one set of parameters for all its images",
        (CHANCES + "test_images_of_a_batch_have_chances_of_their_own",),
    ),
    Pitfall(
        "numpy's global generator is copied into all loading processes",
        (PRETRAIN + "test_global_generators_play_no_part_and_are_not_moved",),
    ),
    Pitfall(
        "generators seeded anew give each epoch the same views",
        (PRETRAIN + "test_each_epoch_has_an_order_and_views_of_its_own",),
    ),
    Pitfall(
        "pixels are normalised by some data set's mean and deviation, in training or reading out alone",
        (
            VIEWS + "test_views_lie_in_the_unit_interval",
            PRETRAIN + "test_statistics_are_of_both_views_in_one_pass_and_decay_by_a_tenth",
            IMAGES + "test_probes_see_the_centre_square_as_pillow_cuts_and_resizes_it",
        ),
    ),
    Pitfall(
        "height and width are swapped in the centre crop",
        (IMAGES + "test_probes_see_the_centre_square_as_pillow_cuts_and_resizes_it",),
    ),
    # Encoder and head.
    Pitfall(
        "small images: a stem of stride 2 and a max-pool leave too few pixels",
        (ENCODERS + "test_a_stem_reduces_the_side_as_it_says", SMALL_IMAGES),
    ),
    Pitfall("a recipe for small images is run with the large images' network", (SMALL_IMAGES,)),
    Pitfall(
        "batch norm of each device by itself tells which views belong together",
        (PRETRAIN + "test_statistics_are_of_both_views_in_one_pass_and_decay_by_a_tenth",),
    ),
    Pitfall("a switch for synchronised batch norm does nothing", cannot=ONE_PROCESS),
    Pitfall(
        "one forward pass a view: statistics of one view each",
        (PRETRAIN + "test_statistics_are_of_both_views_in_one_pass_and_decay_by_a_tenth",),
    ),
    Pitfall(
        "the head has no batch norm",
        (HEADS + "test_the_official_form_has_no_bias_and_no_last_shift", ALGORITHM_1),
    ),
    Pitfall("z has 2048 numbers by an oversight of the default", (DEFAULTS,)),
    # Read-outs and reports.
    Pitfall(
        "linear evaluation tunes the encoder, or its classifier has hidden layers",
        (
            EVALUATION + "test_the_encoder_is_the_same_before_and_after",
            PROBE + "test_the_solution_is_scikit_learns",
        ),
    ),
    Pitfall(
        "features are brought to length 1 before the linear probe",
        (EVALUATION + "test_the_whole_chain_is_scikit_learns",),
    ),
    Pitfall(
        "the head is still on the network that is read out",
        (
            EVALUATION + "test_the_whole_chain_is_scikit_learns",
            PRETRAIN
            + "test_the_last_point_of_the_curve_is_scikit_learns_neighbours_on_the_finished_encoder",
        ),
    ),
    Pitfall(
        "settings are chosen on the test split, as the published ones for CIFAR-10 were",
        (
            EVALUATION + "test_the_test_part_is_handed_out_once_and_last",
            EVALUATION + "test_labels_of_the_test_part_play_no_part_in_a_choice",
        ),
    ),
    Pitfall(
        "the epoch that tested best is kept or told",
        (
            PRETRAIN
            + "test_neighbours_are_asked_ten_times_on_the_validation_part_and_never_on_test",
            ALGORITHM_1,
        ),
    ),
    Pitfall(
        "a solver for transfer stands in for the protocol on the data set itself, unsaid",
        (EVIDENCE + "test_another_probe_than_the_papers_is_one_deviation",),
    ),
    Pitfall(
        "accuracies by full-batch solver and by stochastic steps on crops are compared, unsaid",
        (EVIDENCE + "test_another_probe_than_the_papers_is_one_deviation",),
    ),
    Pitfall(
        "a recipe's number is held against that of a larger network trained ten times as long",
        (
            EVIDENCE + "test_the_paper_has_no_number_for_cells_that_only_look_like_its_own",
            EVIDENCE + "test_deviations_are_derived_from_the_same_cell_at_paper_scale",
        ),
    ),
    Pitfall(
        "batch size and epochs of a figure on pre-training are taken for the linear probe's",
        cannot="a configuration's batch_size and epochs are pre-training's alone, the probe's own "
        "settings stand under evaluation.probe",
    ),
)

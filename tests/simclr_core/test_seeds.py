"""Seeds fill in, and streams of one seed do not touch each other."""

import torch

from simclr_core.seeds import Seeds, generator


def test_a_seed_that_is_not_set_is_the_trials_own() -> None:
    filled = Seeds(order=7).filled(3)

    assert filled == Seeds(initialisation=3, order=7, views=3)


def test_a_seed_of_zero_is_set() -> None:
    assert Seeds(views=0).filled(3).views == 0


def test_a_stream_depends_on_its_seed_and_name_alone() -> None:
    torch.manual_seed(1)
    one = torch.rand(4, generator=generator(5, "order", 2))
    torch.manual_seed(2)
    again = torch.rand(4, generator=generator(5, "order", 2))

    assert torch.equal(one, again)


def test_streams_of_other_seeds_and_names_differ() -> None:
    streams = [(0, "order", 1), (1, "order", 0), (0, "order", 11), (0, "head"), (2**63 - 1, "head")]

    first = {float(torch.rand(1, generator=generator(seed, *name))) for seed, *name in streams}

    assert len(first) == len(streams)


def test_a_stream_moves_no_global_generator() -> None:
    before = torch.get_rng_state()

    torch.rand(4, generator=generator(0, "encoder"))

    assert torch.equal(torch.get_rng_state(), before)

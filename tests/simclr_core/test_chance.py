"""Counter-based chance: what a number depends on, and how good the numbers are.

Statistical tests: each rejects a perfect generator with probability 1e-6 (their seeds are fixed, so
that they either always pass or always fail).
"""

import hashlib
import itertools
import math
from typing import Self

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simclr_core.chance import Chance, Draws, select

FALSE_ALARM = 1e-6


def _splitmix64(state: int, number: int) -> int:
    """Output ``number`` (from 1) of the published generator, as its authors' C has it."""
    z = (state + number * 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def _uniform_by_hand(
    *, seed: int, epoch: int, image: int, view: str, operation: str, occurrence: int, index: int
) -> float:
    name = f"{view}\0{operation}\0{occurrence}".encode()
    word = int.from_bytes(hashlib.sha256(name).digest()[:8], "little")
    state = 0
    for part in (seed, epoch, image, word, 0):
        state = _splitmix64(state, (part + 1) % 2**64)
    return (_splitmix64(state, index + 1) >> 40) / 2**24


def _draws(num: int, *, seed: int = 0, epoch: int = 0, view: str = "first") -> Draws:
    return Chance.of(seed, epoch, torch.arange(num)).at(view, "colour")


@given(
    seed=st.integers(-(2**70), 2**70),
    epoch=st.integers(0, 10**6),
    image=st.integers(0, 2**62),
    occurrence=st.integers(0, 5),
)
def test_a_number_is_that_of_the_published_splitmix64_walked_by_hand(
    seed: int, epoch: int, image: int, occurrence: int
) -> None:
    draws = Chance.of(seed, epoch, torch.tensor([image])).at("first", "blur", occurrence)

    uniform = draws.uniform(3)

    assert uniform[0].tolist() == [
        _uniform_by_hand(
            seed=seed,
            epoch=epoch,
            image=image,
            view="first",
            operation="blur",
            occurrence=occurrence,
            index=index,
        )
        for index in range(3)
    ]


def test_splitmix64_by_hand_gives_the_published_first_outputs() -> None:
    # The values of the reference implementation for the state 1234567 (as in Rosetta Code).
    assert [_splitmix64(1234567, number) for number in (1, 2, 3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(st.permutations(range(12)), st.integers(1, 12))
def test_numbers_depend_neither_on_the_batch_nor_on_its_order(order: list[int], split: int) -> None:
    together = _draws(12)

    parts = [
        Chance.of(0, 0, torch.tensor(part)).at("first", "colour")
        for part in (order[:split], order[split:])
        if part
    ]

    for numbers in (
        lambda draws: draws.uniform(5),
        lambda draws: draws.normal(2, 3),
        lambda draws: draws.integers(torch.full((len(draws.keys), 2), 1000)),
    ):
        assert torch.equal(torch.cat([numbers(part) for part in parts]), numbers(together)[order])


def test_asking_for_more_numbers_leaves_the_first_ones_as_they_were() -> None:
    assert torch.equal(_draws(7).uniform(40)[:, :9], _draws(7).uniform(9))


@pytest.mark.parametrize("changed", ["seed", "epoch", "image", "view", "operation", "occurrence"])
def test_every_part_of_the_key_changes_every_number(changed: str) -> None:
    key = {"seed": 3, "epoch": 5, "image": 7, "view": "first", "operation": "crop", "occurrence": 0}
    other = key | {
        changed: f"{key[changed]}x" if isinstance(key[changed], str) else key[changed] + 1
    }

    one, two = (
        Chance.of(k["seed"], k["epoch"], torch.tensor([k["image"]]))
        .at(k["view"], k["operation"], k["occurrence"])
        .uniform(20)
        for k in (key, other)
    )

    # Two independent numbers agree with probability 2^-24: 20 pairs do so once in 800,000 keys.
    assert not (one == two).any()


def test_names_are_kept_apart_where_they_meet() -> None:
    chance = Chance.of(0, 0, torch.arange(1))

    assert not torch.equal(chance.at("ab", "c").keys, chance.at("a", "bc").keys)


def test_uniforms_are_exact_multiples_of_two_to_the_minus_24_in_the_half_open_interval() -> None:
    uniform = _draws(2000).uniform(100)

    assert uniform.dtype == torch.float32
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    scaled = uniform.double() * 2**24
    assert torch.equal(scaled, scaled.round())
    assert (scaled.long() % 2 == 1).any(), "the last bit is in use"


def test_the_lists_of_uniforms_integers_and_normals_are_separate() -> None:
    draws = _draws(4000)

    uniform = draws.uniform(1)[:, 0].numpy()
    integer = draws.integers(torch.full((4000, 1), 2**24))[:, 0].numpy()
    normal = draws.normal(1)[:, 0].numpy()

    for one, two in itertools.combinations((uniform, integer, normal), 2):
        assert stats.pearsonr(one, two).pvalue > FALSE_ALARM
    assert not np.array_equal(uniform * 2**24, integer)


@pytest.mark.statistical
@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_uniforms_are_uniform(seed: int) -> None:
    uniform = _draws(1000, seed=seed).uniform(200).flatten().double().numpy()

    counts = np.histogram(uniform, bins=1000, range=(0, 1))[0]

    assert stats.chisquare(counts).pvalue > FALSE_ALARM
    assert stats.kstest(uniform, "uniform").pvalue > FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("step", ["image", "index", "seed", "epoch", "view", "occurrence"])
def test_pairs_of_neighbours_fill_the_square_evenly(step: str) -> None:
    num = 40_000
    images = torch.arange(num)
    first = Chance.of(0, 0, images).at("first", "crop").uniform(2)
    neighbour = {
        "image": lambda: Chance.of(0, 0, images + 1).at("first", "crop").uniform(1),
        "index": lambda: first[:, 1:],
        "seed": lambda: Chance.of(1, 0, images).at("first", "crop").uniform(1),
        "epoch": lambda: Chance.of(0, 1, images).at("first", "crop").uniform(1),
        "view": lambda: Chance.of(0, 0, images).at("second", "crop").uniform(1),
        "occurrence": lambda: Chance.of(0, 0, images).at("first", "crop", 1).uniform(1),
    }[step]()

    x, y = first[:, 0].double().numpy(), neighbour[:, 0].double().numpy()

    counts = np.histogram2d(x, y, bins=20, range=((0, 1), (0, 1)))[0]
    assert stats.chisquare(counts.flatten()).pvalue > FALSE_ALARM
    assert stats.pearsonr(x, y).pvalue > FALSE_ALARM


@pytest.mark.statistical
def test_each_of_the_24_bits_is_set_half_the_time() -> None:
    words = (_draws(1000).uniform(100).flatten().double() * 2**24).long()

    ones = [int((words >> bit & 1).sum()) for bit in range(24)]

    alarm = FALSE_ALARM / 24
    assert all(stats.binomtest(one, len(words), 0.5).pvalue > alarm for one in ones)


@pytest.mark.statistical
@pytest.mark.parametrize("high", [1, 2, 3, 7, 200])
def test_integers_are_uniform_below_their_bound(high: int) -> None:
    integers = _draws(1000).integers(torch.full((1000, 100), high)).flatten()

    assert int(integers.min()) >= 0
    assert int(integers.max()) < high
    counts = torch.bincount(integers, minlength=high).numpy()
    assert high == 1 or stats.chisquare(counts).pvalue > FALSE_ALARM


def test_each_integer_obeys_its_own_bound() -> None:
    high = torch.tensor([[1, 5], [2**24, 3], [100, 1]])

    integers = Chance.of(0, 0, torch.arange(3)).at("first", "crop").integers(high)

    assert bool(((integers >= 0) & (integers < high)).all())
    assert int(integers[0, 0]) == int(integers[2, 1]) == 0


@pytest.mark.statistical
def test_normals_are_normal_and_independent_within_and_between_images() -> None:
    normal = _draws(400).normal(3, 10, 11)

    values = normal.double().numpy()
    assert normal.shape == (400, 3, 10, 11)
    assert stats.kstest(values.flatten(), "norm").pvalue > FALSE_ALARM
    rows = values.reshape(400, -1)
    half = rows.shape[1] // 2
    # Both numbers of a Box-Muller pair, neighbours in an image, neighbouring images; squares too.
    for one, two in (
        (rows[:, :half], rows[:, half:]),
        (rows[:, :-1], rows[:, 1:]),
        (rows[:-1], rows[1:]),
    ):
        for power in (1, 2):
            pvalue = stats.pearsonr(one.flatten() ** power, two.flatten() ** power).pvalue
            assert pvalue > FALSE_ALARM


def test_an_odd_number_of_normals_is_no_trouble_and_the_largest_possible_is_finite() -> None:
    normal = _draws(20_000).normal(7)

    assert normal.shape == (20_000, 7)
    assert float(normal.abs().max()) <= math.sqrt(2 * 24 * math.log(2)) + 1e-5


def test_select_keeps_the_rows_and_the_type() -> None:
    class Pair(tuple):  # noqa: SLOT001 -- stands for a NamedTuple
        def __new__(cls, one: torch.Tensor, two: torch.Tensor) -> Self:
            return super().__new__(cls, (one, two))

    some = select(Pair(torch.arange(4), torch.arange(8).view(4, 2)), slice(1, 3))

    assert type(some) is Pair
    assert some[0].tolist() == [1, 2]
    assert some[1].tolist() == [[2, 3], [4, 5]]

"""Agreement of two rankings of cells, judged by permuting whole levels of the study's axes.

Cells that share a level are not exchangeable: crop+colour is like colour+crop, and all cells of a
row share their first operation. If the names of the levels have no meaning, the levels themselves are
exchangeable. An order is therefore one permutation of each axis's levels, applied to all places of the
table at once: of an axis of ordered pairs the operations, rows and columns together; of a single axis
of levels this is a permutation of the cells.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, permutations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDS = 100_000
"""Random orders, used if there are more than `EXACT_UP_TO` orders."""

EXACT_UP_TO = math.factorial(8)
"""Up to this number, all orders are used: 8 levels of one axis have as many."""

_BLOCK = 4_000_000
"""Signs processed at once: a block of orders needs less than 20 MB."""

Place = tuple[tuple[str, ...], ...]
"""The position of a cell in its table: for each axis the items of its level, two for an ordered pair."""


class RankAgreement(NamedTuple):
    """Kendall's tau-b and its two-sided permutation p-value; both NaN when one side is constant."""

    tau: float
    p: float
    exact: bool


def rank_agreement(
    ours: Sequence[float],
    theirs: Sequence[float],
    places: Sequence[Place] = (),
    *,
    tie: float = 0.0,
    folds: int = FOLDS,
    seed: int = 0,
) -> RankAgreement:
    """Kendall's tau-b between two tables of the same cells, judged by permuting levels.

    tau-b = sum of a b over the pairs of cells / sqrt(pairs with a != 0 * pairs with b != 0), where
    a = sign(x_i - x_j) of ours, and b = sign(y_i - y_j) of theirs if |y_i - y_j| >= `tie`, else 0.
    With `tie` 0 this is the usual tau-b. Ties by a threshold need not be transitive: 1.0 and 1.4,
    1.4 and 1.8 tie at 0.5, 1.0 and 1.8 do not; each pair counts by itself.

    The p-value is the share of orders with |sum of a b| at least as large as observed: over all
    orders up to `EXACT_UP_TO`, else over `folds` drawn ones with the observed order counted as one
    of them, (k + 1) / (folds + 1). Without `places` each cell is a level of one axis.

    Raises:
        ValueError: the cells do not form a complete table, so some orders would lead out of it.
    """
    x = np.asarray(ours, float)
    first, second = np.triu_indices(len(x), 1)
    signs_x = np.sign(x[first] - x[second]).astype(np.float32)
    signs_y = _signs(tuple(theirs), tie)
    paired = signs_y[first, second]
    untied = math.sqrt(float(np.abs(signs_x).sum()) * int(np.abs(paired).sum()))
    where = tuple(places) or tuple(((str(cell),),) for cell in range(len(x)))
    exact = num_orders(where) <= EXACT_UP_TO
    if lost := incomplete(where):
        raise ValueError(lost)
    if untied == 0:
        return RankAgreement(math.nan, math.nan, exact=True)
    observed = float(signs_x @ paired)
    extreme = count = 0
    size = max(1, _BLOCK // len(first))
    if exact:
        every = _all_signs(tuple(theirs), where, tie)
        blocks = (every[start : start + size] for start in range(0, len(every), size))
    else:
        orders = _drawn(where, size, folds, seed)
        blocks = (signs_y[order[:, first], order[:, second]] for order in orders)
    for block in blocks:
        # Sums of signs are whole numbers: half of one parts equal sums from the next ones.
        extreme += int((np.abs(block.astype(np.float32) @ signs_x) >= abs(observed) - 0.5).sum())
        count += len(block)
    p = extreme / count if exact else (extreme + 1) / (count + 1)
    return RankAgreement(observed / untied, p, exact)


@lru_cache(maxsize=64)
def smallest_p(theirs: tuple[float, ...], places: tuple[Place, ...], tie: float) -> float:
    """The p-value of full agreement, the smallest possible one."""
    return rank_agreement(theirs, theirs, places, tie=tie).p


def num_orders(places: Sequence[Place]) -> int:
    """How many orders a table has: the product of the factorials of its axes' numbers of items."""
    return math.prod(math.factorial(len(items)) for items in _items(places))


def incomplete(places: Sequence[Place]) -> str:
    """Why the places do not form a complete table, naming a missing cell; empty if they do.

    Complete means that exchanging any two items of an axis leads from each place to another one.
    """
    there = set(places)
    for axis, items in enumerate(_items(places)):
        for item in items[1:]:
            swap = {items[0]: item, item: items[0]}
            for place in places:
                level = tuple(swap.get(one, one) for one in place[axis])
                to = (*place[:axis], level, *place[axis + 1 :])
                if to not in there:
                    return f"{_text(place)} is present, but {_text(to)} is not"
    return ""


def _signs(theirs: Sequence[float], tie: float) -> NDArray[np.int8]:
    """The sign of y_i - y_j for each two cells, 0 where they tie; a rounding error ties nothing."""
    gaps = np.subtract.outer(theirs, theirs)
    return (np.sign(gaps) * (np.abs(gaps) >= tie - 1e-9)).astype(np.int8)


@lru_cache(maxsize=2)
def _all_signs(
    theirs: tuple[float, ...], places: tuple[Place, ...], tie: float
) -> NDArray[np.int8]:
    """One row for each order: the signs of the pairs at the permuted places."""
    signs = _signs(theirs, tie)
    first, second = np.triu_indices(len(places), 1)
    every = product(*(permutations(range(len(items))) for items in _items(places)))
    rows: list[NDArray[np.int8]] = []
    while some := list(islice(every, 2000)):
        order = _orders(places, [np.array(one) for one in zip(*some, strict=True)])
        rows.append(signs[order[:, first], order[:, second]])
    return np.concatenate(rows)


def _items(places: Sequence[Place]) -> list[list[str]]:
    """The items of each axis, in the order of their first place."""
    axes = zip(*places, strict=True)
    return [list(dict.fromkeys(item for level in axis for item in level)) for axis in axes]


def _text(place: Place) -> str:
    return ", ".join("+".join(dict.fromkeys(level)) for level in place)


def _orders(places: Sequence[Place], permuted: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """One row for each order: the cells at the places to which its permutations of the items lead."""
    items = _items(places)
    number = [{item: n for n, item in enumerate(names)} for names in items]
    flat = [axis for axis, level in enumerate(places[0]) for _ in level]
    coordinates = np.array(
        [
            [number[axis][item] for axis, level in enumerate(place) for item in level]
            for place in places
        ]
    ).T
    cell_at = np.zeros([len(items[axis]) for axis in flat], np.int64)
    cell_at[tuple(coordinates)] = np.arange(len(places))
    moved = [permuted[axis][:, row] for axis, row in zip(flat, coordinates, strict=True)]
    return cell_at[tuple(moved)]


def _drawn(
    places: Sequence[Place], size: int, folds: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """`folds` orders, each as likely as any other, `size` at a time."""
    rng = np.random.default_rng(seed)
    items = [np.arange(len(names)) for names in _items(places)]
    for start in range(0, folds, size):
        count = min(size, folds - start)
        yield _orders(places, [rng.permuted(np.tile(one, (count, 1)), axis=1) for one in items])

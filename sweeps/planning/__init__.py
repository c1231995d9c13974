"""From axes to cells, trials and keys, and which trials a store still lacks."""

from sweeps.planning.attempts import by_key, counting, has_number, numbered
from sweeps.planning.axes import AnyAxis, Levels, OrderedPairs, Paired
from sweeps.planning.cells import Resolve, Resolved
from sweeps.planning.grid import AddedCell, Cell, Role, Sweep, flatten, overlap
from sweeps.planning.keys import canonical, chain_keys, key_of
from sweeps.planning.selection import Exclusion, Where, fits, named_cells
from sweeps.planning.trial_plan import Known, Plan, Trial, plan

__all__ = [
    "AddedCell",
    "AnyAxis",
    "Cell",
    "Exclusion",
    "Known",
    "Levels",
    "OrderedPairs",
    "Paired",
    "Plan",
    "Resolve",
    "Resolved",
    "Role",
    "Sweep",
    "Trial",
    "Where",
    "by_key",
    "canonical",
    "chain_keys",
    "counting",
    "fits",
    "flatten",
    "has_number",
    "key_of",
    "named_cells",
    "numbered",
    "overlap",
    "plan",
]

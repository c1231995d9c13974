"""A study's trials on record that count for what it asks today."""

from collections.abc import Iterable

from ablations.compose.durations import configs_of, of_any_seed
from ablations.compose.resolved_study import ResolvedStudy
from sweeps.planning import Plan
from sweeps.record import Summary


def as_configured(
    composed: ResolvedStudy, the_plan: Plan, summaries: Iterable[Summary]
) -> list[Summary]:
    """The trials with the plan's label, without those of arms that have another configuration now."""
    own = [one for one in summaries if one.label == the_plan.label]
    recorded, planned = {one.cell for one in own}, configs_of(the_plan)
    configs = {
        arm.name: of_any_seed(planned.get(arm.name) or composed.resolve(arm)(0).config)
        for arm in (composed.sweep(everything=True).arms() if own else ())
        if arm.name in recorded
    }
    return [
        one
        for one in own
        if one.cell not in configs or of_any_seed(one.config) == configs[one.cell]
    ]

"""Controls and baselines, added to every study: floors, references and controls."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ablations.study.schema import (
    CONTROL,
    FLOOR,
    PERMUTATIONS,
    PIXEL_SIDES,
    PIXELS,
    SHUFFLED,
    SHUFFLED_SEEDS,
    ScaleName,
)
from sweeps.planning import AddedCell, Cell, Sweep


def predicts(settings: Mapping[str, Any]) -> str:
    """The target of a configuration's evaluation: classes, or the kind of a transformation."""
    target = settings["evaluation"].get("target", {})
    return str(target.get("kind", "classes"))


def with_controls(
    sweep: Sweep,
    scale: ScaleName,
    control_arm: str | None,
    settings_of: Callable[[Cell], Mapping[str, Any]],
) -> Sweep:
    """The sweep with the controls and baselines of the arms that it runs, whose settings are given."""
    arms = sweep.arms()
    run = [arm for arm in arms if not sweep.only or arm.name in sweep.only] or arms
    settings = {arm.name: settings_of(arm) for arm in run}
    added = tuple(_controls_and_baselines(scale, control_arm, settings))
    return sweep.model_copy(update={"added": added})


def _controls_and_baselines(
    scale: ScaleName, arm: str | None, arms: Mapping[str, Mapping[str, Any]]
) -> Iterator[AddedCell]:
    """The controls and baselines of the arms that run, given the settings of each by name.

    The controls use `arm` if it runs, or the first arm. Each kind of probe has a control with
    permuted labels. The control with shuffled positives predicts classes: what can be learned about
    a transformation without true pairs does not indicate a leak.
    """
    chosen = arm if arm is not None and arm in arms else next(iter(arms))
    yield AddedCell(name=FLOOR, role="floor", set={"epochs": 0})
    if scale in PIXEL_SIDES:
        pixels = {"kind": "pixels", "side": PIXEL_SIDES[scale]}
        raw = {"encoder": pixels, "epochs": 0, "evaluation.layer": "h"}
        yield AddedCell(name=PIXELS, role="reference", set=raw, num_seeds=1)
    probes = {name: probe_of(settings) for name, settings in arms.items()}
    # If the arm has no probe, the control uses the default one.
    met = probes[chosen] or "logistic"
    probe = {} if probes[chosen] else {"evaluation.probe": {"kind": met}}
    permuted = {"evaluation.permuted_labels": PERMUTATIONS}
    yield AddedCell(
        name=CONTROL, role="control", set=probe | permuted, cells=(chosen,), num_seeds=1
    )
    first = {kind: name for name, kind in reversed(probes.items())}
    for kind, one in first.items():
        if kind not in (met, None):
            name = f"{CONTROL}, probe {kind}"
            yield AddedCell(name=name, role="control", set=permuted, cells=(one,), num_seeds=1)
    of_classes = (name for name in (chosen, *arms) if predicts(arms[name]) == "classes")
    requested = next(of_classes, None)
    if scale != "smoke" and requested is not None:
        wrong = {"shuffled_positives": True}
        yield AddedCell(
            name=SHUFFLED, role="control", set=wrong, cells=(requested,), num_seeds=SHUFFLED_SEEDS
        )


def probe_of(settings: Mapping[str, Any]) -> str | None:
    """The kind of a configuration's probe; None if it has none."""
    probe = settings["evaluation"].get("probe")
    return None if probe is None else str(probe.get("kind"))

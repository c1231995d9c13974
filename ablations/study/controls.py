"""What every study has beside its arms without saying so: floors, references and controls."""

from collections.abc import Iterator, Sequence

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
from sweeps.planning import Cell, Companion


def predicts(cell: Cell) -> str:
    """What a cell's read-outs predict: classes, or the kind of a transformation."""
    target = cell.config["evaluation"].get("target", {})
    return str(target.get("kind", "classes"))


def companions(scale: ScaleName, arm: str | None, arms: Sequence[Cell]) -> Iterator[Companion]:
    """What goes with the arms that are run; the controls go with `arm` if it is run, or the first.

    Each kind of probe has a control with permuted labels. That of shuffled positives speaks of
    classes: what is learned of a transformation without true pairs proves no leak.
    """
    chosen = next((one for one in arms if one.name == arm), arms[0])
    yield Companion(name=FLOOR, role="floor", set={"epochs": 0})
    if scale in PIXEL_SIDES:
        pixels = {"kind": "pixels", "side": PIXEL_SIDES[scale]}
        raw = {"encoder": pixels, "epochs": 0, "evaluation.layer": "h"}
        yield Companion(name=PIXELS, role="reference", set=raw, num_seeds=1)
    # Where the arm has no probe, the control has the default one.
    met = probe_of(chosen) or "logistic"
    probe = {} if probe_of(chosen) else {"evaluation.probe": {"kind": met}}
    permuted = {"evaluation.permuted_labels": PERMUTATIONS}
    yield Companion(
        name=CONTROL, role="control", set=probe | permuted, cells=(chosen.name,), num_seeds=1
    )
    first = {probe_of(one): one for one in reversed(arms)}
    for kind, one in first.items():
        if kind not in (met, None):
            name = f"{CONTROL}, probe {kind}"
            yield Companion(name=name, role="control", set=permuted, cells=(one.name,), num_seeds=1)
    asked = next((one for one in (chosen, *arms) if predicts(one) == "classes"), None)
    if scale != "smoke" and asked is not None:
        wrong = {"shuffled_positives": True}
        yield Companion(
            name=SHUFFLED, role="control", set=wrong, cells=(asked.name,), num_seeds=SHUFFLED_SEEDS
        )


def probe_of(cell: Cell) -> str | None:
    """The kind of a cell's probe; None where it has none."""
    probe = cell.config["evaluation"].get("probe")
    return None if probe is None else str(probe.get("kind"))

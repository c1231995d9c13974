"""The label of a study at a scale: the name that its folder, plans, records and runs share."""


def label_of(study: str, scale: str | None, variation: str = "") -> str:
    """Study, scale and variation as one label: `quickstart@laptop+loss.temperature=0.2`."""
    place = study if scale is None else f"{study}@{scale}"
    return f"{place}+{variation}" if variation else place


def difference_first(label: str) -> str:
    """A label for lists that cut names off: `loss.temperature=0.2, quickstart@laptop`."""
    place, _, variation = label.partition("+")
    return f"{variation}, {place}" if variation else place


def study_and_scale(label: str) -> tuple[str, str | None]:
    """The study and the scale of a label."""
    study, at, scale = label.partition("+")[0].partition("@")
    return study, scale if at else None

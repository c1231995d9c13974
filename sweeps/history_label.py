"""The name of a history: what folders, plans, records and tracked runs of one study share."""


def label_of(study: str, scale: str | None, variation: str = "") -> str:
    """Study, scale and variation in one word: `quickstart@laptop+loss.temperature=0.2`.

    Folders, runs, plans and records of one label are one history; nothing of another one is in it.
    """
    place = study if scale is None else f"{study}@{scale}"
    return f"{place}+{variation}" if variation else place


def study_and_scale(label: str) -> tuple[str, str | None]:
    """The study and the scale of a label."""
    study, at, scale = label.partition("+")[0].partition("@")
    return study, scale if at else None

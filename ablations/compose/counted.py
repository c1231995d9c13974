"""The number of images in a study's folders, so that its cost is known before a trial has run."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ablations.compose.flops import TEST_IMAGES, any_data, as_text
from simclr_core.errors import SimclrError


class Counted:
    """Writes the number of images in a folder into configurations; counts each folder once.

    For estimates only: a configuration with counts has another key.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int] | None] = {}

    def __call__(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The configuration with its counts; as it is where there is nothing to count."""
        data = config["data"]
        text = as_text(data)
        if text not in self._known:
            self._known[text] = _counts(data)
        if (found := self._known[text]) is None:
            return config
        return {**config, "data": {**data, "num_images": found[0]}, TEST_IMAGES: found[1]}


def _counts(data: Mapping[str, Any]) -> tuple[int, int] | None:
    with suppress(SimclrError):  # the plan says so where images are missing or broken
        return any_data().validate_python(data).counted()
    return None

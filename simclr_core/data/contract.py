"""The contract of a data set's settings: all that loading, planning and reports ask of them."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from simclr_core.base import Frozen
from simclr_core.data.decode_cache import Source


class Data(Frozen):
    """Settings that name a data set. A member overrides what differs from these defaults."""

    cached: ClassVar[bool] = True
    """Whether decoded images are cached on disk; not where making them again is faster."""

    @abstractmethod
    def shown_name(self) -> str:
        """What reports call the data."""

    @abstractmethod
    def fingerprint(self, cache: Path | None) -> str:
        """Identifies images and labels, as 64 hex characters; `cache` remembers what was read.

        Raises:
            DataMissing: the data are named but not available.
        """

    @abstractmethod
    def source(self) -> Source:
        """The images of train and test, ready to be decoded.

        Raises:
            DataMissing: the data are named but not available.
        """

    @property
    def expected_images(self) -> int | None:
        """The number of training images, where it is known without reading any."""
        return None

    def skipped(self, cache: Path | None) -> str | None:
        """Which files are skipped since they are no images, in a sentence; None for none."""
        del cache
        return None

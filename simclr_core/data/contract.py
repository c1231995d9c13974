"""The contract of a data set's settings: everything that loading, planning and reports need from them."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from simclr_core.base import Frozen
from simclr_core.data.decode_cache import Source


class Data(Frozen):
    """Settings that name a data set. A member overrides what differs from these defaults."""

    cached: ClassVar[bool] = True
    """Whether decoded images are cached on disk; false if creating them again is faster."""

    @abstractmethod
    def shown_name(self) -> str:
        """The name of the data in reports."""

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
        """The number of training images, if it is known without reading any."""
        return None

    def counted(self) -> tuple[int, int] | None:
        """Images of train and test where names of files tell them; None elsewhere.

        Raises:
            DataMissing: the data are named but not available.
        """
        return None

    def skipped(self, cache: Path | None) -> str | None:
        """One sentence on the files that are skipped because they are not images; None if none are."""
        del cache
        return None

"""The available trackers, and the selection of one by its address."""

from sweeps.planning import Plan
from sweeps.storage import Store
from sweeps.tracking.address import address_of, scheme_of
from sweeps.tracking.client import MlflowTracker
from sweeps.tracking.contract import Tracker

TRACKERS: tuple[type[Tracker], ...] = (MlflowTracker,)
"""Every tracker; no two accept the same scheme."""


def tracking_uri(store: Store, uri: str | None = None) -> str:
    """The address for runs: `uri`, else MLFLOW_TRACKING_URI, else a database in the store.

    Raises:
        TrackingError: no tracker accepts the address.
    """
    return address_of(store, uri, tuple(one for kind in TRACKERS for one in kind.schemes))


def open_tracking(
    store: Store,
    plan: Plan,
    *,
    uri: str | None = None,
    metric: str = "top1",
    files_of: str | None = None,
) -> Tracker:
    """Starts the tracker of a launch and returns at once; see `Tracker`.

    Raises:
        TrackingError: the address is wrong.
    """
    address = tracking_uri(store, uri)
    [kind] = (kind for kind in TRACKERS if scheme_of(address) in kind.schemes)
    store.prepare()
    return kind(store, plan, address, metric=metric, files_of=files_of)

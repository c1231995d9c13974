"""Where runs are tracked: the address of a server, or the database in the store."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from sweeps.errors import TrackingError
from sweeps.storage import Store
from sweeps.suggest import did_you_mean
from sweeps.tracking.redaction import shown

OWN = "mlflow.db"
"""The database in a store."""

SCHEMES: tuple[str, ...] = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
"""The schemes that MLflow accepts; it refuses plain folders since version 3.13."""


def address_of(store: Store, uri: str | None, schemes: tuple[str, ...]) -> str:
    """The address for runs: `uri`, else MLFLOW_TRACKING_URI, else a database in the store.

    Raises:
        TrackingError: the scheme is not one of these.
    """
    if uri == "":
        raise TrackingError("--tracking: is empty; name a server, or leave it out")
    variable = os.environ.get("MLFLOW_TRACKING_URI")
    for address, source in ((uri, "--tracking"), (variable, "MLFLOW_TRACKING_URI")):
        if address:
            _check(address, source, schemes)
            return address
    return own_uri(store)


def own_uri(store: Store) -> str:
    """The address of the database in the store."""
    path = str(own_database(store)).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{path}"


def own_database(store: Store) -> Path:
    """The file of the database in the store."""
    return store.path / OWN


def artifact_root(store: Store) -> Path:
    """The folder for the files of the runs in the store's own database."""
    return store.path / "mlartifacts"


def scheme_of(address: str) -> str:
    """The scheme of an address without the database driver: postgresql for postgresql+psycopg2."""
    return address.partition(":")[0].partition("+")[0].lower()


def _check(uri: str, source: str, schemes: tuple[str, ...]) -> None:
    scheme = scheme_of(uri)
    if ":" not in uri or scheme not in schemes:
        near = did_you_mean(scheme, schemes) if ":" in uri else ""
        raise TrackingError(
            f"{source}: {shown(uri)!r} is not an address that MLflow accepts; use one that begins with"
            f" http://, https:// or sqlite:///{near}"
        )
    try:
        _ = urlsplit(uri).port
    except ValueError:
        # The parser's message would show the text, which may be a password.
        raise TrackingError(
            f"{source}: {shown(uri)!r} is not an address: the text after the last colon is not a "
            "port from 0 to 65535, or a bracket is missing; write it as "
            "scheme://user:password@host:port, with @, /, ? and # in the password percent-encoded"
        ) from None

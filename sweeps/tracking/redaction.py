"""Addresses without their secrets, in any form.

Every message, log and exception text about tracking passes through `redacted`, and every printed
address through `shown`. Both handle addresses that no library can parse, because messages are often
about these.
"""

import base64
import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "..."
"""The text that replaces a secret."""

_PLAIN = frozenset(
    [
        "application_name",
        "charset",
        "connect_timeout",
        "driver",
        "mode",
        "sslmode",
        "timeout",
        "uri",
    ]
)
"""Parameters of a query whose values are not secret."""

_LONG = 6
"""Secrets of at least this length are removed anywhere; shorter ones only as whole words."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]*")
_AT = re.compile("@|%40")
_NAMED = re.compile(
    r"\b([\w-]*(?:passw(?:or)?d|pwd|token|api[_-]?key|secret|access[_-]?key)[\w-]*)"
    r"(\s*=\s*)[^\s&;,'\")]+",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{6,}")
_VARIABLE = re.compile(r"^(MLFLOW|DATABRICKS|AWS|AZURE|GOOGLE)_.*(PASSWORD|TOKEN|SECRET|KEY)")


class _Parts(NamedTuple):
    """The parts of an address in order, even of a malformed one."""

    scheme: str
    """With its colon and slashes; may be empty."""
    user: str
    """Everything before the last @; passwords with @, /, ? and # are common."""
    at: str
    place: str
    """Host, port and path."""
    query: str
    """With its question mark."""
    fragment: str
    """With its #."""


def shown(address: str) -> str:
    """An address without user, password, token, values of its query and fragment."""
    parts = _parts(address)
    return "".join(
        (
            parts.scheme,
            f"{HIDDEN}@" if parts.at else "",
            _bare_place(parts),
            _bare_query(parts.query),
            f"#{HIDDEN}" if len(parts.fragment) > 1 else parts.fragment,
        )
    )


def bare(address: str) -> str:
    """The address of a server for a browser: only scheme, host, port and path."""
    parts = _parts(address)
    return f"{parts.scheme}{_bare_place(parts)}".rstrip("/")


def redacted(
    text: str, addresses: Iterable[str] = (), variables: Mapping[str, str] | None = None
) -> str:
    """A text without the secrets of these addresses and of the environment.

    Addresses of others in it, such as a proxy's, are shown without their secrets too.
    """
    variables = os.environ if variables is None else variables
    secrets = {one for address in addresses for one in secrets_of(address)}
    for name, value in variables.items():
        if _VARIABLE.match(name):
            secrets.add(value)
        elif "://" in value and _AT.search(value):
            secrets |= secrets_of(value)
    forms = {form for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        pattern = re.escape(form)
        if len(form) < _LONG:
            pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
        text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
    text = _ADDRESS.sub(lambda found: shown(found[0]), text)
    text = _HEADER.sub(rf"\1 {HIDDEN}", text)
    return _NAMED.sub(rf"\1\2{HIDDEN}", text)


def secrets_of(address: str) -> set[str]:
    """The secret parts of an address, as written in it."""
    parts = _parts(address)
    found = {parts.user, *parts.user.split(":", 1), parts.fragment[1:], _wrong_port(parts.place)}
    found |= {value for name, value in _pairs(parts.query) if name.lower() not in _PLAIN}
    if parts.user:
        for user in (parts.user, unquote(parts.user)):
            for coding in ("utf-8", "latin-1"):
                encoded = user.encode(coding, "replace")
                found.add(base64.b64encode(encoded).decode())
    return {one for one in found if one}


def _parts(address: str) -> _Parts:
    match = _SCHEME.match(address)
    scheme = match[0] if match else ""
    rest = address[len(scheme) :]
    user, at = "", ""
    local = scheme.lower().startswith(("sqlite", "file")) and rest.startswith("/")
    if not local and (found := list(_AT.finditer(rest))):
        if not scheme.endswith("//"):  # me:secret@host looks as if `me` were the scheme
            rest, scheme = address, ""
            found = list(_AT.finditer(rest))
        user, at, rest = rest[: found[-1].start()], found[-1][0], rest[found[-1].end() :]
    rest, hash_, fragment = rest.partition("#")
    place, mark, query = rest.partition("?")
    return _Parts(scheme, user, at, place, mark + query, hash_ + fragment)


def _bare_place(parts: _Parts) -> str:
    host = parts.place.partition(":")[0]
    return f"{host}:{HIDDEN}" if _wrong_port(parts.place) else parts.place


def _wrong_port(place: str) -> str:
    """A text that is in the place of a port but is not one: often a password without its @."""
    if place.startswith("["):
        place = place.partition("]")[2]
    elif place.startswith("/"):
        return ""
    _, _, port = place.partition(":")
    number = port.partition("/")[0]
    return "" if not number or (number.isascii() and number.isdigit()) else port


def _pairs(query: str) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in re.split("[&;]", query[1:])]
    # A part without a name is a value.
    return [(name, value) if mark else ("", name) for name, mark, value in pairs]


def _bare_query(query: str) -> str:
    pairs = [
        f"{name}={value}" if name.lower() in _PLAIN else f"{name}={HIDDEN}" if name else HIDDEN
        for name, value in _pairs(query)
        if name or value
    ]
    return f"?{'&'.join(pairs)}" if pairs else query[:1]


def _forms(secret: str) -> set[str]:
    """Forms in which a library may write a secret: decoded, encoded, escaped."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    plain |= {unquote(one) for one in plain}
    forms = set[str]()
    for one in plain:
        forms |= {one, quote(one), quote(one, safe=""), quote_plus(one)}
        forms |= {repr(one)[1:-1], ascii(one)[1:-1], repr(one.encode())[2:-1]}
    return {form for form in forms if form.strip()}

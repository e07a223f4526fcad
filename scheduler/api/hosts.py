"""Which Host names are answered, and which Origins are our own: what keeps web pages from talking to a local farm.

A browser that was tricked into resolving a stranger's name to our address (DNS rebinding) still sends that name as
Host; a page of another site still sends its Origin. CVE-2025-62593 is what happens to a job API without these checks.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import psutil

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  compared with, not bound to
"""Addresses that mean "listen on all of them"."""

_HOST = re.compile(r"^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def allowed_hosts(bound: str, more: Iterable[str], own: Iterable[str]) -> frozenset[str]:
    """Every Host name that is answered.

    `bound` is the address that the server listens on, `more` what the settings add, `own` this machine's names and
    addresses, which count only if the server listens on all of them.
    """
    names = {*LOCAL_NAMES, *more, *(own if bound in EVERYWHERE else (bound,))}
    return frozenset(name.strip().strip("[]").lower() for name in names if name.strip())


def own_names() -> tuple[str, ...]:
    """This machine's host name and addresses. No question is put to a name server, which may be slow or lie."""
    name = socket.gethostname()
    addresses = {
        address.address.partition("%")[0]
        for card in psutil.net_if_addrs().values()
        for address in card
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return (name, name.partition(".")[0], f"{name.partition('.')[0]}.local", *sorted(addresses))


def host_and_port(header: str) -> tuple[str, str] | None:
    """A Host header as (name in lower case, port or ""); None if it is none."""
    match = _HOST.match(header.strip().lower())
    if match is None:
        return None
    return match[1] or match[2], match[3] or ""


def is_own_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the very host and port that the request was sent to.

    The scheme is not compared: behind a TLS proxy the browser says https where this server sees http.
    """
    parts = urlsplit(origin.strip().lower())
    ours, theirs = host_and_port(host), host_and_port(parts.netloc)
    if parts.scheme not in _DEFAULT_PORTS or ours is None or theirs is None or parts.path not in ("", "/"):
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    return (ours[0], ours[1] or default) == (theirs[0], theirs[1] or default)

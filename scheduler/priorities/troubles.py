"""What can go wrong with the tracker, in one small family, and how the many errors of its client are sorted into it.

    Trouble
    ├── Unreachable   down, slow, garbled, rate-limited: try again later (`retry_s`, if it said when)
    ├── Denied        it does not accept the key, or the script may not do this
    └── Changed       the site's schema is not what it was: a field or a kind is not there

Messages are for people and never hold the key. Which errors there are: `shotgun_api3` 3.10 lets errors of its HTTP
library, of sockets, of TLS and of JSON through as they come, and raises `ProtocolError`, which is none of its own, for
a bad status (https://developers.shotgridsoftware.com/python-api/reference.html).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from xmlrpc.client import ProtocolError

from scheduler.errors import Unavailable

MESSAGE_MAX = 300
"""Characters of a foreign error that are repeated."""

RETRY_MAX_S = 3600.0
"""Longest pause that a site can impose with `Retry-After`."""

UPLOAD_REFUSED = "\nError: 0"
"""What the client's error holds when the site answers an upload with its word for no, and not with garbage."""

UNAUTHORISED = frozenset({401, 403, 407})
BUSY = {429: "asks for fewer requests (429)", 503: "is down for maintenance or too busy (503)"}


class Trouble(Unavailable):
    """Production's tracker cannot be used."""

    code = "tracker_trouble"
    hint = "The farm goes on with what it last heard; `outfield shotgrid check` looks closer."
    retry_s: float | None = None
    fault: bool = False
    """The site has understood the request and refuses it: sending the same again changes nothing."""


class Unreachable(Trouble):
    """Production's tracker does not answer."""

    code = "tracker_unreachable"
    hint = "The farm goes on with what it last heard and tries again by itself."

    def __init__(self, message: str, *, retry_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class Denied(Trouble):
    """Production's tracker does not accept the key."""

    code = "tracker_denied"
    hint = "Check shotgrid.script_name and the key (OUTFIELD_SHOTGRID__API_KEY or shotgrid.api_key_file)."


class Changed(Trouble):
    """The tracker's schema is not what it was."""

    code = "tracker_changed"
    hint = "`outfield shotgrid check` names the fields that are missing."


def explain(error: Exception, secret: str = "") -> Trouble:
    """Sort an error of the client into the family; `secret` is blotted out of its message."""
    from shotgun_api3.lib.httplib2 import HttpLib2Error
    from shotgun_api3.shotgun import AuthenticationFault, Fault, ShotgunError

    if isinstance(error, Trouble):
        return error
    text = _clean(str(error), secret)
    if isinstance(error, ProtocolError):
        return _by_status(error, secret)
    if isinstance(error, AuthenticationFault):
        return Denied(f"ShotGrid refuses the script: {text}")
    if isinstance(error, Fault):
        trouble = _by_words(text)
        trouble.fault = True
        return trouble
    if isinstance(error, ShotgunError):
        gave_up = Unreachable(f"ShotGrid's client gave up: {text}")
        gave_up.fault = UPLOAD_REFUSED in str(error)
        return gave_up
    if isinstance(error, TimeoutError):
        return Unreachable("ShotGrid does not answer in time (shotgrid.timeout_s).")
    if isinstance(error, ssl.SSLError):
        return Unreachable(f"No secure connection to ShotGrid: {text}")
    if isinstance(error, OSError | HttpLib2Error):
        return Unreachable(f"ShotGrid cannot be reached: {text or type(error).__name__}")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return Unreachable("ShotGrid answers with something that is no JSON.")
    return Unreachable(f"ShotGrid answers with something that cannot be read ({type(error).__name__}).")


def garbled(what: str) -> Unreachable:
    """The error for an answer that is JSON, but not of the shape that was asked for."""
    return Unreachable(f"ShotGrid's answer to {what} is not of the form that was asked for.")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause that a site asks for, in seconds; a date is read against the site's own clock, never ours."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(RETRY_MAX_S, float(said[:9]))
    try:
        pause_s = (parsedate_to_datetime(said) - parsedate_to_datetime(headers["date"])).total_seconds()
    except (ValueError, TypeError, KeyError):
        return None
    return min(RETRY_MAX_S, max(0.0, pause_s))


def _by_status(error: ProtocolError, secret: str) -> Trouble:
    headers = error.headers if isinstance(error.headers, Mapping) else {}
    if error.errcode in UNAUTHORISED:
        return Denied(f"ShotGrid refuses the connection ({error.errcode}): {_clean(str(error.errmsg), secret)}")
    words = BUSY.get(error.errcode, f"answers with the HTTP status {error.errcode}")
    return Unreachable(f"ShotGrid {words}.", retry_s=retry_after_s(headers))


def _by_words(text: str) -> Trouble:
    """A Fault has no code that tells a missing field from the rest; its words do."""
    words = text.lower()
    if "doesn't exist" in words or "does not exist" in words or "invalid/missing string entity" in words:
        return Changed(f"ShotGrid has no such field or kind: {text}")
    if "permission" in words or "not allowed" in words:
        return Denied(f"The script may not do this in ShotGrid: {text}")
    return Unreachable(f"ShotGrid reports a fault: {text}")


def _clean(text: str, secret: str) -> str:
    text = " ".join(text.split())
    if secret:
        text = text.replace(secret, "***")
    return text if len(text) <= MESSAGE_MAX else text[:MESSAGE_MAX] + "…"

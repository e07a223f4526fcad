"""The error tree of Outfield: everything that a user can be told, and nothing else.

    OutfieldError
    ├── Refused            the request is wrong as it stands            (422, 400, 413 …)
    ├── NotFound           the thing named does not exist               (404)
    ├── Conflict           the state does not allow it                  (409)
    ├── Denied             the caller may not                           (401, 403)
    └── Unavailable        the farm cannot do it now                    (503, 507)

Each error carries a `code` (stable, snake_case), a message for people, `details` for programs and a `hint` that
says what to do next. The mapping to HTTP status codes stands in `scheduler.api.errors` and nowhere else.
"""

from __future__ import annotations

from typing import Any


class OutfieldError(Exception):
    """Something went wrong on the farm."""

    code: str = "error"
    hint: str = "Look at the scheduler's log; if it does not help, run `outfield doctor`."

    def __init__(
        self, message: str | None = None, *, code: str | None = None, hint: str | None = None, details: Any = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.code = code or type(self).code
        self.hint = hint or type(self).hint
        self.details = details
        super().__init__(self.message)


class Refused(OutfieldError):
    """The request cannot be accepted as it stands."""

    code = "invalid_request"
    hint = "Correct the request and send it again; nothing was stored."


class NotFound(OutfieldError):
    """There is no such thing on this farm."""

    code = "not_found"
    hint = "Check the name or number; `outfield jobs` and `outfield workers` list what there is."


class Conflict(OutfieldError):
    """The present state does not allow this."""

    code = "conflict"
    hint = "Look at the present state first; it may have changed meanwhile."


class StaleAttempt(Conflict):
    """This attempt is no longer current: the task was given to another worker or has ended."""

    code = "stale_attempt"
    hint = "Drop the work and ask for new work; nothing was published."


class Denied(OutfieldError):
    """You may not do this."""

    code = "denied"
    hint = "Use a token whose role allows it; `outfield token ls` shows the roles."


class Unavailable(OutfieldError):
    """The farm cannot do this at the moment."""

    code = "unavailable"
    hint = "Wait a little and try again."

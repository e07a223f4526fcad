"""What can go wrong with another farm, in one small family; nobody else need know what its client raises.

    SiteSilent       down, slow, too busy, full: try again later, all of it
    ├── SiteDenied   it does not accept the token, or the token may not do this
    └── SiteChanged  another farm than before answers at this address
    SiteFault        it answers, but not as it should: try that one thing again later
    SiteRefused      it has understood the request and refuses it; nothing was stored there

Messages are for people and never hold the token.
"""

from __future__ import annotations

from scheduler.errors import Refused, Unavailable


class SiteSilent(Unavailable):
    """The other farm does not answer."""

    code = "site_silent"
    hint = "The farm tries again by itself; what the job has made so far stays."

    def __init__(self, message: str, *, retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class SiteDenied(SiteSilent):
    """The other farm does not accept the token."""

    code = "site_denied"
    hint = "Ask for a user's token there, and put it into the pool's token or token_file."


class SiteChanged(SiteSilent):
    """Another farm than before answers at this address."""

    code = "site_changed"
    hint = "Correct the pool's url; jobs that were handed over wait for their own farm."


class SiteFault(Unavailable):
    """The other farm answers, but not as it should."""

    code = "site_fault"
    hint = "The farm tries again by itself; if it stays, look at the other farm's log."


class SiteRefused(Refused):
    """The other farm does not take this."""

    code = "site_refused"
    hint = "Change the job, or let it go elsewhere."

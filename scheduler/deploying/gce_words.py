"""Errors of Google's clients in words for the admin."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from scheduler.errors import Denied, Refused, Unavailable

P = ParamSpec("P")
R = TypeVar("R")


def explained(call: Callable[P, R]) -> Callable[P, R]:
    """Errors of Google's clients become errors of ours, with Google's words and what to do."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from google.api_core.exceptions import Forbidden, GoogleAPICallError, Unauthorized
        from google.auth.exceptions import GoogleAuthError

        try:
            return call(*args, **kwargs)
        except (Forbidden, Unauthorized) as error:
            hint = "Use an account that may manage networks, accounts and buckets of the project."
            raise Denied(f"Google Cloud refuses: {error.message}", hint=hint) from error
        except GoogleAPICallError as error:
            if error.code is not None and error.code >= 500:
                raise Unavailable(f"Google Cloud cannot do it now: {error.message}") from error
            hint = "What was made stays; correct the cause and give the command again, it goes on from there."
            raise Refused(f"Google Cloud refuses: {error.message}", hint=hint) from error
        except GoogleAuthError as error:
            hint = "Log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
            raise Denied(f"Google Cloud does not know who you are: {error}", hint=hint) from error

    return wrapped

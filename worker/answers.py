"""What comes back of a call to the scheduler when it is no success: every way to fail has a class of its own."""

from __future__ import annotations

import httpx
import msgspec

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class CallFailed(Exception):
    """The scheduler did not do what it was asked. `message` is for people, `code` for programs."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", retry_after_s: float = 0.0) -> None:
        self.message, self.status, self.code, self.retry_after_s = message, status, code, retry_after_s
        super().__init__(message)


class Unreachable(CallFailed):
    """No answer, or one that says "not now": try again after a while."""


class TokenUnknown(CallFailed):
    """401, or 403 on sync: the scheduler does not know this token, or knows it as another worker's."""


class WorkerUnknown(CallFailed):
    """404 on sync: the scheduler does not know this worker."""


class StaleAttempt(CallFailed):
    """409: the attempt is not current any more; the work must be dropped."""


class StorageFull(CallFailed):
    """507: the farm's disk is full; keep the work and try again."""


class Refused(CallFailed):
    """Any other answer that is no success: trying again would not help."""


def unreachable(server: str, error: httpx.HTTPError) -> Unreachable:
    """There was no answer at all."""
    what = str(error) or type(error).__name__
    return Unreachable(f"The scheduler at {server} cannot be reached ({what}). The worker keeps trying.")


def failure(response: httpx.Response, content: bytes) -> CallFailed:
    """The class for a status, with the scheduler's own words where it sent the usual envelope."""
    status = response.status_code
    message, code = _words(content, f"The scheduler answered with status {status}.")
    retry_after_s = _seconds(response.headers.get("Retry-After", ""))
    if status in TRANSIENT:
        return Unreachable(message, status=status, code=code, retry_after_s=retry_after_s)
    kind = {401: TokenUnknown, 409: StaleAttempt, 507: StorageFull}.get(status, Refused)
    return kind(message, status=status, code=code, retry_after_s=retry_after_s)


def _words(content: bytes, default: str) -> tuple[str, str]:
    try:
        body = msgspec.json.decode(content)
        return str(body["message"]), str(body["data"]["code"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return default, ""


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0

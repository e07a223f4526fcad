"""What Google Cloud's refusals mean: pure.

A call is refused at once with an HTTP status and a `reason`, or is taken on and its operation ends with a code.
https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler.backends.base import BackendError, NoticeKind, QuotaExceeded, StockOut, Throttled, Unknown
from scheduler.errors import Unavailable

STOCK_OUT = frozenset(
    {
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
        "REGION_RESOURCE_POOL_EXHAUSTED",
        "RESOURCE_POOL_EXHAUSTED",
        "STOCKOUT",
        "stockout",
    }
)
QUOTA = frozenset({"QUOTA_EXCEEDED", "quotaExceeded", "limitExceeded", "LIMIT_EXCEEDED"})
THROTTLED = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "concurrentOperationQuotaExceeded",
        "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",
    }
)
DENIED = frozenset(
    {"forbidden", "insufficientPermissions", "accessNotConfigured", "required", "authError", "PERMISSIONS_ERROR"}
)
SUMMARY = frozenset({"VM_MIN_COUNT_NOT_REACHED"})
"""Says that a bulk insert failed, and not why."""
TAKEN = frozenset({"alreadyExists", "RESOURCE_ALREADY_EXISTS", "duplicate"})
"""The names follow from the order: who has them already, this order has started."""

DENIED_HINT = "Give the scheduler's account the roles of docs/howto/burst-to-gce.md."
WRONG_HINT = "Correct the pool's settings; `outfield config show` prints them."
RETRY_HINT = "The farm asks again by itself."


def refusal(code: str, message: str, *, status: int = 400, starting: bool = True) -> Unavailable:
    """The error for a refusal with this reason or code. `starting`: the call starts instances."""
    text, details = f"Google Cloud says {code or status}: {message.strip().rstrip('.')}.", {"provider_code": code}
    if code in STOCK_OUT:
        return StockOut(text, details=details)
    if code in QUOTA:
        return QuotaExceeded(text, details=details)
    if code in THROTTLED or status == 429:
        return Throttled(text, hint=RETRY_HINT, details=details)
    if code in TAKEN or status in (408, 409) or status >= 500:
        return (Unknown if starting else Unavailable)(text, hint=RETRY_HINT, details=details)
    if code in DENIED or status in (401, 403):
        return BackendError(text, hint=DENIED_HINT, details=details)
    return BackendError(text, hint=WRONG_HINT, details=details)


def shortfall(operation: Any, inserts: Iterable[Any] = ()) -> BackendError | None:
    """Why a bulk insert that has ended did not do all that it was asked for; None where nothing says so.

    `inserts` are the operations of its single instances, in which the reason may stand alone.

    Raises:
        Unknown: the names are taken, so the order was carried out before.
    """
    told = [error for ended in (operation, *inserts) for error in ended.error.errors]
    causes = [error for error in told if error.code not in SUMMARY]
    errors = [refusal(cause.code, cause.message) for cause in causes]
    unclear = next((error for error in errors if isinstance(error, Unknown)), None)
    if unclear is not None:
        raise unclear
    refused = [error for error in errors if isinstance(error, BackendError)]
    if refused:
        return worst(refused)
    return StockOut(f"Google Cloud says {told[0].code}: {told[0].message.rstrip('.')}.") if told else None


def is_short(operation: Any) -> bool:
    """Whether a bulk insert that has ended says that it did not start everything."""
    places = operation.instances_bulk_insert_operation_metadata.per_location_status.values()
    return bool(operation.error.errors) or any(place.failed_to_create_vm_count for place in places)


def goes_on(error: BackendError) -> bool:
    """Whether another place may still have what this one refused."""
    return not isinstance(error, Throttled) and error.hint != DENIED_HINT


def worst(errors: Iterable[BackendError]) -> BackendError:
    """One error for an order of which nothing was started: what a person can mend comes before what passes."""
    weights = ((Throttled, 0), (StockOut, 1), (QuotaExceeded, 2))

    def weight(error: BackendError) -> int:
        return next((weight for kind, weight in weights if isinstance(error, kind)), 3)

    return max(errors, key=weight)


def notice_kind(error: BackendError) -> NoticeKind:
    """What a refusal of some of an order's instances is as a notice."""
    if isinstance(error, QuotaExceeded):
        return NoticeKind.QUOTA
    return NoticeKind.STOCK_OUT if isinstance(error, StockOut) else NoticeKind.FAILED

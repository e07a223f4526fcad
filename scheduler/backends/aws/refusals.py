"""What EC2's refusals mean: pure. Codes are those of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.

The question that matters is whether something may have been started. A refusal with a code of its own says that nothing
was; a time-out, a closed connection or an internal error says nothing, and that is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from scheduler.backends.base import BackendError, NoticeKind, QuotaExceeded, StockOut, Throttled, Unknown
from scheduler.errors import Unavailable

STOCK_OUT = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
        "UnfulfillableCapacity",
        "SpotMaxPriceTooLow",
    }
)
QUOTA = frozenset(
    {
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "MaxSpotFleetRequestCountExceeded",
        "VolumeLimitExceeded",
        "MaxIOPSLimitExceeded",
        "AddressLimitExceeded",
    }
)
THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "RequestResourceCountExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "EC2ThrottledException",
        "BandwidthLimitExceeded",
    }
)
UNCERTAIN = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "ServiceUnavailable",
        "Unavailable",
        "IdempotentParameterMismatch",
        "IdempotentInstanceTerminated",
    }
)
"""The last two say that the intent's token has been used before: `list` tells what for."""
DENIED = frozenset(
    {
        "UnauthorizedOperation",
        "AuthFailure",
        "AccessDenied",
        "AccessDeniedException",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
EXISTS = frozenset({"InvalidLaunchTemplateName.AlreadyExistsException"})
MISSING = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})

DENIED_HINT = "Give the scheduler's role the permissions of docs/howto/burst-to-aws.md, and check the machine's clock."
WRONG_HINT = "Correct the pool's settings; `outfield config show` prints them."
RETRY_HINT = "The farm asks again by itself."


def refusal(code: str, message: str, *, status: int = 400, starting: bool = True) -> Unavailable:
    """The error for an answer of EC2 with this code and HTTP status. `starting`: the call starts instances."""
    text, details = f"Amazon EC2 says {code}: {message.strip().rstrip('.')}.", {"provider_code": code}
    if code in STOCK_OUT:
        return StockOut(text, details=details)
    if code in QUOTA:
        return QuotaExceeded(text, details=details)
    if code in THROTTLED:
        return Throttled(text, hint=RETRY_HINT, details=details)
    if code in DENIED:
        return BackendError(text, hint=DENIED_HINT, details=details)
    if code in UNCERTAIN or status >= 500:
        return (Unknown if starting else Unavailable)(text, hint=RETRY_HINT, details=details)
    return BackendError(text, hint=WRONG_HINT, details=details)


def has_code(error: Unavailable, codes: Container[str]) -> bool:
    """Whether EC2 refused with one of these codes."""
    return isinstance(error.details, dict) and str(error.details.get("provider_code")) in codes


def worst(refusals: Iterable[tuple[str, str]]) -> Unavailable:
    """One error for a fleet that started nothing: what a person can do something about comes before what passes.

    `refusals` are (code, message) of each place that was tried.
    """
    found = [refusal(code, message) for code, message in refusals]
    return max(found, key=_weight, default=StockOut("Amazon EC2 started nothing and gave no reason."))


def _weight(error: Unavailable) -> int:
    """How much an error says: what passes by itself says least, and what leaves a doubt must not be lost."""
    weights = ((Throttled, 0), (StockOut, 1), (QuotaExceeded, 2), (Unknown, 4))
    return next((weight for kind, weight in weights if isinstance(error, kind)), 3)


def notice_kind(code: str) -> NoticeKind:
    """What a fleet's refusal of some of its instances is as a notice."""
    return NoticeKind.QUOTA if code in QUOTA else NoticeKind.STOCK_OUT if code in STOCK_OUT else NoticeKind.FAILED

"""Small things that all of Amazon's hands share: tags, and errors in words for the admin."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from scheduler.deploying.design import LABEL, LABEL_PIECE
from scheduler.errors import Denied, Refused, Unavailable

P = ParamSpec("P")
R = TypeVar("R")

DENIED = frozenset(
    {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthFailure", "InvalidClientTokenId"}
)


def tag_list(farm: str, piece: str) -> list[dict[str, str]]:
    """The tags by which a piece is found again."""
    return [{"Key": LABEL, "Value": farm}, {"Key": LABEL_PIECE, "Value": piece}]


def told(tags: Iterable[Mapping[str, str]]) -> str:
    """The farm that tags name; empty: none."""
    return next((tag["Value"] for tag in tags if tag["Key"] == LABEL), "")


def code_of(error: Exception) -> str:
    """Amazon's code for an error; empty where it is no answer of Amazon's."""
    response: Any = getattr(error, "response", None)
    return str(response["Error"].get("Code", "")) if isinstance(response, dict) and "Error" in response else ""


def gone(error: Exception) -> bool:
    """Does the error say that the thing is not there (any more)?"""
    code = code_of(error)
    return code.endswith((".NotFound", "NotFound", "NoSuchEntity", "NoSuchBucket", "404")) or code == "NoSuchEntity"


def explained(call: Callable[P, R]) -> Callable[P, R]:
    """Errors of boto3 become errors of ours, with Amazon's words and what to do."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from botocore.exceptions import BotoCoreError, ClientError, WaiterError

        try:
            return call(*args, **kwargs)
        except WaiterError as error:
            raise Unavailable(f"Amazon did not finish in time: {error}", hint="Give the command again.") from error
        except ClientError as error:
            words = str(error.response["Error"].get("Message", error))
            if code_of(error) in DENIED:
                hint = "Use credentials that may manage networks, roles and buckets, e.g. with --profile."
                raise Denied(f"Amazon refuses: {words}", hint=hint) from error
            hint = "What was made stays; correct the cause and give the command again, it goes on from there."
            raise Refused(f"Amazon refuses: {words}", code=code_of(error) or "refused", hint=hint) from error
        except BotoCoreError as error:
            hint = "Check the network and the credentials (`aws configure`, or AWS_PROFILE)."
            raise Unavailable(f"Amazon cannot be asked: {error}", hint=hint) from error

    return wrapped

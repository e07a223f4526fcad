"""The road to EC2: boto3's own clients, with short time-outs, and one kind of error for whatever goes wrong.

botocore repeats a call whose answer was an error. That is right for questions. A call that starts something is sent
once: botocore would repeat it after a stock-out (HTTP 500), which keeps the farm from going elsewhere, and after a
failed repetition nobody could tell from the last error whether the first one had reached EC2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from scheduler.backends.aws.refusals import RETRY_HINT, refusal
from scheduler.backends.base import BackendError, Unknown
from scheduler.errors import Unavailable
from scheduler.settings import AwsPool

ASK_ATTEMPTS_MAX = 3
CONNECT_S_MAX = 10.0

CREDENTIALS_HINT = "Set AWS_PROFILE or AWS_ACCESS_KEY_ID for the scheduler, give its machine a role, or set `profile`."
REACH_HINT = "Check the network and the pool's `region`; the farm tries again by itself."


class Connection:
    """EC2 and SSM in one region. Nothing is imported and nobody is called before the first question."""

    def __init__(self, settings: AwsPool) -> None:
        self._settings = settings

    def ask(self, call: str, **parameters: Any) -> dict[str, Any]:
        """A question, or an order that does no harm when it is repeated.

        Raises:
            Unavailable: no answer; `BackendError` where EC2 refused.
        """
        try:
            return getattr(self._asking, call)(**parameters)
        except Exception as error:  # botocore's errors have no narrower base in common
            raise explain(error, starting=False) from error

    def pages(self, call: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every page of an answer.

        Raises:
            Unavailable: as `ask`; what came before is not to be trusted then.
        """
        try:
            yield from self._asking.get_paginator(call).paginate(**parameters)
        except Exception as error:
            raise explain(error, starting=False) from error

    def start(self, call: str, **parameters: Any) -> dict[str, Any]:
        """An order that starts something; sent once.

        Raises:
            BackendError: nothing was started.
            Unknown: it may have been.
        """
        try:
            return getattr(self._starting, call)(**parameters)
        except Exception as error:
            raise explain(error, starting=True) from error

    def parameter(self, name: str) -> str:
        """A parameter of Systems Manager, in which publishers keep the number of their newest image.

        Raises:
            Unavailable: there is none, or it may not be read.
        """
        try:
            return str(self._client("ssm", ASK_ATTEMPTS_MAX).get_parameter(Name=name)["Parameter"]["Value"])
        except Exception as error:
            raise explain(error, starting=False) from error

    @property
    def template_shape(self) -> Any:
        """botocore's shape of what a launch template may hold."""
        return self._asking.meta.service_model.shape_for("RequestLaunchTemplateData")

    @property
    def _asking(self) -> Any:
        return self._client("ec2", ASK_ATTEMPTS_MAX)

    @property
    def _starting(self) -> Any:
        return self._client("ec2", 1)

    def _client(self, service: str, attempts_max: int) -> Any:
        settings = self._settings
        where = (settings.profile, settings.region, settings.endpoint_url)
        return _client(service, where, settings.timeout_s, attempts_max)


@lru_cache(maxsize=32)
def _client(service: str, where: tuple[str | None, str, str | None], timeout_s: float, attempts_max: int) -> Any:
    """A client for (profile, region, endpoint). Pools that ask the same way share it; any thread may use it."""
    import boto3.session
    import botocore.session
    from botocore.config import Config

    profile, region, endpoint_url = where
    core = botocore.session.Session(profile=profile)
    core.register_component("data_loader", _descriptions())
    session = boto3.session.Session(botocore_session=core, region_name=region)
    config = Config(
        connect_timeout=min(timeout_s, CONNECT_S_MAX),
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts_max},
    )
    return session.client(service, endpoint_url=endpoint_url, config=config)


@cache
def _descriptions() -> Any:
    """botocore's descriptions of the services; EC2's alone takes 0.15 s to read, so all pools share them."""
    import botocore.loaders

    return botocore.loaders.Loader()


def explain(error: Exception, *, starting: bool) -> Unavailable:
    """The port's error for one of botocore's. `starting`: the call starts instances, so an unclear end is `Unknown`."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        told = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        return refusal(told.get("Code", ""), told.get("Message", ""), status=status, starting=starting)
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return BackendError(f"Amazon EC2 cannot be reached: {error}", hint=REACH_HINT)
    broken = (exceptions.HTTPClientError, exceptions.IncompleteReadError, exceptions.SSLError)
    if isinstance(error, broken) and "CERTIFICATE_VERIFY_FAILED" not in str(error):
        told = f"The connection to Amazon EC2 broke before the answer was there: {error}"
        return Unknown(told, hint=RETRY_HINT) if starting else Unavailable(told, hint=REACH_HINT)
    if isinstance(error, exceptions.BotoCoreError):  # no credentials, no such region, wrong parameters
        return BackendError(f"Amazon EC2 was not asked: {error}", hint=CREDENTIALS_HINT)
    told = f"Amazon EC2 gave an answer that cannot be read: {error!r}"
    return Unknown(told, hint=RETRY_HINT) if starting else Unavailable(told, hint=RETRY_HINT)

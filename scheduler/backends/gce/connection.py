"""The road to Google Cloud: its own client, with short time-outs, and one kind of error for whatever goes wrong.

Importing the client costs seconds and 160 MB, so that happens at the first call. Nothing is repeated here: the farm
asks again anyway, and an order that starts something carries a request id. The client's own way of waiting for an
operation (`result()`) forgets the endpoint that it was given; so operations are asked for here.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from scheduler.backends.base import BackendError, Unknown
from scheduler.backends.gce.refusals import RETRY_HINT, refusal
from scheduler.clock import Clock
from scheduler.errors import Unavailable
from scheduler.settings import GcePool

INSERTS_MAX = 200
"""Single instances that are looked at for the reason of a failed bulk insert."""
SCOPE = "https://www.googleapis.com/auth/compute"
PAUSE_MIN_S, PAUSE_MAX_S = 0.2, 3.0

CREDENTIALS_HINT = "Run `gcloud auth application-default login`, give the machine an account, or set credentials_file."
REACH_HINT = "Check the network; the farm tries again by itself."

Data = Mapping[str, Any]


class Connection:
    """The Compute API for one project. Nothing is imported and nobody is called before the first call."""

    def __init__(self, settings: GcePool, clock: Clock, pause: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._clock = clock
        self._pause = pause

    def instances(self, wanted: str) -> list[Any]:
        """Every instance of the project, in whatever zone, that passes the filter.

        Raises:
            Unavailable: no answer, or not from every zone.
        """
        request = {"project": self._settings.project, "filter": wanted}
        scopes = list(self._ask("instances", "aggregated_list", request))
        return [instance for _scope, found in scopes for instance in found.instances]

    def start(self, zone: str, resource: Data, request_id: str) -> str:
        """Begin a bulk insert; returns its operation's name.

        Raises:
            BackendError: nothing was started.
            Unknown: it may have been.
        """
        request = {
            "project": self._settings.project,
            "zone": zone,
            "request_id": request_id,
            "bulk_insert_instance_resource_resource": resource,
        }
        return str(self._ask("instances", "bulk_insert_unary", request, starting=True).name)

    def finished(self, zone: str, name: str) -> Any:
        """The operation when it has ended.

        Raises:
            Unknown: it has not ended in time, or nobody can say.
        """
        ends_s = self._clock.monotonic() + self._settings.operation_s
        pause_s, trouble = PAUSE_MIN_S, "it has not ended yet"
        while self._clock.monotonic() < ends_s:
            try:
                request = {"project": self._settings.project, "zone": zone, "operation": name}
                operation = self._ask("zone_operations", "get", request)
                if operation.status.name == "DONE":
                    return operation
            except Unavailable as error:
                trouble = error.message
            self._pause(pause_s)
            pause_s = min(PAUSE_MAX_S, 1.5 * pause_s)
        raise Unknown(f"What became of the operation {name} in {zone} is not known: {trouble}.", hint=RETRY_HINT)

    def inserts(self, zone: str, bulk: Any) -> list[Any]:
        """The operations of a bulk insert's single instances, which say why it failed; none if not to be had."""
        if not bulk.operation_group_id:
            return []
        with suppress(Unavailable):
            wanted = f'(operationGroupId = "{bulk.operation_group_id}") AND (operationType = "insert")'
            return list(itertools.islice(self.news(zone, wanted), INSERTS_MAX))
        return []

    def delete(self, zone: str, name: str) -> None:
        """Begin to delete an instance; one that is not there is deleted already.

        Raises:
            Unavailable: it may still be there.
        """
        request = {"project": self._settings.project, "zone": zone, "instance": name}
        self._ask("instances", "delete_unary", request, missing=None)

    def news(self, zone: str, wanted: str) -> Iterator[Any]:
        """Operations of a zone that pass the filter, the newest first; read only as far as the caller goes.

        Raises:
            Unavailable: no answer.
        """
        request = {
            "project": self._settings.project,
            "zone": zone,
            "filter": wanted,
            "order_by": "creationTimestamp desc",
            "max_results": 100,
        }
        try:
            yield from self._ask("zone_operations", "list", request)
        except Unavailable:
            raise
        except Exception as error:  # a later page may fail as the first may
            raise explain(error, starting=False) from error

    def machine_type(self, zone: str, name: str) -> Any | None:
        """What a machine type is; None where the zone has none of this name.

        Raises:
            Unavailable: no answer.
        """
        request = {"project": self._settings.project, "zone": zone, "machine_type": name}
        return self._ask("machine_types", "get", request, missing=None)

    def template(self, name: str) -> dict[str, Any]:
        """The properties of an instance template.

        Raises:
            Unavailable: there is none, or no answer.
        """
        request = {"project": self._settings.project, "instance_template": name}
        found = self._ask("instance_templates", "get", request).properties
        return type(found).to_dict(found, always_print_fields_with_no_presence=False)

    def _ask(self, service: str, call: str, request: Data, *, starting: bool = False, missing: Any = ...) -> Any:
        try:
            method = getattr(self._clients[service], call)
            answer = method(request=request, retry=None, timeout=self._settings.timeout_s)
            return list(answer) if call == "aggregated_list" else answer
        except Unavailable:
            raise
        except Exception as error:  # google's, requests' and its own errors have no narrower base in common
            if missing is not ... and getattr(error, "code", None) == 404:
                return missing
            raise explain(error, starting=starting) from error

    @cached_property
    def _clients(self) -> Mapping[str, Any]:
        from google.cloud import compute_v1

        settings = self._settings
        options = {} if settings.endpoint is None else {"api_endpoint": settings.endpoint}
        shared: Any = {"credentials": self._credentials(), "client_options": options}
        return {
            "instances": compute_v1.InstancesClient(**shared),
            "instance_templates": compute_v1.InstanceTemplatesClient(**shared),
            "machine_types": compute_v1.MachineTypesClient(**shared),
            "zone_operations": compute_v1.ZoneOperationsClient(**shared),
        }

    def _credentials(self) -> Any:
        """A token never travels over plain HTTP; None lets the client look for the machine's own credentials."""
        from google.auth.credentials import AnonymousCredentials
        from google.oauth2.service_account import Credentials

        settings = self._settings
        if (settings.endpoint or "").startswith("http://"):
            return AnonymousCredentials()
        if settings.credentials_file is None:
            return None
        try:
            return Credentials.from_service_account_file(str(settings.credentials_file), scopes=[SCOPE])
        except (OSError, ValueError) as error:
            told = f"The key file {settings.credentials_file} cannot be used: {error}"
            raise BackendError(told, hint=CREDENTIALS_HINT) from error


def explain(error: Exception, *, starting: bool) -> Unavailable:
    """The port's error for one of the client's. `starting`: the call starts instances, so a doubt is `Unknown`."""
    import requests.exceptions
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAPICallError):
        reasons = [str(told.get("reason", "")) for told in error.errors if isinstance(told, dict)]
        return refusal(reasons[0] if reasons else "", error.message, status=int(error.code or 500), starting=starting)
    if isinstance(error, GoogleAuthError):
        return BackendError(f"Google Cloud was not asked: {error}", hint=CREDENTIALS_HINT)
    if isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error):
        return BackendError(f"Google Cloud cannot be reached: {error}", hint=REACH_HINT)
    if isinstance(error, requests.exceptions.RequestException):
        told = f"The connection to Google Cloud broke before the answer was there: {error}"
        return Unknown(told, hint=RETRY_HINT) if starting else Unavailable(told, hint=REACH_HINT)
    told = f"Google Cloud gave an answer that cannot be read: {error!r}"
    return Unknown(told, hint=RETRY_HINT) if starting else Unavailable(told, hint=RETRY_HINT)


def _never_connected(error: Exception) -> bool:
    """Whether no connection came about, so that nothing can have been sent."""
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)

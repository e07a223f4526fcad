"""The worker's side of the wire: one call is one request.

Retrying is the caller's business (`worker.backoff`). Files go through `transfers`, connections are `connections`'.
"""

from __future__ import annotations

from urllib.parse import quote

import httpx
import msgspec

from scheduler.protocol.work import SyncEnvelope, SyncReply, SyncRequest, TaskRef
from scheduler.protocol.workers import WorkerHello, WorkerWelcome
from worker.answers import Refused, TokenUnknown, WorkerUnknown, failure
from worker.connections import Connections, Lane
from worker.settings import WorkerSettings
from worker.transfers import Transfers


class SchedulerClient:
    """Calls to one scheduler. Thread-safe."""

    def __init__(self, settings: WorkerSettings, token: str = "") -> None:
        self._settings = settings
        self.connections = Connections(settings, token)
        self.transfers = Transfers(settings, self.connections)
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(SyncEnvelope)

    def join(self, hello: WorkerHello) -> WorkerWelcome:
        """Trade the join code for an id and a token.

        Raises:
            Refused: the code is wrong or used up, or the scheduler speaks another protocol.
        """
        answer = self.connections.call(
            "report",
            "POST",
            "/workers",
            content=hello.model_dump_json().encode(),
        )
        try:
            return WorkerWelcome.model_validate(answer.json()["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"{self._settings.server} answers, but not like a scheduler of Outfield. Check the URL."
            ) from error

    def certificate(self, worker: str, csr: str) -> str:
        """A new certificate (PEM) for a signing request.

        Raises:
            CallFailed: the scheduler gives none now.
        """
        path = f"/workers/{quote(worker, safe='')}/certificate"
        answer = self.connections.call("report", "POST", path, content=msgspec.json.encode({"csr": csr}))
        return str(answer.json()["data"]["certificate"])

    def show(self) -> None:
        """Show the worker's certificate on every connection that is made from now on."""
        self.connections.show_certificate()

    def sync(self, lane: Lane, worker: str, request: SyncRequest) -> SyncReply:
        """Heartbeat, reports and request for work in one. Waits up to `request.wait_s` longer than other calls.

        Raises:
            TokenUnknown, WorkerUnknown, Unreachable, Refused: see there.
        """
        body = self._encoder.encode(request)
        read_s = request.wait_s + self._settings.read_timeout_s
        message = httpx.Request(
            "POST",
            f"{self._settings.server}/workers/{quote(worker, safe='')}/sync",
            headers=self.connections.headers({"Content-Type": "application/json"}),
            content=body,
            extensions={"timeout": self.connections.timeout(read_s).as_dict()},
        )
        response, content = self.connections.send(lane, message)
        if response.status_code != 200:
            failed = failure(response, content)
            kind = {403: TokenUnknown, 404: WorkerUnknown}.get(failed.status, type(failed))
            raise kind(failed.message, status=failed.status, code=failed.code, retry_after_s=failed.retry_after_s)
        try:
            return self._decoder.decode(content).data
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(f"The scheduler's answer to sync is not understood: {error}. Update the worker.") from error

    def append_log(self, ref: TaskRef, secret: str, offset: int, data: bytes) -> None:
        """Append to an attempt's log at byte `offset`; sending the same bytes again changes nothing."""
        self.connections.call(
            "log",
            "POST",
            f"/attempts/{ref.task}.{ref.attempt}/log?offset={offset}",
            headers={"X-Lease-Secret": secret, "Content-Type": "text/plain; charset=utf-8"},
            content=data,
        )

    def put_picture(self, ref: TaskRef, secret: str, data: bytes) -> None:
        """Show a small picture of a running attempt."""
        path = f"/attempts/{ref.task}.{ref.attempt}/picture"
        headers = {"X-Lease-Secret": secret, "Content-Type": "application/octet-stream"}
        self.connections.call("pictures", "PUT", path, headers=headers, content=data)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.connections.close()
        self.transfers.close()

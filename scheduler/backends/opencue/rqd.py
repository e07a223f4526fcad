"""Calls of RQD, OpenCue's host daemon, each under a time limit, and what their errors mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import grpc
from opencue_proto import host_pb2, rqd_pb2, rqd_pb2_grpc

from scheduler.errors import Unavailable
from scheduler.settings import OpencuePool

RQD_PORT = 8444
HOSTS_AT_ONCE = 32
REFUSALS = frozenset({
    grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Running:
    """A frame that a host runs."""

    frame: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HostView:
    """What a host says of itself; `cores` are hundredths that are free, `memory_kib` is free too."""

    name: str
    cores: int
    memory_kib: int
    gpus: int
    takes_work: bool
    frames: tuple[Running, ...]


class Launched(StrEnum):
    """What came of asking a host to run a frame."""

    YES = "yes"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Rqd:
    """The hosts of one pool. Connections are kept, and opened when they are first needed."""

    def __init__(self, settings: OpencuePool) -> None:
        self._limit_s, self._ignore_nimby = settings.call_s, settings.ignore_nimby
        self._stubs: dict[str, Any] = {}

    def look(self, host: str) -> HostView:
        """How a host is, and what it runs.

        Raises:
            Unavailable: it does not answer.
        """
        request = rqd_pb2.RqdStaticReportStatusRequest()  # pyright: ignore[reportAttributeAccessIssue]
        try:
            report = self._stub(host).ReportStatus(request, timeout=self._limit_s).host_report
        except grpc.RpcError as error:
            raise Unavailable(f"RQD on {host} does not answer: {_words(error)}") from error
        up = report.host.state == host_pb2.UP  # pyright: ignore[reportAttributeAccessIssue]
        nimby = report.host.nimby_locked and not self._ignore_nimby
        frames = tuple(Running(each.frame_id, dict(each.attributes)) for each in report.frames)
        free = report.core_info.idle_cores
        return HostView(host, free, report.host.free_mem, report.host.num_gpus, up and not nimby, frames)

    def look_at_all(self, hosts: Sequence[str]) -> list[HostView]:
        """All hosts that answer, asked side by side.

        Raises:
            Unavailable: none does.
        """
        with ThreadPoolExecutor(min(HOSTS_AT_ONCE, len(hosts))) as calls:
            answers = list(calls.map(self._try, hosts))
        views = [answer for answer in answers if isinstance(answer, HostView)]
        if not views:
            raise Unavailable(f"No host of the pool answers: {'; '.join(str(answer) for answer in answers)[:300]}")
        return views

    def _try(self, host: str) -> HostView | str:
        try:
            return self.look(host)
        except Unavailable as error:
            return error.message

    def launch(self, host: str, fields: Mapping[str, Any]) -> tuple[Launched, str]:
        """Ask a host to run a frame; the second is its words, for people.

        A frame that it runs already was launched before: RQD refuses the second one by its id.
        """
        frame = rqd_pb2.RunFrame(**fields)  # pyright: ignore[reportAttributeAccessIssue]
        request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=frame)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            self._stub(host).LaunchFrame(request, timeout=self._limit_s)
        except grpc.RpcError as error:
            said = _words(error)
            if "already running" in said or _code(error) is grpc.StatusCode.ALREADY_EXISTS:
                return Launched.YES, said
            # The RQD in Python refuses by exceptions, which gRPC hands on as UNKNOWN with their words.
            refused = _code(error) in REFUSALS or "Not launching" in said
            return (Launched.REFUSED if refused else Launched.UNKNOWN), said
        return Launched.YES, ""

    def kill(self, host: str, frame: str) -> None:
        """Ask a host to kill a frame; one that it does not run is no error.

        Raises:
            Unavailable: it does not answer.
        """
        request = rqd_pb2.RqdStaticKillRunningFrameRequest(  # pyright: ignore[reportAttributeAccessIssue]
            frame_id=frame, message="Outfield does not need this worker any more."
        )
        try:
            self._stub(host).KillRunningFrame(request, timeout=self._limit_s)
        except grpc.RpcError as error:
            if _code(error) is not grpc.StatusCode.NOT_FOUND:
                raise Unavailable(f"RQD on {host} does not answer: {_words(error)}") from error

    def _stub(self, host: str) -> Any:
        if host not in self._stubs:
            address = host if ":" in host else f"{host}:{RQD_PORT}"
            self._stubs[host] = rqd_pb2_grpc.RqdInterfaceStub(grpc.insecure_channel(address))
        return self._stubs[host]


def _code(error: grpc.RpcError) -> Any:
    return cast("Any", error).code()


def _words(error: grpc.RpcError) -> str:
    return str(cast("Any", error).details())[:300]

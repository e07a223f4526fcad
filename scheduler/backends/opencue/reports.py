"""Where RQD hosts report to, in the place of Cuebot: RQD runs no frame properly before its first report was taken.

Reports are hints: they come from the network without any proof. What a host runs is asked of the host.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opencue_proto import report_pb2, report_pb2_grpc

from scheduler.errors import Unavailable

ENDS_MAX = 10_000
THREADS = 4


@dataclass(frozen=True, slots=True)
class End:
    """How a frame ended, as its host reported."""

    exit_status: int
    exit_signal: int


class Receiver(report_pb2_grpc.RqdReportInterfaceServicer):
    """Takes the reports of all hosts, and remembers how the last frames ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: OrderedDict[str, End] = OrderedDict()

    def end_of(self, frame: str) -> End | None:
        """How a frame ended, if that was reported."""
        with self._lock:
            return self._ends.get(frame)

    def ReportRqdStartup(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - gRPC's names
        return report_pb2.RqdReportRqdStartupResponse()  # pyright: ignore[reportAttributeAccessIssue]

    def ReportStatus(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return report_pb2.RqdReportStatusResponse()  # pyright: ignore[reportAttributeAccessIssue]

    def ReportRunningFrameCompletion(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        report = request.frame_complete_report
        with self._lock:
            self._ends[report.frame.frame_id] = End(report.exit_status, report.exit_signal)
            while len(self._ends) > ENDS_MAX:
                self._ends.popitem(last=False)
        return report_pb2.RqdReportRunningFrameCompletionResponse()  # pyright: ignore[reportAttributeAccessIssue]


_servers: dict[str, tuple[Receiver, Any]] = {}
_opening = threading.Lock()


def receiver_at(address: str) -> Receiver:
    """The receiver that listens on HOST:PORT: one for all pools that name the same, for as long as the process lives.

    Raises:
        Unavailable: it cannot listen there.
    """
    with _opening:
        if address not in _servers:
            receiver = Receiver()
            # Without SO_REUSEPORT a second scheduler is refused, instead of taking half of the reports.
            server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)])
            report_pb2_grpc.add_RqdReportInterfaceServicer_to_server(receiver, server)
            try:
                server.add_insecure_port(address)
            except RuntimeError as error:
                raise Unavailable(
                    f"The pool cannot listen on {address} for the reports of RQD.",
                    hint="Name a free HOST:PORT of this machine in the pool's `listen`.",
                ) from error
            server.start()
            _servers[address] = (receiver, server)
        return _servers[address][0]

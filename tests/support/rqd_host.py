"""A host of an OpenCue farm for tests: the real RQD, on loopback, in a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

import grpc
from components import require
from opencue_proto import rqd_pb2, rqd_pb2_grpc

START_S = 30.0
PAUSE_S = 0.05

CONFIGURATION = """\
[Override]
OVERRIDE_CUEBOT=127.0.0.1
OVERRIDE_HOSTNAME={name}
RQD_USE_IP_AS_HOSTNAME=False
RQD_NETWORK_INTERFACE=lo
OVERRIDE_CORES={cores}
OVERRIDE_PROCS=1
OVERRIDE_MEMORY=8000000
OVERRIDE_NIMBY=False
RQD_BECOME_JOB_USER=False
RQD_GRPC_PORT={port}
CUEBOT_GRPC_PORT={report_port}
"""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RqdHost:
    """One RQD, which reports to `report_port`. It starts no frame properly before its first report was taken."""

    def __init__(self, folder: Path, name: str, *, report_port: int, cores: int = 4) -> None:
        program = require("rqd")
        self.name, self.port = name, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._folder = folder / name
        self._folder.mkdir()
        configuration = self._folder / "rqd.conf"
        configuration.write_text(CONFIGURATION.format(name=name, cores=cores, port=self.port, report_port=report_port))
        self._log = (self._folder / "rqd.log").open("wb")
        self.process = subprocess.Popen(
            [program, "-c", configuration],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "TMPDIR": str(self._folder), "USER": "render"},
            cwd=self._folder,
            start_new_session=True,  # it has been seen to kill its own process group; that must not be the test's
        )

    def wait(self) -> None:
        """Until it has reported for the first time."""
        pause = threading.Event()
        for _try in range(int(START_S / PAUSE_S)):
            if "RQD Started" in self.log():
                return
            assert self.process.poll() is None, self.log()
            pause.wait(PAUSE_S)
        raise AssertionError(self.log())

    def log(self) -> str:
        """What it has said."""
        return (self._folder / "rqd.log").read_text(errors="replace")

    def call(self, name: str, request: object) -> object:
        """One call of its interface, as an administrator makes it."""
        with grpc.insecure_channel(self.address) as channel:
            return getattr(rqd_pb2_grpc.RqdInterfaceStub(channel), name)(request, timeout=10)

    def lock(self, cores: int) -> None:
        """Take idle cores away; RQD's word for it."""
        self.call("Lock", rqd_pb2.RqdStaticLockRequest(cores=cores * 100))

    def unlock(self) -> None:
        """Give all of them back."""
        self.call("UnlockAll", rqd_pb2.RqdStaticUnlockAllRequest())

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """End it, and the frames that it runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

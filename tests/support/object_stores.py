"""Object stores for tests, on loopback: a real S3 server (SeaweedFS), and fake-gcs-server behind a gate."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from components import require
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from store_gates import GcsGate

BUCKET, REGION = "outfield-tests", "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "farmkey", "AWS_SECRET_ACCESS_KEY": "farmsecret"}
START_S, PAUSE_S = 20.0, 0.05

_WEED_PORTS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class _Server:
    """A server program in a folder of its own, thrown away at the end."""

    def __init__(self, *command: object, environment: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ofstore"))
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [str(part).replace("FOLDER", str(self.folder)) for part in command],
            stdout=self._log, stderr=subprocess.STDOUT, cwd=self.folder,
            env=os.environ | (environment or {}),
        )  # fmt: skip

    def until(self, look: Any) -> None:
        """Wait until the server answers."""
        deadline, pause = time.monotonic() + START_S, threading.Event()
        while not look():
            assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "the store does not start"
            pause.wait(PAUSE_S)

    def stop(self) -> None:
        """End it and remove everything."""
        self._process.kill()
        self._process.wait(30)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Weed:
    """A real S3 server. Whoever uses it needs `CREDENTIALS` in the environment."""

    def __init__(self) -> None:
        self._ports = ports = free_ports(2 * len(_WEED_PORTS))
        flags = [f"-{name}={port}" for name, port in zip(_WEED_PORTS, ports, strict=False)]
        flags += [f"-{name}.grpc={port}" for name, port in zip(_WEED_PORTS, ports[len(_WEED_PORTS) :], strict=True)]
        self.endpoint = f"http://127.0.0.1:{ports[0]}"
        self._server = _Server(
            require("weed"), "mini", "-dir=FOLDER", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *flags,
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false", "-webdav=false", "-master.telemetry=false",
            "-filer.localSocket=FOLDER/f.sock", "-s3.localSocket=FOLDER/s.sock", environment=CREDENTIALS,
        )  # fmt: skip
        self._server.until(self._makes_bucket)

    def url(self, prefix: str) -> str:
        """A storage URL."""
        return f"s3://{BUCKET}/{prefix}?endpoint_url={quote(self.endpoint, safe='')}&region={REGION}"

    def client(self, **keys: str) -> Any:
        """A client of boto3; other keys than the right ones may be given."""
        named = {name.lower(): value for name, value in CREDENTIALS.items()} | keys
        config = Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"max_attempts": 1})
        return boto3.client("s3", endpoint_url=self.endpoint, region_name=REGION, config=config, **named)

    def keys(self, prefix: str = "") -> list[str]:
        """What is in the bucket."""
        found = self.client().list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", ())]

    def uploads(self, prefix: str = "") -> list[str]:
        """Multipart uploads that are neither completed nor aborted."""
        found = self.client().list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for each in found.get("Uploads", ())]

    def stop(self) -> None:
        """End it, and remove the sockets that it leaves where no flag can put them elsewhere."""
        self._server.stop()
        for port in self._ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def _makes_bucket(self) -> bool:
        try:
            self.client().create_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError):
            return False
        return True


class FakeGcs:
    """fake-gcs-server behind a gate that keeps conditions, and behind one that drops them."""

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.raw = f"http://127.0.0.1:{port}"
        self._server = _Server(
            require("fake-gcs-server"), "-scheme", "http", "-host", "127.0.0.1", "-port", port,
            "-backend", "memory", "-public-host", f"127.0.0.1:{port}",
        )  # fmt: skip
        self._server.until(self._answers)
        self.gate = GcsGate(port)
        self.forgetful = GcsGate(port, forgetful=True)
        self.client().create_bucket(BUCKET)

    def url(self, prefix: str, endpoint: str | None = None) -> str:
        """A storage URL."""
        return f"gs://{BUCKET}/{prefix}?endpoint={quote(endpoint or self.gate.url, safe='')}"

    def client(self) -> Any:
        """A client of google-cloud-storage."""
        options = {"api_endpoint": self.gate.url}
        return storage.Client(project="p", credentials=AnonymousCredentials(), client_options=options)

    def keys(self, prefix: str = "") -> list[str]:
        """What is in the bucket."""
        return [blob.name for blob in self.client().list_blobs(BUCKET, prefix=prefix)]

    def uploads(self, prefix: str = "") -> list[str]:
        """Parts of uploads that are not finished: `prefix` is the store's, not the key's."""
        return self.keys(f"{prefix}.parts/")

    def stop(self) -> None:
        """End everything."""
        self.gate.stop()
        self.forgetful.stop()
        self._server.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", urlsplit(self.raw).port or 0), timeout=1):
                return True
        except OSError:
            return False


@contextmanager
def started(kind: type[Any]) -> Iterator[Any]:
    """A store that is ended."""
    store = kind()
    try:
        yield store
    finally:
        store.stop()

"""Every way in which a call can fail has a class of its own."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fake_scheduler import FakeScheduler
from worker_rig import quick_settings

from scheduler.protocol.work import SyncRequest, TaskRef
from worker.answers import (
    CallFailed,
    Refused,
    StaleAttempt,
    StorageFull,
    TokenUnknown,
    Unreachable,
    WorkerUnknown,
)
from worker.client import SchedulerClient
from worker.settings import WorkerSettings
from worker.transfers import sha256_of

REF = TaskRef(1, 1)


class Canned:
    """Answers everything with one status and body."""

    def __init__(self) -> None:
        canned = self
        self.status, self.body, self.headers = 200, b"{}", dict[str, str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(canned.status)
                for name, value in {**canned.headers, "Content-Length": str(len(canned.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(canned.body)

            do_PUT = do_POST  # noqa: N815 - the base class's spelling

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def canned() -> Iterator[Canned]:
    server = Canned()
    yield server
    server.server.shutdown()
    server.server.server_close()


def client_of(url: str) -> SchedulerClient:
    return SchedulerClient(WorkerSettings(server=url, connect_timeout_s=1.0), "token")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, TokenUnknown),
        (404, WorkerUnknown),
        (409, StaleAttempt),
        (422, Refused),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
        (507, StorageFull),
    ],
)
def test_a_status_becomes_a_class_with_the_schedulers_words(
    canned: Canned, status: int, kind: type[CallFailed]
) -> None:
    canned.status, canned.headers = status, {"Retry-After": "2.5"}
    canned.body = b'{"data":{"code":"some_code","details":null,"hint":""},"message":"In plain words."}'
    with pytest.raises(kind) as caught:
        client_of(canned.url).sync("poll", "w1", SyncRequest())
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.retry_after_s) == (
        status,
        "some_code",
        "In plain words.",
        2.5,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":3}', b"\xff\xfe"])
def test_a_strange_answer_is_still_an_answer(canned: Canned, body: bytes) -> None:
    canned.status, canned.body = 502, body
    with pytest.raises(Unreachable, match="status 502"):
        client_of(canned.url).append_log(REF, "s", 0, b"x")
    canned.status = 200
    with pytest.raises(Refused, match="not understood"):
        client_of(canned.url).sync("poll", "w1", SyncRequest())


def test_nobody_there_is_said_with_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(Unreachable, match=f"{url} cannot be reached"):
        client_of(url).sync("poll", "w1", SyncRequest())


def test_files_of_any_name_and_size_arrive_whole(tmp_path: Path) -> None:
    with FakeScheduler() as fake:
        client = SchedulerClient(quick_settings(fake, tmp_path), fake.token)
        for name, data in (("empty.png", b""), ("big.exr", bytes(range(256)) * 5000), ("a b.png", b"x")):
            (tmp_path / name).write_bytes(data)
            client.transfers.put(REF, "s", tmp_path / name, sha256_of(tmp_path / name))
        assert {len(data) for data in fake.seen.files.values()} == {0, 1, 1_280_000}
        with pytest.raises(Refused, match="damaged"):
            client.transfers.put(REF, "s", tmp_path / "big.exr", "0" * 64)
        client.close()


def test_a_server_without_ranges_is_read_from_the_start() -> None:
    with FakeScheduler() as fake:
        fake.blobs["ab"] = b"0123456789"
        client = client_of(fake.url)
        into = io.BytesIO()
        fake.cut_downloads_at = 4
        with pytest.raises(Unreachable):
            list(client.transfers.get("ab", into, 0))
        assert into.getvalue() == b"0123"
        assert list(client.transfers.get("ab", into, 4))[-1] == 10
        assert into.getvalue() == b"0123456789"
        assert [asked for _, asked in fake.seen.downloads] == ["", "bytes=4-"]
        with pytest.raises(Refused):
            list(client.transfers.get("cd", into, 0))

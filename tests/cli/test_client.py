"""Calls to the API: the envelope taken off, failures as errors, lists page by page, events, files."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from fake_rest import TOKEN, FakeRest, Request
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cli.client import Client, ServerEvent, parse_events
from scheduler.cli.connection import Connection
from scheduler.cli.exits import ExitCode, Unreachable, exit_code
from scheduler.cli.hashing import HashSink, file_hash
from scheduler.errors import Conflict, Denied, NotFound, OutfieldError, Refused, Unavailable


@pytest.fixture
def client(fake: FakeRest) -> Client:
    return Client(Connection(fake.url, TOKEN))


def test_the_token_is_sent_and_the_envelope_taken_off(client: Client, fake: FakeRest) -> None:
    fake.answers["GET /jobs"] = [1, 2]

    assert client.get("/jobs", {"status": "RUNNING", "user": None}) == [1, 2]
    assert fake.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert fake.seen[0].query == "status=RUNNING"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, Denied, ExitCode.DENIED),
        (403, Denied, ExitCode.DENIED),
        (404, NotFound, ExitCode.NOT_FOUND),
        (409, Conflict, ExitCode.FAILED),
        (422, Refused, ExitCode.FAILED),
        (500, OutfieldError, ExitCode.FAILED),
        (502, Unreachable, ExitCode.UNREACHABLE),
        (503, Unavailable, ExitCode.FAILED),
        (507, Unavailable, ExitCode.FAILED),
    ],
)
def test_an_error_of_the_api_keeps_its_words(
    client: Client, fake: FakeRest, status: int, kind: type[OutfieldError], code: ExitCode
) -> None:
    fake.fails("GET /jobs", status, "a_code", "What happened.", [{"field": "x", "problem": "y"}])

    with pytest.raises(kind) as caught:
        client.get("/jobs")

    error = caught.value
    assert type(error) is kind
    assert (error.message, error.code, error.hint) == ("What happened.", "a_code", "Do this.")
    assert error.details == [{"field": "x", "problem": "y"}]
    assert exit_code(error) is code


def test_an_error_without_an_envelope_is_told_by_its_status(client: Client, fake: FakeRest) -> None:
    fake.answers["GET /jobs"] = lambda _request: (418, b"<html>")

    with pytest.raises(Refused, match="418"):
        client.get("/jobs")


@pytest.mark.parametrize("body", [b"hello", b"[]", b"{}", b"null"])
def test_something_else_at_that_address_is_told_from_a_scheduler(client: Client, fake: FakeRest, body: bytes) -> None:
    fake.answers["GET /jobs"] = lambda _request: (200, body)

    with pytest.raises(Unreachable, match="not like a scheduler"):
        client.get("/jobs")


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{held.getsockname()[1]}"

        with pytest.raises(Unreachable, match=server):
            Client(Connection(server)).get("/jobs")


def test_a_list_is_read_page_by_page_up_to_the_limit(client: Client, fake: FakeRest) -> None:
    def page(request: Request) -> tuple[int, Any]:
        start = int(dict(part.split("=") for part in request.query.split("&")).get("cursor", 0))
        return 200, {"data": [start, start + 1], "message": "", "next": str(start + 2) if start < 4 else ""}

    fake.answers["GET /jobs"] = page

    assert client.pages("/jobs") == [0, 1, 2, 3, 4, 5]
    assert client.pages("/jobs", None, 2) == [0, 1]


def test_a_file_is_uploaded_with_its_length_and_progress(client: Client, fake: FakeRest, tmp_path: Path) -> None:
    path, sent = tmp_path / "a.bin", list[int]()
    path.write_bytes(b"x" * 3_000_000)
    fake.answers["PUT /blobs/1"] = {"size": 3_000_000}

    client.put_file("/blobs/1", path, sent.append)

    assert fake.seen[0].body == path.read_bytes()
    assert fake.seen[0].headers["content-length"] == "3000000"
    assert sent == [2**20, 2**21, 3_000_000]


def test_a_form_carries_texts_as_they_are_and_the_rest_as_json(client: Client, fake: FakeRest, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK")
    fake.answers["POST /jobs/new"] = {"jobID": "00001"}

    client.post_file("/jobs/new", path, {"name": "n", "priority": 3, "split": {"tiles": [2, 2]}}, key="k")

    body = fake.seen[0].body
    assert fake.seen[0].headers["idempotency-key"] == "k"
    assert b'name="file"; filename="a.zip"' in body
    assert b'name="name"\r\n\r\nn\r\n' in body
    assert b'name="priority"\r\n\r\n3\r\n' in body
    assert b'{"tiles": [2, 2]}' in body


def test_has_asks_without_downloading(client: Client, fake: FakeRest) -> None:
    fake.answers["HEAD /blobs/1"] = {}

    assert client.has("/blobs/1")
    assert not client.has("/blobs/2")
    fake.fails("HEAD /blobs/3", 403, "wrong_role")
    with pytest.raises(Denied):
        client.has("/blobs/3")


def test_a_download_is_streamed_into_a_sink(client: Client, fake: FakeRest, tmp_path: Path) -> None:
    path, sink = tmp_path / "a", HashSink()
    path.write_bytes(bytes(range(256)) * 10_000)
    fake.answers["GET /f"] = lambda _request: (200, path.read_bytes())

    client.download("/f", sink)

    assert sink.hex() == file_hash(path)


def test_a_download_that_is_refused_is_an_error(client: Client) -> None:
    with pytest.raises(NotFound):
        client.download("/f", HashSink())


def test_events_are_read_from_the_stream(client: Client, fake: FakeRest) -> None:
    stream = b': hello\nretry: 2000\n\nid: 5\nevent: task.done\ndata: {"task": 1}\n\ndata: a\ndata: b\n\n:\n\nid: 9\n\n'
    fake.answers["GET /events"] = lambda _request: (200, stream)

    events = list(client.events("/events", {"job": "00001"}, "4"))

    assert events == [ServerEvent("5", "task.done", {"task": 1}), ServerEvent("5", "message", "a\nb")]
    assert fake.seen[0].headers["last-event-id"] == "4"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.from_regex(r"[a-z][a-z.]{0,20}", fullmatch=True),
            st.dictionaries(st.text(), st.integers() | st.text()),
        )
    )
)
def test_any_event_survives_the_wire(events: list[tuple[int, str, dict[str, Any]]]) -> None:
    lines = list[str]()
    for number, kind, data in events:
        lines += [f"id: {number}", f"event: {kind}", f"data: {json.dumps(data)}", ""]

    assert list(parse_events(iter(lines))) == [ServerEvent(str(n), kind, data) for n, kind, data in events]


@given(st.lists(st.text(st.characters(blacklist_characters="\r\n"))))
def test_no_stream_breaks_the_reader(lines: list[str]) -> None:
    list(parse_events(iter(lines)))

"""HTTP: every failure is a sentence with what to do, no token goes elsewhere, nothing waits for ever."""

from __future__ import annotations

import io
import socket
import threading
import time

import pytest
from fake_farm import TOKEN
from outfield_core.client import Client, normal_server
from outfield_core.errors import Cancelled, Denied, FarmError, Refused, Unreachable


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("farm:8000", "http://farm:8000"),
        (" https://farm/ ", "https://farm"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_addresses_as_people_type_them(text, address):
    assert normal_server(text) == address


@pytest.mark.parametrize(
    "text", ["", "ftp://farm", "http://", "file:///etc/passwd", "http://farm:x", "http://farm:99999"]
)
def test_what_is_no_address(text):
    with pytest.raises(Refused) as refused:
        normal_server(text)
    assert "preferences" in refused.value.hint


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"code": "unknown_field", "hint": "Did you mean 'frames'?"}, Refused),
        (401, {"code": "unauthenticated", "hint": "Send a token."}, Denied),
        (503, {"code": "shutting_down", "hint": "Wait."}, Unreachable),
        (507, {"code": "storage_full", "hint": "Free some."}, Unreachable),
        (502, b"<html>Bad gateway</html>", Unreachable),
        (404, b"not json", Refused),
        (500, b'{"data": 3}', Refused),
        (200, b"<html>Welcome to my printer</html>", Refused),
        (200, b'{"no": "data"}', Refused),
        (200, b"\xff\xfe", Refused),
    ],
)
def test_what_the_other_side_says_becomes_a_sentence(farm, client, status, body, kind):
    farm.bad["GET /info"] = (status, body)
    with pytest.raises(FarmError) as error:
        client.get("/info")

    assert type(error.value) is kind
    assert error.value.message.endswith(".")
    if isinstance(body, dict):
        assert (error.value.code, error.value.hint) == (body["code"], body["hint"])


def test_a_redirect_is_not_followed(farm, client):
    farm.bad["GET /info"] = (302, b"")
    with pytest.raises(Refused):
        client.get("/info")

    assert farm.asked == ["GET /info"]


def test_nobody_there(client):
    client.server = "http://127.0.0.1:9"
    with pytest.raises(Unreachable, match="cannot be reached"):
        client.get("/info")


def test_somebody_who_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(Unreachable, match="in time"):
            Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2).get("/info")
    assert time.monotonic() - began < 2


def test_somebody_who_hangs_up():
    with socket.socket() as rude:
        rude.bind(("127.0.0.1", 0))
        rude.listen()

        def hang_up():
            connection, _ = rude.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Unreachable):
            Client(f"http://127.0.0.1:{rude.getsockname()[1]}", timeout_s=2).get("/info")
        thread.join()


def test_an_upload_tells_how_far_it_is_and_can_be_stopped(farm, client):
    content = b"x" * 3_000_000
    seen: list[int] = []
    import hashlib

    path = "/blobs/" + hashlib.sha256(content).hexdigest()
    client.upload(path, io.BytesIO(content), len(content), seen.append)
    assert sum(seen) == len(content)
    with pytest.raises(Cancelled):
        client.upload(path, io.BytesIO(content), len(content), cancelled=lambda: True)


def test_a_download_arrives_whole(farm, client):
    farm.bad["GET /jobs/00001/frames/1"] = (200, b"pixels" * 500_000)
    into = io.BytesIO()
    assert client.download("/jobs/00001/frames/1", into) == 3_000_000
    assert client.fetch("/jobs/00001/frames/1")[0] == into.getvalue()


def test_the_token_is_in_no_error(farm):
    with pytest.raises(Denied) as denied:
        Client(farm.url, "ofd_secret_secret").get("/info")
    assert "secret" not in repr(vars(denied.value))
    assert Client(farm.url, f" {TOKEN}\n").get("/info")["farm"] == "fake"

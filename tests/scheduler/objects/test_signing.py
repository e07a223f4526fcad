"""A signed URL allows one thing, for a while, to whoever has no key."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2 import service_account
from object_stores import BUCKET, CREDENTIALS, FakeGcs, Weed
from store_bench import SINGLE_MAX, Bench

from scheduler.objects import gcs
from scheduler.objects.opening import open_storage
from scheduler.objects.port import Announced, Transfer
from scheduler.objects.s3 import S3Objects, make_client
from scheduler.settings import StorageSettings

CONTENT = b"pixels of a frame"
ANNOUNCED = Announced(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
KEY = "staging/7/1/f.png"


@pytest.mark.parametrize("bench", ["local", "gcs"], indirect=True)  # S3 signs with any key
def test_a_disk_and_a_store_without_tls_sign_nothing(bench: Bench) -> None:
    """Google's URLs are signed with a service account's key; an emulator is spoken to without any."""
    assert bench.store.sign("GET", KEY, seconds=60) is None


@pytest.fixture
def s3(weed: Weed, tmp_path: Path):
    return open_storage(weed.url(tmp_path.name), StorageSettings(seal=False), tmp_path).objects


def test_what_was_announced_may_be_put_and_got(s3) -> None:
    put = s3.sign("PUT", KEY, seconds=60, announced=ANNOUNCED)

    assert httpx.put(put.url, content=CONTENT, headers=put.headers).status_code == 200

    got = httpx.get(s3.sign("GET", KEY, seconds=60).url, headers={"Range": "bytes=7-"})
    assert (got.status_code, got.content) == (206, CONTENT[7:])
    with s3.open(KEY) as stream:
        assert stream.read() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"!", CONTENT[:-1] + b"E"])
def test_nothing_else_may_be_put(s3, content: bytes) -> None:
    put = s3.sign("PUT", KEY, seconds=60, announced=ANNOUNCED)
    headers = put.headers | {"Content-Length": str(len(content))}

    assert httpx.put(put.url, content=content, headers=headers).status_code in (400, 403)
    assert s3.size(KEY) is None


def test_a_url_is_for_one_object_and_one_verb(s3) -> None:
    put, get = s3.sign("PUT", KEY, seconds=60, announced=ANNOUNCED), s3.sign("GET", KEY, seconds=60)

    other = put.url.replace("f.png", "g.png")
    assert httpx.put(other, content=CONTENT, headers=put.headers).status_code == 403
    assert httpx.delete(get.url).status_code == 403
    assert httpx.put(get.url, content=CONTENT).status_code == 403


def test_a_url_ends(s3) -> None:
    put = s3.sign("PUT", KEY, seconds=1, announced=ANNOUNCED)
    threading.Event().wait(2.1)

    assert httpx.put(put.url, content=CONTENT, headers=put.headers).status_code == 403


def test_no_secret_is_in_a_url(s3) -> None:
    assert "farmsecret" not in s3.sign("PUT", KEY, seconds=60, announced=ANNOUNCED).url


@pytest.mark.parametrize(
    ("bucket", "beginning"),
    [
        ("studio", "https://studio.s3.eu-west-1.amazonaws.com/k?"),
        ("stu.dio", "https://s3.eu-west-1.amazonaws.com/stu.dio/k?"),
    ],
)
def test_amazons_urls_name_the_region(monkeypatch: pytest.MonkeyPatch, bucket: str, beginning: str) -> None:
    """Its global host would send a worker on, and the signature would not be good there."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    transfer = Transfer(1, SINGLE_MAX, 1)
    store = S3Objects(make_client(None, "eu-west-1", transfer, bucket=bucket), bucket, "", transfer)

    for method in ("GET", "PUT"):
        assert store.sign(method, "k", seconds=60).url.startswith(beginning)


def test_google_urls_are_signed_with_a_key_of_a_service_account(fake_gcs: FakeGcs) -> None:
    """The stand-in does not check signatures; that the URL names object, size and account can be seen."""
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"client_email": "farm@studio.example", "private_key": pem.decode(), "token_uri": "http://127.0.0.1:1/"}
    signing = service_account.Credentials.from_service_account_info(account)
    client, _none = gcs.make_client(fake_gcs.gate.url)
    store = gcs.GcsObjects(client, BUCKET, "signed", Transfer(1, SINGLE_MAX, 1), signing=signing)

    put, get = store.sign("PUT", KEY, seconds=60, announced=ANNOUNCED), store.sign("GET", KEY, seconds=60)

    assert put is not None
    assert get is not None
    assert put.headers == {"x-goog-content-length-range": f"0,{len(CONTENT)}"}
    for told in ("farm%40studio.example", "X-Goog-Expires=60", "x-goog-content-length-range", f"signed/{KEY}"):
        assert told in put.url
    assert httpx.put(put.url, content=CONTENT, headers=put.headers).status_code == 200
    assert httpx.get(get.url).content == CONTENT

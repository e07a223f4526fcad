"""From a URL to a store: what is refused, what is tried out first, and how troubles are told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from object_stores import CREDENTIALS, FakeGcs, Weed, free_ports
from store_gates import ForgetfulS3

from scheduler.errors import Refused, Unavailable
from scheduler.objects import gcs, s3
from scheduler.objects.opening import open_storage, parse_address
from scheduler.objects.parts import plan_parts
from scheduler.settings import StorageSettings

SETTINGS = StorageSettings(seal=False)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/x", "'ftp' is no kind of storage"),
        ("/mnt/farm", "'/mnt/farm' is no kind of storage"),
        ("s3://key:secret@bucket/x", "credentials do not belong"),
        ("s3://bucket?endpoint=http://h", "no option 'endpoint'"),
        ("gs://bucket?region=x", "no option 'region'"),
        ("file://host/x", "names an absolute path"),
        ("file:///", "names an absolute path"),
        ("s3:///prefix", "bucket and prefix are"),
        ("s3://bucket/a b", "bucket and prefix are"),
        ("gs://bucket/../x", "bucket and prefix are"),
    ],
)
def test_a_wrong_url_is_refused_in_words(url: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem) as caught:
        parse_address(url)

    assert caught.value.code == "storage_url"
    assert caught.value.hint


def test_an_address_is_taken_apart() -> None:
    found = parse_address("s3://bucket/studio/farm/?endpoint_url=http%3A%2F%2Fhost%3A9000&region=eu-central-1")

    assert (found.scheme, found.place, found.prefix) == ("s3", "bucket", "studio/farm")
    assert found.options == {"endpoint_url": "http://host:9000", "region": "eu-central-1"}


def test_a_folder_is_a_store(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/elsewhere", SETTINGS, tmp_path / "data")

    assert not storage.remote
    assert storage.root == tmp_path / "elsewhere"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [], "the trial leaves nothing"


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Unavailable, match="cannot be used as storage"):
        open_storage(f"file://{tmp_path}/file", SETTINGS, tmp_path / "data")


def test_a_good_store_is_taken(weed: Weed, fake_gcs: FakeGcs, tmp_path: Path) -> None:
    for url in (weed.url("trial"), fake_gcs.url("trial")):
        assert open_storage(url, SETTINGS, tmp_path).remote

    assert weed.keys("trial") == weed.uploads("trial") == fake_gcs.keys("trial") == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("forgets", "way"), [("whole", "in one piece"), ("parts", "in parts")])
def test_an_s3_that_ignores_the_condition_is_refused(
    forgets: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    store = ForgetfulS3(forgets=forgets)
    try:
        with pytest.raises(Unavailable, match=f"overwrites objects that it was asked not to \\({way}\\)") as caught:
            open_storage(f"s3://b?endpoint_url={quote(store.url)}&region=x", SETTINGS, tmp_path)
    finally:
        store.stop()

    assert caught.value.code == "storage_unconditional"
    assert "If-None-Match" in caught.value.hint
    assert store.objects == {}


def test_a_proxy_that_drops_the_condition_is_noticed(fake_gcs: FakeGcs, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"overwrites .* \(in one piece\)"):
        open_storage(fake_gcs.url("dropped", fake_gcs.forgetful.url), SETTINGS, tmp_path)


def test_a_store_that_keeps_it_for_small_files_only_is_refused(fake_gcs: FakeGcs, tmp_path: Path) -> None:
    """fake-gcs-server itself is such a store: it passes over the condition of a compose."""
    with pytest.raises(Unavailable, match=r"overwrites .* \(in parts\)"):
        open_storage(fake_gcs.url("raw", fake_gcs.raw), SETTINGS, tmp_path)


def test_a_store_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "ATTEMPTS_MAX", 1)
    monkeypatch.setattr(gcs, "_RETRY", None)
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"

    for url in (f"s3://b?endpoint_url={nobody}&region=x", f"gs://b?endpoint={nobody}"):
        with pytest.raises(Unavailable, match="cannot be reached") as caught:
            open_storage(url, SETTINGS, tmp_path)
        assert caught.value.code == "storage_unreachable"


def test_wrong_credentials(weed: Weed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(Unavailable, match="does not let this scheduler in") as caught:
        open_storage(weed.url("x"), SETTINGS, tmp_path)

    assert caught.value.code == "storage_denied"


def test_no_credentials_at_all(weed: Weed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    for url in (weed.url("x"), "gs://bucket/x"):
        with pytest.raises(Unavailable, match="no credentials were found"):
            open_storage(url, SETTINGS, tmp_path)


def test_no_bucket(fake_gcs: FakeGcs, tmp_path: Path) -> None:
    url = f"gs://nobodys?endpoint={quote(fake_gcs.gate.url)}"

    with pytest.raises(Unavailable, match="There is no bucket"):
        open_storage(url, SETTINGS, tmp_path)


def test_no_cloud_library_is_loaded_for_a_folder() -> None:
    import subprocess
    import sys

    code = "import sys, scheduler.objects.opening; print([m for m in sys.modules if m.startswith(('boto', 'google'))])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "[]"


@given(st.integers(0, 10**13), st.integers(1, 10**9), st.integers(1, 10_000))
def test_parts_cover_a_file(size: int, part_bytes: int, parts_max: int) -> None:
    """Without a gap, each of one size but the last, and never too many."""
    if size // part_bytes > 20_000:
        part_bytes = max(part_bytes, size // 20_000)
    plan = plan_parts(size, part_bytes, parts_max)

    assert [part.number for part in plan] == list(range(1, len(plan) + 1))
    assert [part.offset for part in plan] == [sum(each.size for each in plan[:1]) * n for n in range(len(plan))]
    assert sum(part.size for part in plan) == size
    assert len(plan) <= parts_max
    assert all(part.size == plan[0].size for part in plan[:-1])
    assert size == 0 or min(part.size for part in plan) > 0

"""The client of another farm, against a real farm over real sockets, and against what is no farm at all."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from api_client import ServedFarm
from live_api import listening, until
from pydantic import SecretStr

from scheduler.backends.site.answers import job_of
from scheduler.backends.site.client import SiteClient
from scheduler.backends.site.pace import BURST_S, Pace
from scheduler.backends.site.troubles import SiteDenied, SiteFault, SiteRefused, SiteSilent
from scheduler.clock import ManualClock, SystemClock
from scheduler.domain.handover import FarFrame
from scheduler.domain.states import JobStatus
from scheduler.security.authority import open_authority
from scheduler.settings import SitePool


@pytest.fixture
def far(tmp_path):
    farm = ServedFarm(tmp_path / "far")
    yield farm
    farm.close()


def client_of(url: str, token: str = "t", **more: Any) -> SiteClient:
    known = {"timeout_s": 5, "connect_timeout_s": 2} | more
    return SiteClient(SitePool(url=url, token=SecretStr(token), **known), SystemClock())


def talk(farm: ServedFarm, calls: Callable[[SiteClient], Any], *, role: str = "user", **more: Any) -> Any:
    """Call the farm's real socket from a thread."""

    async def run() -> Any:
        async with listening(farm) as url:
            client = client_of(url, farm.tokens[role], **more)
            try:
                return await asyncio.to_thread(calls, client)
            finally:
                client.close()

    return farm.run(run())


def test_the_life_of_a_job_there(far):
    def calls(client: SiteClient) -> None:
        assert client.farm_id() == "test-farm"
        payload = {"name": "shot", "frames": "1-3", "paused": True, "hops": ["home"]}
        first = client.submit("key-1", payload)
        assert client.submit("key-1", payload) == first, "the same key and payload are the same job"
        assert (first.job, first.status, first.frames) == ("00001", JobStatus.PAUSED, 3)
        client.tell("00001", "resume")
        client.tell("00001", "priority", {"priority": 71})
        seen = client.look("00001", closely=True)
        assert seen is not None and seen.status is JobStatus.QUEUED and seen.reason
        assert client.look("00077", closely=False) is None
        client.tell("00001", "cancel")
        client.tell("00001", "pause")  # pointless by now, and no error
        client.tell("00077", "cancel")
        assert client.look("00001", closely=False).status is JobStatus.CANCELED

    talk(far, calls)
    assert far.data("GET", "/jobs/00001")["priority"] == 71
    assert far.data("GET", "/jobs/00001")["hops"] == ["home"]
    assert len(far.data("GET", "/jobs")) == 1


def test_what_it_does_not_take_is_told_in_its_words(far):
    with pytest.raises(SiteRefused, match="no renderer 'povrey'") as refused:
        talk(far, lambda client: client.submit("k", {"name": "x", "renderer": "povrey"}))
    assert refused.value.code == "unknown_renderer"


def test_a_token_that_is_not_accepted(far):
    with pytest.raises(SiteDenied, match="does not let this farm in"):
        talk(far, lambda client: client.farm_id(), role="wrong")


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "geheïm", "x" * 201])
def test_what_cannot_be_a_token_is_neither_sent_nor_shown(token):
    with pytest.raises(SiteDenied, match="holds no token") as denied:
        client_of("http://127.0.0.1:1", token).farm_id()
    assert not token or token not in denied.value.message


def test_a_token_file_is_read_anew_each_time(far, tmp_path):
    file = tmp_path / "token"
    file.write_text("wrong")

    async def run() -> str:
        async with listening(far) as url:
            client = SiteClient(SitePool(url=url, token_file=file), SystemClock())
            with pytest.raises(SiteDenied):
                await asyncio.to_thread(client.farm_id)
            file.write_text(far.tokens["user"] + "\n")
            found = await asyncio.to_thread(client.farm_id)
            file.unlink()
            with pytest.raises(SiteDenied, match="cannot be read"):
                await asyncio.to_thread(client.farm_id)
            client.close()
            return found

    assert far.run(run()) == "test-farm"


def test_a_scene_is_sent_once(far, tmp_path):
    scene = tmp_path / "a.obj"
    scene.write_bytes(b"v 0 0 0\n" * 100_000)
    digest = hashlib.sha256(scene.read_bytes()).hexdigest()

    def calls(client: SiteClient) -> None:
        client.ship(digest, scene)
        scene.unlink()
        client.ship(digest, scene)  # it is there: the file is not even opened
        with pytest.raises(FileNotFoundError):
            client.ship("0" * 64, scene)

    talk(far, calls)
    assert far.store.blobs.path(digest).stat().st_size == 800_000


def test_a_file_that_is_damaged_on_the_way_is_refused(far, tmp_path):
    scene = tmp_path / "a.obj"
    scene.write_bytes(b"v 0 0 0\n")
    with pytest.raises(SiteRefused) as refused:
        talk(far, lambda client: client.ship("0" * 64, scene))
    assert refused.value.code == "hash_mismatch"


def test_a_pool_without_a_token_says_so():
    with pytest.raises(SiteDenied, match="holds no token"):
        SiteClient(SitePool(url="http://127.0.0.1:1"), SystemClock()).farm_id()


def test_https_is_checked_by_the_authority_that_is_named(far, tmp_path):
    authority = open_authority(tmp_path / "tls", "far", SystemClock().now())
    certificate, key = authority.server_files(["127.0.0.1"], days=1, now=SystemClock().now())

    async def run() -> None:
        async with listening(far, ssl_certfile=str(certificate), ssl_keyfile=str(key)) as url:
            ask = SitePool(url=url.replace("http:", "https:"), token=SecretStr(far.tokens["user"]))
            trusting = SiteClient(ask.model_copy(update={"ca_file": authority.ca_file}), SystemClock())
            assert await asyncio.to_thread(trusting.farm_id) == "test-farm"
            blind = SiteClient(ask.model_copy(update={"verify": False}), SystemClock())
            assert await asyncio.to_thread(blind.farm_id) == "test-farm"
            doubting = SiteClient(ask, SystemClock())
            with pytest.raises(SiteSilent, match="certificate verify failed"):
                await asyncio.to_thread(doubting.farm_id)
            for client in (trusting, blind, doubting):
                client.close()

    far.run(run())


# ---- Frames come home ----------------------------------------------------------------------------------------------

PIXELS = bytes(range(256)) * 4000


@pytest.fixture
def published(far):
    far.post_job(frames="1-2")
    far.publish("00001", 2, PIXELS)
    return FarFrame(2, hashlib.sha256(PIXELS).hexdigest(), len(PIXELS))


def test_frames_are_listed_page_after_page(far, published, monkeypatch):
    monkeypatch.setattr("scheduler.backends.site.client.PAGE_ROWS", 1)
    assert talk(far, lambda client: client.frames("00001")) == [published]


@pytest.mark.parametrize("there", [0, 1, 700_000, len(PIXELS)])
def test_a_file_is_gone_on_from_where_it_broke_off(far, published, tmp_path, there):
    part = tmp_path / "in" / ".0002.png.part"
    part.parent.mkdir()
    part.write_bytes(PIXELS[:there])
    talk(far, lambda client: client.fetch("00001", published, part))
    assert part.read_bytes() == PIXELS


@pytest.mark.parametrize("rubbish", [b"x" * 10, b"x" * len(PIXELS)])
def test_what_does_not_have_the_hash_is_thrown_away(far, published, tmp_path, rubbish):
    part = tmp_path / ".part"
    part.write_bytes(rubbish)
    with pytest.raises(SiteSilent, match="arrived damaged"):
        talk(far, lambda client: client.fetch("00001", published, part))
    assert not part.exists()
    talk(far, lambda client: client.fetch("00001", published, part))
    assert part.read_bytes() == PIXELS


def test_more_than_there_is_begins_anew(far, published, tmp_path):
    part = tmp_path / ".part"
    part.write_bytes(PIXELS + b"more")
    talk(far, lambda client: client.fetch("00001", published, part))
    assert part.read_bytes() == PIXELS


# ---- What is no farm -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()):
    """A server that always says the same."""

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (200, b"hello", (), "does not answer like an Outfield farm"),
        (200, b'{"data": {}}', (), "does not say which farm"),
        (404, b"nothing here", (), "answers with 404"),
        (302, b"", ((b"location", b"http://127.0.0.1:1/"),), "answers with 302"),
        (502, b"bad gateway", (), "answers with 502"),
        (429, b"{}", ((b"retry-after", b"17"),), "answers with 429"),
        (503, b'{"data": {"code": "shutting_down"}, "message": "It stops."}', (), "It stops."),
    ],
)
def test_what_is_no_answer_of_a_farm(status, body, headers, words):
    async def run() -> SiteSilent:
        async with answering(status, body, headers) as url:
            client = client_of(url)
            with pytest.raises(SiteSilent, match=words) as silent:
                await asyncio.to_thread(client.farm_id)
            client.close()
            return silent.value

    assert asyncio.run(run()).retry_s == (17 if status == 429 else 0)


def test_nobody_there():
    with pytest.raises(SiteSilent, match="cannot be reached"):
        client_of("http://127.0.0.1:1").farm_id()


def test_a_ca_file_that_cannot_be_used_says_so(tmp_path):
    client = client_of("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    with pytest.raises(SiteDenied, match="ca_file"):
        client.farm_id()


@pytest.mark.parametrize(
    "change", [{"jobID": "../etc"}, {"status": "DANCING"}, {"frame_count": None}, {"frames_published": "x"}]
)
def test_a_job_that_is_none(change):
    data = {"jobID": "00001", "status": "QUEUED", "frames_published": 0, "frame_count": 1, "reason": ""}
    assert job_of(data).job == "00001"
    with pytest.raises(SiteFault):
        job_of(data | change)


def test_the_speed_limit():
    clock = ManualClock()
    pace = Pace(1000, clock)
    assert pace.owed_s(0) == 0
    assert pace.owed_s(2000) == pytest.approx(2.0)
    clock.advance(2)
    assert pace.owed_s(1000) == pytest.approx(1.0)
    clock.advance(60)
    assert pace.owed_s(int(1000 * BURST_S)) == 0, "a rest is a credit, of one burst at the most"
    assert Pace(None, clock).owed_s(10**12) == 0


def test_a_limited_line_takes_its_time(far, published, tmp_path):
    clock = SystemClock()
    began_s = clock.monotonic()
    talk(far, lambda client: client.fetch("00001", published, tmp_path / "p"), bytes_per_s_max=len(PIXELS) * 2)
    assert clock.monotonic() - began_s > 0.4
    assert Path(tmp_path / "p").read_bytes() == PIXELS

"""From the spool to the farm: what the farm lacks and nothing else, one job whatever dies, and plain words."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fake_farm import TOKEN
from outfield_core import hashing
from outfield_core.client import Client
from outfield_core.errors import Cancelled, Denied, LocalTrouble, Refused, Unreachable
from outfield_core.hashing import HashCache
from outfield_core.sending import Watch, flush
from outfield_core.spool import Spool
from spooled import in_a_child, keep, leftovers


@pytest.fixture
def textures(tmp_path):
    """Two files that have not been touched for long."""
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for number, path in enumerate(paths):
        path.write_bytes(b"texture %d" % number)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return tuple(map(str, paths))


def send_all(spool, client, cache):
    return list(flush(spool, client, cache, lambda _: Watch()))


def test_the_second_time_costs_one_request_and_reads_no_texture(farm, spool, client, cache, textures, monkeypatch):
    keep(spool, farm.url, files=textures)
    (first,) = send_all(spool, client, cache)
    uploads = [each for each in farm.asked if each.startswith("PUT")]
    farm.asked.clear()
    read: list[str] = []
    original = open
    monkeypatch.setattr(
        hashing, "open", lambda path, *rest, **named: read.append(path) or original(path, *rest, **named), raising=False
    )
    keep(spool, farm.url, files=textures)
    (second,) = send_all(spool, client, HashCache(cache._path))

    assert (first.job["jobID"], second.job["jobID"]) == ("00001", "00002")
    assert len(uploads) == 4, "the scene, two textures, the manifest"
    assert farm.asked == ["POST /new_job"]
    assert [path for path in read if path in textures] == []
    assert leftovers(spool) == []


def test_a_texture_that_changed_is_sent_anew_and_alone(farm, spool, client, cache, textures):
    keep(spool, farm.url, files=textures)
    send_all(spool, client, cache)
    Path(textures[0]).write_bytes(b"painted!!")
    farm.asked.clear()
    keep(spool, farm.url, files=textures)
    send_all(spool, client, cache)

    assert len([each for each in farm.asked if each.startswith("PUT")]) == 2, "the texture and the manifest"
    assert b"painted!!" in farm.blobs.values()


def test_kill_9_anywhere_makes_exactly_one_job(farm, tmp_path, textures):
    """At every single call that touches disk or network while sending; then the next start."""
    for count in range(0, 400, 3):
        spool = Spool(str(tmp_path / f"spool{count}"))
        before = len(farm.jobs)
        keep(spool, farm.url, files=textures)

        def act(spool=spool) -> None:
            send_all(spool, Client(farm.url, TOKEN), HashCache(str(tmp_path / "none" / "h")))

        survived = in_a_child(act, count)
        spool.sweep()
        send_all(spool, Client(farm.url, TOKEN), HashCache(str(tmp_path / "h")))
        assert len(farm.jobs) == before + 1
        assert leftovers(spool) == []
        if survived:
            return
    pytest.fail("it never came to its end")


def test_three_while_the_farm_is_away_are_three_when_it_is_back(farm, spool, cache):
    for number in range(3):
        keep(spool, farm.url, name=str(number), order=str(number))
    away = Client(farm.url, TOKEN)
    away.server = "http://127.0.0.1:9"
    kept_for_it = spool.waiting()
    (outcome,) = flush(_Renamed(spool, away.server), away, cache, lambda _: Watch())
    assert isinstance(outcome.error, Unreachable)
    assert len(spool.waiting()) == len(kept_for_it) == 3

    done = send_all(spool, Client(farm.url, TOKEN), cache)
    assert [each.job["name"] for each in done] == ["0", "1", "2"]
    assert len(farm.jobs) == 3
    assert send_all(spool, Client(farm.url, TOKEN), cache) == []


class _Renamed:
    """The same spool, whose submissions are for a farm that is away."""

    def __init__(self, spool, server):
        self._spool, self._server = spool, server

    def waiting(self, _server):
        return self._spool.waiting()

    def claim(self, kept):
        return self._spool.claim(kept)


def test_a_wrong_token_keeps_it(farm, spool, cache):
    keep(spool, farm.url)
    (outcome,) = send_all(spool, Client(farm.url, "wrong"), cache)

    assert isinstance(outcome.error, Denied)
    assert len(spool.waiting()) == 1


def test_a_refusal_puts_it_aside_and_the_next_is_sent(farm, spool, client, cache):
    keep(spool, farm.url, name="", order="1")
    keep(spool, farm.url, name="good", order="2")
    farm.bad["POST /new_job"] = (422, {"code": "unknown_renderer", "hint": "Renderers: blender."})
    outcomes = flush(spool, client, cache, lambda _: Watch())
    refused = next(outcomes)
    farm.bad.clear()

    assert isinstance(refused.error, Refused)
    assert [each.job["name"] for each in outcomes] == ["good"]
    assert spool.refused()[0]["hint"] == "Renderers: blender."


def test_a_file_that_went_missing_is_told_by_its_name(farm, spool, client, cache, textures):
    keep(spool, farm.url, files=textures)
    Path(textures[1]).unlink()
    (outcome,) = send_all(spool, client, cache)

    assert isinstance(outcome.error, LocalTrouble)
    assert "two.png" in str(outcome.error)


def test_cancel_takes_it_out_and_sends_the_next(farm, spool, client, cache):
    keep(spool, farm.url, name="first", order="1")
    keep(spool, farm.url, name="second", order="2")
    watches = []

    def watch_for(kept):
        watches.append(Watch())
        watches[-1].cancel_asked = kept.name == "first"
        return watches[-1]

    first, second = flush(spool, client, cache, watch_for)
    assert isinstance(first.error, Cancelled)
    assert second.job["name"] == "second"
    assert leftovers(spool) == []


def test_a_file_that_changes_between_the_seal_and_the_upload_is_sealed_anew(farm, spool, client, cache, textures):
    kept = keep(spool, farm.url, files=textures)
    claim = spool.claim(kept)
    from outfield_core.sending import send

    class Changing(Watch):
        def begin(self, stage, total_bytes, note=""):
            super().begin(stage, total_bytes, note)
            if stage == "asking" and Path(textures[0]).read_bytes() == b"texture 0":
                Path(textures[0]).write_bytes(b"other one")

    job = send(claim, client, cache, Changing())
    assert job["jobID"] == "00001"
    assert b"other one" in farm.blobs.values()
    assert b"texture 0" not in farm.blobs.values()


def test_a_watch_tells_how_far_it_is(farm, spool, client, cache, textures):
    keep(spool, farm.url, files=textures)
    stages: list[str] = []

    class Noting(Watch):
        def begin(self, stage, total_bytes, note=""):
            super().begin(stage, total_bytes, note)
            stages.append(stage)

    list(flush(spool, client, cache, lambda _: Noting()))
    assert stages == ["hashing", "asking", "uploading", "asking", "uploading", "asking"]


def test_a_changed_file_is_read_again_and_a_fresh_one_is_not_trusted(tmp_path, cache):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    first = hashing.file_hash(str(path), cache, time.time_ns())
    status = path.stat()
    assert cache.known(str(path), status) is None, "its time may hide a further change"
    os.utime(path, (1, 1))
    assert hashing.file_hash(str(path), cache, time.time_ns()) == first
    assert cache.known(str(path), path.stat()) == first
    other = tmp_path / "b"
    other.write_bytes(b"2")
    os.utime(other, (1, 1))
    os.replace(other, path)  # the same size and time, and another file
    assert cache.known(str(path), path.stat()) is None
    assert hashing.file_hash(str(path), cache, time.time_ns()) != first
    cache.save()
    assert HashCache(cache._path).known(str(path), path.stat()) == hashing.file_hash(str(path), cache, time.time_ns())


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 1, "files": 3}', '{"format": 9, "files": {}}'])
def test_a_damaged_cache_only_costs_time(tmp_path, content):
    (tmp_path / "h").write_text(content)
    (tmp_path / "a").write_bytes(b"1")

    assert len(hashing.file_hash(str(tmp_path / "a"), HashCache(str(tmp_path / "h")), time.time_ns())) == 64

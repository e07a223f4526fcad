"""Pictures from the farm: asked for once, none is no trouble, the oldest go."""

from __future__ import annotations

import os
from pathlib import Path

from fake_farm import TOKEN, fake_farm
from outfield_core import album
from outfield_core.client import Client

FRAME = {"frame": 3, "hash": "ab" * 32}


def test_a_preview_is_asked_for_once_and_none_is_no_trouble(tmp_path):
    with fake_farm() as farm:
        client, made = Client(farm.url, TOKEN), album.Album(str(tmp_path))
        farm.bad["GET /jobs/00001/frames/3/preview"] = (503, {"code": "busy", "hint": "Later."})
        assert made.preview(client, "00001", FRAME) == ""
        farm.bad["GET /jobs/00001/frames/3/preview"] = (200, b"small")
        paths = {made.preview(client, "00001", FRAME) for _ in range(3)}
        asked = farm.asked.count("GET /jobs/00001/frames/3/preview")

    (path,) = paths
    assert Path(path).read_bytes() == b"small"
    assert asked == 2


def test_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(album, "KEPT_MAX", 3)
    made = album.Album(str(tmp_path))
    for number in range(5):
        path = made.keep(f"{number}.png", b"x")
        os.utime(path, (number, number))
    made.keep("last.png", b"x")

    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["3.png", "4.png", "last.png"]

"""A courier that is killed with SIGKILL right after the site has done what it was asked, and one that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import outbox_child
import pytest
from fake_shotgrid import FakeShotGrid
from outbox_desk import outbox_desk
from PIL import Image

pytestmark = pytest.mark.processes

DEADLINE_S = 60


class Assassin:
    """Kills a process as soon as the site has carried out the n-th of its calls, before the answer is on its way."""

    def __init__(self, fake: FakeShotGrid, victim: int) -> None:
        self.calls, self.victim, self.pid = 0, victim, 0
        for method in ("read", "schema_field_read", "create", "update"):
            fake.site.calls[method] = self._after(fake.site.calls[method])
        fake.site.receive = self._after(fake.site.receive)  # type: ignore[method-assign]

    def _after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def carried_out(*arguments: Any) -> Any:
            done = call(*arguments)
            self.calls += 1
            if self.calls == self.victim:
                os.kill(self.pid, signal.SIGKILL)
            return done

        return carried_out


def run(data: Path, fake: FakeShotGrid, assassin: Assassin | None = None) -> int:
    process = subprocess.Popen([sys.executable, outbox_child.__file__, str(data), fake.url, fake.api_key])
    if assassin is not None:
        assassin.pid = process.pid
    return process.wait(DEADLINE_S)


@pytest.mark.parametrize("call", [4, 5, 6])
def test_killed_after_creating_and_after_each_upload(call: int, tmp_path: Path) -> None:
    with outbox_desk(tmp_path) as desk:
        desk.finished()
        desk.courier.close()
        desk.farm.store.close()

        assert run(tmp_path, desk.fake, Assassin(desk.fake, call)) == -signal.SIGKILL
        assert len(desk.fake.rows("Version")) == 1
        assert run(tmp_path, desk.fake) == 0

        desk.farm._open()
        desk.new_courier()
        assert len(desk.fake.calls("create")) == 1
        assert desk.statuses() == [("version", "SENT")]
        (version,) = desk.fake.rows("Version")
        assert version["frame_count"] == 3
        uploads = {upload.field: upload.data for upload in desk.fake.site.uploads.values()}
        with Image.open(BytesIO(uploads["image"])) as thumbnail:
            assert thumbnail.format == "PNG"
        with av.open(BytesIO(uploads["sg_uploaded_movie"])) as movie:
            assert len(list(movie.decode(video=0))) == 3

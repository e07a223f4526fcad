"""kill -9 in the middle of an upload: nothing torn, the rest is sent by the next try, or swept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from object_stores import Weed
from upload_child import PART_BYTES

from scheduler.objects.opening import open_storage
from scheduler.objects.port import ObjectStore
from scheduler.settings import StorageSettings

pytestmark = pytest.mark.processes

KEY = "blobs/ab/abcdef"
CHILD = Path(__file__).parents[2] / "support" / "upload_child.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(5 * PART_BYTES - 17))
    return path


@pytest.fixture
def objects(weed: Weed, tmp_path: Path) -> ObjectStore:
    return open_storage(weed.url(tmp_path.name), StorageSettings(seal=False), tmp_path).objects


def upload(url: str, file: Path, wait_after: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), url, str(file), KEY, str(wait_after)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_after(child: subprocess.Popen[str], line: str) -> None:
    """Watch what it says, and kill it at once when it says this."""
    with child:
        for said in child.stdout:
            if said.strip() == line:
                child.send_signal(signal.SIGKILL)
                break
    assert child.wait() == -signal.SIGKILL, "it ended by itself"


@pytest.mark.parametrize("wait_after", [3, 0], ids=["between two parts", "while a part travels"])
def test_a_killed_upload_goes_on_where_it_was(
    weed: Weed, objects: ObjectStore, tmp_path: Path, file: Path, wait_after: int
) -> None:
    url = weed.url(tmp_path.name)
    kill_after(upload(url, file, wait_after), "part 3")
    assert objects.size(KEY) is None, "no torn object"
    assert weed.uploads(tmp_path.name) != []

    with upload(url, file) as again:
        said = again.stdout.read().split("\n")

    assert said[-2] == "done True"
    assert said.count("sending") <= 2, "the three that had arrived were not sent again"
    with objects.open(KEY) as stream:
        assert stream.read() == file.read_bytes()
    assert weed.uploads(tmp_path.name) == []


def test_an_upload_that_nobody_takes_up_is_swept(weed: Weed, objects: ObjectStore, tmp_path: Path, file: Path) -> None:
    kill_after(upload(weed.url(tmp_path.name), file, 2), "part 2")
    now_s = time.time()

    assert objects.sweep("", before_s=now_s - 60, objects=False) == 0, "young enough to be taken up"
    assert objects.sweep("", before_s=now_s + 60, objects=False) == 1

    assert weed.uploads(tmp_path.name) == weed.keys(tmp_path.name) == []

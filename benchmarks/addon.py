"""The Blender add-on under load: 50,000 objects in a real window, and 2 GB of textures that have not changed.

    .venv/bin/python benchmarks/addon.py [--objects 50000] [--gigabytes 2]

Main-thread figures are the thread's own time (`time.thread_time`) between two turns of Blender's event loop, drawing
included; the time on the wall stands beside, and grows with whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("tests/support", "addons/shared", "")]

from blender_inside import AddonHome
from blender_window import run_window
from components import find
from fake_farm import TOKEN, fake_farm
from outfield_core.client import Client
from outfield_core.hashing import HashCache
from outfield_core.sending import Watch, flush
from outfield_core.spool import Spool

from scheduler.addons.packing import build

FILES = 64


def objects(folder: Path, count: int) -> dict[str, float]:
    """A scene of so many objects: check it, submit it as it is saved, submit it changed. Seconds."""
    blender = find("blender")
    if blender is None or find("xvfb") is None:
        return {}
    archive = folder / "addon.zip"
    archive.write_bytes(build("blender").content)
    home = AddonHome(blender, archive, folder / "artist")
    home.folder.mkdir()
    path = home.folder / "many.blend"
    home.run(["addon_load:many_objects", str(path), count])
    with fake_farm() as farm:
        told = run_window(home, "addon_load:hold", farm.url, TOKEN, scene=str(path))
        saved = run_window(home, "addon_load:save_of_changes", scene=str(path))
    return {
        "main_thread_held_s": told["held_s"],
        "main_thread_held_wall_s": told["wall_s"],
        "slowest_tick_s": told["slowest_tick_s"],
        "check_s": told["check_s"],
        "main_thread_held_while_a_changed_scene_is_written_s": saved["held_s"],
        "main_thread_held_while_a_changed_scene_is_written_wall_s": saved["wall_s"],
    }


def textures(folder: Path, gigabytes: float) -> dict[str, float]:
    """Textures of random bytes in 64 files: the first submission, and a second one of the same. Seconds."""
    size = int(gigabytes * 2**30 / FILES)
    paths = [folder / f"texture{number}.exr" for number in range(FILES)]
    for path in paths:
        with path.open("wb") as file:
            for _ in range(size // 2**20):
                file.write(os.urandom(2**20))
        os.utime(path, (1_000_000_000, 1_000_000_000))
    took: dict[str, float] = {}
    spool = Spool(str(folder / "spool"))
    with fake_farm() as farm:
        for name in ("first_submission_s", "second_submission_s"):
            draft = spool.begin()
            Path(draft.folder, "a.blend").write_bytes(b"BLENDER-v304")
            content = {"server": farm.url, "body": {"name": "x"}, "scene": "a.blend", "origin": str(folder / "a.blend")}
            began_s = time.perf_counter()
            draft.commit({**content, "files": [str(path) for path in paths]}, name)
            (done,) = flush(spool, Client(farm.url, TOKEN), HashCache(str(folder / "hashes.json")), lambda _: Watch())
            took[name] = time.perf_counter() - began_s
            assert done.job is not None, done.error
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = textures(Path(name), asked.gigabytes)
    with tempfile.TemporaryDirectory() as name:
        found |= objects(Path(name), asked.objects)
    print(json.dumps({key: round(value, 4) for key, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()

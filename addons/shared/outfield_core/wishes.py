# SPDX-License-Identifier: Apache-2.0
"""What an artist wishes, as plain values by name, the same in every program; and how they become a `Wish`. PURE."""

from __future__ import annotations

from typing import Any, Dict

from .costs import usd_of
from .payload import Wish

DEFAULTS: Dict[str, Any] = {
    "job_name": "",
    "frames_mode": "SCENE",  # SCENE, RANGE, CURRENT or MISSING
    "frames": "1-10",
    "output_mode": "SCENE",  # SCENE: where the program itself would write; FARM: the farm keeps the frames
    "split_mode": "FRAMES",  # FRAMES, TILES or SAMPLES
    "chunk": 1,
    "tiles_x": 2,
    "tiles_y": 2,
    "sample_slices": 4,
    "project": "",
    "sequence": "",
    "shot": "",
    "task": "",
    "priority": 50,
    "deadline": "",
    "pool": "",
    "cloud": "allow",
    "cost_cap_usd": "",  # US dollars; 0: only where it is free; empty: no bound
    "preview_first": False,
    "paused": False,
    "overrides": {},  # settings of the renderer as the farm describes them
}


def overridden(said: Dict[str, Any], ground: Dict[str, Any]) -> Dict[str, Any]:
    """`ground` with what a Python call says in its place.

    Raises:
        TypeError: a wish that there is not.
    """
    unknown = sorted(set(said) - set(ground))
    if unknown:
        raise TypeError("There is no wish {!r}. Wishes: {}.".format(unknown[0], ", ".join(sorted(ground))))
    made = dict(ground, **said)
    if "frames" in said and "frames_mode" not in said:
        made["frames_mode"] = "RANGE"
    return made


def frames_wished(said: Dict[str, Any], *, scene: str, current: int) -> str:
    """The frames as the farm reads them; `scene`: those that the scene itself renders."""
    if said["frames_mode"] == "RANGE":
        return str(said["frames"]).strip()
    return str(current) if said["frames_mode"] == "CURRENT" else scene


def take_over(wish: Wish, said: Dict[str, Any]) -> None:
    """Put what was said into a wish: how it is split, whose it is, when and where it may run, what it may cost.

    Raises:
        Refused: a cost cap that is no sum.
    """
    if said["split_mode"] == "TILES":
        wish.tiles = (int(said["tiles_x"]), int(said["tiles_y"]))
    elif said["split_mode"] == "SAMPLES":
        wish.samples_split = int(said["sample_slices"])
    else:
        wish.chunk = int(said["chunk"])
    for name in ("project", "sequence", "shot", "task"):
        setattr(wish, name, str(said[name]))
    wish.priority, wish.deadline, wish.cloud = int(said["priority"]), str(said["deadline"]), str(said["cloud"])
    wish.cost_cap_usd = usd_of(said["cost_cap_usd"])
    wish.pools = [str(said["pool"])] if said["pool"] else []
    wish.preview_first, wish.paused = bool(said["preview_first"]), bool(said["paused"])

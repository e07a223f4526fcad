"""The engines that Maya's `Render` drives: their names, their own flags, and how their logs tell progress. PURE.

Common flags: Autodesk, "Common flags for the command line renderer"; of `-r arnold`: Arnold for Maya User Guide, "Batch
Render Flags" and `Render -r arnold -help`; of `-r sw`: "Renderer-specific flags". Those of V-Ray, Redshift and
RenderMan, and the lines of the logs: AWS Thinkbox Deadline's MayaCmd and CGRU's parsers, as facts. An engine is given
no flag that is not known from one of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FORMAT_WORDS = {"png": "png", "jpg": "jpg", "exr": "exr"}
"""What `-of` calls the farm's formats."""


@dataclass(frozen=True)
class Engine:
    """One engine. `in_scenes` is its name in `defaultRenderGlobals.currentRenderer`.

    `common`: takes Autodesk's common flags, of which others take only a few (`-s -e -b -rd -im -cam -rl -x -y`);
    `named`: takes `-im`, else images are called as the scene says; `resolution`: its flag for width and height where
    these are not `-x -y`. `threads` and `samples` are its flags for these, "" for none; `also` is said to it in any
    case. `share` finds the share of a frame in a line of its log, as percent or as a part of a whole; `done` the end
    of a frame.
    """

    name: str
    in_scenes: str
    common: bool = True
    named: bool = True
    resolution: str = ""
    threads: str = ""
    samples: str = ""
    also: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=lambda: FORMAT_WORDS)
    share: re.Pattern[str] = re.compile(r"(?:\[PROGRESS\] |\b)(\d+(?:\.\d+)?) ?(?:%|percent\b)")
    done: re.Pattern[str] = re.compile(r"Finished Rendering ")


ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("file", ""),
        Engine(
            "arnold",
            "arnold",
            threads="-ai:threads",
            samples="-ai:as",
            # Lines of progress are Arnold's level "info"; a lost licence must not become a watermark.
            also=("-rt", "0", "-ai:lve", "2", "-ai:alf", "true", "-ai:slc", "false"),
            formats=FORMAT_WORDS | {"jpg": "jpeg"},
            share=re.compile(r"\| +(\d+)% done\b"),
            done=re.compile(r"\| render done\b"),
        ),
        Engine("sw", "mayaSoftware", threads="-n"),
        Engine("hw2", "mayaHardware2"),
        Engine(
            "vray",
            "vray",
            common=False,
            threads="-threads",
            share=re.compile(r"V-Ray: +(\d+) ?%"),
            done=re.compile(r"V-Ray: Total frame time"),
        ),
        Engine(
            "redshift",
            "redshift",
            common=False,
            share=re.compile(r"\bBlock (\d+)/(\d+) "),
            done=re.compile(r"\[Redshift\] +Rendering done\b|Finished Rendering "),
        ),
        Engine(
            "renderman",
            "renderman",
            common=False,
            named=False,
            resolution="-res",
            threads="-t",
            share=re.compile(r"\bR90000\b.*?(\d+)%"),
        ),
    )
}
"""By the name that `Render -r` takes."""


def share_of(engine: Engine, line: str) -> float | None:
    """The share of the frame, in [0, 1], that a line of the log tells; None: it tells none."""
    found = engine.share.search(line)
    if found is None:
        return None
    whole = float(found[2]) if found.re.groups > 1 else 100.0
    return min(float(found[1]) / whole, 1.0) if whole > 0 else None

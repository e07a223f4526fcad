"""Which Mayas this machine has, which engines each can drive, and which of them may open a given scene.

A scene must not meet a Maya older than the one that saved it: it would read a part of it, and say so only in its log.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.runners.maya.engines import ENGINES
from worker.runners.maya.environment import PLUG_INS
from worker.runners.process_tree import scrubbed_environment
from worker.runners.registry import MAYA_PLACES, placed

Version = tuple[int, ...]

ASK_TIMEOUT_S = 120.0
"""How long a program may take to say what it is: the first start from a network disk is slow."""

_IN_PATH = re.compile(r"maya[_-]?(20\d\d)", re.IGNORECASE)
_SAID = re.compile(r"\bMaya (20\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class Maya:
    """One Maya of this machine: its program `Render`, its year (or `2024.2`), and the engines it can drive."""

    render: Path
    version: str
    engines: tuple[str, ...]

    @property
    def location(self) -> Path:
        """The folder of the installation, which holds `bin`."""
        return self.render.parent.parent

    def described(self) -> dict[str, object]:
        """As the probe tells it. Engines are named as scenes name them, for that is what an artist's add-on knows."""
        names = [ENGINES[name].in_scenes for name in self.engines if ENGINES[name].in_scenes]
        return {"path": str(self.render), "version": self.version, "engines": names}


def parse_version(text: str) -> Version:
    """ "2024" or "2024.2" as numbers; () when it is neither."""
    found = re.match(r"\s*(\d{4})(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def choose(mayas: Sequence[Maya], saved_by: Version, engine: str) -> Maya | None:
    """The lowest version that has the engine and is not older than the scene's year; the highest where that is unknown;
    None: none fits."""
    known = sorted((maya for maya in mayas if engine in maya.engines), key=lambda maya: parse_version(maya.version))
    if not saved_by:
        return known[-1] if known else None
    return next((maya for maya in known if parse_version(maya.version)[:1] >= saved_by[:1]), None)


def find_programs(
    named: Sequence[str | Path], environment: Mapping[str, str], places: Sequence[str] = MAYA_PLACES
) -> list[Path]:
    """The programs to try: those that are named; else that of `MAYA_LOCATION`, the one on the PATH, and those where
    Autodesk's installers put them (`places`, with `*`)."""
    if named:
        return [Path(item) for item in named]
    found = [Path(environment["MAYA_LOCATION"]) / "bin" / "Render"] if environment.get("MAYA_LOCATION") else []
    on_path = shutil.which("Render", path=environment.get("PATH"))
    found += [Path(on_path)] if on_path else []
    found += placed(places)
    kept: dict[Path, Path] = {}
    for path in found:
        program = path if path.is_file() else path.with_suffix(".exe")
        if program.is_file():
            kept.setdefault(program.resolve(), program)
    return list(kept.values())


def recognise(path: Path, environment: Mapping[str, str]) -> Maya | None:
    """What a `Render` is; None when it is no Maya's. Its version is its folder's, or what `maya -v` beside it says.

    Engines are those that `Render -listRenderers` names or whose description lies beside it (`rendererDesc`, an XML
    file each); `file`, what the scene is set to, is a part of every Maya.
    """
    with tempfile.TemporaryDirectory(prefix="outfield-maya-") as folder:
        private = scrubbed_environment(environment, Path(folder), PLUG_INS)
        found = next((match for part in reversed(path.resolve().parts) if (match := _IN_PATH.search(part))), None)
        if found is None:
            found = _SAID.search(_ask([str(path.with_name("maya")), "-v"], private, folder))
        if found is None or not path.is_file():
            return None
        listed = set(re.findall(r"[a-z0-9_]+", _ask([str(path), "-listRenderers"], private, folder).lower()))
    described = {file.stem.lower().removesuffix("renderer") for file in path.with_name("rendererDesc").glob("*.xml")}
    return Maya(path, found[1], tuple(name for name in ENGINES if name in {"file", *listed, *described}))


def _ask(argv: Sequence[str], environment: Mapping[str, str], folder: str) -> str:
    try:
        done = subprocess.run(
            argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ASK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")

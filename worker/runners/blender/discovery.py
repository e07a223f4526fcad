"""Which Blenders this machine has, what each can do, and which of them may open a given file.

A file must not meet a Blender older than the one that saved it: 3.4 crashes on a file of 4.2, and says "not a blend
file" of one of 5.0. The version is therefore read from the file's first bytes where the lease does not name it. An
"executable" is `blender`, or a Python that has the `bpy` module.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zstandard

from worker.runners.process_tree import scrubbed_environment

Version = tuple[int, ...]

VERSION_MIN: Version = (3, 4)
"""Older ones lack what splitting needs."""

ASK_TIMEOUT_S = 60.0
"""How long a program may take to say its version: the first start from a network disk is slow."""

HEADER_BYTES = 32
_HEADER = re.compile(rb"BLENDER(?:\d\d-\d\dv(\d\d)(\d\d)|[-_][vV](\d)(\d\d))")


@dataclass(frozen=True)
class Blender:
    """One Blender of this machine: a program, or a Python that can import it."""

    path: Path
    version: str
    kind: Literal["blender", "bpy"]

    def command(self, driver: Path, *, trusted: bool, threads: int) -> list[str]:
        """The command line that starts the driver in it.

        `--factory-startup`: a frame must not depend on what someone has set on the workstation it is rendered on.
        """
        if self.kind == "bpy":
            return [str(self.path), "-I", str(driver)]
        scripts = "--enable-autoexec" if trusted else "--disable-autoexec"
        options = ["--background", "--factory-startup", scripts, "--threads", str(threads)]
        return [str(self.path), *options, "--python-exit-code", "9", "--python", str(driver)]


def parse_version(text: str) -> Version:
    """ "4.2" or "3.4.1" as numbers; () when it is neither."""
    found = re.match(r"\s*v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def choose(blenders: Sequence[Blender], saved_by: Version) -> Blender | None:
    """The lowest version that is not older than the file's; the highest where that is unknown; None: none fits."""
    known = sorted(blenders, key=lambda blender: parse_version(blender.version))
    if not saved_by:
        return known[-1] if known else None
    return next((blender for blender in known if parse_version(blender.version)[:2] >= saved_by[:2]), None)


def saved_version(header: bytes) -> Version:
    """The version in the first bytes of an unpacked .blend ("BLENDER-v304", "BLENDER17-01v0502"); () if it is none."""
    found = _HEADER.match(header)
    if found is None:
        return ()
    major, minor = (found[1], found[2]) if found[1] else (found[3], found[4])
    return (int(major), int(minor))


def read_header(path: Path) -> bytes:
    """The first bytes of a .blend, unpacked (Zstandard since 3.0, gzip before); b"" when it cannot be unpacked.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        try:
            if magic == b"\x28\xb5\x2f\xfd":
                with zstandard.ZstdDecompressor().stream_reader(file) as reader:
                    return reader.read(HEADER_BYTES)
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(file) as reader:
                    return reader.read(HEADER_BYTES)
        except (zstandard.ZstdError, gzip.BadGzipFile, EOFError):
            return b""
        return file.read(HEADER_BYTES)


def find_executables(named: Sequence[str | Path], environment: Mapping[str, str]) -> list[Path]:
    """The programs to try: those that are named, or `blender` on the PATH."""
    if named:
        return [Path(item) for item in named]
    found = shutil.which("blender", path=environment.get("PATH"))
    return [Path(found)] if found else []


def recognise(path: Path, environment: Mapping[str, str], folder: Path) -> Blender | None:
    """What a program is, by what it says of itself; None when it is no Blender, or one too old to be used.

    `folder` is a place for its private files.
    """
    said = _ask([str(path), "--version"], environment, folder)
    if said.startswith("Python "):
        code = "from importlib import metadata; print(metadata.version('bpy'))"
        blender = Blender(path, _ask([str(path), "-I", "-c", code], environment, folder).strip(), "bpy")
    else:
        name, _, rest = said.partition(" ")
        words = rest.split()
        blender = Blender(path, words[0] if name == "Blender" and words else "", "blender")
    return blender if parse_version(blender.version)[:2] >= VERSION_MIN else None


def _ask(argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
    try:
        done = subprocess.run(
            argv,
            env=scrubbed_environment(environment, folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")

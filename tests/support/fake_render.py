# ruff: noqa: T201, C901 - a program that talks, and a reader of strings
"""A `Render` without Maya: Autodesk's command line program as its documentation and public logs describe it.

An unknown flag, a missing argument or a value that MEL would read as more than itself is an error. It reads what the
scene says of itself (`//fake: …` lines), writes real images with Maya's names, and logs as the engines do. No real
Maya was asked. Run as a program of its own: `installed` puts one where Autodesk's installer would.
"""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

COMMON = {
    "-rd": 1, "-im": 1, "-fnc": 1, "-of": 1, "-s": 1, "-e": 1, "-b": 1, "-pad": 1, "-skipExistingFrames": 1, "-cam": 1,
    "-rgb": 1, "-alpha": 1, "-depth": 1, "-iip": 0, "-x": 1, "-y": 1, "-percentRes": 1, "-ard": 1, "-rl": 1, "-rp": 1,
    "-preRender": 1, "-postRender": 1,
}  # fmt: skip
GENERAL = {"-r": 1, "-renderer": 1, "-proj": 1, "-log": 1, "-test": 0, "-verb": 0, "-keepMel": 0}
FEW = {"-rd": 1, "-im": 1, "-s": 1, "-e": 1, "-b": 1, "-cam": 1, "-rl": 1, "-x": 1, "-y": 1}
FLAGS = {
    "file": COMMON | {"-par": 1},
    "arnold": COMMON | {"-rt": 1, "-reg": 4, "-ai:as": 1, "-ai:threads": 1, "-ai:lve": 1, "-ai:alf": 1, "-ai:slc": 1},
    "sw": COMMON | {"-par": 1, "-n": 1, "-reg": 4, "-eaa": 1},
    "hw2": COMMON,
    "vray": FEW | {"-threads": 1, "-reg": 4},
    "redshift": FEW | {"-gpu": 1, "-reg": 4},
    "renderman": {"-rd": 1, "-imageFile": 1, "-s": 1, "-e": 1, "-b": 1, "-cam": 1, "-rl": 1, "-res": 2, "-t": 1},
}
"""Flags and how many arguments each takes."""

IN_SCENES = {"mayaSoftware": "sw", "mayaHardware2": "hw2"}
HOSTILE = re.compile(r"[\"'`$;\\\n\r|&<>]")
NODE_FLAGS = ("-cam", "-rl")


def installed(root: Path, year: str = "2024", engines: str = "file arnold sw hw2 vray redshift renderman") -> Path:
    """Put one below `root` as `maya{year}/bin/Render`; its path."""
    folder = root / f"maya{year}" / "bin"
    folder.mkdir(parents=True)
    for name in ("Render", "maya"):
        program = folder / name
        words = " ".join(f'"{word}"' for word in (sys.executable, "-I", __file__, name, year, engines))
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
    return folder / "Render"


def scene_text(*fakes: str, year: str = "2024", body: str = "") -> str:
    """A .ma as Maya writes it, with what the fake is to do."""
    said = "".join(f"//fake: {fake}\n" for fake in fakes)
    return (
        f'//Maya ASCII {year} scene\n//Name: shot.ma\n//Codeset: UTF-8\nrequires maya "{year}";\n'
        f'requires "stereoCamera" "10.0";\n{said}currentUnit -l centimeter;\n{body}// End of shot.ma\n'
    )


class Stop(Exception):
    """Maya gives up: what it says, and its exit code."""

    def __init__(self, line: str, code: int) -> None:
        super().__init__(line)
        self.code = code


def main(name: str, year: str, engines: str, argv: list[str]) -> int:
    """What the program does."""
    if name == "maya":
        print(f"Maya {year}, Cut Number 202304191415")
        return 0
    if argv == ["-listRenderers"]:
        print("Renderer names:\n" + "\n".join(f"  {each}" for each in engines.split()))
        return 0
    try:
        Render(year, engines.split()).run(argv)
    except Stop as stop:
        print(stop)
        if stop.code == 206:
            print("Usage: Render [options] filename")
        print(f"// Maya exited with status {stop.code}", flush=True)
        return stop.code
    print("// Maya exited with status 0", flush=True)
    return 0


class Render:
    """One run."""

    def __init__(self, year: str, engines: list[str]) -> None:
        self.year, self.engines = year, engines
        self.flags: dict[str, list[str]] = {}
        self.scene = Path()
        self.fakes: dict[str, str] = {}

    def run(self, argv: list[str]) -> None:
        self.parse(argv)
        engine = self.flags["-r"][0]
        print(f'Starting "{os.environ["MAYA_LOCATION"]}/bin/maya"', flush=True)
        self.check_environment()
        mappings = start_script()
        self.read_scene()
        if engine == "file":
            said = self.fakes.get("engine", "arnold")
            engine = IN_SCENES.get(said, said)
        self.look_for_textures(mappings)
        self.check_names()
        self.misbehave_early()
        self.render(engine)
        print(f"Scene {self.scene} completed.")

    def parse(self, argv: list[str]) -> None:
        rest = list(argv)
        engine = rest[rest.index("-r") + 1] if "-r" in rest else "file"
        if engine not in self.engines:
            raise Stop(f"Unknown renderer {engine}.", 206)
        known = GENERAL | FLAGS[engine]
        while rest and rest[0].startswith("-"):
            flag = rest.pop(0)
            if flag not in known:
                raise Stop(f"Unknown flag: {flag}", 206)
            values = [rest.pop(0) for _ in range(min(known[flag], len(rest)))]
            if len(values) < known[flag]:
                raise Stop(f"Flag {flag} lacks an argument.", 206)
            self.flags[flag] = values
        if len(rest) != 1:
            raise Stop(f"One scene is rendered, not {rest}.", 206)
        self.scene = Path(rest[0])
        said = [each for flag, values in self.flags.items() if flag not in NODE_FLAGS for each in values]
        for value in [*said, rest[0]]:
            if HOSTILE.search(value):  # the real one writes it into a MEL script
                raise Stop(f"INJECTED: {value!r}", 99)
        for flag in NODE_FLAGS:
            for value in self.flags.get(flag, []):
                if re.fullmatch(r"[\w:|]+", value) is None:
                    raise Stop(f"INJECTED: {value!r}", 99)

    def check_environment(self) -> None:
        wanted = {"MAYA_SKIP_USERSETUP_PY": "1", "MAYA_DISABLE_CIP": "1", "ARNOLD_FORCE_ABORT_ON_LICENSE_FAIL": "1"}
        for name, value in wanted.items():
            if os.environ.get(name) != value:
                raise Stop(f"Error: {name} is {os.environ.get(name)!r}", 98)
        for name in ("PYTHONPATH", "OUTFIELD_TOKEN", "LD_PRELOAD"):
            if name in os.environ:
                raise Stop(f"Error: {name} has leaked into Maya", 98)

    def read_scene(self) -> None:
        if not self.scene.is_file():
            raise Stop(f"Error: file: /var/tmp/ASTMP.1.mel line 1: Could not open file. : {self.scene}", 211)
        text = self.scene.read_text(encoding="utf-8", errors="replace")
        for line in re.findall(r"^//fake: (.*)$", text, re.MULTILINE):
            word, _, rest = line.partition(" ")
            self.fakes[word] = rest
        saved_by = re.search(r'^requires maya "(\d{4})', text, re.MULTILINE)
        if saved_by and saved_by[1] > self.year:
            print("Warning: This file contains nodes from a newer version of Maya.")
            raise Stop("Error: file contains node from a newer version; rendering aborted.", 210)
        self.textures = re.findall(r'^\tsetAttr "\.ftn" -type "string" "(.*)";$', text, re.MULTILINE)
        print(f"Result: {self.scene}", flush=True)

    def look_for_textures(self, mappings: list[tuple[str, str]]) -> None:
        project = Path(self.flags["-proj"][0]) if "-proj" in self.flags else Path("/nowhere")
        if "-proj" in self.flags and not project.is_dir():
            raise Stop(f"Error: Cannot open project {project}.", 210)
        for texture in self.textures:
            path = texture
            for origin, here in mappings:
                if path.startswith(origin):
                    path = here + path[len(origin) :]
                    break
            found = Path(path) if Path(path).is_absolute() else project / path
            if not found.is_file():
                raise Stop(
                    f"00:00:01  1210MB ERROR   | [texturesys] could not open texture {texture}: file not found", 0
                )
            print(f"texture {texture} is {found}", flush=True)

    def check_names(self) -> None:
        cameras = self.fakes.get("cameras", "persp").split()
        camera = self.flags.get("-cam", cameras[:1])[0]
        if camera not in cameras:
            raise Stop(f"Error: makeCameraRenderable.mel line 34: Camera {camera} does not exist.", 210)
        layers = self.fakes.get("layers", "defaultRenderLayer").split()
        layer = self.flags.get("-rl", layers[:1])[0]
        if layer not in layers:
            raise Stop(f"Error: setMayaRenderLayer.mel line 8: Render layer {layer} does not exist.", 210)

    def misbehave_early(self) -> None:
        if "nothing" in self.fakes:
            raise Stop("Error: An exception has occurred, rendering aborted.", 0)
        if "silent" in self.fakes:
            raise Stop("", 0)
        if "licence" in self.fakes:
            print("00:00:02  1012MB WARNING | [licensing] connection to server failed", flush=True)
            print(
                "00:00:02  1012MB ERROR   | [licensing] abort on license fail is on, no license available", flush=True
            )
            raise Stop("Error: [mtoa] Failed batch render", 210)
        if "no-maya-licence" in self.fakes:
            raise Stop("Maya: License was not obtained", 0)
        if "crash" in self.fakes:
            print("maya encountered a fatal error\n\nSignal: 11 (Unknown Signal)", flush=True)
            raise Stop("Fatal Error. Attempting to save in /usr/tmp/.20190417.0215.ma", 1)
        if "dies" in self.fakes:
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in self.fakes:
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)  # leaves the group, as licensing does
            print(f"hanging {os.getpid()} {child.pid}", flush=True)
            time.sleep(600)

    def render(self, engine: str) -> None:
        first, last, step = (int(self.flags[flag][0]) for flag in ("-s", "-e", "-b"))
        if engine == "arnold":
            print(
                "00:00:00   773MB         | Arnold 7.2.4.1 [1d3b51d3] linux x86_64 clang-15.0.7 oiio-2.4.1", flush=True
            )
            if "second-server" in self.fakes:
                print("00:00:00   773MB WARNING | [licensing] clm: no license available", flush=True)
            print("00:00:00   773MB         | [licensing] authorized ArnoldPro 7.2", flush=True)
        for frame in range(first, last + 1, step):
            if "stop-after" in self.fakes and frame > int(self.fakes["stop-after"]):
                raise Stop("00:01:00 2GB ERROR | render aborted due to earlier errors", 0)
            self.log_frame(engine, frame)
            for path in self.paths(engine, frame):
                path.parent.mkdir(parents=True, exist_ok=True)
                self.write(path, frame)
            self.log_end(engine, frame)
        if "watermark" in self.fakes:
            print("00:00:09  1012MB WARNING | [licensing] no license found, rendering with watermarks", flush=True)

    def paths(self, engine: str, frame: int) -> list[Path]:
        name = self.flags.get("-im", [Path(self.scene).stem])[0]
        asked = self.flags.get("-of", ["exr"])[0]
        ending = self.fakes.get("writes") or {"jpeg": "jpg"}.get(asked, asked)
        folder = Path(self.flags["-rd"][0])
        if "layers" in self.fakes:
            layer = self.flags.get("-rl", ["defaultRenderLayer"])[0]
            folder /= "masterLayer" if layer == "defaultRenderLayer" else layer
        number = f"{frame:0{4 if frame >= 0 else 5}d}"
        passes = self.fakes.get("passes", "").split()
        if engine == "vray":
            return [
                folder / f"{name}.{number}.{ending}",
                *(folder / f"{name}.{each}.{number}.{ending}" for each in passes),
            ]
        return [folder / each / f"{name}.{number}.{ending}" for each in (passes or [""])]

    def size(self) -> tuple[int, int]:
        width, height = (int(side) for side in self.fakes.get("size", "32 18").split())
        if "-res" in self.flags:
            width, height = (int(side) for side in self.flags["-res"])
        width, height = int(self.flags.get("-x", [width])[0]), int(self.flags.get("-y", [height])[0])
        return (width // 2, height) if "region" in self.fakes else (width, height)

    def write(self, path: Path, frame: int) -> None:
        width, height = self.size()
        level = (abs(frame) * 20 + 30) % 256
        if path.suffix == ".exr":
            import numpy as np
            import OpenEXR

            pixels = np.full((height, width, 3), level / 255, np.float32)
            header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
            OpenEXR.File(header, {"RGB": pixels}).write(str(path))
        elif path.suffix in (".jpg", ".tif"):
            from PIL import Image

            Image.new("RGB", (width, height), (level, 90, 40)).save(path)
        else:
            path.write_bytes(png(width, height, level))
        if "partial" in self.fakes:
            path.write_bytes(path.read_bytes()[:-9])

    def log_frame(self, engine: str, frame: int) -> None:
        for share in (0, 50, 100):
            line = {
                "arnold": f"00:00:0{share // 25}  1012MB         | {share:5d}% done - 23 rays/pixel",
                "vray": f"V-Ray: {share:3d}% ",
                "redshift": f"[Redshift] \tBlock {share // 25}/4 (1,1) rendered by GPU 0 in 2ms",
                "renderman": f"R90000  {{}} {share}%",
            }.get(engine, f"[PROGRESS] {share} percent")
            print(line, flush=True)

    def log_end(self, engine: str, frame: int) -> None:
        line = {
            "arnold": "00:00:04  1012MB         | render done",
            "vray": "V-Ray: Total frame time 1.2 s",
            "redshift": "[Redshift] Rendering done - total time for 1 frames: 0.2s",
            "renderman": "rfm Notice: Rendering done",
        }.get(engine, f"Finished Rendering {self.flags['-rd'][0]}/frame.{frame:04d}.png.")
        print(line, flush=True)


def start_script() -> list[tuple[str, str]]:
    """What the `userSetup.mel` of MAYA_SCRIPT_PATH maps; anything but `dirmap` in it is an error."""
    path = Path(os.environ["MAYA_SCRIPT_PATH"]) / "userSetup.mel"
    return read_dirmaps(path.read_text(encoding="utf-8")) if path.exists() else []


def read_dirmaps(text: str) -> list[tuple[str, str]]:
    """The mappings of a script of `dirmap` commands, read as MEL reads strings."""
    at, made = 0, []

    def take(word: str) -> bool:
        nonlocal at
        if text.startswith(word, at):
            at += len(word)
            return True
        return False

    def string() -> str:
        nonlocal at
        if not take('"'):
            raise Stop(f"INJECTED: {text[at : at + 40]!r}", 99)
        made_of = []
        while at < len(text) and text[at] != '"':
            if text[at] == "\n":
                raise Stop("INJECTED: a string without an end", 99)
            if text[at] == "\\":
                at += 1
                made_of.append({"n": "\n", "t": "\t", "r": "\r"}.get(text[at], text[at]))
            else:
                made_of.append(text[at])
            at += 1
        at += 1
        return "".join(made_of)

    while at < len(text):
        if take("\n") or take("dirmap -en true;"):
            continue
        if not take("dirmap -m "):
            raise Stop(f"INJECTED: {text[at : at + 40]!r}", 99)
        origin = string()
        if not take(" "):
            raise Stop(f"INJECTED: {text[at : at + 40]!r}", 99)
        here = string()
        if not take(";"):
            raise Stop(f"INJECTED: {text[at : at + 40]!r}", 99)
        made.append((origin, here))
    return made


def png(width: int, height: int, level: int) -> bytes:
    """A plain picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes((level, 90, 40)) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))

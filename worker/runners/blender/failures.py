"""What went wrong in Blender, in words for the artist, and whose fault it was. PURE.

`user` is what only the artist can mend in the scene or the submission; `infra` is what another worker, or the same one
later, may well manage. An exit code says little here: Blender ends with 0 after many failures.
"""

from __future__ import annotations

import difflib
import re
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scheduler.protocol.work import FailureClass
from worker.runners.base import RenderFailed

FILES_SHOWN = 10
TEXT_MAX = 600

MEMORY_SIGNS = ("out of memory", "out of gpu memory", "malloc returns null", "calloc returns null", "bad_alloc")
DISPLAY_SIGNS = ("unable to open a display", "couldn't find current glx or egl context", "egl error (0x300c)")
DISK_SIGNS = ("no space left", "disk quota exceeded", "file too large")

Words = tuple[str, FailureClass]
Data = Mapping[str, Any]


def refused(code: str, data: Data) -> RenderFailed:
    """The failure for a refusal of the driver: its code, and the data that came with it."""
    message, failure = _WORDS[code](data) if code in _WORDS else (f"Blender's driver refused: {code}.", "infra")
    return RenderFailed(message, failure)


def died(exit_code: int, tail: Sequence[str], doing: str) -> RenderFailed:
    """The failure for a Blender that ended by itself while `doing` something ("rendering frame 5")."""
    number = -exit_code if exit_code < 0 else exit_code - 128 if exit_code > 128 else 0
    last = _last_words(tail)
    if _has(tail, MEMORY_SIGNS):
        why = "this worker's memory ran out. Give the job more memory (requires.memory_gib), or simplify the scene"
    elif _has(tail, DISPLAY_SIGNS):
        why = (
            "this worker has no OpenGL, which EEVEE and Workbench need. "
            "Install Mesa or a GPU driver there, or render with Cycles"
        )
    elif number == signal.SIGKILL:
        why = (
            "the system killed it (signal 9), as it does when memory runs out. "
            "Give the job more memory (requires.memory_gib), or simplify the scene"
        )
    elif number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        why = f"it crashed ({signal.Signals(number).name}). If it does so on every worker, the scene is the cause"
    else:
        why = f"it ended with exit code {exit_code}"
    return RenderFailed(f"Blender stopped while {doing}: {why}.{last}", "infra", exit_code)


def timed_out(timeout_s: float) -> RenderFailed:
    """The failure for a task that was stopped at its time limit."""
    return RenderFailed(
        f"The task took longer than timeout_s ({timeout_s:g} s) and was stopped. "
        "Raise timeout_s, or split the frame into tiles."
    )


def script_raised(tail: Sequence[str]) -> RenderFailed | None:
    """The failure for a script of the scene that raised while frames were rendered; Blender itself goes on."""
    starts = [i for i, line in enumerate(tail) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return None
    after = tail[starts[-1] + 1 :]
    error = next((line for line in after if not line.startswith((" ", "\t"))), "an error")
    return RenderFailed(
        f"A script in the scene failed, and its frames may be wrong: {error[:TEXT_MAX]} "
        "Correct the script (Text Editor or add-on), or remove it."
    )


def no_version(saved_by: str, installed: Sequence[str]) -> RenderFailed:
    """The failure for a file that is newer than every Blender of this worker."""
    have = ", ".join(installed) or "none"
    return RenderFailed(
        f"This file was saved by Blender {saved_by}; this worker has {have}. "
        f"Install Blender {saved_by} or later on a worker, or save the file with an older Blender.",
        "infra",
    )


def not_a_blend(name: str) -> RenderFailed:
    """The failure for a file that Blender cannot read at all."""
    return RenderFailed(f"{name} is not a .blend file, or it is damaged. Open it in Blender, save it and submit again.")


def disk_full(folder: str) -> RenderFailed:
    """The failure for a frame that did not fit on the worker's disk."""
    return RenderFailed(f"The worker's disk is full ({folder}). Free some space there.", "infra")


def _unknown_name(data: Data) -> Words:
    kind, name, known = data["kind"], data["name"], [str(item) for item in data["known"]]
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    if near:
        advice = f"Did you mean {near[0]!r}?"
    else:
        advice = f"There is {_listed(known)}." if known else "There is none in the file."
    return f"The file has no {kind} named {name!r}. {advice}", "user"


def _missing_files(data: Data) -> Words:
    files: list[str] = data["files"]
    shown = ", ".join(files[:FILES_SHOWN])
    more = f" and {data['count'] - FILES_SHOWN} more" if data["count"] > FILES_SHOWN else ""
    return (
        (
            f"The worker cannot find files that the scene uses: {shown}{more}. Pack them into the .blend "
            "(File > External Data > Pack Resources), submit them along, or put them where all workers can read them."
        ),
        "user",
    )


def _unknown_engine(data: Data) -> Words:
    name = data["name"] or "of an add-on"
    have = ", ".join(data["known"])
    return f"The render engine {name} is not in this worker's Blender, which has {have}.", "infra"


def _unreadable(data: Data) -> Words:
    text = _clean(data["text"])
    return f"Blender cannot read the file: {text} Open it in Blender, save it and submit again.", "user"


def _cannot_split(data: Data) -> Words:
    why = {
        "engine": f"it is rendered with {data['engine']}, and only Cycles computes parts exactly as in the whole",
        "sequencer": "its picture comes from the video sequencer",
        "region": "it renders only a region (Output > Format > Render Region)",
        "freestyle": "Freestyle lines cross the parts",
        "stereo": "it is stereoscopic",
        "passes": (
            "further passes go into the picture (compositor, or multilayer EXR), and these cannot be averaged; "
            "tiles would do"
        ),
        "layer samples": "a view layer has samples of its own",
    }[data["reason"]]
    return f"This scene cannot be split into parts: {why}. Switch that off, or submit it without a split.", "user"


def _render_error(data: Data) -> Words:
    text = _clean(data["text"])
    low = text.lower()
    if "no camera" in low:
        return "The scene has no camera. Add one (Add > Camera), or name one in the settings.", "user"
    if any(sign in low for sign in MEMORY_SIGNS):
        return f"The worker's memory ran out while rendering frame {data['frame']}: {text}", "infra"
    if any(sign in low for sign in DISK_SIGNS):
        return f"The worker's disk is full: {text}", "infra"
    if "cannot save" in low or "could not be written" in low:
        return f"The worker cannot write frame {data['frame']}: {text}", "infra"
    return f"Blender could not render frame {data['frame']}: {text}", "user"


def _bad_setting(data: Data) -> Words:
    allowed = re.findall(r"'([^']+)'", str(data["text"]).partition("not found in")[2])
    advice = f" It may be {_listed(allowed)}." if allowed else ""
    return (
        f"{data['format']} files cannot have {data['name']} = {data['value']!r}.{advice} Correct the setting.",
        "user",
    )


def _blocked_driver(data: Data) -> Words:
    return (
        (
            f"The scene computes values with Python ({data['text']}), which this farm does not run for scenes that are "
            "not trusted, so its frames would be wrong. Replace or bake it, or ask the farm's admin to trust the scene."
        ),
        "user",
    )


def _fixed(message: str, failure: FailureClass) -> Callable[[Data], Words]:
    return lambda _: (message, failure)


_WORDS: dict[str, Callable[[Data], Words]] = {
    "unknown_name": _unknown_name,
    "missing_files": _missing_files,
    "unknown_engine": _unknown_engine,
    "unreadable": _unreadable,
    "cannot_split": _cannot_split,
    "render_error": _render_error,
    "bad_setting": _bad_setting,
    "blocked_driver": _blocked_driver,
    "no_view_layer": _fixed(
        "No view layer of the scene is set to be rendered. Switch one on (Use for Rendering).", "user"
    ),
    "no_denoiser": _fixed(
        "The scene is denoised, and this worker's Blender is built without a denoiser (OpenImageDenoise). "
        "Switch denoising off, or install a Blender from blender.org on the worker.",
        "infra",
    ),
    "no_gpu": _fixed("The job asks for a GPU, and Cycles finds none on this worker.", "infra"),
    "two_eyes": _fixed(
        "The scene writes one file for each eye, and the farm keeps one file per frame. "
        "Choose Stereo 3D as the views format, or switch stereoscopy off.",
        "user",
    ),
    "not_a_camera": lambda data: (f"{data['name']!r} is a {data['kind']}, not a camera. Name a camera.", "user"),
    "too_many_tiles": lambda data: (
        (
            f"{data['cols']}×{data['rows']} tiles do not fit into a frame of {data['width']}×{data['height']} pixels. "
            "Ask for fewer."
        ),
        "user",
    ),
    "no_addon": lambda data: (
        f"The worker is set up to use the add-on {data['name']!r}, and Blender lacks it.",
        "infra",
    ),
    "out_of_memory": _fixed(
        "The worker's memory ran out. Give the job more memory (requires.memory_gib), or simplify the scene.", "infra"
    ),
    "bug": lambda data: (f"Outfield's driver failed inside Blender: {_clean(data['text'])}", "infra"),
}


def _clean(text: Any) -> str:
    """Blender's message in one line, with the end that matters."""
    line = " ".join(str(text).removeprefix("Error: ").split())
    return line if len(line) <= TEXT_MAX else "… " + line[-TEXT_MAX:]


def _listed(names: Iterable[str]) -> str:
    items = [repr(name) for name in names]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}" if items else "nothing"


def _has(tail: Sequence[str], signs: Sequence[str]) -> bool:
    return any(sign in line.lower() for line in tail for sign in signs)


def _last_words(tail: Sequence[str]) -> str:
    lines = [line for line in tail if not line.startswith("Fra:") and line.strip()]
    return f" Its last words: {lines[-1][:TEXT_MAX]}" if lines else ""

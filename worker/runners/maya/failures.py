"""What went wrong in Maya, in words for the artist, and whose fault it was. PURE.

Maya's exit code says little: it ends with 0 after many an error, and with 210 or 211 for many others. So the log is
searched for what is known (`known_texts`), whatever the code.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from worker.runners.base import RenderFailed
from worker.runners.maya.known_texts import GOT_A_LICENCE, KNOWN, LICENCE, Known

TEXT_MAX = 400
FRAMES_SHOWN = 5

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


def explained(lines: Sequence[str], *, fatal_only: bool = False) -> tuple[Known, str] | None:
    """The first thing that is known to be wrong, and its line; `fatal_only`: of those that spoil written frames."""
    for known in KNOWN:
        if fatal_only and not known.fatal:
            continue
        at = next((at for at, line in enumerate(lines) if known.sign.search(line)), None)
        if at is None or (known is LICENCE and _got_one(lines if fatal_only else lines[at:])):
            continue
        return known, lines[at]
    return None


def _got_one(lines: Sequence[str]) -> bool:
    """A refusal explains missing frames unless a later server said yes, and spoils frames unless any did."""
    return any(GOT_A_LICENCE.search(line) for line in lines)


def is_telling(line: str) -> bool:
    """Is the line one that `explained` looks for? Such lines are kept, however long the log."""
    return GOT_A_LICENCE.search(line) is not None or any(known.sign.search(line) for known in KNOWN)


def failed(lines: Sequence[str], exit_code: int, missing: Sequence[int], doing: str) -> RenderFailed:
    """The failure for a Maya that has ended without all its frames."""
    found = explained(lines)
    if found is not None:
        known, line = found
        return RenderFailed(
            f"Maya could not render: {known.meaning}. {known.advice} It said: {_cut(line)}", known.failure, exit_code
        )
    number = -exit_code if exit_code < 0 else exit_code - 128 if 128 < exit_code < 128 + 65 else 0
    if number == signal.SIGKILL:
        why = "the system killed it (signal 9), as it does when memory runs out. Give the job more memory"
    elif number in CRASHES:
        why = f"it crashed ({signal.Signals(number).name}). If it does so on every worker, the scene is the cause"
    elif exit_code:
        why = f"it ended with exit code {exit_code}"
    else:
        why = f"it said that it was done, and {_frames(missing)} missing"
    return RenderFailed(f"Maya stopped while {doing}: {why}.{_last_words(lines)}", "infra", exit_code)


def spoiled(lines: Sequence[str], exit_code: int) -> RenderFailed | None:
    """The failure for frames that are there but may not be used: a licence was lost, an engine was missing."""
    found = explained(lines, fatal_only=True)
    if found is None:
        return None
    known, line = found
    return RenderFailed(
        f"The frames were thrown away: {known.meaning}. {known.advice} Maya said: {_cut(line)}",
        known.failure,
        exit_code,
    )


def timed_out(timeout_s: float) -> RenderFailed:
    """The failure for a task that was stopped at its time limit."""
    return RenderFailed(
        f"The task took longer than timeout_s ({timeout_s:g} s) and was stopped. "
        "Raise timeout_s, or send fewer frames per task (chunk)."
    )


def no_version(saved_by: str, engine: str, installed: Sequence[str]) -> RenderFailed:
    """The failure for a scene that no Maya of this worker can render."""
    have = ", ".join(installed) or "none"
    wanted = f"Maya {saved_by or 'of any version'} or later"
    with_engine = f" with the engine {engine}" if engine != "file" else ""
    return RenderFailed(
        f"This scene needs {wanted}{with_engine}; this worker has {have}. "
        "Install it on a worker, or let the job ask for workers that have it (requires.tags).",
        "infra",
    )


def not_trusted() -> RenderFailed:
    """The failure for a scene that this worker may not open."""
    return RenderFailed(
        "This worker renders only Maya scenes that the farm trusts, for a Maya runs the scripts that a scene holds. "
        "Ask the farm's admin to trust the scene (server.trusted_scenes)."
    )


def not_plain(why: str) -> RenderFailed:
    """The failure for a name or path that may not reach Maya's command line."""
    return RenderFailed(f"The farm does not hand this to Maya: {why}. Rename it and submit again.")


def wrong_format(frame: int, wanted: str, found: str) -> RenderFailed:
    """The failure for an engine that writes another format than the job asks for."""
    return RenderFailed(
        f"The scene writes frame {frame} as .{found}, and the job asks for {wanted}. Choose {wanted.upper()} in Maya's "
        "Render Settings, or name in the job's settings an engine that can be told."
    )


def broken(frame: int, why: str) -> RenderFailed:
    """The failure for a frame whose file is not what it should be."""
    return RenderFailed(f"Maya wrote frame {frame}, but the file {why}. It is rendered again.", "infra")


def wrong_size(frame: int, found: tuple[int, int], wanted: tuple[int, int]) -> RenderFailed:
    """The failure for a frame of another size than was asked for."""
    return RenderFailed(
        f"Maya wrote frame {frame} with {found[0]}×{found[1]} pixels instead of {wanted[0]}×{wanted[1]}. "
        "Switch off the render region and overrides of the resolution in the scene's layers."
    )


def _frames(missing: Sequence[int]) -> str:
    shown = ", ".join(str(frame) for frame in missing[:FRAMES_SHOWN])
    more = f" and {len(missing) - FRAMES_SHOWN} more" if len(missing) > FRAMES_SHOWN else ""
    return f"frame {shown} is" if len(missing) == 1 else f"frames {shown}{more} are"


def _cut(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + " …"


def _last_words(lines: Sequence[str]) -> str:
    said = [line for line in lines if line.strip() and not line.startswith("// Maya exited")]
    errors = [line for line in said if "error" in line.lower()]
    line = (errors or said)[-1] if said else ""
    return f" Its last words: {_cut(line)}" if line else ""

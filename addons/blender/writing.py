# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a copy of what is open, without holding the artist.

Blender writes a file in one go, and 50,000 objects take it a third of a second. On Linux a window therefore has a child
write, which begins as an exact picture of this process (`fork`) and shares its memory until one of both changes some;
the window is held for about 20 ms. The child calls nothing but the writing, says what went wrong through a pipe, ends
without any of Blender's own ending, and by itself after `CHILD_LIMIT_S`. Where there is no fork, or a child came to
nothing, the window writes itself.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import bpy

CHILD_LIMIT_S = 120
"""After this a child that still writes ends itself, and the window writes."""

TEXT_MAX = 1000
"""Characters of what a child says; it fits into a pipe that nobody reads yet."""


class Writing:
    """One copy being written into `target`."""

    def __init__(self, target: str) -> None:
        """Start writing; on the main thread.

        Raises:
            RuntimeError, OSError: it cannot be written.
        """
        self._target = target
        self._child = self._said = 0
        flush_edits()
        if not may_fork() or not self._fork():
            write(target)

    @property
    def done(self) -> bool:
        """Is it written? To be asked on the main thread, which writes itself if the child has failed to.

        Raises:
            RuntimeError, OSError: it cannot be written.
        """
        if not self._child:
            return True
        try:
            child, status = os.waitpid(self._child, os.WNOHANG)
        except ChildProcessError:  # somebody else has waited for it, and knows how it ended
            child, status = self._child, -1
        if not child:
            return False
        text = self._last_words()
        if text:
            raise RuntimeError(text)
        if status:
            print(f"outfield: the child that wrote the copy ended with status {status}; the window writes it.")
            write(self._target)
        return True

    def cancel(self) -> None:
        """Let it be; the file is the caller's to remove."""
        if self._child:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
            self._last_words()

    def _fork(self) -> bool:
        said, saying = os.pipe()
        try:
            self._child = os.fork()
        except OSError:  # no memory for a second process
            os.close(said)
            os.close(saying)
            return False
        if self._child == 0:
            _write_and_end(self._target, saying)
        os.close(saying)
        self._said = said
        return True

    def _last_words(self) -> str:
        text = os.read(self._said, 4 * TEXT_MAX).decode(errors="replace")
        os.close(self._said)
        self._child = self._said = 0
        return text


def in_window() -> bool:
    """Is there an artist, or only a script?"""
    return not bpy.app.background


def may_fork() -> bool:
    """Only Linux lets a process with windows fork and go on."""
    return in_window() and sys.platform.startswith("linux")


def flush_edits() -> None:
    """Meshes in edit mode are written as they were before it, unless they are brought up to date."""
    layer = bpy.context.view_layer
    if in_window() and layer.objects.active is not None and layer.objects.active.mode == "EDIT":
        for thing in layer.objects:
            if thing.mode == "EDIT":
                thing.update_from_editmode()


def write(target: str) -> None:
    """Write what is open into another file. The paths stay as they are: the bundle mirrors what they are relative to.

    In the window not by saving with `copy=True`: Blender takes the session for saved after that too (its notifier
    ND_FILESAVE, seen in 3.4), and would let the artist quit without asking. `libraries.write` leaves no mark, and calls
    none of the handlers that other add-ons have for saving.

    Raises:
        RuntimeError, OSError: it cannot be written.
    """
    if not in_window():
        bpy.ops.wm.save_as_mainfile(
            filepath=target, copy=True, compress=False, relative_remap=False, check_existing=False
        )
        return
    bpy.data.libraries.write(target, {*bpy.data.scenes, *bpy.data.texts}, path_remap="NONE", compress=False)


def _write_and_end(target: str, saying: int) -> None:
    """All that a child does."""
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_LIMIT_S)
        write(target)
        status = 0
    except BaseException as error:  # noqa: BLE001 - nothing of it may go on in the child
        os.write(saying, str(error)[:TEXT_MAX].encode(errors="replace"))
    finally:
        os._exit(status)

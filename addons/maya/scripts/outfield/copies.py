# SPDX-License-Identifier: Apache-2.0
"""Copies of what is open, made in the spool. The artist's file is never written, the scene never renamed, and its mark
of change stays as it is.
"""

from __future__ import annotations

import os
import shutil
from typing import Tuple

from maya import cmds

from . import scene
from .outfield_core.errors import LocalTrouble
from .outfield_core.spool import disk_trouble

OBJ_PLUGIN, OBJ_TYPE = "objExport", "OBJexport"
OBJ_OPTIONS = "groups=0;ptgroups=0;materials=0;smoothing=0;normals=1"


def is_as_saved() -> bool:
    """Is what is open what is on the disk? Only a window's Maya is asked; what scripts do may leave no mark."""
    own = scene.path()
    return not scene.is_batch() and not scene.is_modified() and scene.is_mayas_own(own) and os.path.isfile(own)


def export_scene(path: str) -> None:
    """Everything that is open, references as references; neither the scene's name nor its mark of change is touched.

    Raises:
        RuntimeError: Maya cannot.
    """
    cmds.file(path, exportAll=True, type=scene.file_type(), preserveReferences=True, force=True)


def export_mesh(path: str) -> None:
    """The meshes of the current frame, without materials.

    Raises:
        RuntimeError: Maya cannot.
    """
    cmds.loadPlugin(OBJ_PLUGIN, quiet=True)
    cmds.file(path, exportAll=True, type=OBJ_TYPE, options=OBJ_OPTIONS, force=True)
    material = os.path.splitext(path)[0] + ".mtl"
    if os.path.exists(material):
        os.unlink(material)


def copy_unchanged(source: str, folder: str, name: str) -> None:
    """Copy the artist's file.

    Raises:
        LocalTrouble: it cannot be copied, or was saved meanwhile.
    """
    before = _stamp(source)
    copy(source, folder, name)
    if _stamp(source) != before:
        raise LocalTrouble("The file was saved while it was copied.", code="file_changed", hint="Submit once more.")


def _stamp(path: str) -> Tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def copy(source: str, folder: str, name: str) -> None:
    """Copy a file into a folder of the spool.

    Raises:
        LocalTrouble: the disk is full or cannot be written.
    """
    try:
        shutil.copyfile(source, os.path.join(folder, name))
    except OSError as error:
        raise disk_trouble(folder, error) from error


def save_trouble(folder: str, text: str) -> LocalTrouble:
    """The error for a copy that Maya could not write."""
    return LocalTrouble(
        "Maya cannot save a copy into {}: {}.".format(folder, " ".join(text.split())),
        code="copy_failed",
        hint="Free some space there, or set OUTFIELD_SPOOL to a folder that you may write.",
    )

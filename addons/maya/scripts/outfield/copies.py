# SPDX-License-Identifier: Apache-2.0
"""Copies of what is open, exported into the spool. The artist's file is never written, the scene never renamed, and its
mark of change stays as it is.
"""

from __future__ import annotations

import os

from maya import cmds

from . import scene

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

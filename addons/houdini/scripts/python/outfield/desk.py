# SPDX-License-Identifier: Apache-2.0
"""Houdini for the session, the panel and pipelines."""

from __future__ import annotations

import hou

from . import scene
from .outfield_core.render_nodes import Program
from .outfield_qt.desk import Desk

ASKED = {"rop": "node", "driver": "node", "node": "node", "camera": "camera", "engine": "kind"}
HOUDINI = Program("Houdini", (".hip", ".hiplc", ".hipnc"), "houdini", ASKED, scene)

desk = Desk(HOUDINI, "Render node", (hou.Error, RuntimeError))

# SPDX-License-Identifier: Apache-2.0
"""Nuke for the session, the panel and pipelines."""

from __future__ import annotations

from . import scene
from .outfield_core.render_nodes import Program
from .outfield_qt.desk import Desk

NUKE = Program("Nuke", (".nk",), "nuke", {"write": "node", "node": "node", "writes": "node"}, scene)

desk = Desk(NUKE, "Write node", (RuntimeError, ValueError, NameError))

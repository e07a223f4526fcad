# SPDX-License-Identifier: Apache-2.0
"""Nuke runs this when its windows come up, in the folder that `nuke.pluginAddPath` has named: the menu and the pane."""

from __future__ import annotations

import nuke
import nukescripts

__version__ = "0.1.0"

PANE = "org.outfield.Panel"

nukescripts.panels.registerWidgetAsPanel("__import__('outfield.window').window.new_panel", "Outfield", PANE)
nuke.menu("Nuke").addCommand("Render/Render on farm", "import outfield.window; outfield.window.show()")

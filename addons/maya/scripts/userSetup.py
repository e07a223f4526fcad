# SPDX-License-Identifier: Apache-2.0
"""Loads the plug-in once Maya has drawn its windows. Maya runs this file inside `__main__`: it leaves no name there."""

__import__("maya.cmds").cmds.evalDeferred("import outfield.start_up; outfield.start_up.load()", lowestPriority=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the farm is and how to be let in: the add-on's preferences, and what stands in for them in pipelines."""

from __future__ import annotations

import urllib.parse
from typing import Any

import bpy

from .outfield_core.texts import tr


class OutfieldPreferences(bpy.types.AddonPreferences):
    """Address and token of the farm."""

    bl_idname = __package__

    server: bpy.props.StringProperty(
        name="Farm", description="Address of the farm, e.g. http://farm:8000; empty: OUTFIELD_SERVER", default=""
    )
    token: bpy.props.StringProperty(
        name="Token",
        description="Made with `outfield token new`; empty: OUTFIELD_TOKEN",
        subtype="PASSWORD",
        default="",
    )
    ca_file: bpy.props.StringProperty(
        name="Certificate", description="The studio's own certificate, if its farm uses one", subtype="FILE_PATH"
    )

    def draw(self, context: Any) -> None:
        """The page in Blender's preferences."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "server", text=tr("Farm"))
        column.prop(self, "token", text=tr("Token"))
        column.prop(self, "ca_file", text=tr("Certificate"))
        row = column.row()
        row.alignment = "RIGHT"
        row.operator("outfield.refresh", text=tr("Check the connection"), icon="FILE_REFRESH")


def own_preferences() -> Any:
    """The add-on's preferences; None while it is being switched on or off."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon is not None else None


def said() -> dict[str, str]:
    """What is set there; "" is left to the environment."""
    own = own_preferences()
    if own is None:
        return {}
    return {"server": own.server, "token": own.token, "ca_file": bpy.path.abspath(own.ca_file) if own.ca_file else ""}


def may_connect(server: str) -> bool:
    """Blender's own switch for the network (4.2 and later). A farm on this very machine is no network."""
    if getattr(bpy.app, "online_access", True):
        return True
    address = server if "://" in server else "http://" + server
    return urllib.parse.urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


CLASSES = (OutfieldPreferences,)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the farm is and how to be let in: the add-on's preferences, and what stands in for them in pipelines."""

from __future__ import annotations

import os
import urllib.parse
from typing import Any

import bpy

from .outfield_core.client import Client
from .outfield_core.texts import tr

DEFAULT_SERVER = "http://127.0.0.1:8000"


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


def server() -> str:
    """The farm's address."""
    own = own_preferences()
    return (own.server.strip() if own is not None else "") or os.environ.get("OUTFIELD_SERVER", "") or DEFAULT_SERVER


def token() -> str:
    """The farm's token; it is never written anywhere else."""
    own = own_preferences()
    return (own.token.strip() if own is not None else "") or os.environ.get("OUTFIELD_TOKEN", "")


def new_client(timeout_s: float = 10.0) -> Client:
    """A client for the farm of the preferences. To be called on the main thread.

    Raises:
        Refused: the address is none.
    """
    own = own_preferences()
    ca_file = bpy.path.abspath(own.ca_file) if own is not None and own.ca_file else ""
    return Client(server(), token(), timeout_s=timeout_s, ca_file=ca_file)


def connection() -> tuple[str, str, str]:
    """All that a client is made of; it changes when the artist edits the preferences."""
    own = own_preferences()
    return server(), token(), own.ca_file if own is not None else ""


def may_connect() -> bool:
    """Blender's own switch for the network (4.2 and later). A farm on this very machine is no network."""
    if getattr(bpy.app, "online_access", True):
        return True
    address = server() if "://" in server() else "http://" + server()
    return urllib.parse.urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


CLASSES = (OutfieldPreferences,)

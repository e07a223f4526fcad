"""The list by which Blender (4.2 and later) finds extensions and their updates: `index.json` of a repository.

The format is that of `blender --command extension server-generate`
(https://docs.blender.org/manual/en/latest/advanced/extensions/creating_repository/static_repository.html), with which
a test compares it.
"""

from __future__ import annotations

import io
import tomllib
import zipfile
from typing import Any, Final

from scheduler.addons.packing import BuiltAddon

VERSION: Final = "v1"
LISTED: Final = (
    "schema_version", "id", "name", "tagline", "version", "type", "maintainer", "license", "blender_version_min",
    "blender_version_max", "website", "copyright", "permissions", "tags", "platforms",
)  # fmt: skip
"""What is taken over from the manifest, in the order in which Blender writes it."""


def index(built: BuiltAddon) -> dict[str, Any]:
    """The repository that holds this one extension; its archive lies beside the list."""
    with zipfile.ZipFile(io.BytesIO(built.content)) as archive:
        manifest = tomllib.loads(archive.read(f"{built.addon.top}/blender_manifest.toml").decode())
    entry = {key: manifest[key] for key in LISTED if key in manifest}
    entry |= {
        "archive_url": f"./{built.addon.file_name}",
        "archive_size": len(built.content),
        "archive_hash": f"sha256:{built.hash}",
    }
    return {"version": VERSION, "blocklist": [], "data": [entry]}

"""Builds an add-on's zip from its sources and the shared core: the same bytes for the same sources, on every machine.

Sources are `addons/` of the repository, or their copy in the installed package. Nothing is written here.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler import __version__
from scheduler.errors import NotFound, OutfieldError

PACKAGE: Final = Path(__file__).resolve().parent
SOURCES: Final = (PACKAGE / "sources", PACKAGE.parents[1] / "addons")
"""Where the sources are: in an installed package, in a checkout."""

TIME: Final = (2020, 1, 1, 0, 0, 0)
MODE: Final = 0o100644 << 16
UNIX: Final = 3
SKIPPED: Final = frozenset({"__pycache__", ".DS_Store"})
VERSION: Final = re.compile(r"""^(?:version|__version__) = ["']([^"']+)["']$""", re.MULTILINE)
PACKAGE_VERSION: Final = re.compile(r'"OUTFIELD_ADDON_VERSION": "([^"]+)"')
MODULE_FILE_VERSION: Final = re.compile(r"^\+ (?:\S+:\S+ )*outfield (\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Addon:
    """An add-on: its program, where its sources and the core lie in the zip, and the file that tells its version.

    `beside`: files that lie beside the folder `top` in the zip, not in it. `has_qt`: it has the panel that is drawn
    with Qt, which lies beside the core.
    """

    name: str
    title: str
    top: str
    core: str
    versioned: str
    beside: frozenset[str] = frozenset()
    has_qt: bool = False

    @property
    def file_name(self) -> str:
        """The zip's name."""
        return f"outfield-{self.name}-{__version__}.zip"


ADDONS: Final = {
    addon.name: addon
    for addon in (
        Addon("blender", "Blender", "outfield", "outfield/outfield_core", "blender_manifest.toml"),
        Addon(
            name="maya",
            title="Maya",
            top="outfield",
            core="outfield/scripts/outfield/outfield_core",
            versioned="outfield.mod",
            beside=frozenset({"outfield.mod"}),  # Maya looks for it in its `modules` folder itself
        ),
        Addon(
            name="houdini",
            title="Houdini",
            top="outfield",
            core="outfield/scripts/python/outfield/outfield_core",
            versioned="outfield.json",
            beside=frozenset({"outfield.json"}),  # Houdini looks for it in its `packages` folder itself
            has_qt=True,
        ),
        Addon(
            name="nuke",
            title="Nuke",
            top="outfield_nuke",
            core="outfield_nuke/outfield/outfield_core",
            versioned="menu.py",
            has_qt=True,
        ),
    )
}


@dataclass(frozen=True)
class BuiltAddon:
    """A zip, and its SHA-256 in hex."""

    addon: Addon
    content: bytes
    hash: str


def available() -> list[Addon]:
    """The add-ons whose sources are here."""
    return [addon for addon in ADDONS.values() if (sources() / addon.name / addon.versioned).is_file()]


def build(name: str) -> BuiltAddon:
    """The add-on's zip.

    Raises:
        NotFound: there is no such add-on here. OutfieldError: its version is not this package's.
    """
    addon = ADDONS.get(name)
    if addon is None or addon not in available():
        known = ", ".join(each.name for each in available()) or "none"
        raise NotFound(f"There is no add-on for {name!r}.", code="addon_unknown", hint=f"Add-ons: {known}.")
    root = sources()
    _check_version(root / name / addon.versioned)
    _check_version(root / "shared" / "outfield_core" / "__init__.py")
    buffer = io.BytesIO()
    members = {
        place.removeprefix(f"{addon.top}/") if path.name in addon.beside else place: path
        for place, path in _members(root / name, addon.top)
    }
    members.update(_members(root / "shared" / "outfield_core", addon.core))
    if addon.has_qt:
        members.update(_members(root / "shared" / "outfield_qt", f"{addon.core.removesuffix('core')}qt"))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for place in sorted(members):
            entry = zipfile.ZipInfo(place, TIME)
            entry.external_attr, entry.create_system = MODE, UNIX
            # Stored, not deflated: libraries deflate the same bytes differently.
            archive.writestr(entry, members[place].read_bytes())
    content = buffer.getvalue()
    return BuiltAddon(addon, content, hashlib.sha256(content).hexdigest())


def sources() -> Path:
    """The folder of the sources.

    Raises:
        NotFound: they are not installed.
    """
    for folder in SOURCES:
        if (folder / "shared" / "outfield_core").is_dir():
            return folder
    raise NotFound(
        "The sources of the add-ons are not installed.", code="addons_missing", hint="Install the package again, whole."
    )


def _members(folder: Path, top: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if path.is_file() and not SKIPPED & set(inner.parts) and path.suffix != ".pyc":
            yield f"{top}/{inner.as_posix()}", path


def _check_version(path: Path) -> None:
    text = path.read_text()
    found = {version for form in (VERSION, MODULE_FILE_VERSION, PACKAGE_VERSION) for version in form.findall(text)}
    if found != {__version__}:
        said = ", ".join(sorted(found)) or "no version"
        raise OutfieldError(
            f"{path.name} says {said}, the package is {__version__}.",
            code="addon_version",
            hint="Set both to the same version.",
        )

"""What can be set about Maya on one worker, read once from the environment; arguments of `MayaRunner` go first.

`OUTFIELD_MAYA__EXECUTABLES` lists Maya's programs `Render`, separated as PATH is; without it, they are looked for
where Autodesk's installers put them. `OUTFIELD_MAYA__VARIABLES` lists further variables of the worker's environment,
separated by commas, that Maya sees (a plug-in's licence or search path). `OUTFIELD_MAYA__UNTRUSTED=refuse` renders only
scenes that the farm trusts (`server.trusted_scenes`), for a Maya runs what scripts a scene holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

EXECUTABLES = "OUTFIELD_MAYA__EXECUTABLES"
VARIABLES = "OUTFIELD_MAYA__VARIABLES"
UNTRUSTED = "OUTFIELD_MAYA__UNTRUSTED"


@dataclass(frozen=True)
class MayaSetup:
    """`environment` is the worker's own, of which a Maya sees a small part; `variables` are names of it to be seen
    besides. `trusted_only`: scenes that the farm does not trust are refused."""

    executables: tuple[str, ...]
    variables: tuple[str, ...]
    trusted_only: bool
    environment: Mapping[str, str]


def load_maya_setup(environment: Mapping[str, str] | None = None) -> MayaSetup:
    """Read the settings from `environment`, or from the process's own."""
    source = dict(os.environ if environment is None else environment)  # noqa: TID251 - this is the settings module
    return MayaSetup(
        executables=tuple(part for part in source.get(EXECUTABLES, "").split(os.pathsep) if part),
        variables=tuple(part.strip() for part in source.get(VARIABLES, "").split(",") if part.strip()),
        trusted_only=source.get(UNTRUSTED, "").strip().lower() in ("refuse", "no", "0", "false", "off"),
        environment=source,
    )

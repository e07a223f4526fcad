"""What a Maya may know of the worker's environment, and the settings that keep users and adverts out of it.

PURE but for making the private folders. Names after Autodesk, "Environment variables" (MAYA_APP_DIR, MAYA_SCRIPT_PATH),
the Arnold for Maya User Guide ("Licensing": ARNOLD_FORCE_ABORT_ON_LICENSE_FAIL), and what render farms set
(MAYA_DISABLE_…, REDSHIFT_FORCEQUITONINTERNALERROR).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from worker.runners.process_tree import scrubbed_environment

LICENCES = frozenset(
    {
        "ADSKFLEX_LICENSE_FILE",
        "LM_LICENSE_FILE",
        "FLEXLM_TIMEOUT",
        "MAYA_LICENSE",
        "MAYA_LICENSE_METHOD",
        "MAYA_ALT_EN",
        "AUTODESK_ADLM_THINCLIENT_ENV",
        "solidangle_LICENSE",
        "RLM_LICENSE",
        "ARNOLD_LICENSE_HOST",
        "ARNOLD_LICENSE_PORT",
        "ARNOLD_LICENSE_MANAGER",
        "ARNOLD_LICENSE_ORDER",
        "VRAY_AUTH_CLIENT_FILE_PATH",
        "VRAY_AUTH_CLIENT_SETTINGS",
        "PIXAR_LICENSE_FILE",
        "redshift_LICENSE",
        "REDSHIFT_LICENSEPATH",
    }
)
"""Where licences are: without them Maya does not start, and engines draw watermarks."""

PLUG_INS = frozenset(
    {
        "MAYA_MODULE_PATH",
        "MAYA_PLUG_IN_PATH",
        "MAYA_RENDER_DESC_PATH",
        "ARNOLD_PLUGIN_PATH",
        "MTOA_TEMPLATES_PATH",
        "REDSHIFT_COREDATAPATH",
        "RMANTREE",
        "RMSTREE",
    }
)
"""Where an admin has put engines. Paths of scripts are not among them: no `userSetup` of a user's is run."""

QUIET = {
    "MAYA_DISABLE_CIP": "1",
    "MAYA_DISABLE_CER": "1",
    "MAYA_DISABLE_CLIC_IPM": "1",
    "MAYA_DISABLE_ADP": "1",
    "MAYA_DEBUG_ENABLE_CRASH_REPORTING": "0",
    "MAYA_NO_HOME": "1",
    "MAYA_SKIP_USERSETUP_PY": "1",
    "MAYA_OPENCL_IGNORE_DRIVER_VERSION": "1",
    "ARNOLD_FORCE_ABORT_ON_LICENSE_FAIL": "1",
    "REDSHIFT_FORCEQUITONINTERNALERROR": "1",
}
"""No windows, no reports home, no script of a user's, and no picture with a watermark instead of a failure."""


def maya_environment(
    source: Mapping[str, str], home: Path, location: Path, *, also: Collection[str] = ()
) -> dict[str, str]:
    """The environment of a Maya that is installed in `location`; its private folders are made below `home`.

    The folder of scripts that it looks into is `scripts_folder(home)`, and no other of a user's; those of a studio come
    after it where `also` names MAYA_SCRIPT_PATH.
    """
    scripts, app = scripts_folder(home), home / "maya"
    for folder in (scripts, app):
        folder.mkdir(parents=True, exist_ok=True)
    private = scrubbed_environment(source, home, LICENCES | PLUG_INS | frozenset(also))
    own = {
        "MAYA_LOCATION": str(location),
        "MAYA_APP_DIR": str(app),
        "MAYA_SCRIPT_PATH": os.pathsep.join(filter(None, (str(scripts), private.get("MAYA_SCRIPT_PATH")))),
    }
    return private | QUIET | own


def scripts_folder(home: Path) -> Path:
    """Where the start script lies."""
    return home / "scripts"

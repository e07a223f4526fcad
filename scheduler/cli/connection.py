"""Which scheduler a client verb talks to, and with which token.

The first that says something wins: a flag, the profile of `--profile`, the environment, the profile of
`OUTFIELD_PROFILE` or the one called `default`, and at last a farm on this machine with the admin token of its data
folder. A token is never sent to another server than the one it was given for.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scheduler.cli.exits import Usage
from scheduler.cli.options import SharedOptions

LOCAL_SERVER = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
ADMIN_TOKEN_FILE = "admin.token"
PROFILES_FILE = "clients.toml"
PROFILE_KEYS = ("server", "token", "token_file", "ca_file")


@dataclass(frozen=True)
class Profile:
    """One entry of `clients.toml`: a table with `server` and, if needed, `token` or `token_file`, and `ca_file`."""

    server: str
    token: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True)
class Connection:
    """Where to and as whom. `ca_file` holds certificates to trust besides the system's."""

    server: str
    token: str | None = None
    ca_file: Path | None = None

    @property
    def local(self) -> bool:
        """Whether the scheduler is on this machine, so that it sees the same paths."""
        return is_local(self.server)


def is_local(server: str) -> bool:
    """Whether a URL names this machine by its loopback address."""
    return urlsplit(server).hostname in LOOPBACK


def choose(
    options: SharedOptions,
    profiles: Mapping[str, Profile],
    local_token: Callable[[], str | None],
    local_ca: Callable[[], Path | None] = lambda: None,
) -> Connection:
    """Decide which server and which token.

    Raises:
        Usage: the profile that was named does not exist, or a URL is none.
    """
    profile = _profile(options, profiles)
    if options.server or (options.env_server and not options.profile):
        server = options.server or options.env_server or ""
        profile = profile if profile is not None and clean_url(profile.server) == clean_url(server) else None
    else:
        server = profile.server if profile is not None else LOCAL_SERVER
    server = clean_url(server)
    token = options.token or (None if options.profile else options.env_token)
    if token is None and profile is not None:
        token = profile.token or (read_token(profile.token_file) if profile.token_file else None)
    if token is None and is_local(server):
        token = local_token()
    return Connection(server, token, _ca_file(options, profile, server, local_ca))


def _ca_file(
    options: SharedOptions, profile: Profile | None, server: str, local_ca: Callable[[], Path | None]
) -> Path | None:
    """The certificates to trust: a flag's, the profile's, the environment's, or those of the farm on this machine."""
    if options.ca_file:
        return Path(options.ca_file).expanduser()
    if profile is not None and profile.ca_file is not None:
        return profile.ca_file
    if options.env_ca_file:
        return Path(options.env_ca_file).expanduser()
    return local_ca() if is_local(server) and server.startswith("https:") else None


def clean_url(server: str) -> str:
    """The URL without a slash at its end.

    Raises:
        Usage: it is no http or https URL.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Usage(f"{server!r} is not the URL of a scheduler.", hint=f"Write it like {LOCAL_SERVER}")
    return server.rstrip("/")


def read_profiles(path: Path) -> dict[str, Profile]:
    """The profiles of a `clients.toml`; none when there is no such file.

    Raises:
        Usage: the file is not TOML, or holds something that is not a profile.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Usage(f"The profiles in {path} cannot be read: {error}.", hint="Correct or remove that file.") from error
    return {name: _read_profile(path, name, table) for name, table in tables.items()}


def read_token(path: Path) -> str | None:
    """The token in a file; None when there is none that this user may read."""
    try:
        return path.expanduser().read_text().strip() or None
    except OSError:
        return None


def _profile(options: SharedOptions, profiles: Mapping[str, Profile]) -> Profile | None:
    name = options.profile or options.env_profile
    if name is None:
        return profiles.get("default")
    if name not in profiles:
        known = f"Known: {', '.join(sorted(profiles))}." if profiles else f"Write it into {PROFILES_FILE}."
        raise Usage(f"There is no profile {name!r}.", hint=known)
    return profiles[name]


def _read_profile(path: Path, name: str, table: Any) -> Profile:
    if not isinstance(table, dict) or not isinstance(table.get("server"), str):
        raise Usage(
            f"The profile {name!r} in {path} needs a server.", hint=f'Write: [{name}] server = "{LOCAL_SERVER}"'
        )
    for key, value in table.items():
        if key not in PROFILE_KEYS or not isinstance(value, str):
            near = difflib.get_close_matches(str(key), PROFILE_KEYS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(PROFILE_KEYS)}; all are texts."
            raise Usage(f"{key!r} of profile {name!r} in {path} is not understood.", hint=hint)
    files = {key: Path(table[key]).expanduser() for key in ("token_file", "ca_file") if key in table}
    return Profile(table["server"], table.get("token"), files.get("token_file"), files.get("ca_file"))

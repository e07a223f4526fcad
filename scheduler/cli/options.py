"""The options that every verb takes, before or after its name; what stands after the name wins."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="print data as JSON")]
QuietFlag = Annotated[bool, typer.Option("--quiet", help="print IDs and results only")]
ServerOption = Annotated[str | None, typer.Option("--server", metavar="URL", help="scheduler's URL")]
TokenOption = Annotated[str | None, typer.Option("--token", metavar="T", help="access token")]
ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="P", help="entry of clients.toml")]
CaFileOption = Annotated[str | None, typer.Option("--ca-file", metavar="FILE", help="certificates to trust besides")]


@dataclass(frozen=True)
class SharedOptions:
    """The options that every verb takes. `env_*` come from the environment, which any flag beats."""

    json: bool = False
    quiet: bool = False
    server: str | None = None
    token: str | None = None
    profile: str | None = None
    ca_file: str | None = None
    env_server: str | None = None
    env_token: str | None = None
    env_profile: str | None = None
    env_ca_file: str | None = None

    @property
    def names_a_server(self) -> bool:
        """Whether anything says which scheduler is meant."""
        return bool(self.server or self.profile or self.env_server or self.env_profile)

    def under(self, later: SharedOptions) -> SharedOptions:
        """These options with what `later` says on top."""
        return SharedOptions(**{f.name: getattr(later, f.name) or getattr(self, f.name) for f in fields(self)})


SHARED: dict[str, Any] = {
    "json": JsonFlag,
    "quiet": QuietFlag,
    "server": ServerOption,
    "token": TokenOption,
    "profile": ProfileOption,
    "ca_file": CaFileOption,
}
"""The shared options with the annotations that typer reads."""

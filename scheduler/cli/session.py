"""What a verb works with: its options, where it prints, and the scheduler's client, made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scheduler.cli.connection import ADMIN_TOKEN_FILE, PROFILES_FILE, Connection, choose, read_profiles, read_token
from scheduler.cli.options import SharedOptions
from scheduler.cli.output import Output

if TYPE_CHECKING:
    from scheduler.cli.client import Client
    from scheduler.cli.outbox import Outbox


class Cli:
    """One run of a verb."""

    def __init__(self, options: SharedOptions) -> None:
        self.options = options
        self.output = Output(as_json=options.json, quiet=options.quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "client" in self.__dict__:
            self.client.close()

    @cached_property
    def connection(self) -> Connection:
        """The scheduler that is meant."""
        profiles = read_profiles(config_folder() / PROFILES_FILE)
        return choose(self.options, profiles, lambda: read_token(data_folder() / ADMIN_TOKEN_FILE), local_ca)

    @cached_property
    def client(self) -> Client:
        """Calls to that scheduler."""
        from scheduler.cli.client import Client

        return Client(self.connection)

    @cached_property
    def outbox(self) -> Outbox:
        """Submissions that could not be sent yet."""
        from scheduler.cli.outbox import Outbox

        return Outbox(data_folder() / "outbox")


def local_ca() -> Path | None:
    """The authority of the farm in the user's data folder, if it has one."""
    path = data_folder() / "tls" / "ca.pem"
    return path if path.exists() else None


def data_folder() -> Path:
    """The user's data folder, which is also the default data folder of a farm."""
    import platformdirs

    return Path(platformdirs.user_data_dir("outfield"))


def config_folder() -> Path:
    """The folder of `clients.toml` and the user's `outfield.toml`."""
    import platformdirs

    return Path(platformdirs.user_config_dir("outfield"))

"""`up`, `scheduler` and `worker`: the verbs that stay. Everything they need is imported when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.exits import ExitCode, Usage
from scheduler.cli.session import Cli

if TYPE_CHECKING:
    from scheduler.settings import LoadedSettings, Settings

JOIN_CODE_MAX = 200
ORPHAN_DRAIN_S = 60.0
"""How long a worker of a killed `up` may go on with what it runs: the next `up` finds it done, or still on its way."""

ConfigOption = Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")]
HostOption = Annotated[str | None, typer.Option(metavar="ADDRESS", help="address to listen on  [127.0.0.1]")]
PortOption = Annotated[int | None, typer.Option(metavar="N", help="port to listen on; 0 takes a free one  [8000]")]
DataOption = Annotated[Path | None, typer.Option(metavar="DIR", help="data folder")]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="database; SQLite in the data folder if not set")
]
StorageOption = Annotated[str | None, typer.Option(metavar="URL", help="storage; the data folder if not set")]
RootsOption = Annotated[
    list[Path] | None, typer.Option("--output-root", metavar="DIR", help="frames may go below here")
]


def up(
    cli: Cli,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    data: DataOption = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="local workers  [half the cores]")] = None,
    database: DatabaseOption = None,
    storage: StorageOption = None,
    output_root: RootsOption = None,
) -> ExitCode:
    """Run a farm: the scheduler and N local workers.

    Prints one line, `outfield ready URL`, when it serves. The admin's token is in DIR/admin.token. SIGTERM or Ctrl-C
    lets running tasks finish, then ends with 0. After a crash, start it again with the same data folder.
    """
    flags = _server_flags(host, port, data, database, storage, output_root) | {"server.workers": workers}
    loaded = _load(config, flags)
    count = worker_count(loaded, os.cpu_count() or 1)
    return _serve(cli, loaded.settings, count)


def scheduler(
    cli: Cli,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    storage: StorageOption = None,
    output_root: RootsOption = None,
) -> ExitCode:
    """Run the scheduler alone; workers come from elsewhere."""
    loaded = _load(config, _server_flags(host, port, data, database, storage, output_root))
    return _serve(cli, loaded.settings, 0)


def worker(
    cli: Cli,
    join: Annotated[str | None, typer.Option(metavar="CODE", help="join code; - reads it from standard input")] = None,
    pool: Annotated[str | None, typer.Option(metavar="NAME", help="pool to join  [onprem]")] = None,
    slots: Annotated[int | None, typer.Option(metavar="N", min=1, help="tasks run side by side  [1]")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="folder of this worker alone")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="what it is called in lists  [host name]")] = None,
    ca_pin: Annotated[str | None, typer.Option(metavar="PIN", help="the farm authority's, see `outfield init`")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="further tag that jobs may require")] = None,
    parent_pid: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> ExitCode:
    """Run a worker for the scheduler at --server URL.

    The join code (`outfield token new --role worker`) is needed once; a restarted worker with the same data folder is
    the same worker. SIGTERM lets running tasks finish.
    """
    from worker.bootstrap import run
    from worker.settings import SettingsInvalid, load_worker_settings

    server = cli.connection.server if cli.options.names_a_server else None
    flags: dict[str, Any] = {"server": server, "join": _join_code(join), "pool": pool, "slots": slots}
    flags |= {"data": data.absolute() if data else None, "name": name, "parent_pid": parent_pid}
    flags |= {"ca_pin": ca_pin, "ca_file": cli.connection.ca_file if server else None}
    flags["tags"] = tuple(tag) if tag else None
    flags["orphan_drain_s"] = ORPHAN_DRAIN_S if parent_pid else None
    try:
        settings = load_worker_settings(flags)
    except SettingsInvalid as error:
        raise Usage(str(error), hint="`outfield worker --help` lists the options.") from error
    return ExitCode(run(settings))


def worker_count(loaded: LoadedSettings, cores: int) -> int:
    """How many local workers `up` starts: what is set, else half the cores, at least one."""
    if "server.workers" in loaded.origin:
        return loaded.settings.server.workers
    return max(1, cores // 2)


def _serve(cli: Cli, settings: Settings, count: int) -> ExitCode:
    from scheduler.bootstrap.serving import run_loop
    from scheduler.cli.local_farm import run_farm
    from scheduler.cli.local_workers import Crew
    from scheduler.telemetry import set_up_logging

    set_up_logging()
    folder = settings.server.data / "workers"

    def announce(url: str, _leave: Callable[[], None]) -> None:
        print(f"outfield ready {url}", flush=True)
        cli.output.note(f"The admin's token is in {settings.server.data / 'admin.token'}")

    run_loop(run_farm(settings, lambda url: Crew(count, folder, url), announce))
    return ExitCode.OK


def _load(config: Path | None, flags: dict[str, Any]) -> LoadedSettings:
    from scheduler.settings import load_settings

    return load_settings(file=config, flags=flags)


def _server_flags(
    host: str | None,
    port: int | None,
    data: Path | None,
    database: str | None,
    storage: str | None,
    roots: list[Path] | None,
) -> dict[str, Any]:
    """Flags as dotted settings; relative folders are meant from where the user stands."""
    return {
        "server.host": host,
        "server.port": port,
        "server.data": data.expanduser().absolute() if data else None,
        "server.database": database,
        "server.storage": storage,
        "server.output_roots": tuple(root.expanduser().absolute() for root in roots) if roots else None,
    }


def _join_code(join: str | None) -> str | None:
    """The code itself, or the first line of standard input for `-`."""
    return sys.stdin.readline(JOIN_CODE_MAX).strip() if join == "-" else join

"""`bench ao`: how fast this machine renders the built-in scene."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.exits import Usage
from scheduler.cli.session import Cli

SIZE_PX_MAX = 8192


def ao(
    cli: Cli,
    size: Annotated[int, typer.Option(min=1, max=SIZE_PX_MAX, metavar="PX", help="width and height")] = 256,
    subsamples: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="camera rays per pixel and axis")] = 2,
    ao_samples: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="occlusion rays per camera ray and axis")
    ] = 8,
    threads: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="threads")] = 1,
    repeat: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="how often, after one that does not count")
    ] = 20,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="picture to write (.png, .jpg, .exr)")] = None,
) -> None:
    """Measure the ambient occlusion kernel.

    Prints warm wall times in ms, and the mean linear value of the picture.
    """
    _prepare()
    from worker.runners.kernel.bench import bench_ao

    try:
        measured = bench_ao(size, subsamples, ao_samples, threads, repeat, out.absolute() if out else None)
    except ValueError as error:
        raise Usage(str(error)) from error
    if cli.output.as_json:
        return cli.output.data(measured)
    times = sorted(measured["ms"])
    cli.output.fields(
        [
            ("median", f"{times[len(times) // 2]:.2f} ms"),
            ("best", f"{times[0]:.2f} ms"),
            ("worst", f"{times[-1]:.2f} ms"),
            ("mean", f"{measured['mean']:.5f} (linear value of the picture)"),
            ("picture", out),
        ]
    )
    return None


def _prepare() -> None:
    """Compiled kernels go where the workers of this machine keep theirs."""
    from worker.settings import load_worker_settings, prepare_environment

    prepare_environment(load_worker_settings({"server": "http://127.0.0.1"}))

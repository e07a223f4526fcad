"""How fast the kernels are here: warm wall times of a whole frame's rays, for `outfield bench` and benchmarks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from scheduler.protocol.renderers import KernelSettings
from worker.runners.kernel.blocks import Crew


def bench_ao(
    size: int, subsamples: int, ao_samples: int, threads: int, repeat: int, out: Path | None = None
) -> dict[str, Any]:
    """Renders the built-in scene `repeat` times after one that does not count.

    Returns {"ms": wall time of each in milliseconds, "mean": mean linear value of the image, …}. `out` gets the
    picture; its ending says whether as PNG, JPEG or EXR. Raises `ValueError` for another ending.
    """
    from kernels.film import linear_picture
    from worker.runners.kernel.engine import Job, render_film, whole_part
    from worker.runners.kernel.images import ImageStyle, write_image
    from worker.runners.kernel.stage import Spheres

    form = None if out is None else out.suffix.lower().removeprefix(".").replace("jpeg", "jpg")
    if form is not None and form not in ("png", "jpg", "exr"):
        raise ValueError(f"{out} must end in .png, .jpg or .exr.")
    settings = KernelSettings(width=size, height=size, subsamples=subsamples, ao_samples=ao_samples)
    stage = Spheres()
    view = stage.view(settings, 0)
    job = Job(Crew(), threads, threading.Event(), lambda _done, _total: None)
    times: list[float] = []
    film = render_film(stage, view, whole_part(settings), job)
    for _ in range(repeat):
        start = time.perf_counter()
        film = render_film(stage, view, whole_part(settings), job)
        times.append((time.perf_counter() - start) * 1e3)
    job.crew.close()
    picture = linear_picture(film)
    if out is not None and form is not None:
        write_image(out, picture, form, ImageStyle(), {"software": "Outfield bench", "samples": subsamples**2})
    return {
        "ms": [round(ms, 3) for ms in times],
        "mean": float(picture.mean(dtype="float64")),
        "size": size,
        "subsamples": subsamples,
        "ao_samples": ao_samples,
        "threads": threads,
    }

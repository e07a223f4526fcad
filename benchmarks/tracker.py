"""What following the tracker costs the tick: the longest and median tick while the site answers, hangs, or changes all.

The site is a fake that speaks ShotGrid's wire format, in a process of its own; the farm is the scheduler's own parts
with the real client in its thread. Ticks run one after another while one sync goes on beside them.

    python benchmarks/tracker.py [--jobs 2000] [--ticks 40]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fake_shotgrid import FakeShotGrid
from farms import LooseFarm

from scheduler.bootstrap.running import calm_collector
from scheduler.domain.states import JobStatus
from scheduler.settings import ShotGridSettings
from scheduler.store.tables import Job, Step
from scheduler.store.transaction import Transaction

JOBS_PER_SHOT = 5
HANG_TIMEOUT_S = 3.0
MARGIN_MS = 50
THREAD_SWITCH_S = 0.001


class SiteProcess:
    """A fake site in a process of its own; `ask` calls a method of it there."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        self.url, self.script_name, self.api_key = self._pipe.recv()

    def ask(self, method: str, *words: Any, **fields: Any) -> Any:
        """Call a method of the fake site."""
        self._pipe.send((method, words, fields))
        return self._pipe.recv()

    def close(self) -> None:
        """End it."""
        self._pipe.send(None)
        self._process.join(10)


def _serve(pipe: Connection) -> None:
    site = FakeShotGrid()
    pipe.send((site.url, site.script_name, site.api_key))
    while (call := pipe.recv()) is not None:
        method, words, fields = call
        pipe.send(getattr(site, method)(*words, **fields))
    site.close()


def fill(farm: LooseFarm, jobs: int, shots: int) -> None:
    """Jobs of one step with five ready tasks each, on all shots."""

    def change(tx: Transaction) -> None:
        rows = [
            Job(
                name="n", status=JobStatus.QUEUED, renderer="null", frames="1-5", frame_count=5, format="png",
                scene={}, settings={}, requires={}, extra={}, payload={}, pools=[], submitted_at=0.0,
                project="Alpha", tracking={"project": "Alpha", "shot": f"s{number % shots}"},
            )
            for number in range(jobs)
        ]  # fmt: skip
        tx.session.add_all(rows)
        tx.session.flush()
        tx.session.add_all([Step(job_id=row.id or 0, name="render", kind="render", ready=5) for row in rows])

    farm.store.write(change)


async def ticks(farm: LooseFarm, count: int, beside: asyncio.Task[None] | None = None) -> list[float]:
    """Milliseconds of each tick; with a sync beside them, until that has ended."""
    spans: list[float] = []
    while len(spans) < count and not (beside is not None and beside.done() and spans):
        started = time.perf_counter()
        await farm.tick.run()
        spans.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.01)
    return spans


async def during_sync(farm: LooseFarm, count: int) -> list[float]:
    """Ticks while one sync goes on."""
    sync = asyncio.create_task(farm.services.following.sync())
    spans = await ticks(farm, count, sync)
    await sync
    return spans


def measure(jobs: int, count: int) -> dict[str, list[float]]:
    """Ticks without a sync, and beside syncs of every kind."""
    site = SiteProcess()
    project = site.ask("add", "Project", name="Alpha", sg_priority=10)
    shots = max(1, jobs // JOBS_PER_SHOT)
    for number in range(shots):
        site.ask("add", "Shot", code=f"s{number}", project=project)
    settings = ShotGridSettings(
        url=site.url, script_name=site.script_name, api_key=site.api_key, timeout_s=HANG_TIMEOUT_S
    )
    with tempfile.TemporaryDirectory() as folder:
        farm = LooseFarm(Path(folder), sections={"shotgrid": settings})
        farm.join()
        fill(farm, jobs, shots)
        farm.run(ticks(farm, 3))
        calm_collector()  # as the running scheduler does after its first plan
        told = {"without a sync": farm.run(ticks(farm, count))}
        told["first sweep"] = farm.run(during_sync(farm, count * 10))
        told["nothing new"] = farm.run(during_sync(farm, count))
        site.ask("change", project, sg_priority=90)
        told["everything raised"] = farm.run(during_sync(farm, count * 10))
        site.ask("hang", 1)
        told["the site hangs"] = farm.run(during_sync(farm, count * 10))
        site.ask("heal")
        farm.close()
    site.close()
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--ticks", type=int, default=40)
    arguments = parser.parse_args()
    sys.setswitchinterval(THREAD_SWITCH_S)  # as the running scheduler does
    told = measure(arguments.jobs, arguments.ticks)
    base = told["without a sync"]
    for name, spans in told.items():
        line = f"{name:18s} median {statistics.median(spans):6.1f} ms   worst {max(spans):6.1f} ms   {len(spans)} ticks"
        print(line + (f"   worst is {max(spans) - statistics.median(base):+.1f} ms" if spans is not base else ""))
    print(f"limit: no tick over {MARGIN_MS} ms longer than without")


if __name__ == "__main__":
    main()

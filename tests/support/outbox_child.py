"""A courier in a process of its own, for tests that kill it: `python outbox_child.py DATA URL KEY`.

Delivers what is due in the store of the folder DATA to the site at URL, with real pictures, and ends with 0.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from scheduler.clock import SystemClock
from scheduler.imaging.filming import Filming
from scheduler.imaging.pool import ImagingPool
from scheduler.priorities.delivering import make_courier
from scheduler.settings import ShotGridSettings
from scheduler.store.store import Store


async def deliver(data: Path, url: str, key: str) -> None:
    """One round."""
    store, pool = Store(data), ImagingPool()
    await pool.start()
    settings = ShotGridSettings.model_validate({"url": url, "api_key": key, "timeout_s": 5.0})
    courier = make_courier(
        settings, store=store, clock=SystemClock(), previews=pool, movies=Filming(), prices={}, farm_name="outfield"
    )
    await courier.deliver()
    courier.close()
    await pool.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(deliver(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))

"""A served farm behind a real uvicorn on a free port, for what only sockets show: streams, hang-ups, large bodies.

`until` waits for what no event tells of, bounded.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from api_client import ServedFarm

WAIT_S = 10.0


async def until(true: Callable[[], bool]) -> None:
    """Wait until it is true, or fail."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110  what is waited for belongs to the product, which tells no test
            await asyncio.sleep(0.001)


@asynccontextmanager
async def listening(farm: ServedFarm, **more: Any) -> AsyncIterator[str]:
    """Serve the farm's app, with `more` settings of uvicorn; yields its URL. To be entered in the farm's own loop."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    known = {"log_config": None, "access_log": False, "lifespan": "off", "timeout_graceful_shutdown": 1}
    config = uvicorn.Config(farm.app, **known | more)
    if more:
        config.load()  # TLS is set up there
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        farm.farm.live.wake_all()
        farm.farm.live.end_subscriptions()
        server.should_exit = True
        await serving


@asynccontextmanager
async def calling(farm: ServedFarm, role: str = "user") -> AsyncIterator[httpx.AsyncClient]:
    """A client with a role's token, over a real socket."""
    async with (
        listening(farm) as url,
        httpx.AsyncClient(base_url=url, headers=farm.headers(role), timeout=10) as client,
    ):
        yield client

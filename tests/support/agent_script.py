"""The start-up script of a machine that runs this very installation, for backends whose machines are real processes."""

from __future__ import annotations

import sys

from running_farm import RunningFarm

from worker.settings import WorkerSettings

TOLD = ("cloud", "instance", "intent", "life_s", "notice_leave_s")
COMING = [name for name in TOLD if name not in WorkerSettings.model_fields]
"""What backends tell a worker and this worker does not know yet."""


def start_up(farm: RunningFarm, pool: str, count: int = 1, *, number: str = "0") -> str:
    """Bash that runs a worker in the foreground. Each of `count` machines takes the join code of its own `number`.

    The cache is the user's, so that kernels that were compiled before are used.
    """
    wanted = {"name": pool, "role": "worker"}
    codes = [farm.client.post("/tokens", json=wanted).json()["data"]["token"] for _code in range(count)]
    unset = [f"OUTFIELD_WORKER__{name.upper()}" for name in ["cache", *COMING]]
    worker = f"{sys.executable} -m scheduler.cli.main worker --server {farm.url} --pool {pool}"
    return f"""
unset {" ".join(unset)}
codes=({" ".join(codes)})
exec {worker} --join "${{codes[{number}]}}"
"""

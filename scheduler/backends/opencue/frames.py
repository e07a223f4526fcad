"""A worker as a frame of RQD: its ids, its labels, and the script that it runs. **Pure.**"""

from __future__ import annotations

import base64
import shlex
import uuid
from collections.abc import Mapping
from string import Template
from typing import Any

from scheduler.backends.base import LABEL_INTENT, LaunchOrder
from scheduler.settings import OpencuePool

NAMESPACE = uuid.UUID("6f9d9f3e-0a2b-4d6c-9a3a-3f0f0b8f4f10")
CORE = 100
"""RQD counts in hundredths of a core."""

KIB_PER_GIB = 2**20

NO_PROCESS = -1
"""The process of a frame before RQD has started it. Left at 0, a kill in that moment hits RQD's own process group: the
RQD in Python (1.37) calls killpg with it. A negative number is refused by the C library, and the kill passed over."""

SCRIPT = Template("""\
#!/bin/bash
# Written by Outfield. RQD ends a frame by SIGKILL to this process group, and nothing else. So all is done by a guard
# outside of it: it runs one worker in a folder and a session of its own, asks it to go when this process is gone or its
# time is over, and wipes the folder when all have gone. RQD may count the cores as free before.
export OUTFIELD_INSTANCE=$instance OUTFIELD_WORKER__INSTANCE=$instance OUTFIELD_WORKER__INTENT=$intent
export OUTFIELD_WORKER__LIFE_S=$life_s OUTFIELD_WORKER__DRAIN_S=$drain_s OUTFIELD_WORKER__FLUSH_S=$flush_s
setsid bash -c '
umask 077
work=$$(mktemp -d "$$2/outfield-XXXXXXXXXX") && mkdir "$$work/data" && cd "$$work" || exit 1
export OUTFIELD_WORKER__DATA=$$work/data OUTFIELD_WORKER__NAME=$$(hostname -s)-$frame
base64 -d > start_up <<< "$start_up"
setsid bash start_up < /dev/null &
worker=$$!
wanted() { read -r _ _ _ parent _ < /proc/$$$$/stat && [ "$$parent" = "$$1" ] && (( SECONDS < $life_s )); }
here() { kill -0 "$$worker" || pgrep -s "$$worker" > /dev/null; } 2> /dev/null
tell() { pkill "-$$1" -s "$$worker" || kill "-$$1" "$$worker"; } 2> /dev/null
while here && wanted "$$1"; do sleep 0.2; done
tell TERM
asked=$$SECONDS
while here; do (( SECONDS - asked <= $leave_s )) || tell KILL; sleep 0.2; done
wait "$$worker"
code=$$?
rm -rf "$$work"
exit "$$code"
' guard "$$$$" $scratch < /dev/null &
wait "$$!"
""")


def frame_id(intent: str, number: int) -> str:
    """The id of an order's n-th frame, the same whenever it is asked for: RQD refuses one that it runs already."""
    return str(uuid.uuid5(NAMESPACE, f"{intent}/{number}"))


def run_frame(
    order: LaunchOrder, number: int, settings: OpencuePool, *, host: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The fields of RQD's `RunFrame`. Its name is the intent, so that the log of each worker is found."""
    frame = frame_id(order.intent, number)
    return {
        "resource_id": frame,
        "job_id": str(uuid.uuid5(NAMESPACE, order.intent)),
        "job_name": "outfield",
        "frame_id": frame,
        "frame_name": f"{number:04d}-{uuid.uuid5(NAMESPACE, order.intent).hex[:12]}",
        "layer_id": str(uuid.uuid5(NAMESPACE, "layer")),
        "show": "outfield",
        "shot": "worker",
        "pid": NO_PROCESS,
        "command": _script(order, f"{host}/{frame}", settings),
        "user_name": settings.user,
        "log_dir": str(settings.log_folder),
        "num_cores": settings.vcpus * CORE,
        "num_gpus": settings.gpus,
        "soft_memory_limit": round(settings.memory_gib * KIB_PER_GIB),
        "hard_memory_limit": round(settings.memory_gib * KIB_PER_GIB),
        "ignore_nimby": settings.ignore_nimby,
        "attributes": dict(order.labels) | dict(labels) | {LABEL_INTENT: order.intent},
    } | ({"uid": settings.uid, "gid": settings.gid or settings.uid} if settings.uid else {})


def _script(order: LaunchOrder, instance: str, settings: OpencuePool) -> str:
    return SCRIPT.substitute(
        scratch=shlex.quote(str(settings.scratch)),
        instance=shlex.quote(instance),
        intent=shlex.quote(order.intent),
        life_s=round(order.life_s),
        frame=instance[-8:],
        leave_s=round(settings.leave_s),
        drain_s=f"{settings.leave_s / 2:g}",
        flush_s=f"{settings.leave_s / 4:g}",
        start_up=base64.b64encode(order.start_up.encode()).decode(),
    )

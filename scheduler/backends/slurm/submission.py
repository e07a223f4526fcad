"""An order as an array job: the options of `sbatch` and the script that every task of the array runs. **Pure.**"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from scheduler.backends.base import LaunchOrder
from scheduler.backends.slurm import labels
from scheduler.settings import SlurmPool

WARNING_S = 120
"""How long before the time limit Slurm warns the script, by USR1 and up to a minute early, as its manual says."""

WARNED_FROM_MIN = 5
"""Time limit from which a warning makes sense; before a shorter one it would come with the start."""

SCRIPT = Template("""\
#!/bin/bash
# Written by Outfield. Runs one worker in a folder of its own, which goes when the worker goes.
umask 077
id=$${SLURM_ARRAY_JOB_ID}_$${SLURM_ARRAY_TASK_ID}
base=$scratch/outfield-$$(id -u)
mkdir -p "$$base"
if [ -L "$$base" ] || [ ! -O "$$base" ]; then echo "$$base belongs to somebody else" >&2; exit 1; fi

# A folder is in use as long as somebody holds its lock. What killed workers left is wiped first.
exec 8>"$$base/lock"; flock 8
for lock in "$$base"/*.lock; do
    [ -e "$$lock" ] && flock -n "$$lock" rm -rf "$${lock%.lock}" "$$lock"
done
work=$$base/$$id
exec 9>"$$work.lock"; flock 9
rm -rf "$$work"; mkdir -p "$$work" "$$base/cache" || exit 1
exec 8>&-
trap 'rm -rf "$$work" "$$work.lock"' EXIT

export OUTFIELD_WORKER__DATA=$$work/data OUTFIELD_WORKER__CACHE=$$base/cache
export OUTFIELD_WORKER__NAME=$${SLURMD_NODENAME:-slurm}-$$id
export OUTFIELD_INSTANCE=$$id OUTFIELD_WORKER__INSTANCE=$$id OUTFIELD_WORKER__INTENT=$intent
export OUTFIELD_WORKER__CLOUD=slurm
export OUTFIELD_WORKER__LIFE_S=$life_s OUTFIELD_WORKER__NOTICE_LEAVE_S=$notice_leave_s
base64 -d > "$$work/start_up" <<< '$start_up'
cd "$$work" || exit 1

# When a job is cancelled or pre-empted, Slurm sends TERM to every process of it. Before its time limit it warns this
# script alone, by USR1. That is handed on to the worker: the first process below that catches USR1 (the tenth bit of
# its SigCgt), whatever stands between. What the worker has started itself is none of our business.
hand_on() {
    local each name value caught
    for each in $$(pgrep -P "$$1"); do
        caught=0
        while read -r name value; do [ "$$name" = SigCgt: ] && caught=$$value; done 2>/dev/null < "/proc/$$each/status"
        if (( 0x$$caught & 0x200 )); then kill -USR1 "$$each"; else hand_on "$$each"; fi
    done
}
trap '' USR1
trap : TERM
bash "$$work/start_up" &
child=$$!
exec 9>&-
trap 'hand_on $$$$' USR1
while wait "$$child"; code=$$?; kill -0 "$$child" 2>/dev/null; do :; done
until flock -n "$$work.lock" true; do sleep 0.2; done  # a worker may outlive what started it, to finish its task
exit "$$code"
""")


@dataclass(frozen=True, slots=True)
class Submission:
    """What `sbatch` is given: its options, and the script on its standard input."""

    count: int
    options: tuple[str, ...]
    script: str


def submission(order: LaunchOrder, settings: SlurmPool, pool: str, own: Mapping[str, str]) -> Submission:
    """The array job for an order, `own` being the farm's labels; at most `array_max` tasks, whatever is ordered."""
    count = min(order.count, settings.array_max)
    minutes = limit_min(order.life_s, settings)
    comment = labels.written(dict(order.labels) | dict(own))
    options = (
        *settings.sbatch_options,
        *resource_options(settings),
        "--parsable",
        "--export=ALL",  # of the environment that `sbatch` itself is given, which holds next to nothing
        "--no-requeue",  # the farm decides what follows; a second life would find its join code used up
        f"--array=0-{count - 1}",
        f"--job-name=outfield-{pool}",
        f"--comment={comment}",
        f"--time={minutes}",
        f"--deadline=now+{minutes * 60 + round(settings.queue_s)}",
        "--chdir=/",
        f"--output={settings.log_folder / 'outfield-%A_%a.log' if settings.log_folder else '/dev/null'}",
        *((f"--signal=B:USR1@{WARNING_S}",) if minutes >= WARNED_FROM_MIN else ()),
    )
    return Submission(count, options, _script(order, minutes * 60, settings))


def limit_min(life_s: float, settings: SlurmPool) -> int:
    """The time limit of a job in whole minutes, Slurm's unit: within the order's life and the pool's time limit."""
    return max(1, int(min(life_s, settings.time_limit_s or life_s) // 60))


def resource_options(settings: SlurmPool) -> tuple[str, ...]:
    """What one worker needs, and where it may run."""
    gpus = f"gpu:{settings.gpu_type}:{settings.gpus}" if settings.gpu_type else f"gpu:{settings.gpus}"
    given = {"partition": settings.partition, "account": settings.account, "qos": settings.qos}
    return (
        *(f"--{name}={value}" for name, value in given.items() if value),
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={settings.vcpus}",
        f"--mem={round(settings.memory_gib * 1024)}M",
        *((f"--gres={gpus}",) if settings.gpus else ()),
    )


def _script(order: LaunchOrder, limit_s: int, settings: SlurmPool) -> str:
    return SCRIPT.substitute(
        scratch=shlex.quote(str(settings.scratch)),
        intent=shlex.quote(order.intent),
        life_s=f"{max(limit_s - settings.leave_s, limit_s / 2):.0f}",
        notice_leave_s=f"{max(settings.kill_wait_s * 0.8, 1.0):.0f}",
        start_up=base64.b64encode(order.start_up.encode()).decode(),
    )

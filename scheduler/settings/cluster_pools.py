"""`[pools.NAME]` of a cluster that somebody else runs: Slurm, or the hosts of an OpenCue farm."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from scheduler.settings.pool import BACKEND, Backend, PoolSettings


class SlurmPool(PoolSettings):
    """`[pools.NAME]` with `backend = "slurm"`: workers as array jobs of a Slurm cluster."""

    backend: Backend = Field(default="slurm", description=BACKEND)
    partition: str | None = Field(default=None, description="partition; none: the cluster's default")
    account: str | None = Field(default=None, description="account that the work is booked to; none: the user's")
    qos: str | None = Field(default=None, description="quality of service; none: the account's")
    vcpus: int = Field(default=4, ge=1, description="cores of one worker")
    memory_gib: float = Field(default=8.0, gt=0, description="memory of one worker")
    gpus: int = Field(default=0, ge=0, description="GPUs of one worker")
    gpu_type: str | None = Field(default=None, description="kind of GPU as the cluster calls it, e.g. a100")
    time_limit_s: float | None = Field(
        default=None, ge=60, description="longest job that the partition takes; none: life_s alone counts"
    )
    leave_s: float = Field(
        default=60.0, ge=0, description="how long before the job's time limit a worker must have left"
    )
    kill_wait_s: float = Field(default=30.0, ge=1, description="the cluster's KillWait, from SIGTERM to SIGKILL")
    queue_s: float = Field(default=1800.0, ge=60, description="longest wait in Slurm's queue; then it is called off")
    array_max: int = Field(default=1000, ge=1, le=4_000_000, description="workers of one array job (MaxArraySize - 1)")
    scratch: Path = Field(default=Path("/tmp"), description="folder on a node for what a worker keeps while it runs")  # noqa: S108 - made 0700 and checked
    log_folder: Path | None = Field(default=None, description="folder that nodes can write logs to; none: no logs")
    sbatch_options: tuple[str, ...] = Field(default=(), description="further options of sbatch, e.g. --constraint=avx2")
    programs: Path | None = Field(default=None, description="folder of sbatch; none: the usual ones are searched")
    slurm_conf: Path | None = Field(default=None, description="slurm.conf; none: where Slurm itself looks")
    call_s: float = Field(default=20.0, gt=0, le=300, description="longest run of one of Slurm's programs")


class OpencuePool(PoolSettings):
    """`[pools.NAME]` with `backend = "opencue"`: hosts of an OpenCue farm, through its host daemon RQD."""

    backend: Backend = Field(default="opencue", description=BACKEND)
    hosts: tuple[str, ...] = Field(min_length=1, description="hosts that run RQD, as HOST or HOST:PORT")
    listen: str = Field(
        pattern=r"^\S+:\d+$", description="HOST:PORT on which RQD's reports are taken; OVERRIDE_CUEBOT of the hosts"
    )
    vcpus: int = Field(default=4, ge=1, description="cores of one worker")
    memory_gib: float = Field(default=8.0, gt=0, description="memory of one worker")
    gpus: int = Field(default=0, ge=0, description="GPUs of one worker")
    user: str = Field(default="render", min_length=1, description="user that frames run as, where RQD changes users")
    uid: int | None = Field(default=None, ge=1, description="its number, where RQD makes users; none: it does not")
    gid: int | None = Field(default=None, ge=1, description="its group; none: the same number")
    ignore_nimby: bool = Field(default=False, description="start workers on machines at which somebody works")
    scratch: Path = Field(default=Path("/var/tmp"), description="folder on a host for what a worker keeps")  # noqa: S108 - made 0700 by mktemp
    log_folder: Path = Field(default=Path("/var/tmp"), description="folder on a host, or shared, for RQD's logs")  # noqa: S108 - only the log
    leave_s: float = Field(default=30.0, ge=0, description="time for a worker to leave, between SIGTERM and SIGKILL")
    lost_s: float = Field(default=120.0, gt=0, description="silence after which a host's workers count as gone")
    call_s: float = Field(default=5.0, gt=0, le=60, description="longest wait for an answer of RQD")

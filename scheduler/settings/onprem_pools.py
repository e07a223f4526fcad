"""`[pools.NAME]` with `backend = "onprem"`: the studio's own machines, some of which may be woken."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from scheduler.settings.hours import checked_hours, known_zone
from scheduler.settings.pool import BACKEND, Backend, PoolSettings
from scheduler.settings.section import Section


class Machine(Section):
    """One of `machines` of an `onprem` pool: a machine that the farm may wake over the network."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^@]+$", description="name, unique in the pool")
    mac: str = Field(
        pattern=r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", description="address of its network card, 01:23:45:67:89:ab"
    )
    address: str = Field(min_length=1, description="host name or IP address, by which one sees whether it is awake")
    port: int = Field(default=22, ge=1, le=65535, description="TCP port that is tried; a refusal is an answer too")
    hours: tuple[str, ...] | None = Field(default=None, description="when it may be used; none: the pool's hours")

    _valid_hours = field_validator("hours")(checked_hours)


class OnpremPool(PoolSettings):
    """`[pools.NAME]` with `backend = "onprem"`: machines of the studio that start a worker by themselves."""

    backend: Backend = Field(default="onprem", description=BACKEND)
    reap: bool = Field(default=False, description="end machines that the farm has started and does not want any more")
    machines: tuple[Machine, ...] = Field(
        default=(),
        description="machines that may be woken: tables with name, mac, address and, if need be, port, hours",
    )
    hours: tuple[str, ...] = Field(
        default=(), description='when they may be used, e.g. ["Mon-Fri 19:00-07:00", "Sat-Sun"]; none: always'
    )
    time_zone: str | None = Field(default=None, description="time zone of the hours; none: this machine's")
    broadcast: str = Field(default="255.255.255.255", description="address that magic packets are sent to")
    wake_port: int = Field(default=9, ge=1, le=65535, description="UDP port that magic packets are sent to")
    wake_s: float = Field(default=300.0, gt=0, description="time within which a woken machine must answer")
    lost_s: float = Field(default=60.0, gt=0, description="silence after which a machine counts as asleep")
    probe_s: float = Field(default=1.0, gt=0, le=30, description="how long an answer of a machine is waited for")
    sleep_command: tuple[str, ...] = Field(
        default=(), description="what sends a machine to sleep; {name} and {address} are replaced; none: left to itself"
    )
    sleep_command_s: float = Field(default=120.0, gt=0, description="longest run of sleep_command")
    state_file: Path | None = Field(
        default=None, description="file that remembers what was woken; none: in the user's state folder"
    )
    vcpus: int = Field(default=8, ge=1, description="cores of a typical machine")
    memory_gib: float = Field(default=16.0, gt=0, description="memory of a typical machine")
    gpus: int = Field(default=0, ge=0, description="GPUs of a typical machine")

    _valid_hours = field_validator("hours")(checked_hours)
    _valid_zone = field_validator("time_zone")(known_zone)

    @field_validator("machines")
    @classmethod
    def _unique_names(cls, machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
        names = [machine.name for machine in machines]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of two machines")
        return machines

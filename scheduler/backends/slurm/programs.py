"""Slurm's own programs, run under a time limit and without the scheduler's environment.

They hang for long when the controller is down, and `sbatch` hands its whole environment on to the job: the scheduler's
holds secrets. What they say is judged here and nowhere else.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from scheduler.backends.base import BackendError, QuotaExceeded, Throttled, Unknown
from scheduler.errors import OutfieldError, Unavailable
from scheduler.settings import SlurmPool

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/slurm/bin"
IDS_PER_CALL = 500

UNSURE = ("timed out", "zero bytes", "unexpected message", "transport endpoint", "communication", "connection reset")
"""Words of `sbatch` after which the job may have been accepted: the answer was lost, not the question."""

LIMITED = ("policy", "limit", "too many", "exceed")
BUSY = ("temporarily", "busy", "rate")


class Programs:
    """`sbatch`, `squeue` and `scancel` of one cluster."""

    def __init__(self, settings: SlurmPool) -> None:
        self._folder, self._limit_s = settings.programs, settings.call_s
        path = f"{settings.programs}:{SEARCH_PATH}" if settings.programs else SEARCH_PATH
        # SLURM_BITSTR_LEN=0: without it the list of an array's waiting tasks is cut off after 64 characters.
        self._environment = {"PATH": path, "HOME": str(Path.home()), "LANG": "C.UTF-8", "SLURM_BITSTR_LEN": "0"}
        if settings.slurm_conf:
            self._environment["SLURM_CONF"] = str(settings.slurm_conf)

    def submit(self, options: Sequence[str], script: str) -> int:
        """Submit a job; returns its number.

        Raises:
            BackendError: Slurm refused, or was not reached. Unknown: it may have taken the job.
        """
        try:
            done = self._run("sbatch", *options, stdin=script)
        except subprocess.TimeoutExpired as error:
            raise Unknown(f"`sbatch` did not end within {self._limit_s:g} s.") from error
        number = done.stdout.strip().partition(";")[0]
        if done.returncode == 0 and number.isdecimal():
            return int(number)
        raise refusal(done.returncode, done.stderr or done.stdout)

    def queue(self) -> str:
        """What `squeue --json` says: every job that Slurm remembers, also those that have ended a little while ago.

        Raises:
            Unavailable: the controller does not answer.
        """
        try:
            done = self._run("squeue", "--json", "--me", "--states=all")
        except subprocess.TimeoutExpired as error:
            self._silent("squeue", error)
        if done.returncode != 0:
            raise Unavailable(f"Slurm could not list its jobs: {_said(done.stderr)}")
        return done.stdout

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel array tasks; those that have ended are passed over.

        Raises:
            Unavailable: Slurm did not do it.
        """
        for start in range(0, len(ids), IDS_PER_CALL):
            try:
                done = self._run("scancel", "--quiet", *ids[start : start + IDS_PER_CALL])
            except subprocess.TimeoutExpired as error:
                self._silent("scancel", error)
            if done.returncode != 0 and "invalid job id" not in done.stderr.lower():
                raise Unavailable(f"Slurm did not cancel what it was told to: {_said(done.stderr)}")

    def _run(self, program: str, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        name = str(self._folder / program) if self._folder else program
        try:
            return subprocess.run(
                [name, *options],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._limit_s,
                env=self._environment,
                cwd="/",
                check=False,
            )
        except OSError as error:
            raise BackendError(
                f"`{name}` cannot be run: {error.strerror}.",
                code="slurm_missing",
                hint="Install Slurm's client programs on the scheduler's machine, or name their folder in the pool's"
                " `programs`.",
            ) from error

    def _silent(self, program: str, error: Exception) -> NoReturn:
        raise Unavailable(
            f"`{program}` did not end within {self._limit_s:g} s; Slurm's controller may be down."
        ) from error


def refusal(code: int, text: str) -> OutfieldError:
    """The error for what `sbatch` said when it did not print a job's number."""
    said, low = _said(text), text.lower()
    if code <= 0 or any(word in low for word in UNSURE):
        return Unknown(f"Nobody knows whether Slurm took the job: {said}")
    if "unable to contact" in low:
        return BackendError(f"Slurm's controller was not reached: {said}", hint="Start slurmctld, or wait for it.")
    if any(word in low for word in BUSY):
        return Throttled(f"Slurm asks to come back later: {said}")
    if any(word in low for word in LIMITED):
        return QuotaExceeded(
            f"Slurm's limits do not allow it: {said}", hint="Ask the cluster's administrator, or lower workers_max."
        )
    return BackendError(
        f"Slurm refused the job: {said}", hint="Correct the pool's settings to what the cluster offers."
    )


def _said(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:300] or "(nothing was said)"

"""`slurm`: workers as array jobs of a Slurm cluster, through Slurm's own programs; nothing is installed there."""

from scheduler.backends.slurm.backend import SlurmBackend, make_backend

__all__ = ["SlurmBackend", "make_backend"]

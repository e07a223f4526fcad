"""`opencue`: workers as frames on hosts of an OpenCue farm, started by its host daemon RQD in the place of Cuebot.

Nothing is installed on a host: its RQD is told to report to the scheduler instead (`OVERRIDE_CUEBOT`). A host has one
master: a Cuebot kills what it has not started itself.
"""

from scheduler.backends.opencue.backend import OpencueBackend, make_backend

__all__ = ["OpencueBackend", "make_backend"]

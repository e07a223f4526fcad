"""`onprem`: machines of the studio, woken over the network when there is work and let go to sleep again.

A machine starts its worker by itself (a system service), also when it is woken; that is what makes it the farm's.
"""

from scheduler.backends.onprem.backend import OnpremBackend, make_backend

__all__ = ["OnpremBackend", "make_backend"]

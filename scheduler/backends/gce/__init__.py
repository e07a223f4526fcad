"""The backend `gce`: instances of Google Compute Engine, by bulk insert. `backend` holds the six calls."""

from scheduler.backends.gce.backend import make_backend

__all__ = ["make_backend"]

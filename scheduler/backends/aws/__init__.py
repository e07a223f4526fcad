"""The backend `aws`: instances of Amazon EC2, launched by one fleet per order. `backend` holds the six calls."""

from scheduler.backends.aws.backend import make_backend

__all__ = ["make_backend"]

"""Outfield's scheduler: takes generic jobs, ranks and routes them, leases their tasks, publishes their frames."""

__version__ = "0.1.0"

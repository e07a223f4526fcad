"""The stores that the port's behaviour is tried on."""

from __future__ import annotations

from store_fixtures import bench, fake_gcs, weed  # noqa: F401

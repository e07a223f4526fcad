"""What an order's instances boot from: the image, its boot disk, and the launch template that ours is laid over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.backends.aws.connection import Connection
from scheduler.backends.aws.templates import DEFAULT_IMAGE, accepted
from scheduler.backends.base import BackendError
from scheduler.settings import AwsPool

IMAGE_AGE_S = 600.0
"""How long the answer of a `resolve:ssm:` parameter is good: publishers move it every few weeks."""
RESOLVE = "resolve:ssm:"


@dataclass(frozen=True, slots=True)
class Boot:
    """An image by its number, the device of its boot disk, and the taken template's data (empty: none)."""

    image: str
    root_device: str
    base: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Images:
    """Looks up what a pool boots from, and remembers it for a while."""

    def __init__(self, settings: AwsPool, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._found: Boot | None = None
        self._found_at_s = 0.0

    def boot(self, now_s: float) -> Boot:
        """What the pool boots from, at most ten minutes old.

        Raises:
            Unavailable: it cannot be looked up, or there is no such image.
        """
        if self._found is None or now_s - self._found_at_s > IMAGE_AGE_S:
            self._found, self._found_at_s = self._look_up(), now_s
        return self._found

    def _look_up(self) -> Boot:
        base = self._template()
        name = self._settings.image or str(base.get("ImageId") or DEFAULT_IMAGE)
        number = self._connection.parameter(name.removeprefix(RESOLVE)) if name.startswith(RESOLVE) else name
        images = self._connection.ask("describe_images", ImageIds=[number])["Images"]
        if not images:
            raise BackendError(
                f"There is no image {number} in {self._settings.region}.",
                hint="Images belong to a region: copy it there, or name another in the pool's `image`.",
            )
        return Boot(number, str(images[0].get("RootDeviceName") or "/dev/sda1"), base)

    def _template(self) -> Mapping[str, Any]:
        name = self._settings.launch_template
        if name is None:
            return {}
        which = {"LaunchTemplateId": name} if name.startswith("lt-") else {"LaunchTemplateName": name}
        versions = [self._settings.launch_template_version]
        answer = self._connection.ask("describe_launch_template_versions", **which, Versions=versions)
        found = answer["LaunchTemplateVersions"]
        if not found:
            raise BackendError(
                f"The launch template {name} has no version {versions[0]}.",
                hint="Correct the pool's `launch_template` and `launch_template_version`.",
            )
        return accepted(found[0]["LaunchTemplateData"], self._connection.template_shape)

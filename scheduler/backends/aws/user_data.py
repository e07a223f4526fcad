"""What an instance runs when it boots: its time limit first, then the order's start-up script. Pure.

EC2 has no limit of its own on how long an instance lives, so every instance carries one. cloud-init reads both parts
from one MIME archive (https://cloudinit.readthedocs.io/en/latest/explanation/format.html): the boothook runs at every
boot and before anything else, the script once. Whatever way an instance shuts down, it is terminated, because its
launch template says so.
"""

from __future__ import annotations

import gzip
import hashlib
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from scheduler.backends.base import BackendError
from scheduler.backends.identity import with_identity

USER_DATA_MAX_BYTES = 16 * 1024
"""EC2's limit, before base64."""

INSTANCE_FOLDER = "/var/lib/cloud/instance"
"""cloud-init's folder of this one instance: an image that is made of a worker does not inherit its time."""

OWN_NUMBER = "cat /var/lib/cloud/data/instance-id 2> /dev/null"
"""Prints the instance's number: cloud-init has it from the metadata service."""

LIFE = """#!/bin/sh
# Ends this instance {life_s} s after its first boot, whether its farm still exists or not.
ends={folder}/outfield-ends-at
[ -s "$ends" ] || echo $(($(date +%s) + {life_s})) > "$ends"
left=$(($(cat "$ends") - $(date +%s)))
[ "$left" -gt 1 ] || left=1
systemd-run --quiet --unit=outfield-life --on-active="$left" --timer-property=AccuracySec=1s \\
  systemctl poweroff --force ||
  {{ (sleep "$left"; poweroff -f) > /dev/null 2>&1 & }}
"""


def life_limit(life_s: float, folder: str = INSTANCE_FOLDER) -> str:
    """The script that ends the instance when its time is up."""
    return LIFE.format(life_s=max(1, int(life_s)), folder=folder)


def user_data(start_up: str, life_s: float) -> bytes:
    """Both parts as cloud-init takes them, the same bytes for the same order; compressed where EC2's limit needs it.

    Raises:
        BackendError: the script is too long even so.
    """
    digest = hashlib.sha256(f"{life_s}\n{start_up}".encode()).hexdigest()
    archive = MIMEMultipart("mixed", boundary=f"outfield-{digest[:32]}")
    archive.attach(_part(life_limit(life_s), "cloud-boothook", "life.sh"))
    archive.attach(_part(with_identity(start_up, OWN_NUMBER), "x-shellscript", "start-up.sh"))
    plain = archive.as_bytes()
    data = plain if len(plain) <= USER_DATA_MAX_BYTES else gzip.compress(plain, mtime=0)
    if len(data) > USER_DATA_MAX_BYTES:
        raise BackendError(
            f"The start-up script makes {len(data)} bytes of user data, compressed; EC2 takes {USER_DATA_MAX_BYTES}.",
            hint="Bake what the script brings along into an image, and name it in the pool's `image`.",
        )
    return data


def _part(text: str, kind: str, name: str) -> MIMEText:
    part = MIMEText(text, kind, "us-ascii" if text.isascii() else "utf-8")
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part

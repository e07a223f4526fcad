"""What a provider may say of a machine that it is about to take away, read from its own words. PURE.

Google Compute Engine: `instance/preempted` and `instance/maintenance-event` of its metadata server
(https://cloud.google.com/compute/docs/instances/preemptible#detecting_if_an_instance_was_preempted). Amazon EC2: the
documents `spot/instance-action` and `events/recommendations/rebalance` of its metadata service
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html). A batch system such as
Slurm sends signals (`sbatch --signal`). Nothing here depends on this machine's clock being right.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

WORDS_MAX = 200


@dataclass(frozen=True)
class Notice:
    """The machine is about to go. `urgent`: within seconds or a minute or two; else there is time to finish what runs,
    but nothing new should begin. `grace_s` is how long what runs may go on where it is not urgent."""

    words: str
    urgent: bool = True
    grace_s: float = 0.0


SIGNALLED = Notice("the batch system ends this job")
"""A warning signal, or SIGTERM, of a batch system. A constant, because a signal handler makes no objects."""


def gce_preempted(answer: str) -> Notice | None:
    """`instance/preempted`: TRUE once the machine is being taken back; it has 30 s from then."""
    return Notice("the provider takes this Spot machine back") if answer.strip().upper() == "TRUE" else None


def gce_maintenance(answer: str) -> Notice | None:
    """`instance/maintenance-event`. A machine that is moved while it runs (MIGRATE_…) need not do anything."""
    if answer.strip().upper() != "TERMINATE_ON_HOST_MAINTENANCE":
        return None
    return Notice("the provider ends this machine for maintenance of its host")


def aws_action(document: bytes) -> Notice | None:
    """`spot/instance-action`: there only when the instance is about to be taken; two minutes, best effort.

    A document that cannot be read still is one: it is not there for any other reason.
    """
    try:
        said = msgspec.json.decode(document, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = {}
    action, at = said.get("action", "terminate"), said.get("time", "")
    when = f" at {at}" if at else ""
    return Notice(f"the provider takes this Spot instance back ({action}{when})"[:WORDS_MAX])


def aws_rebalance(document: bytes, grace_s: float) -> Notice | None:
    """`events/recommendations/rebalance`: the instance is likely to be taken soon. It may come hours before, or never
    be followed by a notice: what runs may finish, nothing new begins here."""
    if not document:
        return None
    return Notice("the provider recommends to leave this Spot instance", urgent=False, grace_s=grace_s)


def end_of_life(age_s: float, life_s: float, *, lead_s: float, margin_s: float, task_s: float | None) -> Notice | None:
    """What the machine's own time limit says when it is `age_s` old.

    `margin_s` before the end the worker must be gone. It takes nothing new `lead_s` before that, or one and a half
    times as long as its last task took, whichever is longer, but works for half of its life at least.
    """
    if life_s <= 0:
        return None
    left_s = life_s - margin_s - age_s
    if left_s <= 0:
        return Notice(f"its time limit of {life_s:g} s is over")
    if left_s <= min(max(lead_s, 1.5 * (task_s or 0.0)), life_s / 2):
        return Notice(f"its time limit of {life_s:g} s is near", urgent=False, grace_s=left_s)
    return None

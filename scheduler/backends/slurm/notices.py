"""What an array task in the queue tells of its own accord: taken back, failed, or held up by a limit. **Pure.**"""

from __future__ import annotations

from scheduler.backends.base import LABEL_INTENT, Notice, NoticeKind
from scheduler.backends.slurm.queue import ArrayTask

TAKEN_BACK = {
    "PREEMPTED": "Slurm gave its place to a job that goes before it",
    "TIMEOUT": "it ran into its time limit before the worker had left",
    "DEADLINE": "it waited in Slurm's queue for longer than the pool's queue_s",
    "REVOKED": "another cluster of the federation took it",
}
BROKEN = {
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not boot",
    "FAILED": "its script ended with an error; the pool's log_folder, if set, holds what it said",
    "LAUNCH_FAILED": "Slurm could not start it on its node",
    "OUT_OF_MEMORY": "it used more memory than the pool's memory_gib",
}
LIMITS = ("Assoc", "QOS")
"""How the reasons of waiting begin that come from a limit of the account or of its quality of service."""

NEVER = frozenset({
    "AccountNotAllowed", "BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS", "JobHeldAdmin",
    "JobHeldUser", "JobHoldMaxRequeue", "PartitionNodeLimit", "PartitionTimeLimit", "QOSNotAllowed",
})  # fmt: skip


def notice_of(task: ArrayTask) -> Notice | None:
    """What there is to tell of a task as it stands now, if anything.

    What holds up an array is told of the intent as a whole: it is the same for every task that waits.
    """
    intent = task.labels.get(LABEL_INTENT, "")
    for state in sorted(task.states):
        if state in TAKEN_BACK:
            return Notice(NoticeKind.PREEMPTED, intent, task.id, f"Slurm job {task.id}: {TAKEN_BACK[state]}.")
        if state in BROKEN:
            return Notice(NoticeKind.FAILED, intent, task.id, f"Slurm job {task.id}: {BROKEN[state]}.")
    if "PENDING" not in task.states:
        return None
    if task.reason in NEVER:
        return Notice(NoticeKind.FAILED, intent, "", f"Slurm job {task.job} will not start by itself: {task.reason}.")
    if task.reason.startswith(LIMITS):
        return Notice(NoticeKind.QUOTA, intent, "", f"Slurm job {task.job} waits for a limit: {task.reason}.")
    return None

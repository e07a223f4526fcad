"""The queries that decide, all of them, each a prepared statement of the hot road.

They are few on purpose: whoever wants to know how a task is taken, ended or fenced reads this page.
"""

from __future__ import annotations

from scheduler.store.transaction import Query

# The core of the farm: the next ready tasks of one step, in their order. A task that failed on this worker, or that
# must wait, is passed over; the job is asked once more, for it may have been paused since the plan was made. Cost does
# not grow with the number of pending tasks (partial index task_ready). Select and then update, inside the one writer's
# transaction, is three times quicker than one UPDATE … RETURNING with a subquery, which builds two temporary tables.
# SQLite plans by the value of a plain `LIMIT ?`, and so compiles the statement anew whenever one is bound; with the
# cast it does not: 5 µs instead of 44.
READY_TASKS = Query(
    """
    SELECT id, attempt + 1, frames, tile, slice, feeds FROM task WHERE step_id = ? AND status = 'READY'
    AND (not_before IS NULL OR not_before <= ?) AND (avoid IS NULL OR avoid <> ? OR avoid_until <= ?)
    AND (SELECT status FROM job WHERE id = ? AND away IS NULL) IN ('QUEUED', 'RUNNING')
    ORDER BY seq LIMIT CAST(? AS integer)
    """
)
LEASE = Query("UPDATE task SET status = 'LEASED', attempt = ?, worker = ?, secret = ?, message = NULL WHERE id = ?")

# The fence at its plainest: tasks without output whose lease has not run out. Whoever gets fewer rows than reports
# takes the long way, report by report.
COMPLETE_PLAIN = Query(
    """
    UPDATE task SET status = 'SUCCEEDED', message = NULL
    WHERE id = ? AND attempt = ? AND secret = ? AND status = 'LEASED' AND feeds IS NULL
    """
)

# The fence. Late but still current work counts: a lost lease leaves the task READY with attempt and secret unchanged.
COMPLETE = Query(
    """
    UPDATE task SET status = 'SUCCEEDED', output = ?, message = NULL WHERE id = ? AND attempt = ?
    AND secret = ? AND status = ? RETURNING step_id, feeds, worker
    """
)

# The same fence for a report that is not the end yet: what is the task, and does this attempt still hold it?
CURRENT = Query(
    """
    SELECT task.step_id, task.job_id, task.worker, task.status, task.failures, task.troubles,
    attempt.status, attempt.leased_at, job.max_attempts
    FROM task JOIN attempt ON attempt.task_id = task.id AND attempt.attempt = task.attempt
    JOIN job ON job.id = task.job_id WHERE task.id = ? AND task.attempt = ? AND task.secret = ?
    """
)

# A frame is published; rendered again, its row is replaced.
FRAME_PUBLISHED = Query(
    """
    INSERT INTO frame
    (job_id, frame, task_id, attempt, path, size, hash, width, height, channels, black, published_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (job_id, frame) DO UPDATE SET task_id = excluded.task_id, attempt = excluded.attempt,
    path = excluded.path, size = excluded.size, hash = excluded.hash, width = excluded.width,
    height = excluded.height, channels = excluded.channels, black = excluded.black,
    published_at = excluded.published_at
    """
)

# Back to READY (retry, return, expiry) or to FAILED, if the attempt still holds the lease.
RELEASE = Query(
    """
    UPDATE task
    SET status = ?, failures = ?, troubles = ?, message = ?, avoid = ?, avoid_until = ?, not_before = ?
    WHERE id = ? AND attempt = ? AND status = 'LEASED'
    """
)

# One part less to wait for; the reducer becomes ready with its last part.
FEED = Query("UPDATE task SET waiting = waiting - 1 WHERE id = ? RETURNING waiting, step_id, status")
UNBLOCK = Query("UPDATE task SET status = 'READY' WHERE id = ? AND status = 'BLOCKED' AND waiting <= 0")

ATTEMPT_OPEN = Query(
    """
    INSERT INTO attempt (task_id, attempt, worker, status, leased_at) VALUES (?, ?, ?, 'LEASED', ?)
    """
)
ATTEMPT_SUCCEEDED = Query(
    """
    UPDATE attempt SET status = 'SUCCEEDED', ended_at = ?, seconds = coalesce(?, seconds) WHERE task_id = ?
    AND attempt = ?
    """
)
ATTEMPT_ENDED = Query(
    """
    UPDATE attempt
    SET status = ?, ended_at = ?, seconds = coalesce(?, seconds), failure = ?, message = ?, exit_code = ?
    WHERE task_id = ? AND attempt = ?
    """
)
ATTEMPT_DELIVERED = Query(
    """
    UPDATE attempt SET status = 'PUBLISHING', manifest = ?, seconds = ? WHERE task_id = ? AND attempt = ?
    AND status IN ('LEASED', 'LOST')
    """
)

# A delivered task is not READY any more, whatever happened to its lease meanwhile: its publication is under way.
HOLD = Query("UPDATE task SET status = 'LEASED' WHERE id = ? AND attempt = ? AND status = 'READY'")

STEP_MOVE = Query(
    """
    UPDATE step
    SET blocked = blocked + ?, ready = ready + ?, leased = leased + ?, succeeded = succeeded + ?, failed =
    failed + ?
    WHERE id = ? RETURNING job_id, blocked, ready, leased, succeeded, failed, canceled
    """
)
JOB_COUNTS = Query(
    """
    SELECT sum(blocked), sum(ready), sum(leased), sum(succeeded), sum(failed), sum(canceled) FROM step
    WHERE job_id = ?
    """
)
JOB_STATE = Query("SELECT status, name FROM job WHERE id = ?")
JOB_MOVE = Query(
    """
    UPDATE job SET status = ?, reason = ?, started_at = coalesce(started_at, ?), ended_at = ? WHERE id = ?
    AND status = ?
    """
)

INPUTS = Query("SELECT id, output FROM task WHERE feeds = ? AND status = 'SUCCEEDED' ORDER BY id")

CHECKPOINT = Query(
    """
    SELECT manifest FROM attempt WHERE task_id = ? AND status = 'RETURNED' AND manifest IS NOT NULL
    ORDER BY attempt DESC LIMIT 1
    """
)

FORGET_CHECKPOINT = Query("UPDATE attempt SET manifest = NULL WHERE task_id = ? AND attempt = ?")

EVENT = Query(
    """
    INSERT INTO event (at, kind, job_id, task_id, attempt, worker, data) VALUES (?, ?, ?, ?, ?, ?, ?)
    RETURNING id
    """
)

# A job that succeeded lets go of the jobs that wait for it. The count first, while `met` still tells who waited.
DEPENDENTS_RELEASE = Query(
    """
    UPDATE job SET waiting_on = waiting_on - 1 WHERE id IN (SELECT job FROM job_dependency WHERE needs = ?
    AND NOT met)
    """
)
DEPENDENCIES_MET = Query("UPDATE job_dependency SET met = true WHERE needs = ? AND NOT met")

# What the tick plans over: every step that could be leased from, with what changes. Few rows, and narrow ones.
PLANNABLE = Query(
    """
    SELECT step.id, step.ready, coalesce(priority_override.priority, job.tracked_priority, job.priority),
    job.submitted_at, job.waiting_on, job.boost,
    CASE WHEN job.deadline < job.tracked_deadline THEN job.deadline
    ELSE coalesce(job.tracked_deadline, job.deadline) END,
    job.tracked_at, job.status = 'QUEUED', job.cost_cap_usd
    FROM step JOIN job ON job.id = step.job_id LEFT JOIN priority_override ON priority_override.job_id = job.id
    WHERE job.status IN ('QUEUED', 'RUNNING') AND job.away IS NULL
    AND step.ready + step.blocked + step.leased > 0
    """
)

# What the tracker has said of a job; read again when `tracked_at` or what counts of it has changed.
TOLD = Query(
    "SELECT tracked_at, tracked_priority, tracked_deadline, tracked_hold, tracked_source FROM job WHERE id = ?"
)

# What never changes of a step; read once and remembered.
CARD = Query(
    """
    SELECT step.kind, step.level, step.final, job.id, job.name, job.renderer, job.format, job.settings,
    job.scene, job.requires, job.pools, job.timeout_s, job.owner, job.project, job.shot, job.cloud, job.tracking,
    job.metadata, job.frame_count,
    (SELECT sum(s.blocked + s.ready + s.leased + s.succeeded + s.failed + s.canceled) FROM step s
    WHERE s.job_id = job.id)
    FROM step JOIN job ON job.id = step.job_id WHERE step.id = ?
    """
)

# A job has ended: whoever still holds a lease on it loses it, and the fence (no secret) refuses what comes late.
CLOSE_LEASES = Query(
    """
    UPDATE task SET status = ?, secret = NULL WHERE job_id = ? AND status = 'LEASED'
    RETURNING id, attempt, step_id
    """
)
ATTEMPT_CLOSED = Query(
    """
    UPDATE attempt SET status = 'CANCELED', ended_at = ? WHERE task_id = ? AND attempt = ?
    AND status IN ('LEASED', 'PUBLISHING', 'LOST')
    """
)
CANCEL_WAITING = Query(
    """
    UPDATE task SET status = 'CANCELED', secret = NULL WHERE job_id = ? AND status IN ('BLOCKED', 'READY')
    """
)
STEPS_CANCELED = Query(
    """
    UPDATE step SET canceled = canceled + blocked + ready + leased, blocked = 0, ready = 0, leased = 0
    WHERE job_id = ?
    """
)

WORKER_RECORD = Query("SELECT status, fast_failures, probations FROM worker WHERE id = ?")
WORKER_JUDGED = Query("UPDATE worker SET status = ?, fast_failures = ?, probations = ?, canary_at = ? WHERE id = ?")

# What an attempt was stopped for has been counted to the end: nothing of it is taken any more, however late it comes.
WITHDRAW = Query("UPDATE task SET secret = NULL WHERE id = ? AND attempt = ? AND status = 'READY'")

SECRET = Query("SELECT secret FROM task WHERE id = ? AND attempt = ? AND status = 'LEASED'")

# Retry by a person: what has failed or was canceled starts afresh, with all its attempts; the fence number only grows.
ENDED_TASKS = Query(
    """
    SELECT id, step_id, status, waiting, frames FROM task WHERE job_id = ?
    AND status IN ('FAILED', 'CANCELED')
    """
)
REOPEN = Query(
    """
    UPDATE task
    SET status = ?, failures = 0, troubles = 0, message = NULL, avoid = NULL, avoid_until = NULL, not_before =
    NULL, secret = NULL
    WHERE id = ?
    """
)
STEP_UNCANCEL = Query(
    """
    UPDATE step SET canceled = canceled - 1, blocked = blocked + ?, ready = ready + ? WHERE id = ?
    """
)

# Tasks are numbered in one block per step. One writer, so the next number is safe; a sequence would cost a query each.
NEXT_TASK = Query("SELECT coalesce(max(id), 0) + 1 FROM task")
INSERT_TASK = Query(
    """
    INSERT INTO task (id, job_id, step_id, seq, status, waiting, feeds, frames, tile, slice, attempt, failures,
    troubles)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)
    """
)

# A worker that was lost is back and still at work: it keeps its task, if nobody else has taken it meanwhile.
RECLAIM = Query(
    """
    UPDATE task SET status = 'LEASED', not_before = NULL, avoid = NULL, avoid_until = NULL
    WHERE id = ? AND attempt = ? AND worker = ? AND status = 'READY' AND secret IS NOT NULL
    AND EXISTS (SELECT 1 FROM attempt WHERE task_id = id AND attempt.attempt = task.attempt AND attempt.status = 'LOST')
    RETURNING step_id, job_id
    """
)
ATTEMPT_RECLAIMED = Query(
    """
    UPDATE attempt SET status = 'LEASED', ended_at = NULL, failure = NULL, message = NULL
    WHERE task_id = ? AND attempt = ?
    """
)
NEEDS = Query("SELECT renderer, scene, requires FROM job WHERE id = ?")

# A job was handed over to another farm. A frame has come home: its last task is held by the site from here on, as if it
# had been leased, so that everything behind is as ever; its parts, if it has any, were never made here.
ARRIVE = Query(
    """
    UPDATE task SET status = 'LEASED', attempt = ?, worker = ?, secret = ?, message = NULL
    WHERE id = ? AND attempt = ? AND feeds IS NULL AND status IN ('READY', 'BLOCKED')
    AND EXISTS (SELECT 1 FROM job WHERE job.id = task.job_id AND job.away = ? AND job.status IN
    ('QUEUED', 'RUNNING', 'PAUSED'))
    """
)
ATTEMPT_ARRIVED = Query(
    """
    INSERT INTO attempt (task_id, attempt, worker, status, leased_at, manifest, seconds)
    VALUES (?, ?, ?, 'PUBLISHING', ?, ?, 0)
    """
)
PARTS = Query("SELECT id, step_id, status FROM task WHERE feeds = ? AND status IN ('READY', 'BLOCKED', 'FAILED')")
PART_MADE_ELSEWHERE = Query("UPDATE task SET status = 'SUCCEEDED', message = NULL WHERE id = ?")
LACKS_PARTS = Query("SELECT 1 FROM task WHERE id = ? AND waiting > 0")
BLOCK_AGAIN = Query(
    "UPDATE task SET status = 'BLOCKED' WHERE job_id = ? AND status = 'READY' AND waiting > 0 RETURNING step_id"
)
WAITING_TASKS = Query("SELECT id, step_id, status FROM task WHERE job_id = ? AND status IN ('READY', 'BLOCKED')")
FAIL_TASK = Query("UPDATE task SET status = 'FAILED', message = ? WHERE id = ?")

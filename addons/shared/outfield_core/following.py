# SPDX-License-Identifier: Apache-2.0
"""What the farm is doing, followed in a thread: who it is, its workers, the artist's jobs, their newest pictures.

The thread puts together a new `FarmView` and sets it in one assignment; whoever draws reads `view` and never waits.
Nobody looking (`touch`), it asks once in a while only. Orders (cancel, retry, priority, fetch a frame) run in the same
thread, one after another, and leave a line in `notes`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from .album import Album
from .client import Client, quoted
from .disk import disk_says
from .errors import FarmError, Refused
from .texts import tr

JOBS_MAX = 8
"""Jobs that are listed."""

ACTIVE_S, IDLE_S, UNWATCHED_S, WORKERS_S = 2.0, 10.0, 60.0, 30.0
"""How often jobs are asked for while one runs, while none does, while nobody looks; and how often workers are."""

WATCHED_S = 15.0
"""So long after the last `touch` somebody counts as looking."""

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})


class JobView:
    """A job as the farm lists it, with its frames and its newest picture."""

    def __init__(
        self, entry: Dict[str, Any], frames: List[Tuple[int, str]], preview: str, newest: Optional[int]
    ) -> None:
        self.id, self.name, self.status = str(entry["jobID"]), str(entry["name"]), str(entry["status"])
        self.priority, self.reason = int(entry.get("priority", 0)), str(entry.get("reason", ""))
        progress = entry.get("progress") or {}
        self.done, self.total = int(progress.get("done", 0)), int(progress.get("total", 0))
        self.running, self.failed = int(progress.get("running", 0)), int(progress.get("failed", 0))
        self.frames, self.preview, self.newest = frames, preview, newest

    @property
    def fraction(self) -> float:
        """Share of its tasks that is done."""
        return self.done / self.total if self.total else 0.0

    @property
    def has_ended(self) -> bool:
        """Will nothing more happen?"""
        return self.status in ENDED


class FarmView:
    """Everything known at one moment; never changed, always replaced."""

    def __init__(self) -> None:
        self.info: Optional[Dict[str, Any]] = None
        self.workers: Optional[List[Dict[str, Any]]] = None
        self.jobs: Tuple[JobView, ...] = ()
        self.error: Optional[FarmError] = None
        self.asked = False
        self.trial: Optional[Dict[str, Any]] = None
        self.trial_error: Optional[FarmError] = None
        self.version = 0

    def but(self, **changed: Any) -> "FarmView":
        """The same with something else in it."""
        other = FarmView()
        vars(other).update(vars(self))
        vars(other).update(changed)
        other.version = self.version + 1
        return other

    @property
    def is_live(self) -> bool:
        """Did the farm answer the last time?"""
        return self.asked and self.error is None and self.info is not None

    @property
    def name(self) -> str:
        """The farm's name, "" while it is unknown."""
        return str((self.info or {}).get("farm", ""))


class Follower:
    """The thread. `client` makes the client for a round, None: asking is not allowed now."""

    def __init__(self, folder: str, client: Callable[[], Optional[Client]]) -> None:
        self._album, self._client = Album(folder), client
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: Optional[threading.Thread] = None
        self._orders: Deque[Callable[[Client], str]] = deque()
        self._trial: Optional[Dict[str, Any]] = None
        self._touched_s = self._workers_s = -1e9
        self._frames: Dict[str, Tuple[Any, List[Tuple[int, str]], str, Optional[int]]] = {}
        self.view = FarmView()
        self.notes: Deque[Tuple[bool, str]] = deque(maxlen=20)
        self.fetched: Deque[Tuple[str, int, str]] = deque()

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="outfield-follower", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 0.4) -> bool:
        """End the thread; True: it has ended within the time."""
        self._stop.set()
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def touch(self, now_s: float) -> None:
        """Somebody looks at it now."""
        asleep = now_s - self._touched_s > WATCHED_S
        self._touched_s = now_s
        if asleep:
            self._wake.set()

    def kick(self) -> None:
        """Ask at once."""
        self._workers_s = -1e9
        self._wake.set()

    def try_job(self, body: Optional[Dict[str, Any]]) -> None:
        """Ask where this job would run and when it would be done; the answer comes as `view.trial`. None: forget it."""
        if body != self._trial:
            self._trial = body
            self.view = self.view.but(trial=None, trial_error=None)
            self._wake.set()

    # ---- Orders ----------------------------------------------------------------------------------------------------

    def cancel(self, job: str) -> None:
        """Cancel a job."""
        self._ask_for(job, "cancel", "Job {job} was canceled.")

    def retry(self, job: str) -> None:
        """Give failed tasks all their attempts back."""
        self._ask_for(job, "retry", "Job {job} is tried again.")

    def resume(self, job: str) -> None:
        """Let a paused job go on."""
        self._ask_for(job, "resume", "Job {job} goes on.")

    def pause(self, job: str) -> None:
        """Let a job start nothing more."""
        self._ask_for(job, "pause", "Job {job} waits.")

    def prioritise(self, job: str, priority: int) -> None:
        """Change a job's priority."""
        self._ask_for(job, "priority", "Job {job} has another priority.", {"priority": priority})

    def fetch_frame(self, job: str, frame: int) -> None:
        """Download a frame; its path comes as an entry of `fetched`."""

        def fetch(client: Client) -> str:
            content, media = client.fetch("/jobs/{}/frames/{}".format(quoted(job), frame))
            ending = {"image/png": "png", "image/jpeg": "jpg", "image/x-exr": "exr"}.get(media.split(";")[0], "img")
            path = self._album.keep("{}_{:04d}.{}".format(job, frame, ending), content)
            self.fetched.append((job, frame, path))
            return tr("Frame {frame} of job {job} is here.", frame=frame, job=job)

        self._order(fetch)

    def _ask_for(self, job: str, verb: str, done: str, body: Optional[Dict[str, Any]] = None) -> None:
        """Have the farm do something with a job, and say so when it is `done`."""

        def ask(client: Client) -> str:
            client.post("/jobs/{}/{}".format(quoted(job), verb), body)
            return tr(done, job=job)

        self._order(ask)

    def _order(self, order: Callable[[Client], str]) -> None:
        self._orders.append(order)
        self._wake.set()

    # ---- The thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            self._round()
            self._wake.wait(self._pause_s())

    def _pause_s(self) -> float:
        if time.monotonic() - self._touched_s > WATCHED_S:
            return UNWATCHED_S
        return ACTIVE_S if any(not job.has_ended for job in self.view.jobs) else IDLE_S

    def _round(self) -> None:
        client = self._client()
        if client is None:
            self.view = self.view.but(asked=False)
            return
        self._carry_out(client)
        try:
            info = client.get("/info")
            if not isinstance(info, dict) or "renderers" not in info:
                raise Refused("What answers there is not an Outfield farm.", code="not_outfield")
            workers = self.view.workers
            if time.monotonic() - self._workers_s > WORKERS_S or workers is None:
                workers = list(client.get("/workers"))
                self._workers_s = time.monotonic()
            jobs = self._jobs(client, info)
            self.view = self.view.but(info=info, workers=workers, jobs=jobs, error=None, asked=True)
        except FarmError as error:
            self.view = self.view.but(error=error, asked=True)
            return
        except (KeyError, TypeError, ValueError, AttributeError):
            error = Refused("The farm answers in words that this add-on does not know.", code="not_outfield")
            self.view = self.view.but(error=error, asked=True)
            return
        self._ask_trial(client)

    def _carry_out(self, client: Client) -> None:
        while self._orders:
            order = self._orders.popleft()
            try:
                self.notes.append((True, order(client)))
            except FarmError as error:
                self.notes.append((False, str(error)))
            except OSError as error:
                self.notes.append((False, str(disk_says(error))))

    def _ask_trial(self, client: Client) -> None:
        body = self._trial
        if body is None or self.view.trial is not None or self.view.trial_error is not None:
            return
        try:
            trial, error = client.post("/rules/test", body), None
        except FarmError as refusal:
            trial, error = None, refusal
        if body is self._trial:
            self.view = self.view.but(trial=trial, trial_error=error)

    def _jobs(self, client: Client, info: Dict[str, Any]) -> Tuple[JobView, ...]:
        who = (info.get("you") or {}).get("name")
        entries = client.get("/jobs", {"user": who, "limit": JOBS_MAX})
        return tuple(self._job(client, entry) for entry in entries)

    def _job(self, client: Client, entry: Dict[str, Any]) -> JobView:
        """With its frames, which are asked for again only when something was done."""
        job, mark = str(entry["jobID"]), (entry.get("status"), entry.get("progress"))
        known = self._frames.get(job)
        if known is None or known[0] != mark:
            listed = client.get("/jobs/{}/frames".format(quoted(job)))
            frames = [(int(each["frame"]), str(each["status"])) for each in listed]
            done = [each for each in listed if each.get("published_at")]
            newest = max(done, key=lambda each: str(each["published_at"])) if done else None
            preview = self._album.preview(client, job, newest) if newest is not None else ""
            known = self._frames[job] = (mark, frames, preview, int(newest["frame"]) if newest is not None else None)
        return JobView(entry, known[1], known[2], known[3])

"""What the farm remembers of frame times: in memory while it runs, in the table FrameTimes for the next start.

`note` is called as attempts succeed and only appends; samples are sorted in when someone asks or when `flush` writes
them down in bulk (`remembering`). Owns the samples and their keys; what they mean is `domain.estimating`'s.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.estimating import (
    FrameKey,
    FrameTime,
    Summary,
    Surroundings,
    estimate,
    scene_key,
    summarise,
    surroundings,
    work_kind,
)
from scheduler.service.exchange import FILELESS_RENDERER
from scheduler.service.remembering import Finished, Kept, read, unfinished, write
from scheduler.settings import EstimateSettings
from scheduler.store.store import Store
from scheduler.store.tables import Job
from scheduler.store.transaction import Transaction

SCENES_MAX = 20_000
"""Kinds of frames remembered in memory and in the table; those that were rendered longest ago are forgotten."""

NEAR_MAX = 300
"""Scenes, the latest, by which a scene that nobody has seen is judged."""

NEWS_MAX = 100_000
"""Samples that may wait to be sorted in; beyond it the oldest are dropped."""

LOOK_AGAIN = 1.02
"""Scenes that nobody has seen are judged anew when their surroundings have so many times the samples."""

OWN_MAX = 20_000
"""Attempts of unfinished jobs that are read again at start."""

NOT_LEARNED = frozenset({FILELESS_RENDERER})
"""Renderers whose tasks do nothing that takes time."""

Place = tuple[str, str, str]
"""Where scenes are found that are like one another: the renderer's, or those of one project with it."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What frame times depend on. `job` 0: a job that does not exist (yet)."""

    job: int
    project: str
    renderer: str
    scene: str

    def key(self, kind: str) -> FrameKey:
        """Which frames this job's are like."""
        return FrameKey(self.project, self.renderer, self.scene, kind)


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt that succeeded: seconds of one frame on the reference machine, and whose it was."""

    job: int
    seconds: float


@dataclass(slots=True)
class _Scene:
    """The samples of one key, oldest first, and what has not been written down yet."""

    samples: deque[Sample]
    count: int = 0
    changed: bool = False
    owners: Counter[int] = field(default_factory=Counter[int])
    summaries: dict[int, tuple[Summary, Summary]] = field(default_factory=dict)
    told: dict[int, tuple[Surroundings, FrameTime]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """One more; where there are too many, the oldest goes."""
        if len(self.samples) == self.samples.maxlen:
            self.owners[self.samples[0].job] -= 1
        self.samples.append(sample)
        self.owners[sample.job] += 1
        self.forget_told()

    def forget_told(self) -> None:
        """What was said of the samples does not hold any more."""
        self.summaries.clear()
        self.told.clear()


def job_facts(job: int, project: str, renderer: str, scene: Mapping[str, Any], shot: str = "") -> JobFacts:
    """Facts from a job's columns. An uploaded scene has no path: its shot and name tell it from others."""
    path = scene.get("path")
    name = path if isinstance(path, str) and path else "/".join(filter(None, (shot, str(scene.get("name") or ""))))
    return JobFacts(job, project, renderer, scene_key(name))


def facts_of(row: Job) -> JobFacts:
    """Facts of a stored job."""
    return job_facts(row.id or 0, row.project, row.renderer, row.scene, row.shot)


def frames_of(kind: str, frames: str, tile: str | None, part: str | None) -> float:
    """How many frames a task is worth, from its columns: 10 for a chunk, 1/16 for one of 16 tiles, 1 for a merge."""
    if kind not in ("render", "part"):
        return 1.0
    cols, rows = (int(number) for number in tile.split(",")[2:4]) if tile else (1, 1)
    slices = int(part.split(",")[1]) if part else 1
    return (frames.count(",") + 1) / (cols * rows * slices)


class Estimator:
    """Learns what frames take. `note` may be called from any thread; the rest takes its turn."""

    def __init__(self, settings: EstimateSettings) -> None:
        self._samples_max = settings.samples_max
        self._news: deque[tuple[FrameKey, Sample]] = deque(maxlen=NEWS_MAX)
        self._lock = threading.Lock()
        self._scenes: OrderedDict[FrameKey, _Scene] = OrderedDict()  # the latest last
        self._near: dict[Place, OrderedDict[FrameKey, None]] = defaultdict(OrderedDict)
        self._around: dict[Place, dict[Place, Surroundings]] = defaultdict(dict)
        self._seen: dict[Place, list[int]] = defaultdict(lambda: [0, 0])  # samples now, and when looked around last
        self._unseen: dict[Place, tuple[Surroundings, FrameTime]] = {}
        self._gone: list[FrameKey] = []

    def note(self, facts: JobFacts, kind: str, frames: float, seconds: float | None, rating: float | None) -> None:
        """An attempt has succeeded: `frames` in `seconds` on a worker of this rating (None: not measured yet).

        What cannot be a measurement (no time, no frames, a renderer that does nothing) is left out.
        """
        if facts.renderer in NOT_LEARNED or not seconds or frames <= 0:
            return
        each_s = seconds * (rating or 1.0) / frames
        if each_s > 0 and math.isfinite(each_s):
            self._news.append((facts.key(kind), Sample(facts.job, each_s)))

    def frame_time(self, facts: JobFacts, kind: str) -> FrameTime:
        """What a frame of this job will take."""
        if facts.renderer in NOT_LEARNED:
            return FrameTime(0.0, 0.0, 0.0, 0.0, 0, "its tasks do nothing")
        key = facts.key(kind)
        with self._lock:
            self._sort_in()
            scene, around = self._scenes.get(key), self._surroundings(key)
            if scene is None:
                return self._told_of_none(key, around)
            job = facts.job if scene.owners.get(facts.job, 0) > 0 else 0
            found = scene.told.get(job)
            if found is None or found[0] is not around:
                found = scene.told[job] = (around, estimate(key, around, *_summaries(scene, job)))
            return found[1]

    def flush(self, tx: Transaction, now_s: float) -> int:
        """Write down what is new, in the writer's transaction; returns how many rows that were."""
        with self._lock:
            self._sort_in()
            changed = {key: scene for key, scene in self._scenes.items() if scene.changed}
            kept = [Kept(key, [each.seconds for each in scene.samples], scene.count) for key, scene in changed.items()]
            gone, self._gone = self._gone, []
            for scene in changed.values():
                scene.changed = False
        write(tx, kept, gone, now_s)
        return len(kept)

    def load(self, store: Store) -> int:
        """Remember what was written down, and what unfinished jobs have rendered; returns how many kinds of frames."""
        with store.read() as session:
            kept = read(session, SCENES_MAX)
            own = unfinished(session, OWN_MAX)
        with self._lock:
            for each in kept:
                # Whose they were is not written down: of unfinished jobs it is read from their attempts below.
                scene = self._scene(each.key)
                for seconds in each.samples:
                    scene.add(Sample(0, seconds))
                scene.count = each.count
                self._grow(_places(each.key)[0])
            self._take_back(own)
        return len(kept)

    def _take_back(self, attempts: Iterable[Finished]) -> None:
        """Attempts of unfinished jobs are in the table's samples as anybody's: they become the jobs' own again."""
        owned: dict[FrameKey, list[Sample]] = defaultdict(list)
        for each in attempts:
            kind = work_kind(each.kind, final=each.final)
            if each.job.renderer not in NOT_LEARNED and each.seconds:
                facts, worth = facts_of(each.job), frames_of(kind, each.frames, each.tile, each.part)
                owned[facts.key(kind)].append(Sample(facts.job, each.seconds * (each.rating or 1.0) / worth))
        for key, samples in owned.items():
            scene = self._scene(key)
            known = {sample.seconds for sample in samples}
            others = [sample for sample in scene.samples if sample.seconds not in known]
            scene.count = max(scene.count, len(others) + len(samples))
            scene.samples.clear()
            scene.owners.clear()
            for sample in (*others, *samples):
                scene.add(sample)
            self._grow(_places(key)[0])

    def _sort_in(self) -> None:
        """What was noted since the last time, each to its scene."""
        while self._news:
            key, sample = self._news.popleft()
            scene = self._scene(key)
            scene.add(sample)
            scene.count += 1
            scene.changed = True
            self._grow(_places(key)[0])

    def _scene(self, key: FrameKey) -> _Scene:
        """The scene's samples; it is now the one that was rendered last."""
        scene = self._scenes.get(key)
        if scene is None:
            scene = self._scenes[key] = _Scene(deque(maxlen=self._samples_max))
            if len(self._scenes) > SCENES_MAX:
                self._forget(next(iter(self._scenes)))
        self._scenes.move_to_end(key)
        for place in _places(key):
            near = self._near[place]
            near[key] = None
            near.move_to_end(key)
            if len(near) > NEAR_MAX:
                near.popitem(last=False)
        return scene

    def _forget(self, key: FrameKey) -> None:
        del self._scenes[key]
        self._gone.append(key)
        for place in _places(key):
            self._near[place].pop(key, None)

    def _grow(self, place: Place) -> None:
        """There are more samples; scenes are looked at anew when there are noticeably more."""
        seen = self._seen[place]
        seen[0] += 1
        if seen[0] > seen[1] * LOOK_AGAIN:
            seen[1] = seen[0]
            self._around.pop(place, None)

    def _surroundings(self, key: FrameKey) -> Surroundings:
        wide, narrow = _places(key)
        found = self._around[wide].get(narrow)
        if found is None:
            renderer, project = (
                [_summaries(self._scenes[other], 0)[0] for other in self._near.get(place, ())]
                for place in (wide, narrow)
            )
            found = self._around[wide][narrow] = surroundings(key.kind, renderer, project)
        return found

    def _told_of_none(self, key: FrameKey, around: Surroundings) -> FrameTime:
        """A scene that nobody has rendered: all of a project are alike."""
        place = _places(key)[1]
        found = self._unseen.get(place)
        if found is None or found[0] is not around:
            nothing = summarise(())
            found = self._unseen[place] = (around, estimate(key, around, nothing, nothing))
        return found[1]


def _summaries(scene: _Scene, job: int) -> tuple[Summary, Summary]:
    """The scene's frames by other jobs, and those by this one (0: nobody's)."""
    found = scene.summaries.get(job)
    if found is None:
        others = summarise([sample.seconds for sample in scene.samples if not job or sample.job != job])
        own = summarise([sample.seconds for sample in scene.samples if job and sample.job == job])
        found = scene.summaries[job] = (others, own)
    return found


def _places(key: FrameKey) -> tuple[Place, Place]:
    """Where a scene is found: among all of its renderer, and among those of its project."""
    return ("*", key.renderer, key.kind), (f"={key.project}", key.renderer, key.kind)

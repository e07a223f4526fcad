"""How long frames take: from samples to what is expected of the next frame, and how sure that is.

Samples are seconds of one frame on the reference machine (seconds taken × rating of the worker). Frame times are
multiplicative and heavy-tailed, so everything happens to their logarithms, with weighted medians: an outlier moves
little, the newest samples weigh most. What is known of a scene, or of a job, is combined with what is known of its
surroundings by precision (normal-normal shrinkage, Gelman et al., Bayesian Data Analysis, §5.4), so that few samples
move the expectation gently. Owns neither where samples are kept (`service.learning`) nor when jobs finish
(`domain.forecasting`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import mul

Z80 = 1.2816
"""Standard deviations to either side that hold 80 % of a normal distribution."""

GUESS = "a guess: "
"""How the words for an estimate without any knowledge begin."""

SECONDS_MIN = 1e-3
"""Shorter frames are taken as this long, so that a logarithm exists."""

PRIOR_S = {"render": 120.0, "part": 120.0, "merge": 5.0}
"""Seconds of a frame of each kind of which nothing is known. A part counts as the frame that it is a share of."""

PRIOR_DOUBT = 1.6
"""Log-sd of that guess: 80 % lie between an eighth and eight times of it."""

SPREAD_S = 0.3
"""Log-sd of single frames around their job's typical frame, before there are samples that say better."""

SPREAD_COUNT = 4.0
"""Samples that this belief is worth."""

LIFT_COUNT = 30.0
"""Samples that the surroundings' mean over typical frame is worth: outliers are too rare to be learned from a few."""

BETWEEN = 0.7
"""Log-sd of one scene's typical frame around that of its surroundings, before there are scenes that say better."""

BETWEEN_COUNT = 3.0
"""Scenes that this belief is worth."""

DRIFT = 0.12
"""Log-sd by which the next job of a scene differs from the one before: artists change what they render."""

HALF_LIFE_COUNT = 60.0
"""Samples after which an older one weighs half."""

INDEPENDENT_MAX = 25.0
"""Neighbouring frames look alike: however many there are, they tell no more than this many independent ones."""

OUTLIER_MAX = 2.0
"""Log-distance from the typical frame, a factor of about seven, beyond which an outlier counts no more."""

TASK_MIN_S = 1e-6
"""Tasks that take less have nothing left."""

OVERDUE = 0.5
"""Part of its time so far that a task which takes longer than usual is believed to need yet."""

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""

_VERSION = re.compile(r"(?i)(?<=[._\-/])v\d+")


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Frames that are like one another: same project, renderer, scene (without its version) and kind of step."""

    project: str
    renderer: str
    scene: str
    kind: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Samples in logarithms: the typical one, the sd around it, their mean over it (`lift`); and how many they are."""

    centre: float
    spread: float
    weight: float
    count: int
    lift: float = SPREAD_S**2 / 2


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a job's typical frame: its log-seconds, the log-sd of that, and of frames around it."""

    centre: float
    doubt: float
    spread: float
    count: int = 0
    lift: float = SPREAD_S**2 / 2


@dataclass(frozen=True, slots=True)
class FrameTime:
    """What one frame takes on the reference machine: half of the frames take less than `mid_s`, 80 % lie between
    `low_s` and `high_s`. `spread` is the log-sd of frames around their job's typical one, `doubt` the log-sd of our
    knowledge of that one; `count` and `basis` say what it rests on.
    """

    mid_s: float
    low_s: float
    high_s: float
    spread: float
    count: int = 0
    basis: str = ""
    doubt: float = 0.0
    lift: float | None = None
    """Logarithm of the mean over the typical frame; None: that of a lognormal distribution with this spread."""

    @property
    def mean_s(self) -> float:
        """Seconds that frames take on average: more than the typical frame, as the long ones are very long."""
        return self.mid_s * math.exp(self.spread**2 / 2 if self.lift is None else self.lift)


def work_kind(step_kind: str, *, final: bool) -> str:
    """The kind of frame a step makes: whole ones (`render`), tiles or sample slices (`part`), or merges of them."""
    if step_kind != "render":
        return step_kind
    return "render" if final else "part"


def scene_key(path: str) -> str:
    """A scene without its version: `sh010_v012.blend` and `sh010_v013.blend` are two states of one scene."""
    return _VERSION.sub("v#", path)


def summarise(samples: Sequence[float]) -> Summary:
    """Samples in seconds, oldest first, as robust numbers. Of none: a summary of weight 0."""
    if not samples:
        return Summary(0.0, SPREAD_S, 0.0, 0)
    logs = [math.log(max(sample, SECONDS_MIN)) for sample in samples]
    fade = 0.5 ** (1.0 / HALF_LIFE_COUNT)
    weights = [fade**age for age in range(len(logs) - 1, -1, -1)]
    centre = weighted_median(logs, weights)
    # Around the median, outliers count, for the last frame of a job is often one; but a wild one counts as OUTLIER_MAX.
    away = [max(-OUTLIER_MAX, min(value - centre, OUTLIER_MAX)) for value in logs]
    total = sum(weights)
    deviation = math.sqrt(sum(map(mul, (value * value for value in away), weights)) / total)
    lift = math.log(sum(map(mul, map(math.exp, away), weights)) / total)
    effective = sum(weights) ** 2 / sum(weight * weight for weight in weights)
    # One sample deviates from itself by nothing: a degree of freedom is lost, the prior fills in.
    freedom = max(0.0, effective - 1.0)
    spread = _blend(deviation, freedom, SPREAD_S, SPREAD_COUNT)
    lift = (freedom * lift + SPREAD_COUNT * SPREAD_S**2 / 2) / (freedom + SPREAD_COUNT)
    return Summary(centre, spread, effective, len(samples), lift)


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """The value at which half of the weight is reached; between two values, their mean.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("a median of nothing")
    pairs = sorted(zip(values, weights, strict=True))
    reached = list(accumulate(weight for _value, weight in pairs))
    half = reached[-1] / 2
    for i, (value, _weight) in enumerate(pairs):
        if reached[i] > half * (1 + 1e-12):
            return value
        if reached[i] >= half * (1 - 1e-12) and i + 1 < len(pairs):
            return (value + pairs[i + 1][0]) / 2
    return pairs[-1][0]


def prior(kind: str) -> Belief:
    """What is believed of a frame of which nothing is known."""
    return Belief(math.log(PRIOR_S.get(kind, PRIOR_S["render"])), PRIOR_DOUBT, SPREAD_S)


def narrow(parent: Belief, scenes: Iterable[Summary]) -> Belief:
    """What is believed of one more scene, given the scenes around it; each scene counts once, however long it is."""
    known = [scene for scene in scenes if scene.weight > 0]
    if not known:
        return parent
    trust = [scene.weight / (scene.weight + 1.0) for scene in known]
    centre = weighted_median([scene.centre for scene in known], trust)
    deviation = MAD_TO_SD * weighted_median([abs(scene.centre - centre) for scene in known], trust)
    members = sum(trust)
    between = _blend(deviation, max(0.0, members - 1.0), BETWEEN, BETWEEN_COUNT)
    middle, doubt = _combine(parent.centre, parent.doubt, centre, between / math.sqrt(members))
    spread = sum(scene.spread * weight for scene, weight in zip(known, trust, strict=True)) / members
    lift = sum(scene.lift * weight for scene, weight in zip(known, trust, strict=True)) / members
    return Belief(middle, math.hypot(doubt, between), spread, sum(scene.count for scene in known), lift)


def update(belief: Belief, own: Summary, *, drift: float = 0.0) -> Belief:
    """What is believed after frames of the thing itself; `drift` is how far the next may be from them."""
    if own.weight <= 0:
        return belief
    independent = own.weight / (1.0 + own.weight / INDEPENDENT_MAX)
    # However alike the samples are, one of them does not fix what the job will take.
    error = max(own.spread, SECONDS_MIN) / math.sqrt(independent)
    centre, doubt = _combine(belief.centre, belief.doubt, own.centre, math.hypot(error, drift))
    spread = _blend(own.spread, own.weight, belief.spread, SPREAD_COUNT)
    lift = (own.weight * own.lift + LIFT_COUNT * belief.lift) / (own.weight + LIFT_COUNT)
    return Belief(centre, doubt, spread, own.count, lift)


def share_left(progress: float, elapsed_s: float, task_s: float) -> float:
    """What a running task has left, as a share of the time that such a task takes on average (may exceed 1).

    With progress, its own pace counts, the more the further it is. Without, it is as far as time says; one that has
    taken longer than others is an outlier, and outliers have about OVERDUE of what they took still before them.
    """
    if task_s < TASK_MIN_S:
        return 0.0
    progress = min(max(progress, 0.0), 1.0)
    usual = max(task_s - elapsed_s, OVERDUE * elapsed_s) / task_s
    if progress <= 0:
        return usual
    # At its own pace it needs elapsed · (1 - progress) / progress; believed as far as it has come.
    own = elapsed_s * (1 - progress) / task_s
    return own + (1 - progress) * min(usual, 1 - progress)


def frame_time(belief: Belief, basis: str) -> FrameTime:
    """A belief in seconds."""
    width = Z80 * math.hypot(belief.doubt, belief.spread)
    return FrameTime(
        mid_s=math.exp(belief.centre),
        low_s=math.exp(belief.centre - width),
        high_s=math.exp(belief.centre + width),
        spread=belief.spread,
        count=belief.count,
        basis=basis,
        doubt=belief.doubt,
        lift=belief.lift,
    )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is believed of one more scene of a project, and how many frames of the project and the renderer say so."""

    belief: Belief
    project: int = 0
    renderer: int = 0


def surroundings(kind: str, renderer: Sequence[Summary], project: Sequence[Summary]) -> Surroundings:
    """What scenes of this renderer, and among them those of one project, say of a scene that nobody has seen."""
    belief = narrow(narrow(prior(kind), renderer), project)
    return Surroundings(belief, _count(project), _count(renderer))


def estimate(key: FrameKey, around: Surroundings, scene: Summary, job: Summary) -> FrameTime:
    """What a frame will take: the chain prior → renderer → project → scene (by other jobs) → this job's own frames."""
    belief = update(update(around.belief, scene, drift=DRIFT), job)
    counts = (job.count, scene.count, around.project, around.renderer)
    nearest = next((count for count in counts if count), 0)
    return frame_time(replace(belief, count=nearest), basis_of(key, *counts))


def basis_of(key: FrameKey, job: int, scene: int, project: int, renderer: int) -> str:
    """In a plain sentence, what an estimate rests on."""
    if job and scene:
        return f"{_frames(job)} of this job and {scene} of earlier jobs of this scene"
    if job:
        return f"{_frames(job)} of this job"
    if scene:
        return f"{_frames(scene)} of this scene"
    if project and key.project:
        return f"no frame of this scene yet: {_frames(project)} of {key.project} with {key.renderer}"
    if project or renderer:
        return f"no frame of this scene yet: {_frames(project or renderer)} with {key.renderer}"
    return f"{GUESS}nothing has been rendered with {key.renderer} yet"


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"


def _count(scenes: Sequence[Summary]) -> int:
    return sum(scene.count for scene in scenes)


def _blend(first: float, first_count: float, second: float, second_count: float) -> float:
    """Two standard deviations as one, weighed by what each rests on."""
    total = first_count + second_count
    return math.sqrt((first_count * first**2 + second_count * second**2) / total)


def _combine(mean: float, sd: float, other: float, other_sd: float) -> tuple[float, float]:
    """Two independent measurements of one thing, by precision: their mean, and its standard deviation."""
    first, second = 1.0 / sd**2, 1.0 / other_sd**2
    return (mean * first + other * second) / (first + second), (first + second) ** -0.5

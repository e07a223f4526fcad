"""The picture of a comparison: for each variant the use and the queue over time by project, and deadlines missed.

matplotlib is imported when a picture is drawn, with the backend that needs no screen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scheduler.errors import Refused
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.reporting import NO_PROJECT

SUFFIXES = (".png", ".svg")
PROJECTS_MAX = 8
"""Projects with a colour of their own; the smaller ones are drawn together."""

COLOURS: tuple[str, ...] = ("#3b6fb6", "#e08a2e", "#4a9d6f", "#b8527e", "#7a68b3", "#8f7a4a", "#4aa3b0", "#c0564b")
OTHERS, OTHERS_COLOUR = "others", "#9a9a9a"
TEXT_COLOUR, GRID_COLOUR = "#333333", "#dddddd"
DAY_S = 86_400.0
DPI = 130
HEADROOM = 1.06
POINTS_MAX = 180
"""Points of a drawn curve; finer ones are means over several, or the picture would be all stripes."""


def check_suffix(path: Path) -> None:
    """Refuse a file name that says no picture that can be drawn.

    Raises:
        Refused: it ends neither in .png nor in .svg.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise Refused(
            f"A plot is written as .png or .svg; {path.name!r} is neither.",
            code="invalid_plot",
            hint="Name the file for example out.png.",
        )


def plot(path: Path, outcomes: Sequence[Outcome], origin: str | None) -> None:
    """Draw the picture into a file that ends in .png or .svg.

    Raises:
        Refused: another ending.
    """
    check_suffix(path)
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    projects, colours = _colours(outcomes)
    style: Any = {
        "font.size": 9,
        "axes.edgecolor": "#888888",
        "text.color": TEXT_COLOUR,
        "axes.labelcolor": TEXT_COLOUR,
        "xtick.color": TEXT_COLOUR,
        "ytick.color": TEXT_COLOUR,
        "svg.hashsalt": "outfield",
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            3,
            len(outcomes),
            figsize=(max(7.0, 4.6 * len(outcomes)), 8.2),
            sharex="all",
            sharey="row",
            squeeze=False,
            gridspec_kw={"height_ratios": (3, 3, 2)},
            layout="constrained",
        )
        for column, outcome in enumerate(outcomes):
            _draw(axes[:, column], outcome, projects, colours, origin, first=column == 0)
        for row in axes:
            row[0].set_ylim(0, max(axis.dataLim.y1 for axis in row) * HEADROOM or 1.0)
        handles = [Patch(color=colours[project]) for project in projects]
        figure.legend(handles, projects, loc="outside lower center", ncols=len(projects), frameon=False)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        figure.savefig(path, dpi=DPI, metadata=metadata)
        plt.close(figure)


def _draw(
    axes: Any, outcome: Outcome, projects: list[str], colours: dict[str, str], origin: str | None, *, first: bool
) -> None:
    use, queue, misses = axes
    palette = [colours[project] for project in projects]
    bins = max((len(curve) for curve in outcome.running.values()), default=1)
    wide = -(-bins // POINTS_MAX)
    times = _times(-(-bins // wide), outcome.bin_s * wide, origin)
    for axis, curves in ((use, outcome.running), (queue, outcome.waiting)):
        drawn = [_coarser(curve, wide) for curve in _together(curves, projects)]
        axis.stackplot(times, drawn, colors=palette, linewidth=0, step="mid")
    _draw_misses(misses, outcome, projects, colours, (times, outcome.bin_s * wide))
    missed = sum(1 for job in outcome.jobs if job.missed)
    due = sum(1 for job in outcome.jobs if job.deadline_s is not None and job.status != "CANCELED")
    use.set_title(f"{outcome.variant}\n{missed} of {due} deadlines missed", fontsize=10, loc="left")
    for axis in axes:
        axis.grid(visible=True, color=GRID_COLOUR, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0)
    if first:
        use.set_ylabel("tasks running")
        queue.set_ylabel("tasks waiting")
        misses.set_ylabel("deadlines missed so far")
    _time_axis(misses, times)


def _draw_misses(
    axis: Any, outcome: Outcome, projects: list[str], colours: dict[str, str], bins: tuple[list[Any], float]
) -> None:
    """How many deadlines each project has missed until then."""
    times, bin_s = bins
    for project in projects:
        at_s = sorted(
            job.deadline_s
            for job in outcome.jobs
            if job.missed and job.deadline_s is not None and _named(job.project, projects) == project
        )
        counts = [0] * len(times)
        for deadline_s in at_s:
            place = min(len(times) - 1, max(0, int(deadline_s / bin_s)))
            counts[place] += 1
        total = list(itertools.accumulate(counts))
        axis.plot(times, total, color=colours[project], linewidth=1.6)
        if total and total[-1]:
            axis.annotate(
                str(total[-1]),
                (times[-1], total[-1]),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                color=colours[project],
                fontsize=8,
            )


def _times(bins: int, bin_s: float, origin: str | None) -> list[Any]:
    middles = [(index + 0.5) * bin_s for index in range(bins)]
    if origin is None:
        return [at_s / DAY_S for at_s in middles]
    start = datetime.fromisoformat(origin)
    return [start + timedelta(seconds=at_s) for at_s in middles]


def _coarser(curve: list[float], wide: int) -> list[float]:
    """Means over so many neighbours."""
    return [sum(curve[at : at + wide]) / wide for at in range(0, len(curve), wide)]


def _time_axis(axis: Any, times: list[Any]) -> None:
    if times and isinstance(times[0], datetime):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=7)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axis.set_xlabel("days")


def _colours(outcomes: Sequence[Outcome]) -> tuple[list[str], dict[str, str]]:
    """The projects that are drawn, the largest first eight, and their colours."""
    size: dict[str, float] = {}
    for outcome in outcomes[:1]:
        for job in outcome.jobs:
            size[job.project or NO_PROJECT] = size.get(job.project or NO_PROJECT, 0.0) + job.slot_s
    largest = sorted(sorted(size), key=lambda name: -size[name])[:PROJECTS_MAX]
    colours: dict[str, str] = dict(zip(sorted(largest), COLOURS, strict=False))
    if len(size) > len(largest):
        colours[OTHERS] = OTHERS_COLOUR
    return list(colours), colours


def _named(project: str, projects: list[str]) -> str:
    name = project or NO_PROJECT
    return name if name in projects else OTHERS


def _together(curves: dict[str, list[float]], projects: list[str]) -> list[list[float]]:
    """One curve for each drawn project; those without a colour are added up."""
    bins = max((len(curve) for curve in curves.values()), default=1)
    summed = {project: [0.0] * bins for project in projects}
    for project, curve in curves.items():
        target = summed[_named(project, projects)]
        for index, value in enumerate(curve):
            target[index] += value
    return [summed[project] for project in projects]

"""Making the plan: load the steps that could be leased from, rank them, route them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.domain.ranking import RankInput, rank
from scheduler.domain.states import WorkerStatus
from scheduler.routing.machines import Machine, Needs
from scheduler.routing.route import HOME_POOL, Pool, Route, RouteRequest, route
from scheduler.service.live import LiveWorker
from scheduler.service.plan import Plan, PlannedStep, StepCard
from scheduler.store import hot
from scheduler.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class StepRow:
    """One plannable step as loaded: its card, and what changes."""

    card: StepCard
    pools: tuple[str, ...]
    ready: int
    priority: int
    submitted_s: float
    waiting_on: int


class StepLoader:
    """Loads the plannable steps; remembers their cards, so that a tick reads a few numbers and parses nothing."""

    def __init__(self) -> None:
        self._cards: dict[int, tuple[StepCard, tuple[str, ...]]] = {}

    def load(self, tx: Transaction) -> list[StepRow]:
        """Runs in the writer's thread, so that the counts stand in a known order to every commit (`Live.plan_with`)."""
        rows = tx.rows(hot.PLANNABLE, ())
        cards = {row[0]: self._cards.get(row[0]) or _card(tx, row[0]) for row in rows}
        self._cards = cards
        return [
            StepRow(*cards[step], int(ready), int(priority), float(submitted_at), int(waiting_on))
            for step, _job, _level, ready, priority, submitted_at, waiting_on in rows
        ]


def pools_of(workers: Iterable[LiveWorker]) -> tuple[Pool, ...]:
    """The pools there are, with the machines that are here now. The studio's own pool is always there."""
    machines: dict[str, list[Machine]] = {HOME_POOL: []}
    for worker in workers:
        if worker.status is not WorkerStatus.LOST:
            machines.setdefault(worker.pool, []).append(worker.machine)
    return tuple(Pool(name, tuple(found)) for name, found in machines.items())


def make_plan(rows: Iterable[StepRow], pools: tuple[Pool, ...], now_s: float) -> Plan:
    """Rank and route. Pure: the same rows, pools and time give the same plan."""
    eligible = {row.card.step: row for row in rows if not row.waiting_on}
    ranked = rank(
        (
            RankInput(row.card.step, row.card.job, row.priority, row.submitted_s, row.card.level)
            for row in eligible.values()
        ),
        now_s,
    )
    routes: dict[tuple[Any, ...], Route] = {}
    steps: list[PlannedStep] = []
    for place in ranked:
        row = eligible[place.step]
        request = RouteRequest(row.card.needs, row.pools)
        # Thousands of steps ask for the same few things: each distinct request is routed once.
        key = (row.card.needs, row.pools)
        if key not in routes:
            routes[key] = route(request, pools)
        steps.append(PlannedStep(row.card, place, routes[key], row.ready))
    return Plan(steps, made_at=now_s)


def needs_of(renderer: str, scene: Mapping[str, Any], requires: Mapping[str, Any]) -> Needs:
    """What one task of a job needs."""
    return Needs(
        renderer=renderer,
        renderer_version=scene.get("version", ""),
        vcpus=requires.get("vcpus", 1),
        memory_gib=requires.get("memory_gib", 0.0),
        gpus=requires.get("gpus", 0),
        tags=tuple(requires.get("tags", ())),
    )


def load_needs(tx: Transaction, job: int) -> Needs:
    """What one task of a stored job needs."""
    renderer, scene, requires = tx.rows(hot.NEEDS, (job,))[0]
    return needs_of(renderer, _json(scene), _json(requires))


def _card(tx: Transaction, step: int) -> tuple[StepCard, tuple[str, ...]]:
    (
        kind, level, final, job, name, renderer, image_format, settings, scene, requires, pools, timeout_s,
    ) = tx.rows(hot.CARD, (step,))[0]  # fmt: skip
    scene_data = _json(scene)
    card = StepCard(
        step=step,
        job=job,
        job_name=name,
        kind=kind,
        level=level,
        final=bool(final),
        renderer=renderer,
        format=image_format,
        settings=_json(settings),
        scene=scene_data,
        needs=needs_of(renderer, scene_data, _json(requires)),
        timeout_s=timeout_s,
    )
    return card, tuple(_json(pools))


def _json(value: Any) -> Any:
    """SQLite hands JSON out as text, PostgreSQL as objects."""
    return json.loads(value) if isinstance(value, str) else value

"""A worker's measured power: taken over when it joins or is measured anew; estimates and points go by it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from scheduler.errors import NotFound, Refused
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.store.tables import Worker
from scheduler.store.transaction import Transaction

RATING_MIN, RATING_MAX = 0.001, 1000.0
"""Ratings that can be: a vCPU a thousand times slower or faster than the reference machine's is a mistake."""

BENCH_DETAIL = "bench"
"""Under this key the details of a worker's capabilities hold what was measured (see `worker.rating`)."""


def rating_of(details: Mapping[str, Any]) -> float | None:
    """The rating that a joining worker brings along in `capabilities.details`; None if it has none that can be."""
    bench = details.get(BENCH_DETAIL)
    rating = bench.get("rating") if isinstance(bench, dict) else None
    return float(rating) if isinstance(rating, int | float) and RATING_MIN <= rating <= RATING_MAX else None


async def rate_worker(farm: Farm, worker: str, rating: float, bench: Mapping[str, Any]) -> None:
    """Take over a measured rating; `bench` is what was measured, for people to look at.

    Raises:
        Refused: a rating that cannot be.
        NotFound: there is no such worker.
    """
    if not (isfinite(rating) and RATING_MIN <= rating <= RATING_MAX):
        raise Refused(
            f"A rating lies between {RATING_MIN:g} and {RATING_MAX:g}; 1 is the reference machine's vCPU.",
            code="invalid_field",
            details=[{"field": "rating", "problem": "out of range"}],
        )

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = tx.session.get(Worker, worker)
        if row is None:
            raise NotFound(f"There is no worker {worker[:100]!r}.", code="worker_unknown")
        before, row.rating, row.rated_at = row.rating, rating, ledger.now_s
        details = {**row.capabilities.get("details", {}), BENCH_DETAIL: {**bench, "rating": rating}}
        row.capabilities = {**row.capabilities, "details": details}
        ledger.replan = True
        ledger.event(tx, "worker.rated", worker=worker, name=row.name, old=before, new=rating)

    await farm.change(change)
    live = farm.live.workers.get(worker)
    if live is not None:
        live.rating = rating

"""The six calls of the port on Google Compute Engine: a thin shell around what the modules beside it decide.

An order goes from place to place until all its instances are there. Every request has an id that follows from the
order, so an order that is carried out again walks the same way and starts nothing twice.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from scheduler.backends.base import (
    LABEL_FARM,
    LABEL_INTENT,
    LABEL_POOL,
    BackendError,
    Instance,
    LaunchOrder,
    LaunchPlan,
    Notice,
    Offer,
    QuotaExceeded,
    StockOut,
    Unknown,
)
from scheduler.backends.gce.connection import Connection
from scheduler.backends.gce.instances import NEWS_FILTER, has_stopped, read_instance
from scheduler.backends.gce.naming import instance_names, label, name_prefix, request_id, zone_and_name
from scheduler.backends.gce.news import News
from scheduler.backends.gce.offers import Shapes, launch_plan
from scheduler.backends.gce.places import Place, places
from scheduler.backends.gce.properties import bulk_resource, instance_properties, own_labels
from scheduler.backends.gce.refusals import goes_on, is_short, notice_kind, shortfall, worst
from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable
from scheduler.settings import GcePool

SDK = "google.cloud.compute_v1"


def make_backend(pool: str, settings: GcePool, farm_id: str) -> GceBackend:
    """The backend of the pool `pool`. Asks nobody yet, and imports nothing: that takes seconds.

    Raises:
        ModuleNotFoundError: the SDK is not installed.
    """
    if importlib.util.find_spec(SDK) is None:
        raise ModuleNotFoundError(f"No module named {SDK!r}", name=SDK)
    return GceBackend(pool, settings, farm_id)


class GceBackend:
    """See `scheduler.backends.base.Backend`."""

    def __init__(
        self,
        pool: str,
        settings: GcePool,
        farm_id: str,
        clock: Clock | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pool, self._settings, self._farm_id = pool, settings, farm_id
        self._clock = clock or SystemClock()
        self._gce = Connection(settings, self._clock, pause)
        self._shapes = Shapes(settings, self._gce, self._clock)
        self._news = News(name_prefix(farm_id, pool), self._clock.now())
        self._stock_outs: dict[tuple[str, str], float] = {}
        self._spent: set[str] = set()
        self._notices: list[Notice] = []

    def offers(self) -> Sequence[Offer]:
        return self._shapes.offers(self._places())

    def plan(self, count: int) -> LaunchPlan:
        return launch_plan(self._settings, count, self.offers(), farm_id=self._farm_id, pool=self._pool)

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        there = self._of_intent(order.intent)
        if there:
            return there
        if order.intent in self._spent:
            raise _is_spent(order)
        failures: list[BackendError] = []
        there = self._filled(order, failures)
        if not there:
            raise worst(failures)
        self._spent.add(order.intent)
        missing = order.count - len(there)
        if missing > 0:
            self._notices.append(_short(order, missing, worst(failures)))
        return there

    def list(self) -> Sequence[Instance]:
        return self._listed({})

    def terminate(self, instances: Sequence[str]) -> None:
        failed: list[Unavailable] = []
        for zone, name in map(zone_and_name, instances):
            try:
                if zone:
                    self._gce.delete(zone, name)
            except Unavailable as error:
                failed.append(error)
        if failed:
            raise Unavailable(failed[0].message, hint=failed[0].hint)

    def events(self) -> Sequence[Notice]:
        for zone in sorted({*self._settings.zones, *self._news.zones()}):
            self._notices += self._news.read(self._gce.news(zone, NEWS_FILTER))
        self._news.turn_page(self._clock.now())
        notices, self._notices = self._notices, []
        return notices

    # ---- launching ---------------------------------------------------------------------------------------------------

    def _filled(self, order: LaunchOrder, failures: list[BackendError]) -> list[Instance]:
        """Go from place to place until all instances are there; what was refused on the way is added to `failures`."""
        base = self._template()
        names = instance_names(self._farm_id, self._pool, order.intent, order.count)
        there: list[Instance] = []
        full: set[tuple[str, str]] = set()
        for place in self._places():
            if (place.region, place.machine_type) in full:
                continue
            have = {zone_and_name(instance.id)[1] for instance in there}
            failure = self._tried(order, base, place, [name for name in names if name not in have])
            there = self._of_intent(order.intent)
            if len(there) >= order.count:
                return there
            if failure is None and len(there) == len(have):  # carried out before, and what it started is gone
                return _or_unknown(there, order)
            failures.append(failure or StockOut(f"{place.zone} has no more {place.machine_type}."))
            if isinstance(failures[-1], StockOut):
                self._stock_outs[place.zone, place.machine_type] = self._clock.monotonic()
            if isinstance(failures[-1], QuotaExceeded):
                full.add((place.region, place.machine_type))
            if not goes_on(failures[-1]):
                return there
        return there

    def _tried(
        self, order: LaunchOrder, base: Mapping[str, Any], place: Place, names: Sequence[str]
    ) -> BackendError | None:
        """Ask one place for instances of these names; what it says where it did not start them all."""
        own = own_labels(self._farm_id, self._pool, order.intent)
        resource = bulk_resource(names, instance_properties(self._settings, base, order, place, own))
        once = request_id(self._farm_id, self._pool, order.intent, place.zone, place.machine_type)
        try:
            operation = self._gce.start(place.zone, resource, once)
        except BackendError as error:
            return error
        ended = self._gce.finished(place.zone, operation)
        return shortfall(ended, self._gce.inserts(place.zone, ended) if is_short(ended) else ())

    def _template(self) -> Mapping[str, Any]:
        name = self._settings.instance_template
        try:
            return {} if name is None else self._gce.template(name)
        except Unavailable as error:  # nothing has been started yet, so nothing is unknown
            raise error if isinstance(error, BackendError) else BackendError(error.message, hint=error.hint) from error

    def _places(self) -> list[Place]:
        return places(self._settings, self._stock_outs, self._clock.monotonic())

    # ---- looking -----------------------------------------------------------------------------------------------------

    def _of_intent(self, intent: str) -> list[Instance]:
        """What an order has started so far."""
        try:
            return list(self._listed({LABEL_INTENT: intent}))
        except Unavailable as error:
            told = f"What this order has started cannot be looked up. {error.message}"
            raise Unknown(told, hint=error.hint) from error

    def _listed(self, wanted: Mapping[str, str]) -> list[Instance]:
        """This pool's instances. One that has stopped is deleted: Google Cloud would let its disk cost for ever."""
        own = {LABEL_FARM: self._farm_id, LABEL_POOL: self._pool, **wanted}
        told = self._gce.instances(" AND ".join(f'(labels.{name} = "{label(value)}")' for name, value in own.items()))
        found = [read_instance(instance) for instance in told]
        self._news.know(found)
        for instance, read in zip(told, found, strict=True):
            if has_stopped(instance):
                with suppress(Unavailable):  # the next look tries again
                    self._gce.delete(read.place, instance.name)
        return found


def _or_unknown(there: list[Instance], order: LaunchOrder) -> list[Instance]:
    if not there:
        raise Unknown(f"Google Cloud has carried out the order {order.intent}, but shows nothing of it (any more).")
    return there


def _is_spent(order: LaunchOrder) -> BackendError:
    return BackendError(
        f"The order {order.intent} was carried out before, and its instances are gone.",
        hint="Nothing needs to be done: the farm writes a new order where it needs more instances.",
    )


def _short(order: LaunchOrder, missing: int, why: BackendError) -> Notice:
    """The notice that fewer instances were started than ordered."""
    told = f"{missing} of {order.count} instances were not started. {why.message}"
    return Notice(notice_kind(why), order.intent, message=told)

"""Making the parts of one scheduler and handing each what it needs. Nothing is started here."""

from __future__ import annotations

from typing import Protocol

from scheduler.backends.registry import Registry, make
from scheduler.backends.site.client import SiteClient
from scheduler.bootstrap.tls import authority_of
from scheduler.clock import Clock
from scheduler.imaging.filming import Filming
from scheduler.imaging.pool import ImagingPool
from scheduler.priorities.delivering import Courier, make_courier
from scheduler.priorities.outbox import make_outbox
from scheduler.priorities.syncing import Tracker
from scheduler.service.capping import Capper
from scheduler.service.enforcing import Treasurer
from scheduler.service.explaining import Explainer
from scheduler.service.farm import Farm
from scheduler.service.following import Following
from scheduler.service.forecasting import Forecaster
from scheduler.service.identity import Identity
from scheduler.service.launching import Launcher
from scheduler.service.learning import Estimator
from scheduler.service.leasing import Leasing
from scheduler.service.liaison import Liaison
from scheduler.service.live import Live
from scheduler.service.picturing import Pictures
from scheduler.service.porter import Porter
from scheduler.service.publishing import Publisher
from scheduler.service.recalling import Recaller
from scheduler.service.rented_pools import RentedPools
from scheduler.service.rulekeeping import load_rules
from scheduler.service.scaling import Scaler
from scheduler.service.services import Services
from scheduler.service.sites import SiteHands, Sites, make_board
from scheduler.service.staging import Staging
from scheduler.service.surveying import Surveyor
from scheduler.service.treasury import prices
from scheduler.settings import Settings
from scheduler.store.store import Store


class TrackerFactory(Protocol):
    """Makes the tracker of a farm; tests put their own in its place."""

    def __call__(self, store: Store, settings: Settings, clock: Clock) -> Tracker | None:
        """The tracker, or None where the settings name none."""
        ...


def make_tracker(store: Store, settings: Settings, clock: Clock) -> Tracker | None:
    """The tracker that the settings name, if they do."""
    return Tracker(store, settings.shotgrid, clock) if settings.shotgrid.url is not None else None


def assemble(
    store: Store, settings: Settings, clock: Clock, imaging: ImagingPool, *, farm_id: str,
    tracker: TrackerFactory = make_tracker, backends: Registry = make,
) -> Services:  # fmt: skip
    """All parts of one scheduler, in memory as the store has it.

    Raises:
        Refused: the rules of the settings are wrong.
    """
    farm = _farm(store, settings, clock, farm_id, tracker(store, settings, clock))
    identity = Identity(farm)
    identity.load()
    estimator = Estimator(settings.estimates)
    forecaster = Forecaster(farm, estimator)
    surveyor = Surveyor(farm, forecaster)
    following = Following(farm, farm.tracker)
    publisher = Publisher(farm, imaging, estimator)
    launcher = Launcher(farm, identity, farm_id=farm_id, registry=backends)
    capper = Capper(farm, forecaster, estimator, launcher)
    staging = Staging(farm)
    return Services(
        farm=farm,
        identity=identity,
        leasing=Leasing(farm, publisher.on_delivered),
        staging=staging,
        pictures=Pictures(farm, staging),
        publisher=publisher,
        imaging=imaging,
        estimator=estimator,
        forecaster=forecaster,
        surveyor=surveyor,
        following=following,
        courier=_courier(farm, imaging),
        sites=_sites(farm, surveyor, publisher),
        explainer=Explainer(farm, surveyor, forecaster, following, capper),
        launcher=launcher,
        treasurer=Treasurer(farm, launcher),
        capper=capper,
        scaler=Scaler(farm, forecaster, surveyor, RentedPools(farm, launcher)),
        farm_id=farm_id,
        started_at=farm.now_s(),
    )


def _farm(store: Store, settings: Settings, clock: Clock, farm_id: str, tracker: Tracker | None) -> Farm:
    """What every use case works with, with the rules in force."""
    farm = Farm(store, clock, settings, Live(), id=farm_id)
    farm.tracker = tracker
    farm.outbox = make_outbox(settings.shotgrid, farm_id)
    farm.authority = authority_of(farm)
    make_board(farm)
    load_rules(farm)
    return farm


def _sites(farm: Farm, surveyor: Surveyor, publisher: Publisher) -> Sites:
    """Other farms that jobs may be handed over to: for each two connections, one for small talk and one for files."""
    recaller, hands = Recaller(farm, surveyor), list[SiteHands]()
    for name, note in farm.sites.sites.items():
        liaison = Liaison(farm, name, SiteClient(note.settings, farm.clock), recaller)
        carrier = SiteClient(note.settings, farm.clock)
        hands.append(SiteHands(liaison, Porter(farm, liaison, carrier, publisher.on_delivered)))
    return Sites(farm, hands)


def _courier(farm: Farm, imaging: ImagingPool) -> Courier | None:
    """Who brings the outbox's messages to the tracker, where there is an outbox."""
    if farm.outbox is None:
        return None
    settings = farm.settings
    return make_courier(
        settings.shotgrid,
        store=farm.store,
        clock=farm.clock,
        previews=imaging,
        movies=Filming(memory_max_bytes=settings.imaging.memory_max_bytes),
        prices=prices(settings.pools),
        farm_name=settings.farm.name,
    )

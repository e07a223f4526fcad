"""The running scheduler's parts as its faces see them; made in `bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.imaging.pool import ImagingPool
from scheduler.priorities.delivering import Courier
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
from scheduler.service.picturing import Pictures
from scheduler.service.publishing import Publisher
from scheduler.service.scaling import Scaler
from scheduler.service.sites import Sites
from scheduler.service.staging import Staging
from scheduler.service.surveying import Surveyor


@dataclass
class Services:
    """Everything that a route may use."""

    farm: Farm
    identity: Identity
    leasing: Leasing
    staging: Staging
    pictures: Pictures
    publisher: Publisher
    imaging: ImagingPool
    estimator: Estimator
    forecaster: Forecaster
    surveyor: Surveyor
    following: Following
    courier: Courier | None
    sites: Sites
    explainer: Explainer
    launcher: Launcher
    treasurer: Treasurer
    capper: Capper
    scaler: Scaler
    farm_id: str
    started_at: float
    stopping: bool = False

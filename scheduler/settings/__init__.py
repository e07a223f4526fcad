"""One frozen settings object for the whole scheduler: what can be set (`sections`), and where it is read from."""

from scheduler.settings.cloud_pools import AwsPool, GcePool
from scheduler.settings.cluster_pools import OpencuePool, SlurmPool
from scheduler.settings.loading import (
    LoadedSettings,
    given_keys,
    known_keys,
    load_settings,
    value_at,
    workers_environment,
)
from scheduler.settings.onprem_pools import Machine, OnpremPool
from scheduler.settings.pool import PoolSettings
from scheduler.settings.sections import (
    BudgetSettings,
    EconomySettings,
    EstimateSettings,
    FarmSettings,
    ImagingSettings,
    LimitSettings,
    PolicySettings,
    ServerSettings,
    Settings,
)
from scheduler.settings.site_pools import SitePool
from scheduler.settings.storage import StorageSettings
from scheduler.settings.tracking import ShotGridSettings

__all__ = [
    "AwsPool",
    "BudgetSettings",
    "EconomySettings",
    "EstimateSettings",
    "FarmSettings",
    "GcePool",
    "ImagingSettings",
    "LimitSettings",
    "LoadedSettings",
    "Machine",
    "OnpremPool",
    "OpencuePool",
    "PolicySettings",
    "PoolSettings",
    "ServerSettings",
    "Settings",
    "ShotGridSettings",
    "SitePool",
    "SlurmPool",
    "StorageSettings",
    "given_keys",
    "known_keys",
    "load_settings",
    "value_at",
    "workers_environment",
]

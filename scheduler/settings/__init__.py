"""One frozen settings object for the whole scheduler: what can be set (`sections`), and where it is read from."""

from scheduler.settings.loading import (
    LoadedSettings,
    given_keys,
    known_keys,
    load_settings,
    value_at,
    workers_environment,
)
from scheduler.settings.pools import (
    AwsPool,
    GcePool,
    Machine,
    OnpremPool,
    OpencuePool,
    PoolSettings,
    SitePool,
    SlurmPool,
)
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

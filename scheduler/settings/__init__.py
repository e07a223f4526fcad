"""One frozen settings object for the whole scheduler: what can be set (`sections`), and where it is read from."""

from scheduler.settings.loading import LoadedSettings, given_keys, known_keys, load_settings, value_at
from scheduler.settings.sections import (
    BudgetSettings,
    EconomySettings,
    EstimateSettings,
    FarmSettings,
    ImagingSettings,
    LimitSettings,
    PolicySettings,
    PoolSettings,
    ServerSettings,
    Settings,
)
from scheduler.settings.tracking import ShotGridSettings

__all__ = [
    "BudgetSettings",
    "EconomySettings",
    "EstimateSettings",
    "FarmSettings",
    "ImagingSettings",
    "LimitSettings",
    "LoadedSettings",
    "PolicySettings",
    "PoolSettings",
    "ServerSettings",
    "Settings",
    "ShotGridSettings",
    "given_keys",
    "known_keys",
    "load_settings",
    "value_at",
]

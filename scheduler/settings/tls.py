"""`[server.tls]`: how the scheduler proves who it is, and how workers do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from scheduler.settings.section import Section


class TlsSettings(Section):
    """`[server.tls]`: HTTPS with the farm's own certificate authority, or with a certificate of the studio's."""

    enabled: bool = Field(default=False, description="serve HTTPS only")
    names: tuple[str, ...] = Field(
        default=(), description="further DNS names and addresses that the farm's own certificate is for"
    )
    certificate: Path | None = Field(default=None, description="the studio's own certificate (PEM, with its chain)")
    key: Path | None = Field(default=None, description="its key (PEM)")
    workers: Literal["token", "certificate"] = Field(
        default="token", description="what a worker shows; `certificate`: one of the farm's authority beside its token"
    )
    certificate_days: int = Field(default=90, ge=1, le=825, description="how long a scheduler's certificate is valid")
    worker_certificate_days: int = Field(default=30, ge=1, le=825, description="how long a worker's is valid")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are needed together")
        if self.workers == "certificate" and not self.enabled:
            raise ValueError('workers = "certificate" needs enabled = true')
        return self
